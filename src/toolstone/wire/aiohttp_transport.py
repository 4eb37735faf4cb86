"""HTTP by aiohttp (extra `[fast]`): a quarter of httpx's cost, and flat with 100 at once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from toolstone import limits
from toolstone._secrets import Hidden
from toolstone.errors import ConfigError, TransportError
from toolstone.wire.failed import broken, no_connection, quotable, too_late, unfit
from toolstone.wire.pools import PerLoop
from toolstone.wire.proxies import Proxies
from toolstone.wire.quiet import without_secrets
from toolstone.wire.reading import decoded, read_reply
from toolstone.wire.tls import tls_context
from toolstone.wire.transport import HttpReply, HttpRequest, HttpStream, reply_headers

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, AsyncIterator
    from types import ModuleType

__all__ = ["AiohttpTransport"]

_LOOK: Final = 1.0
"""Seconds between two looks at a connection that is silent."""


@cache
def _aiohttp() -> ModuleType:
    """The one place where aiohttp is imported.

    Raises:
        ConfigError: The extra is missing.
    """
    try:
        import aiohttp  # noqa: PLC0415
    except ImportError as error:
        raise ConfigError(
            f"AiohttpTransport needs {error.name!r}; run: pip install 'toolstone[fast]'"
        ) from error
    without_secrets("aiohttp.client", "aiohttp.internal")
    return aiohttp


class AiohttpTransport:
    """Carries requests by aiohttp, with a pool for each event loop.

    Args:
        verify: Certificate authorities: a file, a folder, or an `ssl.SSLContext`.
        trust_env: Whether `HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` ... count.
        proxy: The URL of a proxy.
        connections: The most connections open at once in one event loop.
    """

    def __init__(
        self,
        *,
        verify: ssl.SSLContext | str | None = None,
        trust_env: bool = True,
        proxy: str | None = None,
        connections: int = limits.CONNECTIONS,
    ) -> None:
        self._verify = verify
        self._trust_env = trust_env
        self._proxy = None if proxy is None else Hidden(proxy)
        self._connections = connections
        self._pools = PerLoop[_Pool](self._open_pool, _Pool.aclose)

    async def send(self, request: HttpRequest) -> HttpReply:
        """See `Transport`."""
        async with self.stream(request) as answer:
            return await read_reply(answer)

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[HttpStream]:
        """See `Transport`."""
        answer = await self._ask(await self._pools.get(), request)
        guard = _Guard(answer)
        try:
            async with aclosing(_chunks(answer)) as raw:
                yield _Stream(answer, raw)
        finally:
            guard.leave()
            if not answer.content.at_eof():
                answer.close()  # the connection too: something of the answer is still in it
            answer.release()

    async def aclose(self) -> None:
        """See `Transport`."""
        await self._pools.aclose()

    async def _ask(self, pool: _Pool, request: HttpRequest) -> Any:
        aiohttp = _aiohttp()
        try:
            return await pool.session.request(
                request.method,
                request.url,
                data=_body(request.body),
                headers=request.headers,
                allow_redirects=False,
                proxy=pool.proxies.find(request.url),
                timeout=_timeout(request.deadlines.connect),
            )
        except Exception as error:  # noqa: BLE001  whatever a library raises, it has not answered
            hidden = isinstance(error, aiohttp.ClientHttpProxyError)  # it quotes the URL whole
            failure, cause = _failure(error, request, "headers"), quotable(error)
        raise failure from (None if hidden else cause)

    def _open_pool(self) -> _Pool:
        aiohttp = _aiohttp()
        connector = aiohttp.TCPConnector(
            limit=self._connections,
            ssl=tls_context(self._verify, trust_env=self._trust_env),
        )
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,  # with it aiohttp asks two threads for every request
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent"),
        )
        return _Pool(session, Proxies(self._proxy, trust_env=self._trust_env))


def _body(body: bytes) -> bytes | BytesIO:
    """What is sent: aiohttp warns of a large body, and not of a file that holds the same."""
    return body if len(body) < limits.MIB else BytesIO(body)


class _Guard:
    """Ends a body whose connection has gone without a word to it.

    Where the framing of a body breaks, aiohttp (3.14) closes the connection, and, if the headers
    came in an earlier read, leaves the body waiting for its deadline.
    """

    __slots__ = ("_content", "_loop", "_protocol", "_timer")

    def __init__(self, answer: Any) -> None:
        connection = answer.connection
        self._content = answer.content
        self._protocol = None if connection is None else connection.protocol
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(_LOOK, self._look)

    def leave(self) -> None:
        """The body is read, or no longer wanted."""
        self._timer.cancel()

    def _look(self) -> None:
        content = self._content
        if content.is_eof() or content.exception() is not None:
            return
        if self._protocol is not None and self._protocol.is_connected():
            self._timer = self._loop.call_later(_LOOK, self._look)
        else:
            content.set_exception(_aiohttp().ClientPayloadError("its framing is broken"))


class _Pool(NamedTuple):
    session: Any
    proxies: Proxies

    async def aclose(self) -> None:
        await self.session.close()


@cache
def _timeout(connect: float | None) -> Any:
    return _aiohttp().ClientTimeout(total=None, sock_connect=connect, ceil_threshold=3600)


class _Stream:
    """See `HttpStream`."""

    __slots__ = ("chunks", "headers", "status")

    def __init__(self, answer: Any, raw: AsyncIterator[bytes]) -> None:
        self.status: int = answer.status
        self.headers = reply_headers(answer.raw_headers)
        self.chunks = decoded(self.headers, raw)


async def _chunks(answer: Any) -> AsyncGenerator[bytes]:
    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except Exception as error:  # noqa: BLE001  whatever a library raises, it has not answered
        failure, cause = _failure(error, None, "body"), quotable(error)
    else:
        return
    raise failure from cause


def _failure(error: Exception, request: HttpRequest | None, phase: str) -> TransportError:
    aiohttp = _aiohttp()
    if isinstance(error, aiohttp.ConnectionTimeoutError) and request is not None:
        return too_late(request.deadlines.connect)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        status = getattr(error, "status", 0)
        return TransportError(f"the proxy did not let us through: {status}", phase="connect")
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return TransportError("the proxy cannot be reached", phase="connect")
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientConnectorCertificateError):
        return no_connection(error)
    if isinstance(error, aiohttp.InvalidURL | ValueError):
        return unfit(error)
    return broken(error, phase)
