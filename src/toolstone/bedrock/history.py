"""The history as a Bedrock host takes it: calls told apart, reasoning and extras left out.

What is stored never changes; what is sent does, and the same each time. Bedrock's mantle host
numbers calls anew in every response (`call_0`, …), so that a history of several responses holds
one id twice: the first keeps its id, each later one gets `ID_r2`, `ID_r3` …, with its output.
A history grows at its end, so the names already given stay, and a turn costs what is new in it.
"""

from __future__ import annotations

import threading
from operator import is_ as _same
from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.items import FunctionCall, FunctionCallOutput, Reasoning, parse_item

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolstone.items import Item

__all__ = ["Sender"]

JSON = dict[str, Any]

_KEPT: Final = 16
"""Histories of runs side by side whose beginnings are not gone through again."""
_SHAPES: Final[dict[str, tuple[str, ...]]] = {
    "message": ("type", "role", "content"),
    "function_call": ("type", "call_id", "name", "arguments"),
    "function_call_output": ("type", "call_id", "output"),
    "reasoning": ("type", "id", "summary", "encrypted_content"),
}
_PARTS: Final[dict[str, tuple[str, ...]]] = {
    "output_text": ("type", "text"),
    "refusal": ("type", "refusal"),
}


class Sender:
    """Makes what is sent of what is stored; safe to share between threads.

    Args:
        replays: Whether encrypted reasoning is sent back at all.
    """

    __slots__ = ("_known", "_lock", "replays")

    def __init__(self, *, replays: bool) -> None:
        self.replays = replays
        self._known: dict[tuple[int, bool], _History] = {}
        self._lock = threading.Lock()

    def prepare(self, items: Sequence[Item], *, plain: bool = False) -> Sequence[Item]:
        """The items as they are sent; the very same sequence if nothing changes.

        Args:
            items: As they are stored.
            plain: Leave out every field that the documented input does not have.
        """
        if not items:
            return items
        with self._lock:
            known = self._history(items, plain=plain)
            known.extend(items[len(known.items) :], self)
            return list(known.sent) if known.changed else items

    def sends(self, item: Item) -> bool:
        """Whether an item goes back at all."""
        return type(item) is not Reasoning or (
            self.replays and bool(item.raw.get("encrypted_content"))
        )

    def _history(self, items: Sequence[Item], *, plain: bool) -> _History:
        key = (id(items[0]), plain)
        known = self._known.get(key)
        if known is not None and known.begins(items):
            return known
        if len(self._known) >= _KEPT:
            self._known.pop(next(iter(self._known)))
        fresh = self._known[key] = _History(plain=plain)
        return fresh


class _History:
    """One history as far as it was gone through."""

    __slots__ = ("_count", "_names", "_plain", "_taken", "changed", "items", "sent")

    def __init__(self, *, plain: bool) -> None:
        self.items: list[Item] = []
        self.sent: list[Item] = []
        self.changed = plain
        self._plain = plain
        self._count: dict[str, int] = {}
        self._names: dict[str, str] = {}
        """What the latest call of each id is called."""
        self._taken: set[str] = set()

    def begins(self, items: Sequence[Item]) -> bool:
        """Whether these items begin with the very items that are known."""
        known = self.items
        return len(items) >= len(known) and all(map(_same, known, items))

    def extend(self, items: Iterable[Item], sender: Sender) -> None:
        """Go through what is new."""
        for item in items:
            self.items.append(item)
            if not sender.sends(item):
                self.changed = True
                continue
            kind = type(item)
            wire = item.raw.get("call_id")
            name = wire
            if isinstance(wire, str):
                output = kind is FunctionCallOutput or item.type.endswith("_output")
                call = kind is FunctionCall or not output
                name = self._call(wire) if call else self._names.get(wire, wire)
            self.sent.append(self._made(item, wire, name))

    def _call(self, wire: str) -> str:
        number = self._count[wire] = self._count.get(wire, 0) + 1
        name = wire
        while name in self._taken:
            end = f"_r{max(number, 2)}"
            name = f"{wire[: limits.CALL_ID_CHARACTERS - len(end)]}{end}"
            number += 1
        self._taken.add(name)
        self._names[wire] = name
        return name

    def _made(self, item: Item, wire: object, name: object) -> Item:
        if name == wire and not self._plain:
            return item
        self.changed = True
        raw = item.raw if name == wire else {**item.raw, "call_id": name}
        return parse_item(_plain(raw) if self._plain else raw)


def _plain(raw: JSON) -> JSON:
    """An item with the documented fields of its type alone; of an unknown type, as it is."""
    shape = _SHAPES.get(raw.get("type", ""))
    if shape is None:
        return raw
    kept = {name: raw[name] for name in shape if name in raw}
    if isinstance(kept.get("content"), list):
        kept["content"] = [_plain_part(part) for part in kept["content"]]
    return kept


def _plain_part(part: Any) -> Any:
    shape = _PARTS.get(part.get("type", "")) if isinstance(part, dict) else None
    return part if shape is None else {name: part[name] for name in shape if name in part}
