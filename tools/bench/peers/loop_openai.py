"""A hand-written loop on the bare `openai` SDK."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from openai import AsyncOpenAI, pydantic_function_tool
from pydantic import create_model

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_ARGUMENTS = create_model("Arguments", a=(int, ...), b=(int, ...))


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]]:
    """One run after another."""
    client = AsyncOpenAI(base_url=url, api_key="key", max_retries=0, timeout=600)
    functions = {one.__name__: one for one in tools}
    described: Any = [pydantic_function_tool(_ARGUMENTS, name=name) for name in functions]
    told: Any = [{"type": "function", **one["function"]} for one in described]

    async def answer(call: Any) -> dict[str, Any]:
        function, given = functions[call.name], json.loads(call.arguments)
        if asyncio.iscoroutinefunction(function):
            value = await function(**given)
        else:
            value = await asyncio.to_thread(function, **given)
        return {"type": "function_call_output", "call_id": call.call_id, "output": str(value)}

    async def run() -> Any:
        items: list[Any] = [{"type": "message", "role": "user", "content": "Go on."}]
        if output is not str:
            found = await client.responses.parse(model=script, input=items, text_format=output)
            return found.output_parsed
        while True:
            made = await client.responses.create(model=script, input=items, tools=told, store=False)
            items += made.output
            calls = [item for item in made.output if item.type == "function_call"]
            if not calls:
                return made.output_text
            items += await asyncio.gather(*(answer(call) for call in calls))

    return run


def stream(url: str, script: str) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted."""
    client = AsyncOpenAI(base_url=url, api_key="key", max_retries=0, timeout=600)

    async def run() -> int:
        found = 0
        streamed = await client.responses.create(model=script, input="Go on.", stream=True)
        async for event in streamed:
            found += event.type == "response.output_text.delta"
        return found

    return run
