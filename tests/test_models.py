"""Model strings: which client they make, with which profile."""

import pytest

from toolstone import Agent, ConfigError, DefinitionError, Responses
from toolstone.bedrock import Dialect
from toolstone.chat import ChatCompletions
from toolstone.models import check_model_string, resolve_model

URL = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("responses", Responses),
        ("llama.cpp", ChatCompletions),
        ("litellm", Responses),
        ("transformers", Responses),
        ("local", Responses),
        ("openai", Responses),
    ],
)
def test_a_string_with_a_url_names_the_kind_of_server(scheme, kind):
    found = resolve_model(f"{scheme}+{URL}#some/model")
    assert isinstance(found, kind)
    assert (found.base_url, found.model) == (URL, "some/model")
    assert found.profile.name == scheme


def test_a_known_server_is_met_with_its_profile():
    known = Dialect.load().profile("litellm", "responses")
    assert resolve_model(f"litellm+{URL}#m").profile == known
    assert resolve_model(f"llama.cpp+{URL}#m").profile.output_with_tools == "tool"


def test_chat_completions_are_spoken_as_they_are_written():
    found = resolve_model(f"chat+{URL}#m")
    assert isinstance(found, ChatCompletions)
    assert (found.base_url, found.model) == (URL, "m")


def test_a_known_server_has_its_own_words_for_errors():
    found = resolve_model(f"litellm+{URL}#m")
    assert found.failures == Dialect.load().failures_of("litellm")


def test_openai_has_its_own_profile(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-key")
    assert resolve_model("openai/gpt-5.6").profile == Dialect.load().profile("openai")


@pytest.mark.parametrize("name", [f"vllm+{URL}#m", f"bedrock+{URL}#m"])
def test_an_unknown_kind_of_server_is_told_the_known_ones(name):
    known = "responses, chat, openai, local, llama.cpp, litellm, transformers"
    with pytest.raises(DefinitionError, match=known):
        Agent(name)


@pytest.mark.parametrize(
    "name", ["llama.cpp+http://127.0.0.1:9/v1", f"+{URL}#m", "llama.cpp/m", "gpt-5", ""]
)
def test_what_has_none_of_the_forms_is_refused_with_them(name):
    with pytest.raises(DefinitionError, match="not understood; write 'bedrock/"):
        check_model_string(name)


def test_a_url_that_sends_prompts_for_all_to_read_is_refused():
    with pytest.raises(ConfigError, match="http://"):
        resolve_model("litellm+http://example.com/v1#m")


@pytest.mark.parametrize("url", ["https://user:pw@host/v1", "https://host/v1?key=pw"])
def test_a_key_in_a_url_is_refused_and_not_repeated(url):
    name = f"responses+{url}#m"
    with pytest.raises(ConfigError) as caught:
        check_model_string(name)

    assert str(caught.value) == (
        f"model string of {len(name)} characters: its URL has a user, a password or a query; "
        "a key is given as api_key= to Responses(base_url=..., model=...)"
    )


@pytest.mark.parametrize("name", ["https://user:pw@host/v1", "gpt-5@pw", "gpt-5?pw"])
def test_what_may_hold_a_key_is_told_by_its_length(name):
    with pytest.raises(DefinitionError, match=f"^model string of {len(name)} characters is not"):
        check_model_string(name)


def test_a_model_of_bedrock_is_checked_by_name_and_made_without_a_request():
    name = "bedrock/openai.gpt-oss-120b@us-east-1"

    check_model_string(name)
    assert resolve_model(name).name == name
    with pytest.raises(ConfigError):
        check_model_string("bedrock/openai.gpt-oss-120b@nowhere at all")


def test_a_local_model_is_met_where_its_process_listens(monkeypatch):
    monkeypatch.setattr("toolstone.local.spawn.endpoint", lambda model: f"{URL}/{model}")
    found = resolve_model("local/smollm2")

    assert (found.base_url, found.model) == (f"{URL}/smollm2", "smollm2")
    assert found.profile == Dialect.load().profile("local")
