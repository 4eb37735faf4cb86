"""What it costs at least on httpx: a request, a validation, and nothing that goes wrong."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx
from extract_drive import ASKED, TOKENS, patience, side_by_side

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from extract_drive import Row


@cache
def _client(at_once: int) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    return httpx.AsyncClient(timeout=patience(at_once), limits=limits)


def read(
    url: str, model: str, way: str, shape: Any, texts: Mapping[str, str], at_once: int
) -> AsyncIterator[Row]:
    """A record of each text."""
    del way
    told = {"type": "json_schema", "name": shape.__name__, "strict": False}
    body = {"model": model, "instructions": ASKED, "max_output_tokens": TOKENS, "store": False}
    body["text"] = {"format": {**told, "schema": shape.model_json_schema()}}
    client = _client(at_once)

    async def one(text: str) -> Any:
        sent = json.dumps({**body, "input": text}).encode()
        head = {"content-type": "application/json"}
        reply = await client.post(f"{url}/responses", content=sent, headers=head)
        found = json.loads(reply.content)
        return shape.model_validate_json(found["output"][-1]["content"][0]["text"])

    return side_by_side(one, texts, at_once)
