"""Model strings, and OpenAI's variables that mean Bedrock: whose key goes where."""

import subprocess
import sys

import pytest
from toolstone_bedrock_stage import OSS, Stage

import toolstone.bedrock
from toolstone import Agent, ConfigError, DefinitionError, Responses
from toolstone.bedrock import BedrockModel
from toolstone.bedrock.ambient import ambient_model
from toolstone.bedrock.verify import LongTermKey
from toolstone.local.profiles import Account
from toolstone.models import check_model_string, resolve_model

MANTLE = "https://bedrock-mantle.us-east-1.api.aws/v1"


@pytest.mark.parametrize(
    ("name", "base_url"),
    [
        ("bedrock/openai.gpt-oss-120b@us-east-1", MANTLE),
        (
            "bedrock-runtime/openai.gpt-5.5@us-east-1",
            "https://bedrock-runtime.us-east-1.amazonaws.com/openai/v1",
        ),
        (
            "bedrock-mantle/openai.gpt-5.5@us-east-1",
            "https://bedrock-mantle.us-east-1.api.aws/openai/v1",
        ),
    ],
)
def test_a_bedrock_string_is_a_bedrock_model(name, base_url):
    found = resolve_model(name)
    assert isinstance(found, BedrockModel)
    assert (found.endpoint.base_url, found.name) == (base_url, name)


@pytest.mark.parametrize("name", ["bedrock/", "bedrock/x y", "bedrock/openai.gpt-5.5@nowhere"])
def test_a_bedrock_string_that_cannot_be_is_refused_when_the_agent_is_made(name):
    with pytest.raises(ConfigError, match="write it like"):
        Agent(name)


def test_other_strings_are_as_they_were():
    with pytest.raises(DefinitionError, match="not understood"):
        check_model_string("bedrocks/x")
    assert isinstance(resolve_model("responses+http://127.0.0.1:9/v1#m"), Responses)


def test_an_agent_by_its_string_is_made_without_loading_aws_or_http():
    code = """
import sys, toolstone
toolstone.Agent("bedrock/openai.gpt-oss-120b@us-east-1")
print([m for m in ("httpx", "botocore", "boto3") if m in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_openais_variables_that_mean_bedrock_make_a_bedrock_model(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", MANTLE)
    monkeypatch.setenv("OPENAI_API_KEY", "ABSKkey")
    found = resolve_model("openai/openai.gpt-oss-120b")
    assert isinstance(found, BedrockModel)
    assert (found.endpoint.base_url, found.auth.source) == (MANTLE, "argument")


def test_the_seeds_variables_run_an_agent():
    """`OPENAI_BASE_URL` and `OPENAI_API_KEY` as the first AWS page has them."""
    account = Account(keys=(), api_keys=[LongTermKey("ABSKexample")])
    with Stage(["hello"], OSS, account=account) as stage:
        variables = {"OPENAI_BASE_URL": MANTLE, "OPENAI_API_KEY": "ABSKexample"}
        model = ambient_model("openai.gpt-oss-120b", variables, transport=stage.transport)
        assert Agent(model).run_sync("hi").output == "hello"


def test_without_a_key_the_credentials_of_aws_are_used(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", MANTLE)
    assert resolve_model("openai/openai.gpt-oss-120b").auth.source == "credential chain"


def test_a_left_over_openai_key_is_refused_at_bedrocks_url(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", MANTLE)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-proj-left-over")
    with pytest.raises(ConfigError, match="does not go to AWS") as caught:
        resolve_model("openai/openai.gpt-oss-120b")
    assert "left-over" not in str(caught.value)


@pytest.mark.parametrize("key", ["ABSKsecret", "bedrock-api-key-c2VjcmV0"])
@pytest.mark.parametrize("base", [None, "https://api.openai.com/v1", "https://api.aws.example/v1"])
def test_a_bedrock_key_is_refused_anywhere_else(monkeypatch, key, base):
    if base is not None:
        monkeypatch.setenv("OPENAI_BASE_URL", base)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ConfigError, match="not sent there") as caught:
        resolve_model("openai/gpt-5.6")
    assert key not in str(caught.value)


def test_openai_itself_is_reached_as_before(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-key")
    found = resolve_model("openai/gpt-5.6")
    assert isinstance(found, Responses)
    assert found.base_url == "https://api.openai.com/v1"


def test_the_public_names_are_these_and_each_is_there():
    assert sorted(toolstone.bedrock.__all__) == [
        *("ApiKey", "BedrockModel", "ChosenAuth", "Dialect", "Endpoint", "Finding", "Keys"),
        *("Listed", "MintedKey", "SigV4", "Wishes", "bedrock_model", "check_model"),
        *("choose_auth", "diagnose", "list_models", "list_runtime_models", "resolve_endpoint"),
    ]
    for name in toolstone.bedrock.__all__:
        assert getattr(toolstone.bedrock, name).__doc__, name
    with pytest.raises(AttributeError, match="nothing"):
        getattr(toolstone.bedrock, "nothing")  # noqa: B009  a type checker would find it
