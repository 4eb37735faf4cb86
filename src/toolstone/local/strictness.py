"""Where a schema leaves the strict subset, told as the real service tells it. Pure.

This is the server's judgement, made on purpose without the client's own lint: a mistake there
would otherwise vouch for itself here.
"""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["first_offence"]

_KNOWN = {
    *("type", "enum", "const", "anyOf", "properties", "required", "additionalProperties"),
    *("items", "minItems", "maxItems", "pattern", "format", "multipleOf", "minimum", "maximum"),
    *("exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"),
    *("$ref", "$defs", "definitions", "title", "description"),
}
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
_MAX_DEPTH = 10


def first_offence(schema: Mapping[str, Any]) -> str | None:
    """Say where and how a schema is not strict; None if it is."""
    if "anyOf" in schema:
        return "the root may not be 'anyOf'"
    return next(_offences(schema, "#", 0), None)


def _offences(schema: object, path: str, depth: int) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        yield f"{path} is a {type(schema).__name__}; every schema must be an object"
        return
    if depth > _MAX_DEPTH:
        yield f"{path} is nested deeper than {_MAX_DEPTH} levels"
        return
    for keyword in sorted(schema.keys() - _KNOWN):
        yield f"{path} uses {keyword!r}, which is not permitted"
    if "$ref" in schema and len(schema) > 1:
        yield f"{path} has keywords beside '$ref'"
    if schema.get("format", "date") not in _FORMATS:
        yield f"{path} has the format {schema['format']!r}; permitted: {', '.join(_FORMATS)}"
    if schema.get("type") == "object" or "properties" in schema:
        yield from _object_offences(schema, path)
    yield from _inner_offences(schema, path, depth)


def _object_offences(schema: Mapping[str, Any], path: str) -> Iterator[str]:
    if schema.get("additionalProperties") is not False:
        yield f"{path} needs 'additionalProperties': false"
    keys, required = set(schema.get("properties", {})), set(schema.get("required", ()))
    for key in sorted(keys - required):
        yield f"{path} must list {key!r} in 'required'"
    for key in sorted(required - keys):
        yield f"{path} requires {key!r}, which is no property"


def _inner_offences(schema: Mapping[str, Any], path: str, depth: int) -> Iterator[str]:
    for keyword in ("properties", "$defs", "definitions"):
        deeper = depth + 1 if keyword == "properties" else 0
        for key, inner in schema.get(keyword, {}).items():
            yield from _offences(inner, f"{path}/{keyword}/{key}", deeper)
    for index, inner in enumerate(schema.get("anyOf", ())):
        yield from _offences(inner, f"{path}/anyOf/{index}", depth)
    if "items" in schema:
        yield from _offences(schema["items"], f"{path}/items", depth + 1)
