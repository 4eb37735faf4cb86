"""Which key is taken: the order of bedrock.md §4.4, and whose keys go nowhere."""

import pytest

from toolstone.bedrock import ApiKey, Keys, MintedKey, SigV4, choose_auth, resolve_endpoint
from toolstone.errors import ConfigError

MANTLE_URL = "https://bedrock-mantle.us-east-1.api.aws/v1"


def endpoint(**options):
    return resolve_endpoint("bedrock/openai.gpt-oss-20b@us-east-1", environment={}, **options)


def choose(environment=None, **options):
    return choose_auth(endpoint(), environment=environment or {}, **options)


async def bearer(chosen, url=MANTLE_URL + "/responses"):
    found = await chosen.auth.headers("POST", url, {}, b"")
    return found["authorization"]


@pytest.mark.parametrize(
    ("environment", "options", "source"),
    [
        ({"AWS_BEARER_TOKEN_BEDROCK": "ABSKenv"}, {"api_key": "ABSKmine"}, "argument"),
        ({"AWS_BEARER_TOKEN_BEDROCK": "ABSKenv"}, {}, "AWS_BEARER_TOKEN_BEDROCK"),
        (
            {"AWS_BEARER_TOKEN_BEDROCK": "ABSKenv", "AWS_ACCESS_KEY_ID": "AKID"},
            {},
            "AWS_BEARER_TOKEN_BEDROCK",
        ),
        (
            {"AWS_BEARER_TOKEN_BEDROCK": "ABSKenv", "OPENAI_API_KEY": "ABSKother"},
            {},
            "AWS_BEARER_TOKEN_BEDROCK",
        ),
        ({"AWS_BEARER_TOKEN_BEDROCK": "  "}, {}, "credential chain"),
        ({"AWS_BEARER_TOKEN_BEDROCK": "ABSKenv"}, {"profile": "work"}, "credential chain"),
        ({}, {}, "credential chain"),
        ({"OPENAI_API_KEY": "ABSKkey"}, {}, "credential chain"),
    ],
)
def test_the_order_is_argument_bearer_chain(environment, options, source):
    assert choose(environment, **options).source == source


def test_what_was_passed_over_is_told():
    chosen = choose(
        {
            "AWS_BEARER_TOKEN_BEDROCK": "ABSKenv",
            "AWS_ACCESS_KEY_ID": "AKID",
            "OPENAI_API_KEY": "sk-x",
        }
    )
    assert chosen.passed_over == (
        "AWS_ACCESS_KEY_ID is set; AWS_BEARER_TOKEN_BEDROCK wins",
        "OPENAI_API_KEY is set; it is not used here",
    )
    assert "sk-x" not in repr(chosen)
    assert "ABSKenv" not in repr(chosen)


def test_the_chain_signs_unless_a_key_is_to_be_minted():
    assert isinstance(choose().auth, SigV4)
    assert isinstance(choose(sign="minted").auth, MintedKey)


async def test_the_key_in_openais_variable_is_taken_last_and_for_bedrock_alone():
    ambient = {"OPENAI_API_KEY": "ABSKkey", "OPENAI_BASE_URL": MANTLE_URL}
    assert await bearer(choose(ambient)) == "Bearer ABSKkey"


async def test_the_chain_wins_over_the_key_in_openais_variable(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    ambient = {"OPENAI_API_KEY": "ABSKkey", "OPENAI_BASE_URL": MANTLE_URL}
    assert "AKIDENV" in await bearer(choose(ambient))


@pytest.mark.parametrize(
    "ambient",
    [
        {"OPENAI_API_KEY": "sk-left-over", "OPENAI_BASE_URL": MANTLE_URL},
        {"OPENAI_API_KEY": "ABSKkey", "OPENAI_BASE_URL": "https://api.openai.com/v1"},
        {"OPENAI_API_KEY": "ABSKkey"},
    ],
)
async def test_any_other_key_in_openais_variable_is_left_alone(ambient):
    with pytest.raises(ConfigError, match="no AWS credentials were found"):
        await bearer(choose(ambient))


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({"AWS_BEARER_TOKEN_BEDROCK": "sk-proj-left-over"}, {}),
        ({}, {"api_key": "sk-proj-left-over"}),
    ],
)
def test_openais_key_does_not_go_to_aws(environment, options):
    with pytest.raises(ConfigError, match="does not go to AWS") as caught:
        choose(environment, **options)
    assert "left-over" not in str(caught.value)


def test_a_gateway_takes_any_key():
    gateway = endpoint(endpoint="http://127.0.0.1:1")
    assert choose_auth(gateway, api_key="sk-1234567", environment={}).source == "argument"


def test_two_ways_at_once_are_refused():
    signer = SigV4("us-east-1", "bedrock", credentials=Keys("a", "b"))
    for two in (
        {"api_key": "ABSK", "auth": signer},
        {"api_key": "ABSK", "profile": "p"},
        {"auth": ApiKey("ABSK"), "profile": "p"},
    ):
        with pytest.raises(ConfigError, match="one of them"):
            choose(**two)


def test_a_gateway_without_a_region_needs_a_key():
    gateway = resolve_endpoint(
        "bedrock/openai.gpt-oss-20b", endpoint="http://127.0.0.1:1", environment={}
    )
    with pytest.raises(ConfigError, match="no region to sign for"):
        choose_auth(gateway, environment={})
    assert choose_auth(gateway, api_key="k", environment={}).source == "argument"


async def test_whoever_asked_learns_from_the_refusal():
    ambient = {"OPENAI_API_KEY": "ABSKkey", "OPENAI_BASE_URL": MANTLE_URL}
    chosen = choose(ambient)
    await bearer(chosen)
    assert not await chosen.auth.learn(401, {})
