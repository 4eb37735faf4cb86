"""Between client and server: bytes go to and fro until the connection is cut on purpose."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def cutting(base_url: str, after: int) -> AsyncIterator[str]:
    """The server's base URL by way of a relay that cuts each answer after so many bytes."""
    there = urlsplit(base_url)
    relays: set[asyncio.Task[None]] = set()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  a server's handler is a task
        relays.add(task)
        behind, ahead = await asyncio.open_connection(there.hostname, there.port)
        up = asyncio.create_task(_copy(reader, ahead, None))
        try:
            await _copy(behind, writer, after)
        finally:
            up.cancel()
            for end in (writer, ahead):
                end.transport.abort()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}{there.path}"
    finally:
        server.close()
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)


async def _copy(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, most: int | None
) -> None:
    while chunk := await source.read(65536 if most is None else max(1, min(most, 65536))):
        target.write(chunk)
        await target.drain()
        if most is not None:
            most -= len(chunk)
            if most <= 0:
                return
