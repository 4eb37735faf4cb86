"""What the extraction bench found, as Markdown, and whether the targets are met."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from extract_columns import READERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["costs", "scores"]

OURS: Final = "toolstone"
PEERS: Final = ("instructor", "pydantic-ai")
SHARE: Final = 1 / 5
"""Of the better peer's CPU."""
_TOOLKIT: Final = {one.name: one.toolkit for one in READERS}

Costs = list[dict[str, dict[str, float]]]


def costs(found: Costs) -> tuple[str, bool]:
    """The table of CPU and rate, and whether ours costs at most a fifth of the better peer."""
    names = list(found[0])
    best = min((n for n in names if _TOOLKIT[n] in PEERS), key=lambda n: _cpu(found, n), default="")
    lines = [
        "| | CPU ms per document, least (median) | documents/s, most | beside the better peer |",
        "|---|--:|--:|--:|",
    ]
    for name in names:
        seen = [one[name]["cpu_ms"] for one in found]
        rate = max(one[name]["per_second"] for one in found)
        share = f"{_share(found, name, best):.3f}" if best else ""
        lines.append(
            f"| {name} | {min(seen):.3f} ({statistics.median(seen):.3f}) | {rate:,.0f} | {share} |"
        )
    ran = {_TOOLKIT[name] for name in names}
    if not {OURS, *PEERS} <= ran:
        return "\n".join([*lines, "", "not measured beside both peers"]), False
    share = _share(found, OURS, best)
    said = f"beside {best}: {share:.3f}, wanted at most {SHARE}"
    return "\n".join([*lines, "", said]), share <= SHARE


def _cpu(found: Costs, name: str) -> float:
    return min(one[name]["cpu_ms"] for one in found)


def _share(found: Costs, name: str, best: str) -> float:
    """The median of the ratios within each round."""
    return statistics.median(one[name]["cpu_ms"] / one[best]["cpu_ms"] for one in found)


def scores(
    found: Mapping[str, Sequence[Mapping[str, Any]]],
    rows: Sequence[Mapping[str, Any]],
    *,
    wrong: bool = False,
) -> tuple[str, bool]:
    """The table of records and fields, and whether ours is nowhere below a peer."""
    gold = {row["id"]: row for row in rows}
    kinds = list(dict.fromkeys(row["schema"] for row in rows))
    lines = [
        f"| | records | fields right | {' | '.join(kinds)} |",
        f"|---|--:|--:|{'--:|' * len(kinds)}",
    ]
    shares, said = {}, []
    for name, made in found.items():
        by_kind: dict[str, list[bool]] = defaultdict(list)
        for record in made:
            row = gold[record["id"]]
            for path, right, got in compared(row["gold"], record["value"]):
                by_kind[row["schema"]].append(right)
                if wrong and not right:
                    said.append(f"{name}: {record['id']} {path} {got!r} {record['error'][:80]}")
        every = [right for each in by_kind.values() for right in each]
        shares[name] = statistics.mean(every)
        whole = sum(record["value"] is not None for record in made)
        cells = [f"{statistics.mean(by_kind[kind]):.1%}" for kind in kinds]
        lines.append(
            f"| {name} | {whole} of {len(rows)} | {sum(every)} of {len(every)}, "
            f"{shares[name]:.1%} | {' | '.join(cells)} |"
        )
    ran = {_TOOLKIT[name] for name in shares}
    met = {OURS, *PEERS} <= ran and shares[OURS] >= max(
        share for name, share in shares.items() if _TOOLKIT[name] in PEERS
    )
    return "\n".join([*lines, "", *said]), met


def compared(gold: Any, got: Any, path: str = "") -> Iterator[tuple[str, bool, Any]]:
    """Each field of a gold record, and whether it is right; what is listed too much is wrong.

    Strings are compared without case and outer marks, numbers as numbers; lists item by item.
    """
    match gold:
        case dict():
            for name, inner in gold.items():
                value = got.get(name) if isinstance(got, dict) else _NOTHING
                yield from compared(inner, value, f"{path}.{name}" if path else name)
        case list():
            listed = got if isinstance(got, list) else []
            if not gold:
                yield path, got == [], got
                return
            for index in range(max(len(gold), len(listed))):
                one = gold[index] if index < len(gold) else _NOTHING
                two = listed[index] if index < len(listed) else _NOTHING
                yield from compared(one, two, f"{path}[{index}]")
        case str():
            yield path, isinstance(got, str) and _plain(got) == _plain(gold), got
        case _:
            alike = isinstance(got, bool) == isinstance(gold, bool)
            yield path, alike and gold is not _NOTHING and got == gold, got


_NOTHING: Final = object()


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).strip(" .,;:!?\"'")
