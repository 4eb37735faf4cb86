# mypy: ignore-errors
"""instructor, in the three ways it has with a server of this kind."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import instructor
from extract_drive import ASKED, REASKS, TOKENS, patience, side_by_side
from openai import AsyncOpenAI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from extract_drive import Row

_MODES = {
    "responses": instructor.Mode.RESPONSES_TOOLS,
    "tools": instructor.Mode.TOOLS,
    "json": instructor.Mode.JSON_SCHEMA,
}


@cache
def _client(url: str, at_once: int) -> Any:
    """One for the whole process, which nobody closes and nothing collects meanwhile."""
    return AsyncOpenAI(base_url=url, api_key="key", timeout=patience(at_once))


def read(
    url: str, model: str, way: str, shape: Any, texts: Mapping[str, str], at_once: int
) -> AsyncIterator[Row]:
    """A record of each text."""
    client: Any = instructor.from_openai(_client(url, at_once), mode=_MODES[way])
    shared = {"model": model, "response_model": shape, "max_retries": REASKS + 1}

    async def one(text: str) -> Any:
        messages = [{"role": "system", "content": ASKED}, {"role": "user", "content": text}]
        if way == "responses":
            return await client.responses.create(
                input=messages, max_output_tokens=TOKENS, store=False, **shared
            )
        return await client.chat.completions.create(
            messages=messages, max_completion_tokens=TOKENS, **shared
        )

    return side_by_side(one, texts, at_once)
