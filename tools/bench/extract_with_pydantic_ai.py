# mypy: ignore-errors
"""pydantic-ai: the schema as the format of the answer, or as a tool."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from extract_drive import ASKED, REASKS, TOKENS, patience, side_by_side
from openai import AsyncOpenAI
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings
from pydantic_ai.providers.openai import OpenAIProvider

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from extract_drive import Row


@cache
def _client(url: str, at_once: int) -> Any:
    """One for the whole process, which nobody closes and nothing collects meanwhile."""
    return AsyncOpenAI(base_url=url, api_key="key", timeout=patience(at_once))


def read(
    url: str, model: str, way: str, shape: Any, texts: Mapping[str, str], at_once: int
) -> AsyncIterator[Row]:
    """A record of each text."""
    client = _client(url, at_once)
    agent: Any = Agent(
        OpenAIResponsesModel(model, provider=OpenAIProvider(openai_client=client)),
        output_type=NativeOutput(shape) if way == "native" else ToolOutput(shape),
        instructions=ASKED,
        retries=REASKS,
        model_settings=OpenAIResponsesModelSettings(max_tokens=TOKENS, openai_store=False),
    )

    async def one(text: str) -> Any:
        return (await agent.run(text)).output

    return side_by_side(one, texts, at_once)
