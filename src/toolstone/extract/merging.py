"""One answer of several: of the parts of a document by a stated rule, of passes by a vote. Pure.

Parts.  A scalar is what the first part says that says anything; where a later one says otherwise, a
    warning tells. An object is merged field by field. A list is the lists of the parts one after
    another, an item that an earlier part has listed left out (as often as it was listed: two equal
    lines of one part stay two).

Passes.  A scalar is what most passes say, null included; where no more than half agree, what most
    of them say, the earliest of equals, and a warning. An object is voted on field by field. Of
    lists those of the most frequent length are taken, and voted on place by place.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from toolstone.extract.paths import called
from toolstone.schema.nodes import admits_null, nullable, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.extract.paths import Steps
    from toolstone.schema.nodes import Schema

__all__ = ["merged", "partial_schema", "same", "voted"]

JSON = Any

_PARTIAL: Final = "_part"
"""Ends the name of a definition whose fields may all be null."""


def same(value: JSON) -> str:
    """A text that is the same for equal JSON values, and for no others."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, dict):
        inner = sorted(f"{to_json(name).decode()}:{same(one)}" for name, one in value.items())
        return f"{{{','.join(inner)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(same, value))}]"
    return to_json(value).decode()


# ------------------------------------------------------------------------------------------ parts


def merged(parts: Sequence[JSON]) -> tuple[JSON, tuple[str, ...]]:
    """The answers of the parts of a document as one, and the conflicts between them.

    Args:
        parts: What each part says, in the order of the document.
    """
    warnings: list[str] = []
    return _merged(list(enumerate(parts, 1)), (), warnings), tuple(warnings)


_Said = list[tuple[int, JSON]]
"""Values, each with the number of the part that says it."""


def _merged(said: _Said, steps: Steps, warnings: list[str]) -> JSON:
    said = [(number, value) for number, value in said if value is not None]
    if not said:
        return None
    number, first = said[0]
    alike = [(n, value) for n, value in said if type(value) is type(first)]
    if isinstance(first, dict):
        names = dict.fromkeys(name for _, value in alike for name in value)
        inside = {name: [(n, v[name]) for n, v in alike if name in v] for name in names}
        return {name: _merged(one, (*steps, name), warnings) for name, one in inside.items()}
    if isinstance(first, list):
        return _listed([value for _, value in alike])
    other = next((n for n, value in said if same(value) != same(first)), None)
    if other is not None:
        warnings.append(
            f"{called(steps)}: parts {number} and {other} disagree; kept what part {number} says"
        )
    return first


def _listed(lists: Sequence[list[JSON]]) -> list[JSON]:
    """The lists one after another; what was listed already only if it is listed more often."""
    found: list[JSON] = []
    listed: Counter[str] = Counter()
    for one in lists:
        here: Counter[str] = Counter()
        for item in one:
            key = same(item)
            here[key] += 1
            if here[key] > listed[key]:
                listed[key] += 1
                found.append(item)
    return found


# ----------------------------------------------------------------------------------------- passes


def voted(passes: Sequence[JSON]) -> tuple[JSON, tuple[str, ...]]:
    """What most passes say, and where no more than half agree."""
    warnings: list[str] = []
    return _voted(passes, (), warnings), tuple(warnings)


def _voted(said: Sequence[JSON], steps: Steps, warnings: list[str]) -> JSON:
    kind = _most([_kind(value) for value in said])
    alike = [value for value in said if _kind(value) == kind]
    if kind is dict:
        names = dict.fromkeys(name for value in alike for name in value)
        inside = {name: [value[name] for value in alike if name in value] for name in names}
        return {
            name: _voted(one, (*steps, name), warnings)
            for name, one in inside.items()
            if 2 * len(one) > len(alike)
        }
    if kind is list:
        length = _most([len(value) for value in alike])
        rows = [value for value in alike if len(value) == length]
        if 2 * len(rows) <= len(said):
            warnings.append(f"{called(steps)}: no majority for how many there are")
        return [_voted([row[n] for row in rows], (*steps, n), warnings) for n in range(length)]
    counts = Counter(map(same, said))
    best = _most(list(map(same, said)))
    if 2 * counts[best] <= len(said):
        warnings.append(f"{called(steps)}: no majority among {len(said)} passes")
    return next(value for value in said if same(value) == best)


def _kind(value: JSON) -> type:
    return value.__class__ if isinstance(value, dict | list) else object


def _most(values: Sequence[Any]) -> Any:
    """The most frequent of them; of equals the earliest."""
    counts = Counter(values)
    return max(counts, key=lambda value: counts[value])


# ----------------------------------------------------------------------------------- partial schema


def partial_schema(schema: Schema) -> Schema:
    """The same schema with null allowed for every field outside of lists.

    A part of a document may say nothing of a field. What it lists it must tell whole: an item
    with half of its fields would be one more item.
    """
    defs: dict[str, Schema] = dict(schema.get("$defs", {}))
    made: dict[str, Schema] = {}
    root = _partial({key: value for key, value in schema.items() if key != "$defs"}, defs, made)
    every = {**defs, **made}
    return {**root, "$defs": every} if every else root


def _partial(node: Schema, defs: Mapping[str, Schema], made: dict[str, Schema]) -> Schema:
    """An object with every field nullable, and so inside its fields."""
    if "properties" not in node:
        return node
    fields = {
        name: _field(inner, defs, made) if isinstance(inner, dict) else inner
        for name, inner in node["properties"].items()
    }
    return {**node, "properties": fields}


def _field(node: Schema, defs: Mapping[str, Schema], made: dict[str, Schema]) -> Schema:
    if resolve(node, defs).get("type") == "array":  # an empty list says it
        return {key: value for key, value in node.items() if key != "minItems"}
    node = _opened(node, defs, made)
    return node if admits_null(node, {**defs, **made}) else nullable(node)


def _opened(node: Schema, defs: Mapping[str, Schema], made: dict[str, Schema]) -> Schema:
    if "$ref" in node and "properties" in (target := resolve(node, defs)):
        name = str(node["$ref"]).rpartition("/")[2] + _PARTIAL
        if name not in made:
            made[name] = {}  # stands for it while it is being made: it may hold itself
            made[name] = _partial(target, defs, made)
        return {**node, "$ref": f"#/$defs/{name}"}
    if "anyOf" in node:
        return {**node, "anyOf": [_opened(one, defs, made) for one in node["anyOf"]]}
    return _partial(node, defs, made)
