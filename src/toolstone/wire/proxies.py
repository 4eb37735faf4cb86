"""Which proxy stands before an address: the one given, or the environment's."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from toolstone._secrets import Hidden, Secret

__all__ = ["Proxies"]

_KEPT_URLS: Final = 256


class Proxies:
    """Names the proxy for a URL; what the environment says is read at the first need of each.

    `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY` count unless `NO_PROXY` excepts the host, as the
    standard library reads them.
    """

    __slots__ = ("_given", "_named", "_password", "_trust_env")

    def __init__(self, given: str | None, *, trust_env: bool) -> None:
        self._given = None if given is None else Hidden(given)
        self._password = _password(given)
        self._trust_env = trust_env
        self._named: dict[str, tuple[Hidden | None, object]] = {}

    def __repr__(self) -> str:
        return "Proxies(...)"  # their URLs may hold passwords

    def find(self, url: str) -> str | None:
        """The URL of the proxy, or None to connect straight."""
        if self._given is not None or not self._trust_env:
            return self._given
        if url not in self._named:
            if len(self._named) >= _KEPT_URLS:
                self._named.clear()
            found = _environment_proxy(url)
            self._named[url] = (None if found is None else Hidden(found), _password(found))
        return self._named[url][0]


def _password(url: str | None) -> tuple[Secret, ...]:
    """The password in a URL, as it is written and as it is meant: while kept, it is redacted."""
    from urllib.parse import unquote  # noqa: PLC0415  for those who have a proxy

    try:
        found = urlsplit(Hidden(url or "")).password or ""
    except ValueError:
        return ()
    return (Secret(found), Secret(unquote(found)))


def _environment_proxy(url: str) -> str | None:
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  35 modules

    parts = urlsplit(url)
    named = getproxies()
    found = named.get(parts.scheme) or named.get("all")
    if not found or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return found if "://" in found else f"http://{found}"
