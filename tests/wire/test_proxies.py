"""Which proxy stands before an address."""

import pytest

from toolstone.wire.proxies import Proxies

pytestmark = pytest.mark.usefixtures("no_proxies")

HERE, SAFE = "http://a.example/v1", "https://a.example:8443/v1"


def found(url, **options):
    return Proxies(options.pop("given", None), trust_env=options.pop("trust_env", True)).find(url)


def test_the_environment_names_one_for_each_scheme(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://plain:1")
    monkeypatch.setenv("HTTPS_PROXY", "safe:2")

    assert (found(HERE), found(SAFE)) == ("http://plain:1", "http://safe:2")
    assert found(SAFE, trust_env=False) is None


def test_one_for_all_serves_where_none_else_is_named(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "http://all:1")
    monkeypatch.setenv("HTTP_PROXY", "http://plain:2")

    assert (found(HERE), found(SAFE)) == ("http://plain:2", "http://all:1")


@pytest.mark.parametrize("excepted", ["a.example", ".example", "*", "a.example:8443"])
def test_hosts_may_be_excepted(monkeypatch, excepted):
    monkeypatch.setenv("HTTPS_PROXY", "http://safe:1")
    monkeypatch.setenv("NO_PROXY", excepted)

    assert found(SAFE) is None
    assert found("https://b.other/v1") == (None if excepted == "*" else "http://safe:1")


def test_what_is_given_counts_before_the_environment(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://safe:1")

    assert found(SAFE, given="http://mine:2") == "http://mine:2"


def test_the_environment_is_read_once_for_a_url_and_what_is_kept_is_bounded(monkeypatch):
    proxies = Proxies(None, trust_env=True)
    assert proxies.find(SAFE) is None
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@safe:1")
    assert proxies.find(SAFE) is None
    for n in range(300):
        assert proxies.find(f"https://h{n}.example/") == "http://me:secret@safe:1"

    assert len(proxies._named) <= 256
    assert "secret" not in repr(proxies)
