"""Which proxy stands before an address: the one given, or the environment's."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

__all__ = ["Proxies"]

_KEPT_URLS: Final = 256


class Proxies:
    """Names the proxy for a URL; what the environment says is read at the first need of each.

    `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY` count unless `NO_PROXY` excepts the host, as the
    standard library reads them.
    """

    __slots__ = ("_given", "_named", "_trust_env")

    def __init__(self, given: str | None, *, trust_env: bool) -> None:
        self._given = given
        self._trust_env = trust_env
        self._named: dict[str, str | None] = {}

    def __repr__(self) -> str:
        return "Proxies(...)"  # their URLs may hold passwords

    def find(self, url: str) -> str | None:
        """The URL of the proxy, or None to connect straight."""
        if self._given is not None or not self._trust_env:
            return self._given
        if url not in self._named:
            if len(self._named) >= _KEPT_URLS:
                self._named.clear()
            self._named[url] = _environment_proxy(url)
        return self._named[url]


def _environment_proxy(url: str) -> str | None:
    from urllib.request import getproxies, proxy_bypass  # noqa: PLC0415  35 modules

    parts = urlsplit(url)
    named = getproxies()
    found = named.get(parts.scheme) or named.get("all")
    if not found or proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    return found if "://" in found else f"http://{found}"
