"""Arguments, schemas written by others, and stored sessions: three targets."""

# ruff: noqa: S101  a target fails by an assertion

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import date  # noqa: TC003  read at run time, as all of a tool's annotations
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn

from pydantic import BaseModel, Field

from campaigns._fuzz.reader import Reader
from toolstone import Agent, limits, tool
from toolstone.errors import DefinitionError, StorageError, ToolstoneError
from toolstone.events import decode_record, encode_record
from toolstone.outcomes import answers, asks
from toolstone.schema.arguments import ArgumentsProblem
from toolstone.schema.lint import strict_problems
from toolstone.schema.strictjson import JSONProblem, check_object, find_problem
from toolstone.testing import Scripted
from toolstone.tools import Tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolstone.events import Record
    from toolstone.items import Item

# ------------------------------------------------------------------------------------- arguments


class _Kind(Enum):
    one = "one"
    two = "two"


class _Inner(BaseModel):
    name: str = Field(max_length=20)
    n: int = 3
    tags: list[str] = []


@dataclass
class _Point:
    x: float
    y: float | None = None


def _plain(a: int, b: float = 1.5, c: str | None = None, *, d: bool = False) -> None:
    """Do."""


def _nested(one: _Inner, more: list[_Inner] | None = None, at: _Point | None = None) -> None:
    """Do."""


def _rare(
    kind: _Kind, word: Literal["x", "y"], day: date, free: dict[str, int], pair: tuple[int, str]
) -> None:
    """Do."""


_BY_HAND: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "a": {"type": "integer", "minimum": 0},
        "b": {"type": "string", "pattern": "^[a-z]{1,4}$"},
        "c": {"type": "array", "items": {"$ref": "#/$defs/t"}, "uniqueItems": True},
    },
    "patternProperties": {"^x-": {"type": ["number", "null"]}},
    "additionalProperties": False,
    "required": ["a"],
    "$defs": {"t": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/u"}]}, "u": {"type": "array"}},
}


@cache
def _tools() -> tuple[Tool, ...]:
    return (
        Tool.of(_plain),
        Tool.of(_nested),
        Tool.of(_rare),
        Tool.from_schema("by_hand", _BY_HAND),
    )


def read_arguments(data: bytes) -> None:
    """What is taken is one strict JSON object and means the same to the standard library."""
    reader = Reader(data)
    which = reader.pick(_tools())
    text = _text(reader)
    taken = _checked(text)
    assert taken == (find_problem(text) is None), "the two readers disagree"
    if "\\u" not in text:  # half a character as an escape is seen later
        assert taken == _is_strict(text), "the standard library disagrees"
    try:
        which.read(text)
    except ArgumentsProblem as problem:
        _check_told(str(problem))
    else:
        assert taken, "arguments were read that are no strict JSON"
        assert _is_strict(text), "arguments were read that the standard library refuses"


def _text(reader: Reader) -> str:
    if reader.chance(3):
        pairs = {reader.pick("abcd"): reader.value() for _ in range(reader.below(4))}
        return json.dumps(pairs, ensure_ascii=reader.chance(2))
    return reader.rest().decode("utf-8", "surrogatepass" if reader.chance(2) else "replace")


def _checked(text: str) -> bool:
    try:
        check_object(text)
    except JSONProblem as problem:
        _check_told(str(problem))
        return False
    return True


def _check_told(text: str) -> None:
    """A sentence for a model: it can be sent, and is not long."""
    text.encode()
    assert 0 < len(text) < 4_000, len(text)  # noqa: PLR2004  a page of text


class _No(Exception):  # noqa: N818  a signal
    pass


def _is_strict(text: str) -> bool:
    """What the standard library makes of it, told to be strict."""

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(found)) != len(found):
            raise _No
        return dict(found)

    def refuse(_name: str) -> NoReturn:
        raise _No

    def whole(digits: str) -> int:
        if len(digits.lstrip("-")) > limits.INTEGER_DIGITS:
            raise _No
        return int(digits)

    def broken(digits: str) -> float:
        if (found := float(digits)) in (float("inf"), float("-inf")):
            raise _No
        return found

    try:
        text.encode()
        found = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=refuse,
            parse_int=whole,
            parse_float=broken,
        )
    except (_No, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and _depth(found) <= limits.JSON_DEPTH


def _depth(value: Any) -> int:
    inner = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    return 0 if inner is None else 1 + max((_depth(one) for one in inner), default=0)


# --------------------------------------------------------------------------------------- schemas

_NODES: Final = ("items", "additionalProperties", "not", "if", "then", "else", "contains")
_NODES_MORE: Final = ("propertyNames", "unevaluatedProperties", "unevaluatedItems")
_NAMED: Final = ("properties", "$defs", "patternProperties", "dependentSchemas", "definitions")
_LISTED: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_NUMBERS: Final = ("minimum", "maxLength", "multipleOf", "minItems", "maxProperties", "minContains")
_TYPES: Final = ("object", "string", "array", "integer", "number", "boolean", "null", "any", "dict")
_NAMES: Final = ("a", "b", "", "$ref", "x-é", "__proto__", "a/b~")
_REFS: Final = (
    "#",
    "#/$defs/a",
    "#/$defs/b",
    "#/properties/a",
    "#/$defs/a~1b~0",
    "http://x/y",
    "#/anyOf/0",
    "#a",
    "",
    "#/definitions/a",
    "#/items",
)
_PATTERNS: Final = ("^a+$", "(a+)+$", "(?=a)b", "\\1", "[", "^x-", "\\p{L}", "", "a{1000}{1000}")
_FORMATS: Final = ("date", "regex", "uri", "email", "é")
_OTHERS: Final = ("$id", "$schema", "$anchor", "$dynamicRef", "$recursiveRef", "title", "x-odd")


def read_schema(data: bytes) -> None:
    """Any schema is refused by a DefinitionError, or answers every value with yes or no."""
    reader = Reader(data)
    schema: Any = _node(reader, 4)
    if isinstance(schema, dict) and not reader.chance(8):
        schema["type"] = "object"
    try:
        made = Tool.from_schema("t", schema)
    except DefinitionError as error:
        str(error).encode()
        return
    assert made.strict == (not strict_problems(schema))
    for _ in range(4):
        text = json.dumps(reader.value() if reader.chance(6) else _sample(reader))
        try:
            made.read(text)
        except ArgumentsProblem as problem:
            _check_told(str(problem))


def _sample(reader: Reader) -> dict[str, Any]:
    return {reader.pick(_NAMES): reader.value() for _ in range(reader.below(4))}


def _node(reader: Reader, depth: int) -> Any:
    if reader.chance(12):
        return reader.value()
    node: dict[str, Any] = {}
    for _ in range(reader.below(4) + (depth > 3)):  # noqa: PLR2004  the root holds something
        key, value = _keyword(reader, depth)
        node[key] = value
    return node


def _keyword(reader: Reader, depth: int) -> tuple[str, Any]:  # noqa: PLR0911  a list of choices
    kind = reader.below(12) if depth else reader.below(5)
    match kind:
        case 0:
            one = reader.pick(_TYPES)
            return "type", [one, reader.pick(_TYPES)] if reader.chance(4) else one
        case 1:
            return "$ref", reader.pick(_REFS)
        case 2:
            return "pattern", reader.pick(_PATTERNS)
        case 3:
            return reader.pick(_NUMBERS), reader.value(1)
        case 4:
            return reader.pick(("enum", "const", "required", "default")), reader.value(2)
        case 5 | 6:
            named = {reader.pick(_NAMES): _node(reader, depth - 1) for _ in range(reader.below(4))}
            return reader.pick(_NAMED), named
        case 7 | 8:
            return reader.pick(_LISTED), [_node(reader, depth - 1) for _ in range(reader.below(4))]
        case 9:
            return reader.pick(_NODES), _node(reader, depth - 1)
        case 10:
            return reader.pick(_NODES_MORE), _node(reader, depth - 1)
        case _:
            name = reader.pick((*_OTHERS, "format", *_NODES, *_NAMED, *_LISTED))
            return name, reader.pick(_FORMATS) if name == "format" else reader.value(2)


# ---------------------------------------------------------------------------------------- ledger

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
