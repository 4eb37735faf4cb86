"""What an endpoint is known to add after the arguments of a call is taken off. Pure."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from toolstone.events import Noted
from toolstone.items import FunctionCall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.items import Item
    from toolstone.ports import Response

__all__ = ["without_junk"]


def without_junk(response: Response, junk: Sequence[str]) -> Response:
    """The response with what this endpoint is known to add after arguments taken off.

    Anything else that stands there stays, and is refused where arguments are read.
    """
    items: list[Item] = []
    notes: list[Noted] = []
    for position, item in enumerate(response.items):
        cut = _cut(item.arguments, junk) if type(item) is FunctionCall else None
        if cut is None:
            items.append(item)
            continue
        length = len(item.raw["arguments"]) - len(cut)
        text = f"output {position}: {length} characters after the arguments were taken off"
        notes.append(Noted("stripped", text))
        items.append(FunctionCall({**item.raw, "arguments": cut}))
    if not notes:
        return response
    return replace(response, items=tuple(items), notes=(*response.notes, *notes))


def _cut(text: str, junk: Sequence[str]) -> str | None:
    """The first JSON object of the text, if known junk alone follows it; None otherwise."""
    try:
        from_json(text)
    except ValueError:
        pass
    else:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(text.lstrip())
    except (ValueError, RecursionError):
        return None
    rest = _without(text.lstrip()[end:], junk)
    return None if rest or not isinstance(value, dict) else text.lstrip()[:end]


def _without(rest: str, junk: Sequence[str]) -> Any:
    """What remains of the text once white space and junk are taken off its beginning."""
    while rest := rest.strip():
        known = max((one for one in junk if rest.startswith(one)), key=len, default=None)
        if known is None:
            return rest
        rest = rest[len(known) :]
    return ""
