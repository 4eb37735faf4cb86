"""Ours, on httpx or aiohttp, with evidence or without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from extract_drive import ASKED, REASKS, TOKENS

from toolstone import Responses, Settings
from toolstone.extract import Document, extract_many

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from extract_drive import Row


async def read(
    url: str, model: str, way: str, shape: Any, texts: Mapping[str, str], at_once: int
) -> AsyncIterator[Row]:
    """A record of each text."""
    transport: Any = None
    if "aiohttp" in way:
        from toolstone.wire import AiohttpTransport  # noqa: PLC0415  only where it is measured

        transport = AiohttpTransport()
    async for record in extract_many(
        (Document(name, text) for name, text in texts.items()),
        shape,
        model=Responses(base_url=url, api_key="key", model=model, transport=transport),
        instructions=ASKED,
        evidence="values" if way.startswith("values") else None,
        concurrency=at_once,
        reasks=REASKS,
        settings=Settings(max_output_tokens=TOKENS),
    ):
        yield record.id, record.value, record.error.message if record.error else ""
