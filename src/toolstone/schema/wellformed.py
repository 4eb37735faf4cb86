"""Whether a JSON Schema (draft 2020-12) is one, and safe to validate with, before the first value.

Every place where a schema may stand is visited once, iteratively; nothing is inlined. What keyword
may hold what is said here as a table, so that a schema costs microseconds a node to check.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.schema.linear import PatternProblem, compile_pattern
from toolstone.schema.naming import clean_name
from toolstone.schema.nodes import step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["Survey", "UnsafeSchema", "survey"]


class UnsafeSchema(ValueError):  # noqa: N818  it becomes part of a DefinitionError
    """Why a schema is not taken; one sentence with its path."""


@dataclass(slots=True)
class Survey:
    """Every schema inside a schema, and where its references lead."""

    nodes: list[dict[str, Any]] = field(default_factory=list)
    paths: dict[int, str] = field(default_factory=dict)
    """By the id of a node: where it is, for people."""
    places: dict[str, Any] = field(default_factory=dict)
    """By JSON pointer or anchor: the schema there, which may be a boolean."""
    targets: dict[int, Any] = field(default_factory=dict)
    """By the id of a node with `$ref`: the schema it refers to."""
    count: int = 0


def survey(schema: Any) -> Survey:
    """Look through a schema.

    Raises:
        UnsafeSchema: It is invalid, too large, or would be dangerous or slow to validate with.
    """
    found = Survey()
    states: dict[str, int] = {}
    queue: list[tuple[Any, str, str, int]] = [(schema, "", "#", 1)]
    while queue:
        node, path, pointer, depth = queue.pop()
        found.places[pointer] = node
        found.count += 1
        if isinstance(node, bool):
            continue
        _check_breadth(node, found.count + len(queue))
        _check_node(node, path, root=node is schema)
        found.nodes.append(node)
        found.paths[id(node)] = path
        if not node.keys().isdisjoint(("pattern", "patternProperties")):
            states |= _check_patterns(node, path)
        if not node.keys().isdisjoint(("$anchor", "$dynamicAnchor")):
            _note_anchors(node, found)
        if depth > limits.SCHEMA_DEPTH:
            raise UnsafeSchema(
                f"its schema is nested deeper than {limits.SCHEMA_DEPTH} levels "
                "(limits.SCHEMA_DEPTH)"
            )
        queue += [(*one, depth + 1) for one in _inside(node, path, pointer)]
    if (together := sum(states.values())) > 2 * limits.PATTERN_STATES:
        raise UnsafeSchema(
            f"its patterns have {together} states, at most {2 * limits.PATTERN_STATES} are "
            "compiled (twice limits.PATTERN_STATES)"
        )
    for node in found.nodes:
        if "$ref" in node:
            found.targets[id(node)] = _target(node, found)
    if found.targets:  # without references a schema is as deep and as large as it is written
        _check_circles(found)
        _check_size(schema, found)
    return found


def _check_breadth(node: dict[str, Any], others: int) -> None:
    inner = 0
    for keyword in _MANY.intersection(node):
        value = node[keyword]
        inner += len(value) if isinstance(value, dict | list) else 0
    if inner + others > limits.SCHEMA_NODES:
        raise UnsafeSchema(
            f"its schema has more than {limits.SCHEMA_NODES} nodes (limits.SCHEMA_NODES)"
        )


def _note_anchors(node: dict[str, Any], found: Survey) -> None:
    for name in (node.get("$anchor"), node.get("$dynamicAnchor")):
        if name is not None and found.places.setdefault(f"#{name}", node) is not node:
            raise UnsafeSchema(f"{_at(found.paths[id(node)])}: the anchor {name!r} stands twice")


# ------------------------------------------------------------------------------ what may stand


def _is_schema(value: Any) -> bool:
    return isinstance(value, dict | bool)


def _is_schemas(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_schema, value))


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_schema, value.values()))


def _is_number(value: Any) -> bool:
    return type(value) in {int, float}


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_positive(value: Any) -> bool:
    return _is_number(value) and value > 0


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_names(value: Any) -> bool:
    texts = isinstance(value, list) and {type(one) for one in value} <= {str}
    return texts and len(set(value)) == len(value)


def _is_name_lists(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_names, value.values()))


TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})


def _is_type(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and _is_names(value) and TYPES.issuperset(value)
    return _is_text(value) and value in TYPES


_ANCHOR: Final = re.compile(r"[A-Za-z_][-A-Za-z0-9._]{0,63}")


def _is_anchor(value: Any) -> bool:
    return _is_text(value) and _ANCHOR.fullmatch(value) is not None


_SCHEMA = ("a schema (an object, true or false)", _is_schema)
_SCHEMAS = ("a list of one or more schemas", _is_schemas)
_NAMED = ("an object of schemas", _is_named)
_NUMBER = ("a number", _is_number)
_COUNT = ("a whole number, 0 or more", _is_count)
_TEXT = ("text", _is_text)
_LIST = ("a list", lambda value: isinstance(value, list))
_YES_NO = ("true or false", lambda value: isinstance(value, bool))

_ONE: Final = (
    *("additionalProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems"),
    *("items", "contains", "not", "if", "then", "else", "contentSchema"),
)
_LISTED: Final = ("allOf", "anyOf", "oneOf", "prefixItems")
_UNDER_NAMES: Final = (
    *("properties", "patternProperties", "dependentSchemas", "$defs", "definitions"),
)

_MANY: Final = frozenset({*_LISTED, *_UNDER_NAMES})

_MAY_HOLD: Final[Mapping[str, tuple[str, Callable[[Any], bool]]]] = {
    **dict.fromkeys(_ONE, _SCHEMA),
    **dict.fromkeys(_LISTED, _SCHEMAS),
    **dict.fromkeys(_UNDER_NAMES, _NAMED),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), _COUNT),
    **dict.fromkeys(("minProperties", "maxProperties", "minContains", "maxContains"), _COUNT),
    **dict.fromkeys(("$ref", "$id", "$schema", "$comment", "title", "description"), _TEXT),
    **dict.fromkeys(("format", "pattern", "contentEncoding", "contentMediaType"), _TEXT),
    **dict.fromkeys(("uniqueItems", "deprecated", "readOnly", "writeOnly"), _YES_NO),
    **dict.fromkeys(("enum", "examples"), _LIST),
    **dict.fromkeys(("$anchor", "$dynamicAnchor"), ("a name of letters and digits", _is_anchor)),
    "multipleOf": ("a number above 0", _is_positive),
    "type": (f"one of {', '.join(sorted(TYPES))}, or a list of them", _is_type),
    "required": ("a list of different names", _is_names),
    "dependentRequired": ("an object of lists of different names", _is_name_lists),
}
_REFUSED: Final = {
    "$dynamicRef": "use $ref",
    "$recursiveRef": "use $ref",
    "$vocabulary": "remove it",
    "dependencies": "use dependentRequired or dependentSchemas",
    "additionalItems": "use prefixItems and items",
}
_DIALECT: Final = re.compile(
    r"https?://json-schema\.org/(draft/2020-12|draft/2019-09|draft-0[467])/schema#?"
)


def _check_node(node: dict[str, Any], path: str, *, root: bool) -> None:
    for keyword, value in node.items():
        if keyword in _REFUSED:
            raise UnsafeSchema(f"{_at(path)}: {keyword} is not supported; {_REFUSED[keyword]}")
        said = _MAY_HOLD.get(keyword)
        if said is None or said[1](value):
            continue
        mend = ""
        if keyword == "items" and isinstance(value, list):
            mend = "; a schema for each place stands in prefixItems"
        where = step(path, clean_name(keyword))
        raise UnsafeSchema(f"its schema is invalid at {where}: it must be {said[0]}{mend}")
    if "$id" in node and not root:
        raise UnsafeSchema(f"{_at(path)}: $id inside a schema moves its references; remove it")
    if "$schema" in node and not _DIALECT.fullmatch(node["$schema"]):
        raise UnsafeSchema(
            f"{_at(path)}: $schema names a dialect that is not known; schemas are read as "
            "draft 2020-12, so remove it"
        )


def _check_patterns(node: dict[str, Any], path: str) -> dict[str, int]:
    """The states of each pattern in a node."""
    found = {}
    own = [node["pattern"]] if "pattern" in node else []
    for pattern in [*own, *node.get("patternProperties", ())]:
        try:
            found[pattern] = compile_pattern(pattern).states
        except PatternProblem as problem:
            raise UnsafeSchema(f"{_at(path)}: {problem}") from None
    return found


def _at(path: str) -> str:
    return path or "the root"


# ------------------------------------------------------------------------ where references lead


def _inside(node: dict[str, Any], path: str, pointer: str) -> Iterator[tuple[Any, str, str]]:
    """The schemas directly inside, each with its path and its pointer."""
    for keyword, value in node.items():
        here = f"{pointer}/{keyword}"
        if keyword in _ONE:
            yield value, f"{path}[]" if keyword in {"items", "contains"} else path, here
        elif keyword in _LISTED:
            for number, one in enumerate(value):
                yield one, path, f"{here}/{number}"
        elif keyword in _UNDER_NAMES:
            for name, one in value.items():
                spelled = name.replace("~", "~0").replace("/", "~1")
                yield one, step(path, clean_name(name)), f"{here}/{spelled}"


def _target(node: dict[str, Any], found: Survey) -> Any:
    ref, at = node["$ref"], _at(found.paths[id(node)])
    if not ref.startswith("#"):
        raise UnsafeSchema(
            f"{at}: $ref must stay in the schema (start with '#'), and this one does not"
        )
    pointer = unquote(ref)
    if pointer not in found.places:
        raise UnsafeSchema(f"{at}: $ref {clean_name(ref)!r} leads nowhere that a schema stands")
    return found.places[pointer]


def _applied(node: dict[str, Any], found: Survey) -> Iterator[dict[str, Any]]:
    """The schemas applied to the very value that a node is applied to."""
    told: list[Any] = [found.targets[id(node)]] if "$ref" in node else []
    for keyword in _SAME_PLACE.intersection(node):
        inner = node[keyword]
        if isinstance(inner, list):
            told += inner
        elif keyword == "dependentSchemas":
            told += inner.values()
        else:
            told.append(inner)
    return (one for one in told if isinstance(one, dict))


_SAME_PLACE: Final = frozenset(
    {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"}
)


def _check_circles(found: Survey) -> None:
    def applied(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        return _applied(node, found)

    heights: dict[int, int] = {}
    order, circle = _depth_first(found.nodes, applied)
    if circle is not None:
        ref = clean_name(str(circle.get("$ref", "")))
        said = f"$ref {ref!r}" if ref else f"{_at(found.paths[id(circle)])}: a $ref"
        raise UnsafeSchema(f"{said} leads to itself without taking a step into the value")
    for node in order:
        heights[id(node)] = 1 + max((heights[id(one)] for one in applied(node)), default=0)
    if max(heights.values(), default=0) > limits.SCHEMA_DEPTH:
        raise UnsafeSchema(
            f"more than {limits.SCHEMA_DEPTH} schemas are applied inside one another to one "
            "value (limits.SCHEMA_DEPTH)"
        )


def _check_size(schema: Any, found: Survey) -> None:
    """Count nodes with references followed; a recursion counts once."""

    def within(node: dict[str, Any]) -> list[dict[str, Any]]:
        rest = {k: v for k, v in node.items() if k not in {"$defs", "definitions"}}
        inner = [one for one, _, _ in _inside(rest, "", "")]
        return [one for one in (*inner, found.targets.get(id(node))) if isinstance(one, dict)]

    sizes: dict[int, int] = {}
    order, _ = _depth_first([schema] if isinstance(schema, dict) else [], within)
    for node in order:
        total = 1 + sum(sizes.get(id(one), 0) for one in within(node))
        sizes[id(node)] = min(total, 10 * limits.SCHEMA_NODES)
    if sizes.get(id(schema), 0) > limits.SCHEMA_NODES:
        raise UnsafeSchema(
            f"its schema has more than {limits.SCHEMA_NODES} nodes, references followed "
            "(limits.SCHEMA_NODES)"
        )


_Node = dict[str, Any]


def _depth_first(
    roots: Iterable[_Node], inner: Callable[[_Node], Iterable[_Node]]
) -> tuple[list[_Node], _Node | None]:
    """The nodes, each after those inside it, and one that leads back to itself, if any does."""
    order: list[_Node] = []
    circle: _Node | None = None
    done: set[int] = set()
    for root in roots:
        open_: list[tuple[_Node, Iterator[_Node]]] = []
        active: set[int] = set()
        todo: _Node | None = root
        while todo is not None or open_:
            if todo is not None:
                if id(todo) in active:
                    circle = circle or open_[-1][0]
                elif id(todo) not in done:
                    done.add(id(todo))
                    active.add(id(todo))
                    open_.append((todo, iter(inner(todo))))
                todo = None
                continue
            node, rest = open_[-1]
            todo = next(rest, None)
            if todo is None:
                open_.pop()
                active.discard(id(node))
                order.append(node)
    return order, circle
