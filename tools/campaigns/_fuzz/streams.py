"""Bytes of a stream, and the events in it: two targets, and a decoder to compare ours with."""

# ruff: noqa: S101  a target fails by an assertion

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from unittest import mock

from campaigns._fuzz.reader import Reader
from toolstone.errors import ProtocolError, ServiceError
from toolstone.events import ArgumentsDelta, ReasoningDelta, RefusalDelta, TextDelta
from toolstone.outcomes import judge
from toolstone.responses.stream import Assembler
from toolstone.wire import SseDecoder, sse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolstone.events import Delta
    from toolstone.ports import Response

Event = tuple[bytes, bytes, bytes]

# ------------------------------------------------------------------------------ bytes to events

_LINE: Final = re.compile(rb"\r\n|\r|\n")
_HALF: Final = re.compile(rb"\xed[\xa0-\xbf]")
"""Two bytes that no third makes whole; CPython says so of all three only, if they come apart."""


def read_stream(data: bytes) -> None:
    """However it is cut, and by either way through the decoder, a stream says the same."""
    reader = Reader(data)
    small = reader.chance(4)
    ways = [reader.cuts(max(len(data), 1)) for _ in range(2)]
    stream = reader.rest()
    expected = _by_the_rules(stream)
    ended = _LINE.sub(b"\n", stream).endswith(b"\n\n")
    for fast in (True, False):
        for way in (*ways, [(0, len(stream))]):
            pieces = [stream[start:end] for start, end in way]
            found = _decoded(pieces, fast=fast, open_lines=24 if small else None)
            assert _counted(found, ended=ended) == _counted(expected, ended=ended), (
                f"{way}, fast={fast}: {found} instead of {expected}"
            )
    _within_limit(stream, 16 + small)


def _counted(found: object, *, ended: bool) -> object:
    """What counts of it: an id or a time in an event that was cut off means nothing yet."""
    return found[0] if isinstance(found, tuple) and not ended else found


def _decoded(pieces: Iterable[bytes], *, fast: bool, open_lines: int | None) -> object:
    """The events, the last id and the time to wait; or that it is no UTF-8, and where."""
    decoder, events = SseDecoder(fast=fast), []
    most = sse._OPEN_LINES if open_lines is None else open_lines  # noqa: SLF001  so that a short stream is long
    with mock.patch.object(sse, "_OPEN_LINES", most):
        try:
            for piece in pieces:
                events += decoder.feed(piece)
        except ProtocolError as error:
            place = re.search(r"not UTF-8 at byte (\d+);", str(error))
            return int(place[1]) if place else str(error)
    return events, decoder.last_id, decoder.retry


def _by_the_rules(stream: bytes) -> object:
    """The same by the letter of the standard, of the whole at once; a cut last line is none."""
    try:
        stream.decode()
    except UnicodeDecodeError as error:
        rest = stream[error.start :]  # its last character may still come
        if error.reason != "unexpected end of data" and not _HALF.fullmatch(rest):
            return error.start
    lines = _LINE.split(stream.removeprefix(b"\xef\xbb\xbf"))[:-1]
    events: list[Event] = []
    name, last_id, retry, told = b"", b"", None, list[bytes]()
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            if told:
                events.append((name, b"\n".join(told), last_id))
            name, told = b"", []
        elif field == b"data":
            told.append(value)
        elif field == b"event":
            name = value
        elif field == b"id" and b"\0" not in value:
            last_id = value
        elif field == b"retry" and re.fullmatch(rb"[0-9]+", value):
            retry = int(value[:18])
    return events, last_id, retry


def _within_limit(stream: bytes, limit: int) -> None:
    """A small limit is kept: an error of ours, or events that are no longer than it."""
    decoder = SseDecoder(limit=limit)
    try:
        for n in range(len(stream)):
            for _, said, _ in decoder.feed(stream[n : n + 1]):
                assert len(said) <= limit
    except ServiceError:
        pass


# ----------------------------------------------------------------------- events to the response

_KINDS: Final = (
    "response.output_text.delta",
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.content_part.added",
    "response.function_call_arguments.delta",
    "response.completed",
    "response.output_text.done",
    "response.function_call_arguments.done",
    "response.reasoning_text.delta",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.refusal.delta",
    "response.refusal.done",
    "response.custom_tool_call_input.delta",
    "response.custom_tool_call_input.done",
    "response.incomplete",
    "response.failed",
    "response.cancelled",
    "response.in_progress",
    "response.queued",
    "response.vendor.news",
    "error",
    "ping",
    "keepalive",
)
_ITEMS: Final = ("message", "function_call", "reasoning", "custom_tool_call", "mcp_call", "web:x")
_FIELDS: Final = (
    "type",
    "sequence_number",
    "item_id",
    "output_index",
    "content_index",
    "summary_index",
    "delta",
    "text",
    "arguments",
    "input",
    "refusal",
    "item",
    "part",
    "response",
    "error",
    "id",
    "status",
    "output",
    "usage",
    "content",
    "summary",
    "name",
    "call_id",
    "encrypted_content",
    "code",
    "message",
    "incomplete_details",
    "model",
    "role",
)
_WORDS: Final = ("a", "", '{"a":1}', "é", "\ud83d", "\ude00", "x" * 40, "[DONE]", "{")


def read_events(data: bytes) -> None:
    """Any events, in any batches, end in the same whole response, or in one typed error."""
    reader = Reader(data)
    events = _raw(reader) if reader.chance(4) else _composed(reader)
    ways = [reader.cuts(len(events)) if events else []]
    whole = _assembled([events])
    for way in (*ways, [(n, n + 1) for n in range(len(events))]):
        found = _assembled([events[start:end] for start, end in way])
        assert found == whole, f"{way}: {found} instead of {whole}"


def _raw(reader: Reader) -> list[Event]:
    try:
        return SseDecoder().feed(reader.rest())
    except ServiceError:
        return []


def _assembled(batches: Sequence[Sequence[Event]]) -> object:
    """How it ended, and what was said on the way; an error alone says only what it is."""
    assembler = Assembler(secrets=("Bearer fuzz-key-123456",))
    deltas: list[Delta] = []
    try:
        for batch in batches:
            deltas += assembler.feed(batch)
        response = assembler.end()
    except ServiceError as error:
        _check_partial(assembler.partial())
        return type(error), str(error)
    _check_whole(response)
    return response.status, [item.raw for item in response.items], _said(deltas)


def _check_partial(partial: Response | None) -> None:
    if partial is not None:
        assert partial.status == "in_progress"
        for item in partial.items:
            assert json.loads(item.json) is not None


def _check_whole(response: Response) -> None:
    """It has ended, it can be judged, and each of its items can be sent again."""
    assert response.status not in ("in_progress", "queued"), response.status
    judge(response.status, response.reason, response.items)
    for item in response.items:
        assert json.loads(item.json) is not None, item


def _said(deltas: Iterable[Delta]) -> dict[tuple[str, int], str]:
    """What deltas say, joined: where they are cut does not count."""
    found: dict[tuple[str, int], str] = {}
    for delta in deltas:
        assert isinstance(delta, TextDelta | RefusalDelta | ReasoningDelta | ArgumentsDelta), delta
        delta.text.encode()
        key = type(delta).__name__, delta.item
        found[key] = found.get(key, "") + delta.text
    return found


def _composed(reader: Reader) -> list[Event]:
    """Events such as a server sends, some with a fault in them."""
    events: list[Event] = []
    number = 0
    while reader.left and len(events) < 64:  # noqa: PLR2004  longer says no more
        kind = reader.pick(_KINDS)
        event = _event(reader, kind)
        if reader.chance(2):
            event["sequence_number"] = number
            number += 1
        if reader.chance(6):
            event[reader.pick(_FIELDS)] = reader.value()
        if reader.chance(12):
            event.pop(reader.pick(_FIELDS), None)
        said = b"[DONE]" if reader.chance(50) else json.dumps(event).encode()
        if reader.chance(40):
            said = said[: reader.byte()]
        events += [(kind.encode(), said, b"")] * (2 if reader.chance(30) else 1)
    return events


def _event(reader: Reader, kind: str) -> dict[str, Any]:
    event: dict[str, Any] = {"type": kind}
    if kind.startswith("response.output_item"):
        event |= {"output_index": reader.below(3), "item": _item(reader)}
    elif kind.rsplit(".", maxsplit=1)[-1] in ("delta", "done", "added"):
        event |= {
            "output_index": reader.below(3),
            "item_id": reader.pick(("i0", "i1", "i2", "")),
            "content_index": reader.below(2),
            "summary_index": reader.below(2),
        }
        name = {"delta": "delta"}.get(kind.rsplit(".", maxsplit=1)[-1]) or next(
            (word for word in ("arguments", "input", "refusal") if word in kind), "text"
        )
        event[name] = reader.pick(_WORDS) if reader.chance(2) else reader.text()
    elif kind == "error":
        event |= {"code": reader.text(), "message": "no: Bearer fuzz-key-123456"}
    else:
        event["response"] = _response(reader, kind)
    return event


def _response(reader: Reader, kind: str) -> dict[str, Any]:
    status = kind.partition(".")[2] if reader.byte() < 200 else reader.pick(_WORDS)  # noqa: PLR2004  mostly
    found: dict[str, Any] = {"id": reader.pick(("r", "r", "r", "q")), "status": status}
    if reader.chance(2):
        found["output"] = [_item(reader) for _ in range(reader.below(4))]
    if reader.chance(4):
        found[reader.pick(_FIELDS)] = reader.value()
    return found


def _item(reader: Reader) -> dict[str, Any]:
    kind = reader.pick(_ITEMS)
    item: dict[str, Any] = {"type": kind, "id": reader.pick(("i0", "i1", "i2"))}
    if kind == "message":
        texts = [{"type": "output_text", "text": reader.text()} for _ in range(reader.below(3))]
        item |= {"role": "assistant", "content": texts}
    elif kind in ("function_call", "custom_tool_call"):
        field = "arguments" if kind == "function_call" else "input"
        item |= {"call_id": reader.text(), "name": "f", field: reader.pick(_WORDS)}
    elif kind == "reasoning":
        item |= {"summary": [{"type": "summary_text", "text": reader.text()}]}
    if reader.chance(5):
        item[reader.pick(_FIELDS)] = reader.value()
    return item
