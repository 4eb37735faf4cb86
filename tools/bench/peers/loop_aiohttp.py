"""A hand-written loop on aiohttp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
from _loop import HEADERS, count, loop, split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence


class _Client:
    """One session, made in the event loop."""

    session: aiohttp.ClientSession | None = None

    def get(self) -> aiohttp.ClientSession:
        self.session = self.session or aiohttp.ClientSession(headers=HEADERS)
        return self.session


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]]:
    """One run after another."""
    client = _Client()

    async def post(body: bytes) -> bytes:
        async with client.get().post(f"{url}/responses", data=body) as reply:
            return await reply.read()

    return loop(script, post, tools, output)


def stream(url: str, script: str) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted."""
    client = _Client()

    async def lines(body: bytes) -> AsyncIterator[bytes]:
        async with client.get().post(f"{url}/responses", data=body) as reply:
            async for line in split(reply.content.iter_any()):
                yield line

    return count(script, lines)
