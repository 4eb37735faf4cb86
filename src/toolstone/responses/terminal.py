"""What the terminal event of a stream says of the response besides its items. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic_core import to_json

__all__ = ["TERMINAL", "final_status", "received"]

JSON = dict[str, Any]

TERMINAL: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
)
"""The events that end a stream, each with the whole response."""

_NUMBER: Final = rb'"sequence_number"\s*:\s*-?\d+\s*'
_BEFORE: Final = re.compile(
    rb'\s*\{\s*"type"\s*:\s*"[a-z._]+"\s*,\s*(?P<n>' + _NUMBER + rb',\s*)?"response"\s*:\s*'
)
_AFTER: Final = re.compile(rb"\s*(?P<n>,\s*" + _NUMBER + rb")?\}\s*\Z")
_LAST_BYTES: Final = 64


def final_status(kind: str, status: object) -> str:
    """The response's own status, unless it has none that could be the last."""
    ended = kind.removeprefix("response.")
    if ended == "failed" or not isinstance(status, str) or status in ("in_progress", "queued"):
        return ended
    return status


def received(event: JSON, data: bytes) -> bytes:
    """The bytes of the response in its terminal event, exactly wherever that can be told."""
    before, after = _BEFORE.match(data), _AFTER.search(data, max(0, len(data) - _LAST_BYTES))
    keys = {"type", "response"}
    if before and after and (before["n"] or after["n"]):
        keys.add("sequence_number")
    if before and after and event.keys() == keys:
        return data[before.end() : after.start()]
    return to_json(event["response"])
