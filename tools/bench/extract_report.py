"""What the extraction bench found, as Markdown, and whether the targets are met."""

from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any, Final

from extract_columns import READERS

from toolstone.extract.score import Score, score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["costs", "scores"]

OURS: Final = "toolstone"
PEERS: Final = ("instructor", "pydantic-ai")
SHARE: Final = 1 / 5
"""Of the better peer's CPU."""
_COUNTED: Final = "instructions_m"
_TOOLKIT: Final = {one.name: one.toolkit for one in READERS}

Costs = list[dict[str, dict[str, float]]]


def costs(found: Costs) -> tuple[str, bool]:
    """The table of CPU and rate, and whether ours costs at most a fifth of the better peer."""
    names = list(found[0])
    best = min((n for n in names if _TOOLKIT[n] in PEERS), key=lambda n: _cpu(found, n), default="")
    lines = [
        "| | CPU ms a document, least (median) | M instructions | documents/s, most | beside * |",
        "|---|--:|--:|--:|--:|",
    ]
    for name in names:
        seen = [one[name]["cpu_ms"] for one in found]
        rate = max(one[name]["per_second"] for one in found)
        beside = f"{_share(found, name, best):.3f}" if best else ""
        counted = ""
        if all(_COUNTED in one[name] for one in found):
            counted = f"{statistics.median(one[name][_COUNTED] for one in found):.2f}"
            beside += f" ({_share(found, name, best, _COUNTED):.3f})" if best else ""
        lines.append(
            f"| {name} | {min(seen):.3f} ({statistics.median(seen):.3f}) | {counted} | {rate:,.0f} "
            f"| {beside} |"
        )
    ran = {_TOOLKIT[name] for name in names}
    if not {OURS, *PEERS} <= ran:
        return "\n".join([*lines, "", "not measured beside both peers"]), False
    share = _share(found, OURS, best)
    said = f"* {best}, the better peer (instructions). Ours: {share:.3f}, wanted at most {SHARE}"
    return "\n".join([*lines, "", said]), share <= SHARE


def _cpu(found: Costs, name: str) -> float:
    return min(one[name]["cpu_ms"] for one in found)


def _share(found: Costs, name: str, best: str, value: str = "cpu_ms") -> float:
    """The median of the ratios within each round."""
    return statistics.median(one[name][value] / one[best][value] for one in found)


def scores(
    found: Mapping[str, Sequence[Mapping[str, Any]]],
    rows: Sequence[Mapping[str, Any]],
    shapes: Mapping[str, Any],
    *,
    wrong: bool = False,
) -> tuple[str, bool]:
    """The table of records and fields, and whether all of ours are valid and no fewer are right."""
    kinds = list(dict.fromkeys(row["schema"] for row in rows))
    lines = [
        f"| | records | of these valid | fields right | F1 | {' | '.join(kinds)} |",
        f"|---|--:|--:|--:|--:|{'--:|' * len(kinds)}",
    ]
    right, sound = {}, {}
    said: list[str] = []
    for name, made in found.items():
        total = _score(made, rows)
        right[name] = total.total.accuracy or 0.0
        read = [one for one in made if one["value"] is not None]
        sound[name] = sum(_fits(one, rows, shapes) for one in read) == len(read)
        each = [_score(made, [row for row in rows if row["schema"] == kind]) for kind in kinds]
        cells = [f"{one.total.accuracy:.1%}" for one in each]
        lines.append(
            f"| {name} | {len(read)} of {len(rows)} | {'all' if sound[name] else 'not all'} | "
            f"{right[name]:.1%} | {total.total.f1:.3f} | {' | '.join(cells)} |"
        )
        said += [
            f"{name}: {one.id} {one.path} {one.kind}: {one.gold!r} {one.found!r}"
            for one in total.compared
            if wrong and one.kind not in {"correct", "absent"}
        ]
    peers = [share for name, share in right.items() if _TOOLKIT[name] in PEERS]
    ran = {_TOOLKIT[name] for name in right}
    met = {OURS, *PEERS} <= ran and sound[OURS] and right[OURS] >= max(peers)
    return "\n".join([*lines, "", *said]), met


def _score(made: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> Score:
    gold = {row["id"]: row["gold"] for row in rows}
    asked = [{**one, "error": one["error"] or None} for one in made if one["id"] in gold]
    return score(asked, gold)


def _fits(
    one: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], shapes: Mapping[str, Any]
) -> bool:
    """Whether a record is one of its schema, by Pydantic itself."""
    kind = next(row["schema"] for row in rows if row["id"] == one["id"])
    try:
        shapes[kind].model_validate_json(json.dumps(one["value"]))
    except ValueError:
        return False
    return True
