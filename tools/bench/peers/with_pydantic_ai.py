# mypy: ignore-errors
"""pydantic-ai."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openai import AsyncOpenAI
from pydantic_ai import Agent, NativeOutput, Tool, UsageLimits
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_LIMITS = UsageLimits(request_limit=None)


def _agent(url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any) -> Any:
    client = AsyncOpenAI(base_url=url, api_key="key", max_retries=0, timeout=600)
    return Agent(
        OpenAIResponsesModel(script, provider=OpenAIProvider(openai_client=client)),
        tools=[Tool(one) for one in tools],
        output_type=output if output is str else NativeOutput(output),
    )


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]]:
    """One run after another."""
    made = _agent(url, script, tools, output)

    async def run() -> Any:
        return (await made.run("Go on.", usage_limits=_LIMITS)).output

    return run


def stream(url: str, script: str) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted."""
    made = _agent(url, script, (), str)

    async def run() -> int:
        found = 0
        async with made.run_stream("Go on.") as streamed:
            async for _ in streamed.stream_text(delta=True, debounce_by=None):
                found += 1
        return found

    return run


def schemas(functions: Sequence[Callable[..., Any]]) -> None:
    """A tool of each function, schema and validator."""
    for one in functions:
        Tool(one)
