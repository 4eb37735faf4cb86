"""Ours, on httpx, or on what TOOLSTONE_BENCH_TRANSPORT names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from toolstone import Agent, Budget, Responses, Toolbox, limits, tool
from toolstone.events import TextDelta

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


def model(url: str, script: str) -> Responses:
    """The model of a script."""
    transport: Any = None
    if os.environ.get("TOOLSTONE_BENCH_TRANSPORT") == "aiohttp":
        from toolstone.wire import AiohttpTransport  # noqa: PLC0415  only where it is measured

        transport = AiohttpTransport()
    return Responses(base_url=url, api_key="key", model=script, transport=transport)


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]]:
    """One run after another."""
    if script == "p1000-t1":
        limits.CALLS_PER_TURN = 1_000
    repeatable = [tool(repeatable=True)(one) for one in tools]
    made = Agent(model(url, script), tools=repeatable, output=output, budget=Budget(requests=None))

    async def run() -> Any:
        return (await made.run("Go on.")).output

    return run


def stream(url: str, script: str) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted."""
    made = Agent(model(url, script))

    async def run() -> int:
        found = 0
        async with made.stream("Go on.") as streamed:
            async for event in streamed.events():
                found += type(event) is TextDelta
        return found

    return run


def schemas(functions: Sequence[Callable[..., Any]]) -> None:
    """A tool of each function, schema and validator."""
    Toolbox(functions)
