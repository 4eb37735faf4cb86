"""A transport that takes the names of real hosts to an endpoint on this machine."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from toolstone.errors import TransportError
from toolstone.local.profiles.observed import observed
from toolstone.wire import HttpReply, HttpRequest, HttpStream, HttpxTransport, Transport

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

__all__ = ["LoopbackTransport"]


class LoopbackTransport:
    """Sends requests for Bedrock's hosts to an emulator, as curl does with `--resolve`.

    `https://bedrock-mantle.REGION.api.aws/...` goes over plain HTTP to the endpoint, with its own
    `Host` header: signatures are made and checked for the real name. No name is looked up, and
    nothing leaves this machine.

    Args:
        served: Where the endpoint answers, such as `served.base_url`; or, for several endpoints,
            their addresses by host name.
        inner: Carries the requests; httpx unless said otherwise.

    Example:
        with serve(brain, profile="mantle") as endpoint:
            transport = LoopbackTransport(endpoint.base_url)
    """

    def __init__(self, served: str | Mapping[str, str], inner: Transport | None = None) -> None:
        self._served = served
        self._inner = inner or HttpxTransport(trust_env=False)

    async def send(self, request: HttpRequest) -> HttpReply:
        """See `Transport`."""
        return await self._inner.send(self._turned(request))

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        """See `Transport`."""
        return self._inner.stream(self._turned(request))

    async def aclose(self) -> None:
        """See `Transport`."""
        await self._inner.aclose()

    def _turned(self, request: HttpRequest) -> HttpRequest:
        asked = urlsplit(request.url)
        there = urlsplit(self._address(asked.hostname or ""))
        url = asked._replace(scheme=there.scheme, netloc=there.netloc).geturl()
        kept = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        return dataclasses.replace(request, url=url, headers={"host": asked.netloc, **kept})

    def _address(self, host: str) -> str:
        """Where a host is played; the names that exist are those of the data file.

        Raises:
            TransportError: There is no such host, as a name that cannot be resolved.
        """
        found = self._served if isinstance(self._served, str) else self._served.get(host)
        if found is None or observed().where(host) is None:
            raise TransportError(
                f"there is no host {host!r}; check the region", phase="connect", retryable=False
            )
        return found
