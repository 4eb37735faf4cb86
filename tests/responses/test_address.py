"""Where keys and prompts may be sent to."""

import pytest

from toolstone.errors import ConfigError, InputError
from toolstone.responses import Responses, responses_model
from toolstone.responses.address import (
    check_base_url,
    openai_settings,
    parse_model_string,
    path_segment,
)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("https://x.example/X//", "https://x.example/X"),
        ("https://api.openai.com", "https://api.openai.com"),
        ("https://bedrock-mantle.us-east-1.api.aws/openai/v1", "https://bedrock-mantle.us-east-1.api.aws/openai/v1"),
        ("http://localhost:8080/v1", "http://localhost:8080/v1"),
        ("http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1"),
        ("http://127.8.8.8/v1", "http://127.8.8.8/v1"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1"),
        ("https://10.0.0.7:8443/a/b", "https://10.0.0.7:8443/a/b"),
        ("HTTPS://Example.COM/v1", "HTTPS://Example.COM/v1"),
        ("https://host_name/v1", "https://host_name/v1"),
    ],
)  # fmt: skip
def test_a_safe_url_is_kept_as_it_is(given, kept):
    assert check_base_url(given) == kept


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "http"),
        ("api.openai.com/v1", "http"),
        ("ftp://x.example/v1", "http"),
        ("file:///etc/passwd", "http"),
        ("http://api.openai.com/v1", "for all to read"),
        ("http://10.0.0.7/v1", "for all to read"),
        ("http://localhost.evil.example/v1", "for all to read"),
        ("http://169.254.169.254/v1", "for all to read"),
        ("http://2130706433/v1", "for all to read"),
        ("http://0x7f.1/v1", "for all to read"),
        ("http://[::ffff:10.0.0.7]/v1", "for all to read"),
        ("https://user:pw-canary@x.example/v1", "user or password"),
        ("https://user@x.example/v1", "user or password"),
        ("https://@x.example/v1", "user or password"),
        ("https://x.example/v1?key=pw-canary", "query"),
        ("https://x.example/v1?", "query"),
        ("https://x.example/v1#pw-canary", "fragment"),
        ("https://x.example/v1#", "fragment"),
        ("https://x.example./v1", "plain name"),
        ("https://xn--e1awd7f.example/v1 ", "path"),
        ("https://\u0430pi.openai.com/v1", "plain name"),
        ("https://api.openai.com\u3002evil.example/v1", "plain name|no URL"),
        ("https://-x.example/v1", "plain name"),
        ("https://x..example/v1", "plain name"),
        ("https:///v1", "no host"),
        ("https://x.example:99999/v1", "no URL"),
        ("https://x.example:port/v1", "no URL"),
        ("https://x.example:0/v1", "port 0"),
        ("https://[::1/v1", "no URL"),
        ("https://x.example/v1/../admin", "'..'"),
        ("https://x.example/v1/%2e%2E/admin", "'..'"),
        ("https://x.example/./v1", "'..'"),
        ("https://x.example/v 1", "path"),
        ("https://x.example/v\\1", "path"),
        ("https://x.example\\@evil.example/v1", "user or password|plain name"),
    ],
)
def test_an_unsafe_url_is_refused_with_the_reason_and_without_secrets(url, why):
    with pytest.raises(ConfigError, match=why) as caught:
        Responses(model="m", base_url=url)

    assert "pw-canary" not in str(caught.value)


_PLAIN = "http:// sends keys and prompts for all to read; only this machine may be reached so"
_RIGHT = "write it like 'https://host/v1', with the key in api_key="


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://[::1/v1", "(15 characters) is no URL; write it like 'https://host/v1'"),
        ("https://me@x.example/v1", "'https://x.example': it has a user or password"),
        ("https://x.example/v1?", "'https://x.example': it has a query"),
        ("https://x.example/v1#", "'https://x.example': it has a fragment"),
        ("ftp://x.example/v1", "'ftp://x.example': it must begin with https:// or http://"),
        ("https:///v1", "'https://': it has no host"),
        ("https://x.example.", "'https://x.example.': its host is no plain name or address"),
        ("https://[fe80::1%25eth0]/v1", "'https://fe80::1%25eth0': its host is no plain name or address"),
        ("https://x.example:0", "'https://x.example': port 0 is none"),
        (
            "https://x.example/../v1",
            "'https://x.example': its path has a step '..', or a character that URLs cannot hold",
        ),
        ("http://x.example", f"'http://x.example': {_PLAIN}"),
        (f"{'f' * 99}://{'x' * 999}", f"'{'f' * 20}://{'x' * 100}': it must begin with https:// or http://"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_wrong_and_what_would_be_right(url, told):
    with pytest.raises(ConfigError) as caught:
        check_base_url(url)

    right = "" if "is no URL" in told else f"; {_RIGHT}"
    assert str(caught.value) == f"base_url {told}{right}"


def test_characters_that_urls_drop_unseen_are_refused():
    for mark in "\t\r\n":
        with pytest.raises(ConfigError):
            check_base_url(f"https://x.exa{mark}mple/v1")


def test_a_model_string_names_url_and_model():
    assert parse_model_string("responses+http://127.0.0.1:8080/v1#smollm2") == (
        "http://127.0.0.1:8080/v1",
        "smollm2",
    )
    assert (
        parse_model_string("responses+https://x.example#org/model:tag@1#2")[1]
        == "org/model:tag@1#2"
    )


@pytest.mark.parametrize(
    "text",
    ["responses+https://x.example/v1", "responses+https://x.example/v1#", "https://x.example#m", "responses+#m"],
)  # fmt: skip
def test_a_model_string_that_is_none_is_a_config_error(text):
    with pytest.raises(ConfigError):
        responses_model(text)


def test_a_model_string_that_is_none_is_told_what_one_looks_like():
    with pytest.raises(ConfigError) as caught:
        parse_model_string("chat+https://x.example", "chat")

    assert str(caught.value) == (
        "model string of 22 characters: a compatible server is written "
        "'chat+https://host/v1#MODEL' (http:// for this machine)"
    )


@pytest.mark.parametrize(
    ("given", "name", "step"),
    [
        ("resp_1", False, "resp_1"),
        ("a.b:c=d+e~f-9", False, "a.b%3Ac%3Dd%2Be~f-9"),
        ("x" * 1024, False, "x" * 1024),
        ("org/model:tag@1", True, "org%2Fmodel%3Atag%401"),
    ],
)
def test_an_id_is_one_step_of_a_path(given, name, step):
    assert path_segment(given, name=name) == step


def test_what_may_be_a_models_name_may_not_be_an_id():
    with pytest.raises(InputError, match="an id given"):
        path_segment("org/model")


@pytest.mark.parametrize(
    ("given", "name", "told"),
    [
        ("", False, "an id given as 'str' of 0 characters"),
        ("../x", False, "an id given as 'str' of 4 characters"),
        ("a/b", False, "an id given as 'str' of 3 characters"),
        ("x" * 1025, False, "an id given as 'str' of 1025 characters"),
        (None, False, "an id given as 'NoneType'"),
        (b"resp_1", False, "an id given as 'bytes'"),
        ("/b", True, "a model name given as 'str' of 2 characters"),
        (7, True, "a model name given as 'int'"),
    ],
)
def test_what_could_lead_elsewhere_is_no_id(given, name, told):
    with pytest.raises(InputError) as caught:
        path_segment(given, name=name)

    assert str(caught.value) == (
        f"{told}: it begins with a letter or digit and goes on with those or ._:=+~-; "
        "take it as the server gave it"
    )


@pytest.mark.parametrize(
    ("url", "kept"),
    [(None, "https://api.openai.com/v1"), ("", "https://api.openai.com/v1"), ("https://x.example/v1/", "https://x.example/v1")],
)  # fmt: skip
def test_openais_settings_are_its_variables(url, kept):
    environment = {"OPENAI_API_KEY": "sk-key"} | ({} if url is None else {"OPENAI_BASE_URL": url})

    assert openai_settings(environment) == (kept, "sk-key")


@pytest.mark.parametrize("environment", [{}, {"OPENAI_API_KEY": ""}, {"OPENAI_API_KEY": " "}])
def test_without_a_key_openais_settings_say_what_to_do(environment):
    with pytest.raises(ConfigError) as caught:
        openai_settings(environment)

    assert str(caught.value) == (
        "OPENAI_API_KEY is not set; set it, or use Responses(base_url=..., api_key=...)"
    )
