"""HTTP by httpx, the default.

httpx looks at every connection of a pool for every request: with 100 at once that costs more than
the request. So there are several small pools, filled one after the other.
"""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.errors import ConfigError, DeadlineError, TransportError
from toolstone.wire.pools import PerLoop
from toolstone.wire.reading import decoded, read_body
from toolstone.wire.tls import tls_context
from toolstone.wire.transport import HttpReply, HttpRequest, HttpStream, reply_headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator
    from types import ModuleType

__all__ = ["HttpxTransport"]

_SHARD: Final = 10
"""Connections of one small pool."""


@cache
def _httpx() -> ModuleType:
    """The one place where httpx is imported."""
    import httpx  # noqa: PLC0415

    return httpx


class HttpxTransport:
    """Carries requests by httpx, with a pool for each event loop.

    Args:
        client: Your own `httpx.AsyncClient`, or one of its shape; you close it yourself, and its
            event loop is the one it can be used in.
        verify: Certificate authorities: a file, a folder, or an `ssl.SSLContext`.
        trust_env: Whether `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` ... count, as httpx reads
            them.
        proxy: The URL of a proxy.
        connections: The most connections open at once in one event loop.

    Raises:
        ConfigError: `proxy` is no URL of a proxy, at first use.
    """

    def __init__(
        self,
        client: Any = None,
        *,
        verify: ssl.SSLContext | str | None = None,
        trust_env: bool = True,
        proxy: str | None = None,
        connections: int = limits.CONNECTIONS,
    ) -> None:
        self._client = client
        self._verify = verify
        self._trust_env = trust_env
        self._proxy = proxy
        self._most = max(1, -(-connections // _SHARD))
        self._size = min(connections, _SHARD)
        self._pools = PerLoop[_Shards](lambda: _Shards(self), _Shards.aclose)

    async def send(self, request: HttpRequest) -> HttpReply:
        """See `Transport`."""
        async with self.stream(request) as answer:
            body = await read_body(answer.status, answer.chunks)
            return HttpReply(answer.status, answer.headers, body)

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[HttpStream]:
        """See `Transport`."""
        shard = _Shard(self._client) if self._client else (await self._pools.get()).pick()
        shard.busy += 1
        try:
            answer = await _open(shard.client, request)
            try:
                raw = _chunks(answer)
                async with aclosing(raw):
                    yield _Stream(answer, raw)
            finally:
                await answer.aclose()
        finally:
            shard.busy -= 1

    async def aclose(self) -> None:
        """See `Transport`. A client that was handed in stays open."""
        if self._client is None:
            await self._pools.aclose()

    def make_client(self) -> Any:
        """One small pool.

        Raises:
            ConfigError: The proxy's URL is not one.
        """
        httpx = _httpx()
        bounds = httpx.Limits(max_connections=self._size, max_keepalive_connections=self._size)
        try:
            return httpx.AsyncClient(
                verify=tls_context(self._verify, trust_env=self._trust_env),
                trust_env=self._trust_env,
                proxy=self._proxy,
                limits=bounds,
                follow_redirects=False,
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            raise ConfigError(
                f"a proxy cannot be used ({type(error).__name__}); check proxy=, or HTTPS_PROXY "
                "and ALL_PROXY; it is written http://host:port"
            ) from None  # the cause would quote the URL, and that may hold a password

    @property
    def most(self) -> int:
        """How many small pools there may be."""
        return self._most

    @property
    def size(self) -> int:
        """Connections of each."""
        return self._size


class _Shard:
    __slots__ = ("busy", "client")

    def __init__(self, client: Any) -> None:
        self.client = client
        self.busy = 0


class _Shards:
    """The small pools of one event loop."""

    def __init__(self, transport: HttpxTransport) -> None:
        self._transport = transport
        self._shards: list[_Shard] = []

    def pick(self) -> _Shard:
        """The first that has a free place, so that connections are used again; else the idlest."""
        for shard in self._shards:
            if shard.busy < self._transport.size:
                return shard
        if len(self._shards) < self._transport.most:
            self._shards.append(_Shard(self._transport.make_client()))
            return self._shards[-1]
        return min(self._shards, key=lambda shard: shard.busy)

    async def aclose(self) -> None:
        for shard in self._shards:
            await shard.client.aclose()
        self._shards.clear()


class _Stream:
    """See `HttpStream`."""

    __slots__ = ("chunks", "headers", "status")

    def __init__(self, answer: Any, raw: AsyncIterator[bytes]) -> None:
        self.status: int = answer.status_code
        self.headers = reply_headers(answer.headers.raw)
        self.chunks = decoded(self.headers, raw)


async def _open(client: Any, request: HttpRequest) -> Any:
    httpx = _httpx()
    timeout = httpx.Timeout(None, connect=request.deadlines.connect)
    try:
        prepared = client.build_request(
            request.method,
            request.url,
            content=request.body,
            headers=request.headers,
            timeout=timeout,
        )
        return await client.send(prepared, stream=True, follow_redirects=False)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise _failure(error, request, "headers") from error


async def _chunks(answer: Any) -> AsyncGenerator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    except (_httpx().HTTPError, OSError) as error:
        raise _failure(error, None, "body") from error


def _failure(error: Exception, request: HttpRequest | None, phase: str) -> TransportError:
    httpx = _httpx()
    what = f"{type(error).__name__}: {error}"
    if isinstance(error, httpx.ConnectTimeout) and request is not None:
        seconds = request.deadlines.connect
        return DeadlineError(
            f"no connection within {seconds:g} s (Deadlines.connect)", phase="connect"
        )
    if isinstance(error, httpx.ProxyError):
        return TransportError(f"the proxy did not let us through: {error}", phase="connect")
    if isinstance(error, httpx.ConnectError):
        return _no_connection(error)
    if isinstance(error, httpx.WriteError):
        return TransportError(f"the request could not be sent ({what})", phase="send")
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol | httpx.InvalidURL):
        return TransportError(
            f"the request is not one that HTTP can carry ({what})", phase="send", retryable=False
        )
    return TransportError(f"the connection broke before the answer was whole ({what})", phase=phase)


def _no_connection(error: BaseException) -> TransportError:
    import ssl  # noqa: PLC0415  loaded by httpx already

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return TransportError(
                f"TLS failed: {seen.reason or seen}. The server's certificate must be for this "
                "host and from an authority that is trusted here: verify=, or SSL_CERT_FILE",
                phase="connect",
                retryable=False,
            )
        seen = seen.__cause__ or seen.__context__
    return TransportError(f"no connection: {error}", phase="connect")
