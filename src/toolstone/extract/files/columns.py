"""A record as the columns of a table, by the schema of what is extracted. Pure.

Objects are taken apart (`address.city`); what may be one plain type or another, as a decimal is a
number or a text, is text; everything else is JSON. What is no field begins with an underscore:
`_id _error _message _attempts ...`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolstone.schema.output import OutputType

__all__ = [
    "Column",
    "Kind",
    "cells",
    "columns_of",
    "fitted",
    "put_json",
    "resolved",
    "value_schema",
]

Schema = dict[str, Any]
Kind = Literal["text", "integer", "number", "boolean", "json", "list"]
_PLAIN: Final[dict[str | None, Kind]] = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
}
_DEPTH: Final = 8  # objects in objects; what lies deeper is JSON


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, where its value lies in a row, and what that is."""

    name: str
    path: tuple[str, ...]
    kind: Kind
    item: Kind = "json"
    """Of a list: what its entries are."""


def columns_of(schema: Mapping[str, Any]) -> tuple[Column, ...]:
    """The columns of records whose values fit this schema.

    Raises:
        DefinitionError: Two would have the same name.
    """
    fields = tuple(_fields(dict(schema), dict(schema), ("value",), ()))
    found = (Column("_id", ("id",), "text"), *fields, *_ABOUT)
    names = [column.name for column in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise DefinitionError(
            f"two columns of the table would be named {min(twice)!r}; write JSON lines "
            "(a name that ends in .jsonl), which has no columns"
        )
    return found


_ABOUT: Final = (
    Column("_error", ("error", "kind"), "text"),
    Column("_message", ("error", "message"), "text"),
    Column("_attempts", ("attempts",), "integer"),
    Column("_input_tokens", ("usage", "input_tokens"), "integer"),
    Column("_output_tokens", ("usage", "output_tokens"), "integer"),
    Column("_same_as", ("same_as",), "text"),
    Column("_evidence", ("evidence",), "json"),
    Column("_warnings", ("warnings",), "list", "text"),
)


def value_schema(output: OutputType[Any]) -> Schema:
    """The schema of the values that are read as this type, with its definitions.

    Raises:
        DefinitionError: It is plain text.
    """
    if output.format is None:
        raise DefinitionError("plain text has no fields, and so no columns")
    whole = dict(output.format.schema)
    if not output.wrapped:
        return whole
    return {**whole["properties"]["value"], "$defs": whole.get("$defs", {})}


def cells(row: Mapping[str, Any], columns: Sequence[Column]) -> list[Any]:
    """The values of a record's row, a list still a list; what is not there is None."""
    return [_cell(row, column) for column in columns]


def _cell(row: Mapping[str, Any], column: Column) -> Any:
    found: Any = row
    for step in column.path:
        if not isinstance(found, dict) or step not in found:
            return None
        found = found[step]
    return fitted(found, column.kind)


def fitted(value: Any, kind: Kind) -> Any:
    """A value as one of this kind: what is no text becomes JSON where text is wanted."""
    if value is None or kind not in {"text", "json"} or (kind == "text" and isinstance(value, str)):
        return value
    return put_json(value)


def put_json(value: Any) -> str:
    """JSON as it stands in a cell."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _fields(
    schema: Schema, root: Schema, path: tuple[str, ...], seen: tuple[str, ...]
) -> Iterator[Column]:
    node, seen = resolved(schema, root, seen)
    inner = node.get("properties")
    if isinstance(inner, dict) and inner and len(path) <= _DEPTH:
        for name, field in inner.items():
            yield from _fields(field, root, (*path, name), seen)
        return
    yield Column(".".join(path[1:]) or "value", path, *_kind(node, root, seen))


def _kind(node: Schema, root: Schema, seen: tuple[str, ...]) -> tuple[Kind, Kind]:
    if node.get("type") == "array" and isinstance(node.get("items"), dict):
        item, seen = resolved(node["items"], root, seen)
        return "list", _plain(item, root, seen)
    return _plain(node, root, seen), "json"


def _plain(node: Schema, root: Schema, seen: tuple[str, ...]) -> Kind:
    """The plain type that holds every value; `json` if there is none."""
    if "anyOf" in node:
        options = [resolved(one, root, seen) for one in node["anyOf"] if one != {"type": "null"}]
        return _widest({_plain(one, root, then) for one, then in options})
    named = node.get("type")
    if named is None and all(isinstance(one, str) for one in node.get("enum", [0])):
        return "text"
    return _widest(
        {_PLAIN.get(one, "json") for one in (named if isinstance(named, list) else [named])}
    )


def _widest(kinds: set[Kind]) -> Kind:
    if len(kinds) == 1:
        return kinds.pop()
    if not kinds or "json" in kinds:
        return "json"
    return "number" if kinds == {"integer", "number"} else "text"


def resolved(
    schema: Any, root: Schema, seen: tuple[str, ...] = ()
) -> tuple[Schema, tuple[str, ...]]:
    """The schema itself: references followed once each, the alternative `null` taken away."""
    node = schema if isinstance(schema, dict) else {}
    while True:
        where = node.get("$ref")
        if isinstance(where, str):
            if where in seen:
                return {}, seen
            seen = (*seen, where)
            node = _at(root, where)
            continue
        options = [one for one in node.get("anyOf", ()) if one != {"type": "null"}]
        if len(options) != 1:
            break
        node = options[0]
    kind = node.get("type")
    if isinstance(kind, list):
        left = [one for one in kind if one != "null"]
        node = {**node, "type": left[0] if len(left) == 1 else left}
    return node, seen


def _at(root: Schema, reference: str) -> Schema:
    found: Any = root
    for step in reference.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}
