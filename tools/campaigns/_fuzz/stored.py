"""Stored sessions: one target."""

# ruff: noqa: S101  a target fails by an assertion

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, Final

from campaigns._fuzz.reader import Reader
from toolstone import Agent, tool
from toolstone.errors import StorageError, ToolstoneError
from toolstone.events import decode_record, encode_record
from toolstone.outcomes import answers, asks
from toolstone.testing import Scripted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolstone.events import Record
    from toolstone.items import Item

_TEMPLATES: Final[tuple[dict[str, Any], ...]] = (
    {"type": "began", "input": [{"type": "message", "role": "user", "content": "hi"}]},
    {"type": "asked", "number": 1, "input_tokens": 10, "output_tokens": 5},
    {
        "type": "answered",
        "response": "r",
        "status": "completed",
        "items": [
            {"type": "function_call", "id": "f", "call_id": "c", "name": "act", "arguments": "{}"},
            {"type": "function_call", "id": "g", "call_id": "d", "name": "act", "arguments": "{}"},
        ],
    },
    {"type": "started", "calls": [[0, 0], [0, 1]]},
    {"type": "returned", "call": [0, 0], "output": "done"},
    {"type": "returned", "call": [0, 1], "output": [{"type": "input_text", "text": "x"}]},
    {
        "type": "answered",
        "response": "q",
        "status": "completed",
        "items": [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "the end"}],
            }
        ],
    },
    {"type": "finished", "outcome": "complete", "why": ""},
    {"type": "ruled", "call": [0, 0], "ruling": "approve"},
    {"type": "noted", "what": "attempt", "text": "x", "usage": {"input_tokens": 3}},
    {
        "type": "noted",
        "what": "compacted",
        "text": "x",
        "data": {"items": [{"type": "message", "role": "user"}], "upto": 1, "kept": 0},
    },
    {"type": "accepted", "response": "r"},
    {"type": "said", "items": [{"role": "user", "content": "again"}], "why": "output"},
    {
        "type": "answered",
        "response": "r",
        "status": "completed",
        "items": [
            {"type": "custom_tool_call", "call_id": "e", "name": "x", "input": "y"},
            {"type": "computer_call", "call_id": "k", "action": {}},
            {"type": "compaction", "encrypted_content": "z"},
        ],
    },
)
_PLACES: Final = (
    "type",
    "v",
    "seq",
    "at",
    "run",
    "input",
    "items",
    "calls",
    "call",
    "output",
    "status",
    "response",
    "data",
    "usage",
    "what",
    "why",
    "outcome",
    "ruling",
    "how",
    "failed",
    "resumed",
    "number",
    "budget",
    "endpoint",
    "reason",
    "error",
)
_INSIDE: Final = ("type", "call_id", "name", "arguments", "content", "role", "id", "$type", "upto")


def read_ledger(data: bytes) -> None:
    """Whatever stands in a ledger, a session is read and gone on with, or refused typed."""
    reader = Reader(data)
    records = _raw_records(reader) if reader.chance(6) else _records(reader)
    if records is None:
        return
    for record in records:
        line = encode_record(record)
        assert encode_record(decode_record(line)) == line, line
    asyncio.run(_go_on(records, say=reader.chance(2)))


class _Given:
    """A ledger that holds what it was given."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.records = list(records)

    async def load(self, _session: str, /) -> Sequence[Record]:
        return tuple(self.records)

    async def append(self, _session: str, records: Sequence[Record], /) -> None:
        self.records += records


async def _go_on(records: Sequence[Record], *, say: bool) -> None:
    ran: list[str] = []

    @tool(approve=True)
    def act(n: int = 0) -> str:
        ran.append(f"act {n}")
        return "done"

    model = Scripted("one", "two", "three", "four")
    agent = Agent(model, tools=[], ledger=_Given(records))
    try:
        await (agent.run("more", session="s") if say else agent.resume("s"))
    except ToolstoneError as error:
        str(error).encode()
    assert not ran
    for request in model.requests:
        _check_legal(request.items)


def _check_legal(items: Iterable[Item]) -> None:
    """Each call has its output after it, and nothing has one that was not called (I3)."""
    waiting: set[str] = set()
    for item in items:
        json.loads(item.json)
        if (link := asks(item)) is not None and item.type in ("function_call", "custom_tool_call"):
            waiting.add(link)
        elif (link := answers(item)) is not None:
            waiting.discard(link)
    assert not waiting, f"{len(waiting)} calls were sent without their output"


def _raw_records(reader: Reader) -> list[Record] | None:
    """Lines as they are; seldom more than the door."""
    found = []
    for line in re.split(rb"\n", reader.rest())[:20]:
        try:
            found.append(decode_record(line))
        except StorageError:
            return None
    return [record for n, record in enumerate(found) if record.seq == n]


def _records(reader: Reader) -> list[Record] | None:
    found: list[Record] = []
    while reader.left and len(found) < 24:  # noqa: PLR2004  longer says no more
        fact = json.loads(json.dumps(reader.pick(_TEMPLATES)))
        if reader.chance(4):
            _change(reader, fact)
        line = json.dumps({"v": 1, "seq": len(found), "at": 1.5, "run": "run-1", **fact})
        try:
            found.append(decode_record(line))
        except StorageError:
            if reader.chance(2):
                return None
    return [record for n, record in enumerate(found) if record.seq == n]


def _change(reader: Reader, fact: dict[str, Any]) -> None:
    place = reader.pick(_PLACES)
    inside = fact.get(place)
    if isinstance(inside, list) and inside and isinstance(inside[0], dict) and reader.chance(2):
        inside[reader.below(len(inside))][reader.pick(_INSIDE)] = reader.value()
    elif isinstance(inside, dict) and reader.chance(2):
        inside[reader.pick(("items", "upto", "kept", "response", "x"))] = reader.value()
    else:
        fact[place] = reader.value()
