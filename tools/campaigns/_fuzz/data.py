"""Arguments, and schemas written by others: two targets."""

# ruff: noqa: S101  a target fails by an assertion

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date  # noqa: TC003  read at run time, as all of a tool's annotations
from enum import Enum
from functools import cache
from typing import Any, Final, Literal, NoReturn

from pydantic import BaseModel, Field

from campaigns._fuzz.reader import Reader
from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.schema.arguments import ArgumentsProblem
from toolstone.schema.lint import strict_problems
from toolstone.schema.strictjson import JSONProblem, check_object, find_problem
from toolstone.tools import Tool

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
