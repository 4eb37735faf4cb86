"""The history as a Bedrock host takes it: calls told apart, reasoning and extras left out. Pure.

What is stored never changes; what is sent does, and the same each time. Bedrock's mantle host
numbers calls anew in every response (`call_0`, …), so that a history of several responses holds
one id twice: the first keeps its id, each later one gets `ID_r2`, `ID_r3` …, with its output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.items import Reasoning, parse_item

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolstone.items import Item

__all__ = ["Sender", "fingerprint"]

JSON = dict[str, Any]

_KEPT: Final = 4096
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
    """Makes what is sent of what is stored; an item that changes is made once.

    Args:
        replays: Whether encrypted reasoning is sent back at all.
    """

    __slots__ = ("_made", "foreign", "replays")

    def __init__(self, *, replays: bool) -> None:
        self.replays = replays
        self.foreign: set[int] = set()
        """Fingerprints of reasoning that this endpoint has refused."""
        self._made: dict[tuple[int, str], tuple[Item, Item]] = {}

    def prepare(self, items: Sequence[Item], *, plain: bool = False) -> Sequence[Item]:
        """The items as they are sent; the very same sequence if nothing changes.

        Args:
            items: As they are stored.
            plain: Leave out every field that the documented input does not have.
        """
        if any(type(item) is Reasoning for item in items):
            items = [item for item in items if type(item) is not Reasoning or self._sends(item)]
        items = self._told_apart(items)
        return [self._changed(item, "plain", _plain) for item in items] if plain else items

    def refuse(self, items: Sequence[Item]) -> int:
        """Never send the reasoning in these items again; how many were not refused before."""
        found = {fingerprint(item) for item in items if type(item) is Reasoning}
        fresh = {one for one in found if one not in self.foreign} if self.replays else set()
        self.foreign |= fresh
        return len(fresh)

    def _sends(self, item: Item) -> bool:
        return (
            self.replays
            and bool(item.raw.get("encrypted_content"))
            and fingerprint(item) not in self.foreign
        )

    def _told_apart(self, items: Sequence[Item]) -> Sequence[Item]:
        calls = [item.raw["call_id"] for item in items if _is_call(item)]
        taken = set(calls)
        if len(taken) == len(calls):
            return items
        count: dict[str, int] = {}
        names: dict[str, str] = {}
        sent: list[Item] = []
        for item in items:
            wire = str(item.raw.get("call_id"))
            if _is_call(item):
                count[wire] = count.get(wire, 0) + 1
                names[wire] = wire if count[wire] == 1 else _name(wire, count[wire], taken)
            name = names.get(wire, wire)
            sent.append(item if name == wire else self._renamed(item, name))
        return sent

    def _renamed(self, item: Item, name: str) -> Item:
        return self._changed(item, f"call {name}", lambda raw: {**raw, "call_id": name})

    def _changed(self, item: Item, how: str, change: Callable[[JSON], JSON]) -> Item:
        key = (id(item), how)
        kept = self._made.get(key)
        if kept is not None and kept[0] is item:
            return kept[1]
        made = parse_item(change(item.raw))
        if len(self._made) >= _KEPT:
            self._made.clear()
        self._made[key] = (item, made)
        return made


def fingerprint(item: Item) -> int:
    """A short mark of an item's encrypted content."""
    return hash(item.raw.get("encrypted_content") or item.raw.get("id"))


def _is_call(item: Item) -> bool:
    return isinstance(item.raw.get("call_id"), str) and not item.type.endswith("_output")


def _name(wire: str, number: int, taken: set[str]) -> str:
    """An id of at most 64 characters that no other call has."""
    while True:
        end = f"_r{number}"
        name = f"{wire[: limits.CALL_ID_CHARACTERS - len(end)]}{end}"
        if name not in taken:
            taken.add(name)
            return name
        number += 1


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
