"""What the rounds found, as Markdown: a table for each scenario, and the bars."""

from __future__ import annotations

import statistics
import tomllib
from pathlib import Path
from typing import Any, Final

Found = list[dict[str, dict[str, dict[str, float]]]]
"""For each round: scenario, column, value."""

Judged = tuple[str, str, str, str]
"""A bar: its name, what is wanted, what was found, and whether that is enough."""

BARS: Final = Path(__file__).parent / "bars.toml"
COUNTED: Final = "instructions_m"
_BESIDE: Final = ("openai-agents", "pydantic-ai", "loop-httpx", "loop-aiohttp")


def render(found: Found, about: dict[str, Any]) -> str:
    """All of it."""
    lines = [f"- {name}: {value}" for name, value in about.items()]
    scenarios = list(dict.fromkeys(name for one in found for name in one))
    for scenario in scenarios:
        lines += ["", f"### {scenario}", "", *_table(found, scenario)]
    lines += [
        "",
        "### bars",
        "",
        "| bar | wanted | found (instructions; there) | |",
        "|---|--:|--:|---|",
    ]
    lines += [f"| {name} | {wanted} | {got} | {met} |" for name, wanted, got, met in _bars(found)]
    return "\n".join(lines) + "\n"


def missed(found: Found) -> bool:
    """Whether a bar that was measured is missed; goals don't count."""
    return any(met == "missed" for _, _, _, met in _bars(found))


def _table(found: Found, scenario: str) -> list[str]:
    rounds = [one[scenario] for one in found if scenario in one]
    columns = list(dict.fromkeys(name for one in rounds for name in one))
    values = list(dict.fromkeys(v for one in rounds for made in one.values() for v in made))
    head = [f"{value}, least (median)" for value in values]
    main = values[0] if values else ""
    beside = [name for name in _BESIDE if name in columns] if main.startswith("cpu") else []
    counted = " (instructions)" if COUNTED in values else ""
    lines = [
        f"| {' | '.join(['column', *head, *(f'beside {name}{counted}' for name in beside)])} |",
        f"|---|{'--:|' * (len(values) + len(beside))}",
    ]
    for column in columns:
        cells = [column]
        for value in values:
            seen = [one[column][value] for one in rounds if value in one.get(column, {})]
            cells.append(f"{min(seen):.4g} ({statistics.median(seen):.4g})" if seen else "")
        for name in beside:
            ratio, exact = (_ratio(rounds, value, column, name) for value in (main, COUNTED))
            cells.append("" if ratio is None else f"{ratio:.3g}")
            cells[-1] += "" if exact is None else f" ({exact:.3g})"
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _ratio(
    rounds: list[dict[str, dict[str, float]]], value: str, column: str, name: str
) -> float | None:
    """The median of the ratios within each round."""
    found = [
        one[column][value] / one[name][value]
        for one in rounds
        if value in one.get(column, {}) and value in one.get(name, {})
    ]
    return statistics.median(found) if found else None


def _bars(found: Found) -> list[Judged]:
    """Each bar, for each of its columns."""
    bars = tomllib.loads(BARS.read_text())["bar"]
    return [line for bar in bars for column in bar["columns"] for line in _bar(found, bar, column)]


def _bar(found: Found, bar: dict[str, Any], column: str) -> list[Judged]:
    scenario, value, goal = bar["scenario"], bar["value"], bar.get("goal", False)
    name = f"{'goal: ' if goal else ''}{scenario}, {value}, {column}"
    rounds = [one[scenario] for one in found if scenario in one]
    seen = [one[column][value] for one in rounds if value in one.get(column, {})]
    middle = statistics.median(seen) if seen else None
    lines = []
    if "most" in bar:
        lines.append(
            _judged(name, bar["most"], middle, goal=goal, beside=_there(rounds, bar, column))
        )
    if "least" in bar:
        lines.append(_judged(name, bar["least"], middle, goal=goal, at_least=True))
    for peer, most in bar.get("share", {}).items():
        ratio, exact = (_ratio(rounds, one, column, peer) for one in (value, COUNTED))
        beside = f"{exact:.3g}" if exact is not None and value.startswith("cpu") else None
        lines.append(_judged(f"{name} / {peer}", most, ratio, goal=goal, beside=beside))
    for other, most in bar.get("beside", {}).items():
        ratio = _growth(found, (scenario, other), column, value)
        lines.append(_judged(f"{name} / its own {other}", most, ratio, goal=goal))
    return lines


def _there(
    rounds: list[dict[str, dict[str, float]]], bar: dict[str, Any], column: str
) -> str | None:
    """What it would be at the speed of the machine that an absolute bar comes from."""
    for peer, took in bar.get("there", {}).items():
        ratio = _ratio(rounds, bar["value"], column, peer)
        return None if ratio is None else f"there {ratio * took:.3g}"
    return None


def _growth(found: Found, scenarios: tuple[str, str], column: str, value: str) -> float | None:
    ratios = []
    for one in found:
        first, other = (one.get(name, {}).get(column, {}).get(value) for name in scenarios)
        if first is not None and other is not None:
            ratios.append(first / other)
    return statistics.median(ratios) if ratios else None


def _judged(
    name: str,
    bar: float,
    found: float | None,
    *,
    goal: bool,
    at_least: bool = False,
    beside: str | None = None,
) -> Judged:
    """Whether it is enough; what stands beside it decides nothing."""
    wanted = f"{'≥' if at_least else '≤'} {bar:.4g}"
    if found is None:
        return name, wanted, "", "not measured"
    met = found >= bar if at_least else found <= bar
    got = f"{found:.4g}" if beside is None else f"{found:.4g} ({beside})"
    return name, wanted, got, "met" if met else "not reached" if goal else "missed"
