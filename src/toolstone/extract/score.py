"""How right extracted values are: each compared, field by field, with one known to be right. Pure.

A field is *correct*, *wrong* (another value), *missing* (null, or not there), *invented* (a value
where there is none) or *absent* (rightly null). Precision is correct of what was found, recall
correct of what there was; a wrong value counts against both. Of the entries of a list, equal ones
are paired first, then those that are most alike, then what is left in order; so each line of an
invoice is a hit or a miss of its own. Texts are equal but for spaces and Unicode composition;
numbers by value, also beside a text that is a number (as decimals are written in JSON).
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, Literal

from toolstone._dataclass import dataclass
from toolstone.extract.files.columns import resolved

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["KINDS", "Compared", "FieldScore", "Score", "compare", "score"]

JSON = Any
Kind = Literal["correct", "wrong", "missing", "invented", "absent"]
KINDS: Final[tuple[Kind, ...]] = ("correct", "wrong", "missing", "invented", "absent")
_DEPTH: Final = 8  # objects in objects whose closed fields are looked for
_NOTHING: Final[tuple[JSON, ...]] = (None, [], {})


@dataclass(frozen=True, slots=True)
class Compared:
    """One field of one document."""

    id: str
    path: str
    kind: Kind
    gold: JSON = field(repr=False)
    found: JSON = field(repr=False)


@dataclass(frozen=True, slots=True)
class FieldScore:
    """What became of a field over all documents."""

    path: str
    correct: int = 0
    wrong: int = 0
    missing: int = 0
    invented: int = 0
    absent: int = 0

    @property
    def precision(self) -> float | None:
        """Correct, of what was found; None if nothing was."""
        return _share(self.correct, self.correct + self.wrong + self.invented)

    @property
    def recall(self) -> float | None:
        """Correct, of what there was; None if there was nothing."""
        return _share(self.correct, self.correct + self.wrong + self.missing)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall; None if there is neither."""
        errors = 2 * self.wrong + self.missing + self.invented
        return _share(2 * self.correct, 2 * self.correct + errors)

    @property
    def accuracy(self) -> float | None:
        """Right ones of all, rightly null ones too; None if there are none."""
        right = self.correct + self.absent
        return _share(right, right + self.wrong + self.missing + self.invented)


@dataclass(frozen=True, slots=True)
class Score:
    """How right a job was.

    Attributes:
        documents: Those whose values are known.
        exact: Of these, those with every field right.
        failed: Of these, those without a value; all their fields are missing.
        unknown: Records whose right values are not known; they are not counted.
        unasked: Ids whose values are known, and which have no record; they are not counted either.
        fields: Each field's; `lines[].amount` is that of all lines.
        total: All fields together (the micro average).
        confusion: Of each closed field (an enum, a boolean) how often which label was found for
            which: `{path: {(gold, found): count}}`.
        compared: Every comparison, in the order of the records.
    """

    documents: int
    exact: int
    failed: int
    unknown: int
    unasked: tuple[str, ...]
    fields: tuple[FieldScore, ...]
    total: FieldScore
    confusion: Mapping[str, Mapping[tuple[str, str], int]]
    compared: tuple[Compared, ...] = field(repr=False)

    @property
    def macro_f1(self) -> float | None:
        """The mean of the fields' F1, of those that have one."""
        known = [one.f1 for one in self.fields if one.f1 is not None]
        return sum(known) / len(known) if known else None


def score(
    rows: Iterable[Mapping[str, Any]],
    gold: Mapping[str, JSON],
    schema: Mapping[str, Any] | None = None,
) -> Score:
    """Compare records with values known to be right.

    Args:
        rows: Records as `Record.as_row` gives them.
        gold: The right values, by the document's id.
        schema: The values' JSON Schema; it tells which fields are closed.
    """
    compared: list[Compared] = []
    asked, documents, exact, failed, unknown = set(), 0, 0, 0, 0
    for row in rows:
        name = row["id"]
        if name not in gold:
            unknown += 1
            continue
        asked.add(name)
        documents += 1
        found = list(compare(gold[name], row["value"], name))
        if row["error"] is not None:
            failed += 1
            compared += [one for one in found if one.kind != "absent"]  # it said null of nothing
            continue
        exact += all(one.kind in {"correct", "absent"} for one in found)
        compared += found
    return Score(
        documents=documents,
        exact=exact,
        failed=failed,
        unknown=unknown,
        unasked=tuple(name for name in gold if name not in asked),
        fields=_fields(compared),
        total=_counted("all fields", Counter(one.kind for one in compared)),
        confusion=_confusion(compared, set(_closed(dict(schema or {})))),
        compared=tuple(compared),
    )


def compare(gold: JSON, found: JSON, name: str = "", path: str = "") -> Iterator[Compared]:
    """Every field of two values that ought to be equal."""
    if isinstance(gold, dict) and isinstance(found, dict | None):
        yield from _objects(gold, found or {}, name, path)
    elif gold is None and isinstance(found, dict) and found:
        yield from _objects({}, found, name, path)
    elif isinstance(gold, list) or (gold is None and isinstance(found, list)):
        yield from _lists(gold or [], found, name, path)
    else:
        yield Compared(name, path or "value", _kind(gold, found), gold, found)


def _objects(
    gold: Mapping[str, JSON], found: Mapping[str, JSON], name: str, path: str
) -> Iterator[Compared]:
    for key in dict.fromkeys([*gold, *found]):
        where = f"{path}.{key}" if path else key
        yield from compare(gold.get(key), found.get(key), name, where)


def _lists(gold: Sequence[JSON], found: JSON, name: str, path: str) -> Iterator[Compared]:
    if not gold and found in _NOTHING:
        yield Compared(name, f"{path}[]", "absent", None, None)
        return
    entries = found if isinstance(found, list) else [] if found is None else [found]
    for one, other in _pairs(gold, entries):
        yield from compare(one, other, name, f"{path}[]")


def _pairs(gold: Sequence[JSON], found: Sequence[JSON]) -> Iterator[tuple[JSON, JSON]]:
    """Entries that belong together, the most alike first; the rest beside None."""
    pair_of = _equal_pairs(gold, found)
    taken = set(pair_of.values())
    alike = {
        (m, n): share
        for m, one in enumerate(gold)
        for n, other in enumerate(found)
        if m not in pair_of and n not in taken and (share := _likeness(one, other)) > 0
    }
    for m, n in sorted(alike, key=lambda pair: (-alike[pair], pair)):
        if m not in pair_of and n not in taken:
            pair_of[m] = n
            taken.add(n)
    left = [n for n in range(len(found)) if n not in taken]
    for m in range(len(gold)):
        if m not in pair_of and left:
            pair_of[m] = left.pop(0)
        yield gold[m], found[pair_of[m]] if m in pair_of else None
    yield from ((None, found[n]) for n in left)


def _equal_pairs(gold: Sequence[JSON], found: Sequence[JSON]) -> dict[int, int]:
    """Which entry is the same JSON as which: in long lists this leaves little to compare."""
    places: dict[str, list[int]] = {}
    for n, other in enumerate(found):
        places.setdefault(json.dumps(other, sort_keys=True), []).append(n)
    pairs = {}
    for m, one in enumerate(gold):
        if same := places.get(json.dumps(one, sort_keys=True)):
            pairs[m] = same.pop(0)
    return pairs


def _likeness(one: JSON, other: JSON) -> float:
    """The share of fields that are right: 1 for equal ones."""
    kinds = [each.kind for each in compare(one, other)]
    right = sum(kind == "correct" for kind in kinds)
    return right / (len(kinds) - kinds.count("absent") or 1)


def _kind(gold: JSON, found: JSON) -> Kind:
    if gold in _NOTHING and found in _NOTHING:
        return "absent"
    if gold is None:
        return "invented"
    if found is None:
        return "missing"
    return "correct" if _same(gold, found) else "wrong"


def _same(gold: JSON, found: JSON) -> bool:
    if isinstance(gold, bool) or isinstance(found, bool):
        return gold is found
    if isinstance(gold, str) and isinstance(found, str):
        return _folded(gold) == _folded(found)
    one, other = _number(gold), _number(found)
    if one is None or other is None:
        return bool(gold == found)
    return one == other or math.isclose(one, other, rel_tol=1e-9)


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _number(value: JSON) -> int | float | None:
    if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    return value if isinstance(value, int | float) else None


def _fields(compared: Sequence[Compared]) -> tuple[FieldScore, ...]:
    counts: dict[str, Counter[Kind]] = {}
    for one in compared:
        counts.setdefault(one.path, Counter())[one.kind] += 1
    bare = {path for path in counts if path.endswith("[]") and _is_only_empty(path, counts)}
    return tuple(_counted(path, found) for path, found in counts.items() if path not in bare)


def _is_only_empty(path: str, counts: Mapping[str, Counter[Kind]]) -> bool:
    """Whether these are empty lists alone, whose entries, elsewhere, have fields."""
    deeper = any(other.startswith(f"{path}.") for other in counts)
    return deeper and set(counts[path]) == {"absent"}


def _counted(path: str, found: Counter[Kind]) -> FieldScore:
    return FieldScore(path, *(found[kind] for kind in KINDS))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _confusion(
    compared: Sequence[Compared], closed: set[str]
) -> dict[str, dict[tuple[str, str], int]]:
    found: dict[str, Counter[tuple[str, str]]] = {}
    for one in compared:
        if one.path in closed:
            labels = _label(one.gold), _label(one.found)
            found.setdefault(one.path, Counter())[labels] += 1
    return {path: dict(counts) for path, counts in found.items()}


def _label(value: JSON) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _closed(schema: dict[str, Any]) -> Iterator[str]:
    """The paths of the fields that the schema gives a few values to choose from."""
    yield from _closed_below(schema, schema, "", (), 0)


def _closed_below(
    schema: Any, root: dict[str, Any], path: str, seen: tuple[str, ...], depth: int
) -> Iterator[str]:
    node, seen = resolved(schema, root, seen)
    if node.get("type") == "boolean" or isinstance(node.get("enum"), list):
        yield path or "value"
    elif depth < _DEPTH:
        for name, inner in (node.get("properties") or {}).items():
            where = f"{path}.{name}" if path else name
            yield from _closed_below(inner, root, where, seen, depth + 1)
        if isinstance(node.get("items"), dict):
            yield from _closed_below(node["items"], root, f"{path}[]", seen, depth + 1)
