"""The hand-written loop that all loops share: no validation, no records, no errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

Post = Callable[[bytes], Awaitable[bytes]]
Lines = Callable[[bytes], AsyncIterator[bytes]]

HEADERS = {"authorization": "Bearer key", "content-type": "application/json"}
_INTEGER = {"type": "integer"}
_PARAMETERS = {
    "type": "object",
    "properties": {"a": _INTEGER, "b": _INTEGER},
    "required": ["a", "b"],
    "additionalProperties": False,
}


def loop(
    script: str, post: Post, tools: Sequence[Callable[..., Any]], output: Any
) -> Callable[[], Awaitable[Any]]:
    """One run after another, on whatever posts bytes."""
    functions = {one.__name__: one for one in tools}
    told = [
        {"type": "function", "name": name, "parameters": _PARAMETERS, "strict": True}
        for name in functions
    ]

    async def answer(call: dict[str, Any]) -> dict[str, Any]:
        function, given = functions[call["name"]], json.loads(call["arguments"])
        if asyncio.iscoroutinefunction(function):
            value = await function(**given)
        else:
            value = await asyncio.to_thread(function, **given)
        return {"type": "function_call_output", "call_id": call["call_id"], "output": str(value)}

    async def run() -> Any:
        items: list[dict[str, Any]] = [{"type": "message", "role": "user", "content": "Go on."}]
        while True:
            body = {"model": script, "input": items, "tools": told, "store": False}
            found = json.loads(await post(json.dumps(body).encode()))
            items += found["output"]
            calls = [item for item in found["output"] if item["type"] == "function_call"]
            if not calls:
                said = found["output"][-1]["content"][0]["text"]
                return said if output is str else output.model_validate_json(said)
            items += await asyncio.gather(*(answer(call) for call in calls))

    return run


def count(script: str, lines: Lines) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted; `lines` gives lines of the body."""
    body = json.dumps({"model": script, "input": "Go on.", "stream": True}).encode()

    async def run() -> int:
        found = 0
        async for line in lines(body):
            if line.startswith(b"data:"):
                found += json.loads(line[5:])["type"] == "response.output_text.delta"
        return found

    return run


async def split(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines out of chunks."""
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
