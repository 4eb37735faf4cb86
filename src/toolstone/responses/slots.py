"""The items of a response while they are being streamed: found, filled, closed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.errors import LimitError, ProtocolError
from toolstone.responses.decode import mend

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Slot", "Slots", "agree", "essence"]

JSON = dict[str, Any]

_PARTS: Final[dict[str, JSON]] = {
    "text": {"type": "output_text", "annotations": []},
    "refusal": {"type": "refusal"},
    "thought": {"type": "reasoning_text"},
    "summary": {"type": "summary_text"},
}
_FIELDS: Final = {"text": "text", "refusal": "refusal", "thought": "text", "summary": "text"}


class Slot:
    """One item while it is being said.

    Attributes:
        item: As `output_item.added` told it; as `output_item.done` told it once it is closed.
        index: Its `output_index`, if it has one.
        place: Its place among the items as they arrived.
        closed: `output_item.done` was there.
        pieces: What the deltas said so far, by kind of part and its index.
        begun: How many parts were announced; a part may stay silent.
    """

    __slots__ = ("begun", "closed", "index", "item", "pieces", "place")

    def __init__(self, item: JSON, index: int | None, place: int) -> None:
        self.item = item
        self.index = index
        self.place = place
        self.closed = False
        self.begun = 0
        self.pieces: dict[tuple[str, int], list[str]] = {}

    @property
    def position(self) -> int:
        """Where the item stands in the output, as far as the server says."""
        return self.place if self.index is None else self.index

    def part(self, kind: str, index: int) -> list[str]:
        """The pieces of one part.

        Raises:
            ProtocolError: A part too far along: others were never begun.
        """
        found = self.pieces.get((kind, index))
        if found is None:
            parts = max(self.begun, len(self.pieces))
            if index > parts:
                raise ProtocolError(
                    f"the stream speaks of part {index} of item {self.position}, "
                    f"which has {parts} parts",
                    phase="stream",
                )
            found = self.pieces[kind, index] = []
        return found

    def said(self, kind: str, index: int = 0) -> str:
        """The pieces of a part that was begun, joined."""
        keep = kind in ("arguments", "input")
        return mend("".join(self.pieces[kind, index]), keep_halves=keep)

    def rebuilt(self) -> JSON:
        """The item as far as it is known; one that was never closed is `incomplete`."""
        if self.closed:
            return self.item
        item = {**self.item, "status": "incomplete"}
        parts = sorted((index, kind) for kind, index in self.pieces if kind in _PARTS)
        for target, kinds in (
            ("content", ("text", "refusal", "thought")),
            ("summary", ("summary",)),
        ):
            found = [
                {**_PARTS[kind], _FIELDS[kind]: self.said(kind, index)}
                for index, kind in parts
                if kind in kinds
            ]
            if found:
                item[target] = found
        for name in ("arguments", "input"):
            if (name, 0) in self.pieces:
                item[name] = self.said(name)
        return item


class Slots:
    """All items of one response in the making.

    An event names its item by `output_index`; where servers repeat indexes or leave them out, by
    `item_id`; where that is missing too, it means the item that was begun last.
    """

    def __init__(self) -> None:
        self._slots: list[Slot] = []
        self._by_index: dict[int, Slot] = {}
        self._by_id: dict[str, Slot] = {}
        self._indexes_repeat = False
        self._size = 0

    def __iter__(self) -> Iterator[Slot]:
        if any(slot.index is None for slot in self._slots):
            return iter(self._slots)
        return iter(sorted(self._slots, key=lambda slot: slot.position))

    def __len__(self) -> int:
        return len(self._slots)

    def begin(self, item: JSON, index: object) -> Slot:
        """An item begins; the same index and id again mean the same item."""
        number, ident = _index(index), item.get("id")
        known = None if number is None else self._by_index.get(number)
        if known is not None and not known.closed and known.item.get("id") == ident:
            known.item = item
            return known
        self._indexes_repeat |= known is not None
        slot = Slot(item, number, len(self._slots))
        self._slots.append(slot)
        if number is not None:
            self._by_index[number] = slot
        if isinstance(ident, str) and ident:
            self._by_id[ident] = slot
        return slot

    def close(self, item: JSON, index: object) -> tuple[Slot, JSON | None]:
        """An item ends; one that never began begins now. Also: what its deltas had said of it."""
        slot = self._look(index, item.get("id"))
        if slot is None or slot.closed:
            slot = self.begin(item, index)
        before = slot.rebuilt() if slot.pieces else None
        slot.item = item
        slot.closed = True
        slot.pieces.clear()
        return slot, before

    def find(self, index: object, ident: object) -> Slot:
        """The item that an event speaks of.

        Raises:
            ProtocolError: There is no such item.
        """
        slot = self._look(index, ident)
        if slot is None:
            where = "an item" if _index(index) is None else f"item {index}"
            raise ProtocolError(
                f"the stream goes on about {where} that it never began ({len(self._slots)} were)",
                phase="stream",
            )
        return slot

    def _look(self, index: object, ident: object) -> Slot | None:
        number = _index(index)
        if number is not None and not self._indexes_repeat:
            return self._by_index.get(number)
        if isinstance(ident, str) and ident in self._by_id:
            return self._by_id[ident]
        if number is not None:
            return self._by_index.get(number)
        still = [slot for slot in self._slots if not slot.closed]
        return still[-1] if still else None

    def grew(self, size: int) -> None:
        """Count what was said.

        Raises:
            LimitError: The response is longer than `limits.BODY_BYTES`.
        """
        self._size += size
        if self._size > limits.BODY_BYTES:
            raise LimitError(
                f"the streamed response has more than {limits.BODY_BYTES} characters "
                "(limits.BODY_BYTES)",
                phase="stream",
            )


def _index(raw: object) -> int | None:
    return raw if type(raw) is int and raw >= 0 else None


def agree(before: JSON, after: JSON) -> bool:
    """Whether two tellings of an item have the same text, arguments and input."""
    return essence(before)[3:] == essence(after)[3:]


def essence(item: JSON) -> tuple[object, ...]:
    """What an item says, without ids, statuses and decorations; to compare two tellings of it."""
    texts = [
        (part.get("text"), part.get("refusal"))
        for name in ("content", "summary")
        if isinstance(item.get(name), list)
        for part in item[name]
        if isinstance(part, dict)
    ]
    plain = [item.get(name) for name in ("type", "call_id", "name", "arguments", "input")]
    return (*plain, *texts)
