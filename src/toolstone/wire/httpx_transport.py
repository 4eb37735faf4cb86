"""HTTP by httpx, the default.

httpx looks at every connection and every waiting request of a pool for every request: with 100 at
once that costs more than the request. So each connection has a pool of its own here: who asks
takes the one that was used last, or opens another, or waits for one.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import aclosing, asynccontextmanager
from dataclasses import field
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone._secrets import Hidden
from toolstone.errors import ConfigError, TransportError
from toolstone.wire.failed import broken, no_connection, quotable, too_late, unfit
from toolstone.wire.pools import PerLoop
from toolstone.wire.proxies import Proxies
from toolstone.wire.quiet import without_secrets
from toolstone.wire.reading import decoded, read_reply
from toolstone.wire.tls import tls_context, trusting_nobody
from toolstone.wire.transport import HttpReply, HttpRequest, HttpStream, reply_headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
    from types import ModuleType

__all__ = ["HttpxTransport"]


class _Way(NamedTuple):
    """Where a connection leads."""

    proxy: str | None
    origin: str

    @property
    def is_plain(self) -> bool:
        """Whether nothing on it is encrypted."""
        return self.origin.startswith("http:") and not (self.proxy or "").startswith("https:")


def _look_once_for(module: str) -> None:
    """Spare httpcore, which asks for it four times a request, to look for it in vain each time.

    Python takes None there as the news that there is no such module.
    """
    try:
        import_module(module)
    except ImportError:
        sys.modules[module] = None  # type: ignore[assignment]


@cache
def _httpx() -> ModuleType:
    """The one place where httpx is imported."""
    import httpx  # noqa: PLC0415

    _look_once_for("sniffio")
    without_secrets("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "proxy")))
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
        ConfigError: `connections` is below 1; or `proxy` is no URL of a proxy, at first use.
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
        if connections < 1:
            raise ConfigError(f"HttpxTransport(connections={connections}): at least 1 is needed")
        self._client = client
        proxy = None if proxy is None else Hidden(proxy)
        plan = _Plan(verify, trust_env, proxy, connections)
        self._pools = PerLoop[_Connections](lambda: _Connections(plan), _Connections.aclose)

    async def send(self, request: HttpRequest) -> HttpReply:
        """See `Transport`."""
        async with self.stream(request) as answer:
            return await read_reply(answer)

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[HttpStream]:
        """See `Transport`."""
        if self._client is not None:
            answer = await _open(self._client.build_request, self._client_send, request)
            async with aclosing(answer), aclosing(_chunks(answer)) as raw:
                yield _Stream(answer, raw)
            return
        connections = await self._pools.get()
        async with connections.places:
            way = connections.way(request.url)
            free = connections.free.setdefault(way, [])
            connection = free.pop() if free else await connections.make(way)
            try:
                answer = await _open(_plain_request, connection.handle_async_request, request)
                async with aclosing(answer), aclosing(_chunks(answer)) as raw:
                    yield _Stream(answer, raw)
            except BaseException:  # a request that was cancelled may hold its pool for ever
                await connections.drop(connection)
                raise
            free.append(connection)

    async def aclose(self) -> None:
        """See `Transport`. A client that was handed in stays open."""
        if self._client is None:
            await self._pools.aclose()

    async def _client_send(self, prepared: Any) -> Any:
        return await self._client.send(prepared, stream=True, follow_redirects=False)


@dataclass(frozen=True, slots=True)
class _Plan:
    """How connections are made."""

    verify: ssl.SSLContext | str | None
    trust_env: bool
    proxy: str | None = field(repr=False)
    connections: int

    def make(self, way: _Way) -> Any:
        """One connection: httpx without the layer that adds cookies, redirects and its own auth.

        Raises:
            ConfigError: The proxy's URL is not one.
        """
        httpx = _httpx()
        try:
            return httpx.AsyncHTTPTransport(
                verify=trusting_nobody()
                if way.is_plain
                else tls_context(self.verify, trust_env=self.trust_env),
                trust_env=False,
                proxy=way.proxy,
                limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            )
        except (ValueError, ImportError, httpx.InvalidURL) as error:
            why = type(error).__name__  # all of it that is told: it quotes a URL with a password
        raise ConfigError(
            f"a proxy cannot be used ({why}); check proxy=, or HTTPS_PROXY and ALL_PROXY; it is "
            "written http://host:port"
        )


class _Connections:
    """The connections of one event loop.

    Attributes:
        places: Whoever has one may take a free connection, or make one.
        free: Those that nobody uses now, the last used at the end.
    """

    def __init__(self, plan: _Plan) -> None:
        self.places = asyncio.Semaphore(plan.connections)
        self.free: dict[_Way, list[Any]] = {}
        self._made: list[Any] = []
        self._plan = plan
        self._proxies = Proxies(plan.proxy, trust_env=plan.trust_env)

    def way(self, url: str) -> _Way:
        """The way that a request takes."""
        return _Way(self._proxies.find(url), "/".join(url.split("/", 3)[:3]))

    async def make(self, way: _Way) -> Any:
        """Another connection; if there are as many as there may be, in the place of a free one.

        Raises:
            ConfigError: The proxy's URL is not one.
        """
        if len(self._made) >= self._plan.connections:
            await self.drop(next(free for free in self.free.values() if free).pop(0))
        self._made.append(self._plan.make(way))
        return self._made[-1]

    async def drop(self, connection: Any) -> None:
        """Close one, even if whoever waits for that is cancelled; it counts until it is closed."""
        try:
            await asyncio.shield(connection.aclose())
        finally:
            if connection in self._made:  # else all have been closed meanwhile
                self._made.remove(connection)

    async def aclose(self) -> None:
        for connection in self._made:
            await connection.aclose()
        self._made.clear()
        self.free.clear()


class _Stream:
    """See `HttpStream`."""

    __slots__ = ("chunks", "headers", "status")

    def __init__(self, answer: Any, raw: AsyncIterator[bytes]) -> None:
        self.status: int = answer.status_code
        self.headers = reply_headers(answer.headers.raw)
        self.chunks = decoded(self.headers, raw)


def _plain_request(method: str, url: str, **parts: Any) -> Any:
    """A request without the cookies and headers that a client would add."""
    return _httpx().Request(method, _url(url), **parts)


@lru_cache(maxsize=64)
def _url(url: str) -> Any:
    return _httpx().URL(url)


async def _open(
    make: Callable[..., Any], send: Callable[[Any], Awaitable[Any]], request: HttpRequest
) -> Any:
    connect = request.deadlines.connect
    times = {"connect": connect, "read": None, "write": None, "pool": None}
    try:
        prepared = make(
            request.method,
            request.url,
            content=request.body,
            headers=request.headers,
            extensions={"timeout": times},
        )
        return await send(prepared)
    except Exception as error:  # noqa: BLE001  whatever a library raises, it has not answered
        failure, cause = _failure(error, request, "headers"), quotable(error)
    raise failure from cause  # out here: inside, the other would be its context all the same


async def _chunks(answer: Any) -> AsyncGenerator[bytes]:
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    except Exception as error:  # noqa: BLE001  whatever a library raises, it has not answered
        failure, cause = _failure(error, None, "body"), quotable(error)
    else:
        return
    raise failure from cause


def _failure(error: Exception, request: HttpRequest | None, phase: str) -> TransportError:
    httpx = _httpx()
    if isinstance(error, httpx.ConnectTimeout) and request is not None:
        return too_late(request.deadlines.connect)
    if isinstance(error, httpx.ProxyError):
        return TransportError(f"the proxy did not let us through: {error}", phase="connect")
    if isinstance(error, httpx.ConnectError):
        return no_connection(error)
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol | httpx.InvalidURL):
        return unfit(error)
    return broken(error, phase)
