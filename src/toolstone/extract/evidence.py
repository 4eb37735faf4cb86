"""What stands behind the values of an answer: places in the text, quotes checked, nulls for air."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from toolstone._dataclass import dataclass
from toolstone.extract.grounding import Source
from toolstone.extract.merging import same
from toolstone.extract.numbers import number_of
from toolstone.extract.paths import Leaf, Steps, called, leaves, spell, steps_of, value_at
from toolstone.extract.records import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from toolstone.extract.grounding import Span
    from toolstone.extract.shape import Shape

__all__ = ["Grounds", "Quotes", "grounds_of"]

_Key = tuple[Steps, str]
"""A field without the numbers of its items, and its value: the same before and after merging."""


class Quotes:
    """What the model quoted, by field and value, over all parts and passes of a document."""

    def __init__(self) -> None:
        self._said: dict[_Key, list[tuple[str, int]]] = {}

    def add(self, data: Any, quotes: Iterable[Mapping[str, str]], start: int) -> None:
        """Note quotes.

        Args:
            data: The answer that they are for.
            quotes: Each with a `path` and a `quote`.
            start: Where the part that was read begins in the document.
        """
        for one in quotes:
            path = one["path"]
            steps = steps_of(path, data) or steps_of(path.removeprefix("value"), data)
            if steps:
                key = _key(data, steps)
                self._said.setdefault(key, []).append((one["quote"], start))

    def of(self, data: Any, steps: Steps) -> list[tuple[str, int]]:
        """The quotes for a value, or, where there are none, for what it is part of."""
        for length in range(len(steps), 0, -1):
            if (found := self._said.get(_key(data, steps[:length]))) is not None:
                return found
        return []


def _key(data: Any, steps: Steps) -> _Key:
    return tuple(s for s in steps if isinstance(s, str)), same(value_at(data, steps))


@dataclass(frozen=True, slots=True)
class Grounds:
    """What was found of the values of one answer.

    Attributes:
        evidence: For each value that is not chosen from a few, and for others where it was found.
        warnings: Quotes that do not stand in the text.
        airy: Values without evidence that may be null.
    """

    evidence: tuple[Evidence, ...] = field(repr=False)
    warnings: tuple[str, ...]
    airy: tuple[Steps, ...]


def grounds_of(text: str, data: Any, shape: Shape[Any], quotes: Quotes | None = None) -> Grounds:
    """Look for the evidence of an answer.

    Args:
        text: The document's.
        data: The answer as JSON data.
        shape: What it was read into.
        quotes: What the model quoted; None if it was not asked to.
    """
    source, places = Source(text), _Places()
    evidence: list[Evidence] = []
    warnings: list[str] = []
    airy: list[Steps] = []
    for leaf in leaves(data, shape.root):
        said = [] if quotes is None else quotes.of(data, leaf.steps)
        found = _evidence(source, leaf, said, places, warnings)
        if found is not None:
            evidence.append(found)
        if found is not None and not found.grounded and leaf.nullable and not leaf.closed:
            airy.append(leaf.steps)
    return Grounds(tuple(evidence), tuple(warnings), tuple(airy))


def _evidence(
    source: Source,
    leaf: Leaf,
    said: Sequence[tuple[str, int]],
    places: _Places,
    warnings: list[str],
) -> Evidence | None:
    """Where a value stands; None if it is of a closed choice and does not stand anywhere."""
    path = spell(leaf.steps)
    for quote, start in said:
        if (span := places.take(leaf.steps, source.quote_places(quote), start)) is not None:
            found = Evidence(path, source.text[slice(*span)], *span)
            if not _says(found.quote, leaf):
                warnings.append(
                    f"{called(leaf.steps)}: its quote stands in the document and does not say it"
                )
            return found
    if said:
        warnings.append(f"{called(leaf.steps)}: its quote does not stand in the document")
    if (span := places.take(leaf.steps, source.places(leaf.value))) is not None:
        return Evidence(path, source.text[slice(*span)], *span)
    if said:
        return Evidence(path, said[0][0])
    return None if leaf.closed or leaf.value == "" else Evidence(path, "")


def _says(quote: str, leaf: Leaf) -> bool:
    """Whether a quote holds the number that was read from it; of words it need not be the same."""
    if leaf.closed or number_of(str(leaf.value)) is None:
        return True
    return bool(Source(quote).places(leaf.value))


class _Places:
    """Which of several places is meant: one that no other item of the list has, beside its own."""

    def __init__(self) -> None:
        self._last: dict[Steps, Span] = {}
        self._taken: set[tuple[Steps, Span]] = set()

    def take(self, steps: Steps, spans: Sequence[Span], start: int | None = None) -> Span | None:
        """The place that is meant; None if there is none.

        Args:
            steps: The value that is looked for.
            spans: Where it stands.
            start: Where it is looked for first, if nothing beside it was found.
        """
        field = tuple([step for step in steps if isinstance(step, str)])
        free = [span for span in spans if (field, span) not in self._taken] or spans
        if not free:
            return None
        near = self._near(steps) or (None if start is None else (start, start))
        found = free[0] if near is None else min(free, key=lambda span: _gap(span, near))
        self._taken.add((field, found))
        for length in range(1, len(steps)):
            self._last[steps[:length]] = found
        return found

    def _near(self, steps: Steps) -> Span | None:
        """Where the last value of the same object was found; else of the one that holds it."""
        for length in range(len(steps) - 1, 0, -1):
            if (found := self._last.get(steps[:length])) is not None:
                return found
        return None


def _gap(span: Span, near: Span) -> int:
    """Characters between the two."""
    return max(near[0] - span[1], span[0] - near[1], 0)
