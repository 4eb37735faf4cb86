# mypy: ignore-errors
"""langchain with langchain-openai, on the Responses API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_ASKED: Any = {"messages": [{"role": "user", "content": "Go on."}]}


def _model(url: str, script: str) -> Any:
    return ChatOpenAI(
        model=script,
        base_url=url,
        api_key=SecretStr("key"),
        use_responses_api=True,
        max_retries=0,
        timeout=600,
    )


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]]:
    """One run after another."""
    shape = None if output is str else ProviderStrategy(output)
    made: Any = create_agent(
        _model(url, script), [tool(one) for one in tools], response_format=shape
    )

    async def run() -> Any:
        found = await made.ainvoke(_ASKED, config={"recursion_limit": 5_000})
        return found["structured_response"] if shape else found["messages"][-1].text

    return run


def stream(url: str, script: str) -> Callable[[], Awaitable[int]]:
    """The deltas of a streamed answer, counted."""
    made: Any = create_agent(_model(url, script), [])

    async def run() -> int:
        found = 0
        async for chunk, _ in made.astream(_ASKED, stream_mode="messages"):
            found += bool(chunk.text)
        return found

    return run


def schemas(functions: Sequence[Callable[..., Any]]) -> None:
    """A tool of each function, schema and validator."""
    for one in functions:
        tool(one).tool_call_schema  # noqa: B018  made when it is looked at
