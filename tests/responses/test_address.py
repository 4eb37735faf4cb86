"""Where keys and prompts may be sent to."""

import pytest

from toolstone.errors import ConfigError
from toolstone.responses import Responses, responses_model
from toolstone.responses.address import check_base_url, parse_model_string


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
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
