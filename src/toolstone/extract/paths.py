"""Places in JSON data: `lines[0].amount`, and what the schema says of them. Pure."""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from toolstone._dataclass import dataclass
from toolstone.schema.nodes import admits_null, resolve, step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolstone.schema.nodes import Schema

__all__ = [
    "Field",
    "Leaf",
    "Steps",
    "called",
    "flattened",
    "get_at",
    "leaves",
    "spell",
    "steps_of",
    "value_at",
    "with_null_at",
]

Steps = tuple[str | int, ...]

_PART: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value in JSON data that is neither an object nor a list, nor null.

    Attributes:
        steps: Where it stands.
        value: What stands there.
        nullable: Whether null could stand there instead.
        closed: Whether it is one of a few words, or a yes or no: chosen, not copied.
    """

    steps: Steps
    value: Any = field(repr=False)
    nullable: bool
    closed: bool


def spell(steps: Steps) -> str:
    """`lines[0].amount`."""
    said = ""
    for part in steps:
        said = f"{said}[{part}]" if isinstance(part, int) else step(said, part)
    return said


def called(steps: Steps) -> str:
    """A place in a sentence; that of the whole has no path."""
    return spell(steps) or "the value"


def steps_of(path: str, data: Any) -> Steps:
    """The place that a path names in this data; as much of it as is there."""
    steps: list[str | int] = []
    for found in _PART.finditer(path):
        part: str | int = int(found[2]) if found[2] else found[1]
        if isinstance(part, int):
            inside = isinstance(data, list) and part < len(data)
        else:
            inside = isinstance(data, dict) and part in data
        if not inside:
            break
        data = data[part]
        steps.append(part)
    return tuple(steps)


def value_at(data: Any, steps: Steps) -> Any:
    """What stands at a place that is there."""
    for part in steps:
        data = data[part]
    return data


def get_at(data: Any, steps: Steps) -> Any:
    """What stands at a place; None if nothing does."""
    for part in steps:
        if isinstance(data, dict):
            data = data.get(part)
        else:
            data = data[part] if isinstance(part, int) and isinstance(data, list) else None
    return data


def with_null_at(data: Any, places: Sequence[Steps]) -> Any:
    """A copy of the data with null at these places."""
    if () in places:
        return None
    inner: dict[str | int, list[Steps]] = {}
    for steps in places:
        inner.setdefault(steps[0], []).append(steps[1:])
    if isinstance(data, list):
        return [with_null_at(one, inner.get(n, ())) for n, one in enumerate(data)]
    if isinstance(data, dict):
        return {name: with_null_at(one, inner.get(name, ())) for name, one in data.items()}
    return data


def flattened(nodes: Sequence[Any], defs: Mapping[str, Schema]) -> list[Schema]:
    """These schemas with references followed and the branches of unions beside them."""
    found: dict[int, Schema] = {}
    waiting = list(nodes)
    for given in waiting:
        node = resolve(given, defs)
        if isinstance(node, dict) and id(node) not in found:
            found[id(node)] = node
            for keyword in ("anyOf", "oneOf", "allOf"):
                waiting += node.get(keyword, ())
    return list(found.values())


class Field:
    """What a schema says of one place; of the places inside it when they are first asked for.

    Attributes:
        nullable: Whether null could stand there.
        closed: Whether what stands there is one of a few words, or a yes or no.
    """

    __slots__ = ("_defs", "_here", "_item", "_members", "closed", "nullable")

    def __init__(self, nodes: Sequence[Any], defs: Mapping[str, Schema]) -> None:
        self._defs = defs
        self._here = flattened(nodes, defs)
        self._members: dict[str, Field] = {}
        self._item: Field | None = None
        self.nullable = any(admits_null(node, defs) for node in nodes)
        self.closed = any("enum" in node or "const" in node for node in self._here)

    def member(self, name: str) -> Field:
        """The place of a property."""
        found = self._members.get(name)
        if found is None:
            here = self._here
            named = [p[name] for node in here if name in (p := node.get("properties", {}))]
            free = [more for node in here if isinstance(more := node.get(_FREE), dict)]
            found = Field(named or free, self._defs)
            if named:  # names that the schema does not know may be without end
                self._members[name] = found
        return found

    def item(self) -> Field:
        """The place of a list's item."""
        if self._item is None:
            self._item = Field([n["items"] for n in self._here if "items" in n], self._defs)
        return self._item


_FREE: Final = "additionalProperties"


def leaves(data: Any, place: Field, steps: Steps = ()) -> Iterator[Leaf]:
    """Every value in the data, in its order, with what the schema says of it."""
    if isinstance(data, dict):
        for name, one in data.items():
            yield from leaves(one, place.member(name), (*steps, name))
    elif isinstance(data, list):
        inside = place.item()
        for number, one in enumerate(data):
            yield from leaves(one, inside, (*steps, number))
    elif data is not None:
        yield Leaf(steps, data, place.nullable, place.closed or isinstance(data, bool))
