# mypy: ignore-errors
"""instructor, which reads structured answers and does nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import instructor
from openai import AsyncOpenAI

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


def agent(
    url: str, script: str, tools: Sequence[Callable[..., Any]], output: Any = str
) -> Callable[[], Awaitable[Any]] | None:
    """One extraction after another; None for anything with tools."""
    if tools or output is str:
        return None
    client: Any = instructor.from_openai(
        AsyncOpenAI(base_url=url, api_key="key", max_retries=0, timeout=600),
        mode=instructor.Mode.RESPONSES_TOOLS,
    )

    asked = script.replace("r", "f", 1)  # it asks for a call, whose arguments are the answer

    async def run() -> Any:
        return await client.responses.create(
            model=asked, input="Go on.", response_model=output, max_retries=1
        )

    return run
