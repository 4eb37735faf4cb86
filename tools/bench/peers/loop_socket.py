"""A hand-written loop on asyncio's streams: the limit, without a library for HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from _loop import count, loop, split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

_HEAD = (
    "POST %s/responses HTTP/1.1\r\nhost: %s\r\nauthorization: Bearer key\r\n"
    "content-type: application/json\r\ncontent-length: %d\r\n\r\n"
)
_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Pool:
    """Connections that are kept open."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self._idle: list[_Connection] = []

    async def send(self, body: bytes) -> tuple[_Connection, bytes]:
        """Send a request; the connection and the head of its answer."""
        if self._idle:
            connection = self._idle.pop()
        else:
            host, port = self._url.hostname, self._url.port
            connection = await asyncio.open_connection(host, port, limit=1 << 20)
        reader, writer = connection
        head = _HEAD % (self._url.path, self._url.netloc, len(body))
        writer.write(head.encode() + body)
        return connection, await reader.readuntil(b"\r\n\r\n")

    def put(self, connection: _Connection) -> None:
        """Keep the connection for the next request."""
        self._idle.append(connection)


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]]:
    """One run after another."""
    pool = _Pool(url)

    async def post(body: bytes) -> bytes:
        connection, head = await pool.send(body)
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        found = await connection[0].readexactly(length)
        pool.put(connection)
        return found

    return loop(script, post, tools, output)


def stream(url: str, script: str) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted."""
    pool = _Pool(url)

    async def chunks(body: bytes) -> AsyncIterator[bytes]:
        connection, _ = await pool.send(body)
        reader = connection[0]
        while size := int(await reader.readline(), 16):
            yield (await reader.readexactly(size + 2))[:-2]
        await reader.readline()
        pool.put(connection)

    return count(script, lambda body: split(chunks(body)))
