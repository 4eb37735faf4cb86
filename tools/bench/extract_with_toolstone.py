"""Ours, on httpx or aiohttp, with evidence or without."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from extract_drive import ASKED, REASKS, TOKENS

from toolstone import Responses, Settings
from toolstone.extract import Document, extract_many
from toolstone.wire import AiohttpTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from extract_drive import Row


@cache
def _model(url: str, model: str, way: str) -> Responses:
    transport = AiohttpTransport() if "aiohttp" in way else None
    return Responses(base_url=url, api_key="key", model=model, transport=transport)


async def read(
    url: str, model: str, way: str, shape: Any, texts: Mapping[str, str], at_once: int
) -> AsyncIterator[Row]:
    """A record of each text."""
    async for record in extract_many(
        (Document(name, text) for name, text in texts.items()),
        shape,
        model=_model(url, model, way),
        instructions=ASKED,
        evidence="values" if way.startswith("values") else None,
        concurrency=at_once,
        reasks=REASKS,
        settings=Settings(max_output_tokens=TOKENS),
    ):
        yield record.id, record.value, record.error.message if record.error else ""
