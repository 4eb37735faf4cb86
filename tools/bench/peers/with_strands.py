# mypy: ignore-errors
"""strands-agents; an agent of its own for each run, since it holds the messages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from strands import Agent, tool
from strands.models.openai_responses import OpenAIResponsesModel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


def _model(url: str, script: str) -> Any:
    args = {"base_url": url, "api_key": "key", "max_retries": 0, "timeout": 600}
    return OpenAIResponsesModel(client_args=args, model_id=script)


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]]:
    """One run after another."""
    model, made = _model(url, script), [tool(one) for one in tools]

    async def run() -> Any:
        one = Agent(model=model, tools=made, callback_handler=None)
        if output is not str:
            return await one.invoke_async("Go on.", structured_output_model=output)
        return str(await one.invoke_async("Go on.")).strip()

    return run


def stream(url: str, script: str) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted."""
    model = _model(url, script)

    async def run() -> int:
        found = 0
        async for event in Agent(model=model, callback_handler=None).stream_async("Go on."):
            found += "data" in event
        return found

    return run


def schemas(functions: Sequence[Callable[..., Any]]) -> None:
    """A tool of each function, schema and validator."""
    for one in functions:
        tool(one)
