"""What a 200 promised and did not do: forced calls that did not happen, junk after arguments. Pure.

Bedrock takes `tool_choice` and, for some models, does not follow it. So it is looked after here: a
choice that forces a call and was not followed is asked for once more, in words; if it is not
followed then either, that is an error. A run that must have its call never goes on without it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from toolstone.bedrock.gating import choice_of
from toolstone.events import Noted
from toolstone.items import FunctionCall, developer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.items import Item
    from toolstone.ports import Request, Response

__all__ = ["Forced", "forced_by", "without_junk"]


@dataclass(frozen=True, slots=True)
class Forced:
    """What a tool choice promises.

    Attributes:
        names: The tools that may be called; empty for any.
        must: Whether one has to be.
    """

    names: frozenset[str]
    must: bool

    def broken_by(self, response: Response) -> bool:
        """Whether a finished answer did not keep to it."""
        if response.status != "completed":
            return False
        called = {call.name for call in response.calls}
        if self.names and not called <= self.names:
            return True
        return self.must and not called

    def reminder(self) -> Item:
        """What the model is told when it is asked again."""
        if not self.names:
            return developer("Call one of the tools now; do not answer with text.")
        listed = " or ".join(sorted(self.names))
        must = "now; do not answer with text." if self.must else "or none; the others are not open."
        return developer(f"Call {listed} {must}")

    def __str__(self) -> str:
        listed = f" of {', '.join(sorted(self.names))}" if self.names else ""
        return f"a call{listed}"


def forced_by(request: Request) -> Forced | None:
    """What the request's tool choice promises; None if nothing that can be checked."""
    choice = choice_of(request)
    if not request.tools or choice is None:
        return None
    if isinstance(choice, str):
        named = frozenset({choice}) - {"required"}
        return None if choice in {"auto", "none"} else Forced(named, must=True)
    if choice.get("type") == "function":
        return Forced(frozenset({str(choice.get("name"))}), must=True)
    if choice.get("type") == "allowed_tools":
        tools = [tool for tool in choice.get("tools", ()) if tool.get("type") == "function"]
        names = frozenset(str(tool.get("name")) for tool in tools)
        return Forced(names, must=choice.get("mode") == "required") if names else None
    return None


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
