"""Who may come in: by which name, from which page, with which key."""

import httpx
import pytest

from toolstone.errors import ConfigError
from toolstone.local import Script, serve

KEY = "sk-local-hunter2"
BODY = {"model": "m", "input": "hi"}


def post(endpoint, **headers):
    return httpx.post(f"{endpoint.base_url}/responses", json=BODY, headers=headers)


@pytest.fixture(scope="module")
def locked():
    with serve(Script(["hi"]), api_key=KEY) as endpoint:
        yield endpoint


def test_who_has_the_key_comes_in(locked):
    assert post(locked, authorization=f"Bearer {KEY}").status_code == 200
    assert post(locked, authorization=f"bearer {KEY}").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {KEY}"},
        {"authorization": KEY},
        {"authorization": "Bearer  x"},
        {"authorization": "Bearer \xff"},
        {"x-api-key": KEY},
    ],
)
def test_without_the_key_everything_is_refused_as_openai_refuses(locked, headers):
    headers = [(name, value.encode("latin-1")) for name, value in headers.items()]
    url = locked.base_url
    replies = [
        httpx.post(f"{url}/responses", json=BODY, headers=headers),
        httpx.get(f"{url}/models", headers=headers),
        httpx.get(f"{url}/nowhere", headers=headers),
    ]

    for reply in replies:
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == "Bearer"
        error = reply.json()["error"]
        assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")
        assert KEY not in reply.text
        assert "wrong" not in reply.text


def test_the_key_stands_in_no_repr():
    with serve(Script([]), api_key=KEY) as endpoint:
        assert KEY not in repr(endpoint)


@pytest.mark.parametrize("key", ["", " ", "schlüssel"])
def test_a_key_no_header_can_hold_is_a_mistake(key):
    with pytest.raises(ConfigError, match="api_key"), serve(Script([]), api_key=key):
        pass


def test_a_profile_takes_no_key_of_ours():
    with (
        pytest.raises(ConfigError, match="keys and a memory of its own"),
        serve(Script([]), profile="mantle", api_key=KEY),
    ):
        pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_an_address_that_others_reach_needs_a_key(host):
    with pytest.raises(
        ConfigError, match=r"not a loopback address.*api_key.*TOOLSTONE_API_KEY, or --api-key"
    ):
        with serve(Script([]), host=host):
            pass


def test_with_a_key_it_answers_elsewhere_under_any_name():
    with serve(Script(["hi"]), host="0.0.0.0", api_key=KEY) as endpoint:
        url = f"{endpoint.base_url}/models"
        named = {"host": "models.example:80"}
        without = httpx.get(url, headers=named)
        reply = httpx.get(url, headers={**named, "authorization": f"Bearer {KEY}"})

    assert url.startswith("http://127.0.0.1:")  # of all its addresses, one that works here
    assert (without.status_code, reply.status_code) == (401, 200)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "127.0.0.1@evil", "[::1"]
)
def test_on_loopback_it_answers_under_no_foreign_name(host):
    with serve(Script(["hi"])) as endpoint:
        reply = httpx.get(f"{endpoint.base_url}/models", headers={"host": host})

    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == "invalid_host" or not host


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "[::1]:80", "127.0.0.1"])
def test_on_loopback_it_answers_under_its_own_names(host):
    with serve(Script(["hi"])) as endpoint:
        reply = httpx.get(f"{endpoint.base_url}/models", headers={"host": host})

    assert reply.status_code == 200
