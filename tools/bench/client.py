"""One column of the bench in a process of its own: prints CPU milliseconds per run as JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

Run = Callable[[], Awaitable[None]]
PROMPT = "add them up"
PARAMETERS = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
    "required": ["a", "b"],
    "additionalProperties": False,
}


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def toolstone_column(url: str, transport: Any) -> Run:
    """Our agent, validation and records included."""
    from toolstone import Agent, Responses, tool  # noqa: PLC0415  a column loads what it measures

    model = Responses(base_url=url, api_key="key", model="p4-t3", transport=transport)
    agent = Agent(model, tools=[tool(repeatable=True)(add)])

    async def run() -> None:
        result = await agent.run(PROMPT)
        if len(result.calls) != 12 or result.output != "done":  # noqa: PLR2004  the script
            raise SystemExit("the run did not do what it should")

    return run


def loop_column(url: str, post: Callable[[bytes], Awaitable[bytes]]) -> Run:
    """A hand-written loop without validation, records or errors."""
    del url
    tool = {"type": "function", "name": "add", "parameters": PARAMETERS, "strict": True}

    async def one(call: dict[str, Any]) -> dict[str, Any]:
        value = await add(**json.loads(call["arguments"]))
        return {"type": "function_call_output", "call_id": call["call_id"], "output": str(value)}

    async def run() -> None:
        items: list[dict[str, Any]] = [{"type": "message", "role": "user", "content": PROMPT}]
        while True:
            body = {"model": "p4-t3", "input": items, "tools": [tool], "store": False}
            answer = json.loads(await post(json.dumps(body).encode()))
            items += answer["output"]
            calls = [item for item in answer["output"] if item["type"] == "function_call"]
            if not calls:
                return
            items += await asyncio.gather(*(asyncio.create_task(one(call)) for call in calls))

    return run


def make(column: str, url: str) -> Run:
    """The column of this name."""
    headers = {"authorization": "Bearer key", "content-type": "application/json"}
    if column == "toolstone-httpx":
        return toolstone_column(url, None)
    if column == "toolstone-aiohttp":
        from toolstone.wire.aiohttp_transport import AiohttpTransport  # noqa: PLC0415

        return toolstone_column(url, AiohttpTransport())
    if column == "loop-httpx":
        import httpx  # noqa: PLC0415

        client = httpx.AsyncClient()

        async def post(body: bytes) -> bytes:
            return (await client.post(f"{url}/responses", content=body, headers=headers)).content

        return loop_column(url, post)
    import aiohttp  # noqa: PLC0415

    session: list[aiohttp.ClientSession] = []

    async def post_aiohttp(body: bytes) -> bytes:
        if not session:
            session.append(aiohttp.ClientSession())
        async with session[0].post(f"{url}/responses", data=body, headers=headers) as reply:
            return await reply.read()

    return loop_column(url, post_aiohttp)


async def measure(run: Run, runs: int, at_once: int) -> float:
    """CPU milliseconds of this process, all threads, for one run."""
    for _ in range(5):
        await run()
    began = time.process_time()
    for _ in range(runs // at_once):
        if at_once == 1:
            await run()
        else:
            await asyncio.gather(*(run() for _ in range(at_once)))
    return (time.process_time() - began) * 1000 / (runs // at_once * at_once)


if __name__ == "__main__":
    name, address, count, together = sys.argv[1:]
    cost = asyncio.run(measure(make(name, address), int(count), int(together)))
    print(json.dumps({"cpu_ms": cost}))
    sys.stdout.flush()
    import os

    os._exit(0)  # the hand-written loops leave their clients open
