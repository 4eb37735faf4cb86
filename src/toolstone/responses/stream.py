"""Events of a stream become deltas, and in the end the response that a plain answer gives. Pure.

What the rules are where servers differ (responses-api.md §11, reliability.md block E):
- The JSON's `type` says what an event is; the SSE name counts only where there is none.
- `done` overrides deltas. The terminal response overrides both for messages and calls; other
  items keep the form that `output_item.done` gave them (opaque reasoning may differ there). An
  empty `output` in the terminal response erases nothing.
- Numbers: a repeated event is dropped if it is the same; one out of order is an error; a gap is an
  error unless the terminal response says the same as the events did. No numbers are no fault.
- Unknown events pass. What follows the terminal event is not read, and a warning says so.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json

from toolstone import limits
from toolstone.errors import LimitError, ProtocolError
from toolstone.events import ArgumentsDelta, Noted, ReasoningDelta, RefusalDelta, TextDelta
from toolstone.items import parse_item
from toolstone.ports import Response
from toolstone.responses.decode import decode, mend, whole
from toolstone.responses.failures import TABLE, failure, read_error
from toolstone.responses.kinds import DELTAS, PARTS, WHOLE
from toolstone.responses.numbering import Numbering
from toolstone.responses.parse import read_items, response_from
from toolstone.responses.slots import Slot, Slots, agree, essence
from toolstone.responses.terminal import TERMINAL, final_status, received

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolstone.errors import StatusError
    from toolstone.events import Delta
    from toolstone.responses.failures import Row
    from toolstone.wire.sse import Event

__all__ = ["Assembler"]

JSON = dict[str, Any]

_ITEMS: Final = frozenset({"response.output_item.added", "response.output_item.done"})
_WHOLES: Final = frozenset({"item", "part", "response", "text", "arguments", "refusal"})
_HEADS: Final = frozenset({"response.created", "response.queued", "response.in_progress"})
_COMPARED: Final = ("message", "function_call")  # no set: a type may be anything
_TEXT: Final = "response.output_text.delta"


class Assembler:
    """Takes the events of one stream.

    Args:
        sent: The body of the request, for the response.
        headers: Of the answer, for errors.
        secrets: Values that must not appear in errors.
        table: What errors mean here.
        endpoint: The origin that answers, for the response.

    Attributes:
        response: The whole response, once its terminal event was there.
        headers: Of the answer, for errors.
        heard: How many events have meant something; pings and comments mean nothing.
    """

    def __init__(
        self,
        *,
        sent: bytes = b"",
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        table: Sequence[Row] = TABLE,
        endpoint: str = "",
    ) -> None:
        self.response: Response | None = None
        self.heard = 0
        self._sent = sent
        self.headers = headers or {}
        self._secrets = secrets
        self._table = table
        self._endpoint = endpoint
        self._slots = Slots()
        self._head: JSON = {}
        self._notes: list[Noted] = []
        self._count = 0
        self._late = 0
        self._numbers = Numbering()
        self._halves: dict[tuple[int, str, int], str] = {}
        self._halved = False
        self._hot: tuple[object, object, object] | None = None
        self._hot_pieces: list[str] = []
        self._hot_position = 0

    @property
    def id(self) -> str:
        """The response's id, once it was told; empty until then."""
        found = self._head.get("id")
        return found if isinstance(found, str) else ""

    @property
    def last_number(self) -> int | None:
        """The number of the last event, where the server numbers them."""
        due = self._numbers.due
        return None if due is None else due - 1

    def feed(self, events: Sequence[Event]) -> list[Delta]:
        """The deltas in these events.

        Raises:
            StatusError: The service told an error, or the response failed.
            ProtocolError: The events contradict each other.
            LimitError: There are too many, or they say too much.
        """
        self._count += len(events)
        if self._count > limits.EVENTS_PER_RESPONSE:
            raise self._too_many()
        deltas: list[Delta] = []
        numbers, size = self._numbers, 0
        for name, data, _ in events:
            if data.startswith(b"[DONE]"):
                continue
            if self.response is not None:
                self._late += 1
                continue
            try:
                event = from_json(data, allow_inf_nan=False)
                number, kind, text = (
                    event.get("sequence_number"),
                    event.get("type"),
                    event.get("delta"),
                )
            except (ValueError, AttributeError):
                event, number, kind, text = self._decode_again(data)
            if number is not None and number == numbers.due:
                numbers.due = number + 1
            elif not numbers.admits(number, data):
                continue
            numbers.last = data
            if kind == _TEXT and type(text) is str and self._hot == _place(event):
                size += len(text)
                self.heard += 1
                self._hot_pieces.append(text)
                deltas.append(TextDelta(text, self._hot_position))
            else:
                named = type(kind) is str and kind
                self._take(kind if named else name.decode(), event, data, deltas)
        self._slots.grew(size)
        return deltas

    def end(self) -> Response:
        """The stream has ended.

        Raises:
            ProtocolError: There was no terminal event; `partial` has what arrived.
        """
        if self.response is not None:
            return _with_late(self.response, self._late) if self._late else self.response
        raise ProtocolError(
            f"the stream ended without its terminal event, after {self._count} events and "
            f"{len(self._slots)} items; the answer is not whole",
            phase="stream",
            outcome="partial" if self.heard else "none",
            retryable=True,
        )

    def partial(self) -> Response | None:
        """What has arrived so far, if anything; its status is `in_progress`."""
        if not self.heard:
            return None
        model = self._head.get("model")
        return Response(
            self.id,
            "in_progress",
            self._rebuilt(),
            model=model if isinstance(model, str) else "",
            endpoint=self._endpoint,
            notes=tuple(self._notes),
            sent=self._sent,
        )

    # ------------------------------------------------------------------------------- one event

    def _decode_again(self, data: bytes) -> tuple[JSON, Any, Any, Any]:
        """What is not a JSON object at first sight: a half of a character, or nothing of ours."""
        event = decode(data, phase="stream")
        if not isinstance(event, dict):
            raise ProtocolError(
                f"an event of the stream is a JSON {type(event).__name__}, not an object",
                phase="stream",
                body=data[:1024],
            )
        for told in event.keys() & _WHOLES:
            event[told] = whole(event[told], told)
        self._halved = True
        self._hot = None
        return event, event.get("sequence_number"), event.get("type"), None

    def _too_many(self) -> LimitError:
        return LimitError(
            f"the stream has more than {limits.EVENTS_PER_RESPONSE} events "
            "(limits.EVENTS_PER_RESPONSE)",
            phase="stream",
        )

    def _take(self, kind: str, event: JSON, data: bytes, deltas: list[Delta]) -> None:
        if not kind.startswith("response."):
            if kind == "error" or event.get("error"):
                raise self._failure(event, data)
            return
        self.heard += 1
        if kind in DELTAS:
            self._delta(kind, event, deltas)
        elif kind in WHOLE:
            self._whole(kind, event)
        elif kind in PARTS:
            slot = self._slots.find(event.get("output_index"), event.get("item_id"))
            slot.begun = max(slot.begun, _part_index(event.get(PARTS[kind])) + 1)
        elif kind in _ITEMS:
            self._item(kind, event)
        elif kind in _HEADS:
            self._greet(event.get("response"))
        elif kind in TERMINAL:
            self._finish(kind, event, data)

    def _failure(self, event: JSON, data: bytes) -> StatusError:
        return failure(
            read_error(event),
            headers=self.headers,
            body=data[:1024],
            phase="stream",
            secrets=self._secrets,
            table=self._table,
        )

    def _delta(self, kind: str, event: JSON, deltas: list[Delta]) -> None:
        part, index_field = DELTAS[kind]
        text = event.get("delta")
        if not isinstance(text, str):
            raise ProtocolError(
                f"{kind}: delta is a {type(text).__name__}; it must be text", phase="stream"
            )
        slot = self._slots.find(event.get("output_index"), event.get("item_id"))
        index = _part_index(event.get(index_field))
        pieces = slot.part(part, index)
        self._slots.grew(len(text))
        pieces.append(text)
        if kind == _TEXT and not self._halved:
            self._hot, self._hot_pieces = _place(event), pieces
            self._hot_position = slot.position
        if self._halved:
            text = self._without_half(text, (slot.place, part, index))
        if text:
            deltas.append(_MAKE[part](text, slot))

    def _without_half(self, text: str, key: tuple[int, str, int]) -> str:
        """Keep half a character back until its other half arrives."""
        text = self._halves.pop(key, "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._halves[key] = text[-1]
            text = text[:-1]
        return mend(text)

    def _whole(self, kind: str, event: JSON) -> None:
        part, index_field, field = WHOLE[kind]
        text = event.get(field)
        if not isinstance(text, str):
            return
        slot = self._slots.find(event.get("output_index"), event.get("item_id"))
        index = _part_index(event.get(index_field))
        pieces = slot.part(part, index)
        if pieces and slot.said(part, index) != text:
            self._warn(f"item {slot.position}: the deltas do not add up to what {kind} says")
        pieces[:] = [text]

    def _item(self, kind: str, event: JSON) -> None:
        item, index = event.get("item"), event.get("output_index")
        if not isinstance(item, dict):  # Open Responses allows null
            return
        self._hot = None
        if kind == "response.output_item.added":
            self._slots.begin(item, index)
            return
        slot, before = self._slots.close(item, index)
        if item.get("type") in _COMPARED and before is not None and not agree(before, item):
            self._warn(f"item {slot.position}: the deltas do not add up to what the item says")

    def _greet(self, response: object) -> None:
        if not isinstance(response, dict):
            return
        known, ident = self._head.get("id"), response.get("id")
        if isinstance(known, str) and isinstance(ident, str) and known != ident:
            raise ProtocolError(
                "the response changed its id within one stream: two answers are mixed up",
                phase="stream",
            )
        self._head = {**self._head, **response}

    # ----------------------------------------------------------------------------- the last one

    def _finish(self, kind: str, event: JSON, data: bytes) -> None:
        raw = event.get("response")
        if not isinstance(raw, dict):
            raise ProtocolError(
                f"{kind} carries a {type(raw).__name__} instead of the response", phase="stream"
            )
        self._greet(raw)
        raw = {"id": self._head.get("id"), **raw, "status": final_status(kind, raw.get("status"))}
        self.response = response_from(
            raw,
            sent=self._sent,
            received=received(event, data),
            items=self._settle(raw.get("output")),
            notes=tuple(self._notes),
            headers=self.headers,
            secrets=self._secrets,
            table=self._table,
            endpoint=self._endpoint,
        )

    def _settle(self, output: object) -> tuple[Any, ...]:
        """The final items: what the terminal response says, and what it does not."""
        given = [raw for raw in output if raw is not None] if isinstance(output, list) else []
        told = [slot.rebuilt() for slot in self._slots]
        if not given:
            if any(not slot.closed for slot in self._slots):
                self._warn("items were never closed, and the terminal response has none")
            self._check_gap(same=False)
            return self._rebuilt()
        if not all(isinstance(raw, dict) for raw in given):
            read_items(given)  # says which one is not
        same = [essence(raw) for raw in given] == [essence(raw) for raw in told]
        self._check_gap(same=same)
        if not same and any(slot.closed for slot in self._slots):
            self._warn("the terminal response does not say what the events said; it counts")
        return tuple([parse_item(self._preferred(n, raw)) for n, raw in enumerate(given)])

    def _preferred(self, place: int, raw: JSON) -> JSON:
        """Of an item that is neither message nor call, the telling of `output_item.done`."""
        if raw.get("type", "message") in _COMPARED:
            return raw
        closed = [slot for slot in self._slots if slot.closed]
        for slot in closed:
            if raw.get("id") and slot.item.get("id") == raw["id"]:
                return slot.item
        for slot in closed:
            if slot.position == place and slot.item.get("type") == raw.get("type"):
                return slot.item
        return raw

    def _check_gap(self, *, same: bool) -> None:
        if self._numbers.gap is None:
            return
        due, came = self._numbers.gap
        if not same:
            raise ProtocolError(
                f"events {due} to {came - 1} of the stream are missing, and the terminal response "
                "does not agree with the rest",
                phase="stream",
            )
        self._warn(f"events {due} to {came - 1} of the stream were missing; nothing was lost")

    def _rebuilt(self) -> tuple[Any, ...]:
        return tuple(
            [parse_item(raw) for slot in self._slots if (raw := slot.rebuilt()).get("type")]
        )

    def _warn(self, text: str) -> None:
        self._notes.append(Noted("warning", text))


def _with_late(response: Response, late: int) -> Response:
    text = f"what came after the end of the response was not read (events: {late})"
    return replace(response, notes=(*response.notes, Noted("warning", text)))


def _place(event: JSON) -> tuple[object, object, object]:
    return event.get("output_index"), event.get("item_id"), event.get("content_index")


def _part_index(raw: object) -> int:
    return raw if type(raw) is int and raw >= 0 else 0


def _arguments(text: str, slot: Slot) -> Delta:
    name = slot.item.get("name")
    return ArgumentsDelta(text, slot.position, name if isinstance(name, str) else "")


_MAKE: Final[dict[str, Callable[[str, Slot], Delta]]] = {
    "text": lambda text, slot: TextDelta(text, slot.position),
    "refusal": lambda text, slot: RefusalDelta(text, slot.position),
    "thought": lambda text, slot: ReasoningDelta(text, slot.position),
    "summary": lambda text, slot: ReasoningDelta(text, slot.position, summary=True),
    "arguments": _arguments,
    "input": _arguments,
}
