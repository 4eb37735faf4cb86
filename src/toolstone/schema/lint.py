"""Our own check that a schema stands inside the strict subset (responses-api.md §8.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from toolstone import limits
from toolstone.schema.linear import pattern_problem
from toolstone.schema.nodes import children

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolstone.schema.nodes import Schema

__all__ = ["FORMATS", "Totals", "fragment_problems", "measure", "strict_problems"]

FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_KEYWORDS: Final = frozenset(
    {"type", "enum", "const", "anyOf", "$ref", "title", "description", "pattern", "format"}
    | {"multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}
    | {"items", "minItems", "maxItems", "properties", "required", "additionalProperties"}
)
_FREE: Final = "any keys are allowed, and strict mode has no free dicts"


class Totals(NamedTuple):
    """What the size limits of strict mode count."""

    properties: int = 0
    enum_values: int = 0
    characters: int = 0
    depth: int = 0

    def problems(self) -> list[str]:
        """Which limits are passed."""
        told = (
            ("properties", self.properties, limits.STRICT_PROPERTIES),
            ("enum values", self.enum_values, limits.STRICT_ENUM_VALUES),
            ("characters of names and values", self.characters, limits.STRICT_CHARACTERS),
            ("levels of nesting", self.depth, limits.STRICT_DEPTH),
        )
        return [
            f"the schema has {n} {what}, strict mode allows {most}"
            for what, n, most in told
            if n > most
        ]


def strict_problems(schema: Mapping[str, Any]) -> list[str]:
    """Everything that keeps a whole schema out of the strict subset, with its path.

    Example:
        strict_problems({"type": "object", "properties": {}})
        # ['the value: any keys are allowed, and strict mode has no free dicts']
    """
    root = {key: value for key, value in schema.items() if key != "$defs"}
    defs = schema.get("$defs", {})
    problems = []
    if root.get("type") != "object":
        problems.append("the root: must be an object")
    if "anyOf" in root:
        problems.append("the root: must not be anyOf")
    problems += fragment_problems(root, defs)
    return [*dict.fromkeys(problems), *measure(root, defs).problems()]


def fragment_problems(root: Any, defs: Mapping[str, Any]) -> list[str]:
    """Everything that keeps a part of a schema out of the strict subset; sizes are not counted."""
    found = list(_walk(root, "", defs))
    for name, one in defs.items():
        found += _walk(one, f"type {name}", defs)
    return found


def _walk(node: Any, path: str, defs: Mapping[str, Any]) -> Iterator[str]:
    at = path or "the value"
    if not isinstance(node, dict) or not node:
        yield f"{at}: any value is allowed; strict mode needs a type"
        return
    for problem in _node_problems(node, defs):
        yield f"{at}: {problem}"
    for inner, where in children(node, path):
        yield from _walk(inner, where, defs)


def _node_problems(node: Schema, defs: Mapping[str, Any]) -> Iterator[str]:
    for keyword in node.keys() - _KEYWORDS:
        yield _outside(keyword)
    if "$ref" in node:
        yield from _reference_problems(node, defs)
        return
    said = node.get("type", [])
    kinds = [said] if isinstance(said, str) else said
    for kind in kinds:
        if kind not in _TYPES:
            yield f"type {kind!r} is not a JSON type"
    if not node.keys() & {"type", "enum", "const", "anyOf"}:
        yield "no type is given"
    if "object" in kinds:
        yield from _object_problems(node)
    if "array" in kinds and "items" not in node and "prefixItems" not in node:
        yield "an array whose items have no type"
    if (form := node.get("format")) is not None and form not in FORMATS:
        yield f"format {form!r} is outside the strict subset"
    if "pattern" in node and (problem := pattern_problem(node["pattern"])):
        yield problem
    yield from _enum_problems(node)


def _outside(keyword: str) -> str:
    if keyword == "prefixItems":
        return "a tuple with a type for each place (prefixItems) is outside the strict subset"
    return f"keyword {keyword!r} is outside the strict subset"


def _reference_problems(node: Schema, defs: Mapping[str, Any]) -> Iterator[str]:
    ref = node["$ref"]
    if len(node) > 1:
        yield "$ref must stand alone"
    if ref != "#" and ref.removeprefix("#/$defs/") not in defs:
        yield f"$ref {ref!r} leads nowhere in this schema"


def _object_problems(node: Schema) -> Iterator[str]:
    if node.get("additionalProperties") is not False:
        yield _FREE
    properties, required = node.get("properties", {}), node.get("required", ())
    if missing := [name for name in properties if name not in required]:
        yield f"not required: {', '.join(missing)}; strict mode requires every property"
    if unknown := [name for name in required if name not in properties]:
        yield f"required but not a property: {', '.join(unknown)}"


def _enum_problems(node: Schema) -> Iterator[str]:
    values = node.get("enum")
    if values is None or len(values) <= limits.STRICT_LONG_ENUM:
        return
    size = sum(len(value) for value in values if isinstance(value, str))
    if size > limits.STRICT_LONG_ENUM_CHARACTERS:
        yield (
            f"an enum of {len(values)} values with {size} characters; strict mode allows "
            f"{limits.STRICT_LONG_ENUM_CHARACTERS}"
        )


def measure(root: Any, defs: Mapping[str, Any]) -> Totals:
    """Count what strict mode limits."""
    count = _Count(defs)
    depth = count.walk(root)
    for name in defs:
        count.definition(name)
    characters = count.characters + sum(map(len, defs))
    return Totals(count.properties, count.enum_values, characters, depth)


class _Count:
    """One walk; each node is seen once."""

    def __init__(self, defs: Mapping[str, Any]) -> None:
        self.defs = defs
        self.properties = self.enum_values = self.characters = 0
        self._depths: dict[str, int] = {}

    def definition(self, name: str) -> int:
        """The depth of a definition; a recursion counts once."""
        if name not in self._depths:
            self._depths[name] = 0
            self._depths[name] = self.walk(self.defs.get(name))
        return self._depths[name]

    def walk(self, node: Any) -> int:
        """The deepest nesting of objects and arrays in a node; counts the rest on the way."""
        if not isinstance(node, dict):
            return 0
        deepest = own = 0
        for keyword, inner in node.items():
            if keyword == "$ref":
                deepest = max(deepest, self.definition(str(inner).removeprefix("#/$defs/")))
            elif keyword == "enum":
                self.enum_values += len(inner)
                self.characters += sum(len(str(value)) for value in inner)
            elif keyword == "const":
                self.characters += len(str(inner))
            elif keyword == "properties":
                own = 1
                self.properties += len(inner)
                self.characters += sum(map(len, inner))
                deepest = max([deepest, *map(self.walk, inner.values())])
            elif keyword in {"anyOf", "oneOf", "allOf", "prefixItems"}:
                own = max(own, keyword == "prefixItems")
                deepest = max([deepest, *map(self.walk, inner)])
            elif keyword in {"items", "additionalProperties"}:
                own = max(own, keyword == "items")
                deepest = max(deepest, self.walk(inner))
        return own + deepest
