# mypy: ignore-errors
"""openai-agents, tracing off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agents import (
    Agent,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

set_tracing_disabled(disabled=True)


def _agent(url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any) -> Any:
    client = AsyncOpenAI(base_url=url, api_key="key", max_retries=0, timeout=600)
    return Agent(
        name="bench",
        model=OpenAIResponsesModel(model=script, openai_client=client),
        tools=[function_tool(one) for one in tools],
        output_type=None if output is str else output,
    )


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]]:
    """One run after another."""
    made = _agent(url, script, tools, output)

    async def run() -> Any:
        return (await Runner.run(made, "Go on.", max_turns=1_000)).final_output

    return run


def stream(url: str, script: str) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted."""
    made = _agent(url, script, (), str)

    async def run() -> int:
        found = 0
        streamed = Runner.run_streamed(made, "Go on.")
        async for event in streamed.stream_events():
            found += (
                event.type == "raw_response_event"
                and event.data.type == "response.output_text.delta"
            )
        return found

    return run


def schemas(functions: Sequence[Callable[..., Any]]) -> None:
    """A tool of each function, schema and validator."""
    for one in functions:
        function_tool(one)
