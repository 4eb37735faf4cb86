"""A hand-written loop on httpx."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from _loop import HEADERS, count, loop, split

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]]:
    """One run after another."""
    client = httpx.AsyncClient(headers=HEADERS, timeout=600)

    async def post(body: bytes) -> bytes:
        return (await client.post(f"{url}/responses", content=body)).content

    return loop(script, post, tools, output)


def stream(url: str, script: str) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted."""
    client = httpx.AsyncClient(headers=HEADERS, timeout=600)

    async def lines(body: bytes) -> AsyncIterator[bytes]:
        async with client.stream("POST", f"{url}/responses", content=body) as reply:
            async for line in split(reply.aiter_bytes()):
                yield line

    return count(script, lines)
