"""Write the table of docs/reliability.md anew, from the rows of tests/data/reliability."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import argparse

ROOT: Final = Path(__file__).parent.parent.parent
PAGE: Final = ROOT / "docs" / "reliability.md"
DATA: Final = ROOT / "tests" / "data" / "reliability"
BLOCKS: Final = {
    "H": "HTTP transport",
    "S": "SSE framing",
    "E": "Event semantics",
    "M": "The model",
    "T": "Tools",
    "C": "Concurrency and cancellation",
    "D": "Storage and durability",
    "A": "Authentication and configuration",
    "X": "Exhaustion",
    "K": "Secrets",
    "N": "Network reach",
    "Z": "Schema and JSON bombs",
    "L": "Library hygiene and supply chain",
}
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def options(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(given: argparse.Namespace) -> int:  # noqa: ARG001  every campaign is given its options
    """Write the table into the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + BEGIN + render_table() + END + after)
    return 0


def render_table() -> str:
    """Counts, and a table for each block, from the rows of tests/data/reliability."""
    blocks = {block: tomllib.loads((DATA / f"{block}.toml").read_text())["row"] for block in BLOCKS}
    counts = {block: Counter(_result(row)[0] for row in rows) for block, rows in blocks.items()}
    kinds = ["pass", "deliberate difference", "not applicable", "open"]
    lines = [f"| Block | {' | '.join(kinds)} |", "|---|---|---|---|---|"]
    for block, title in BLOCKS.items():
        numbers = " | ".join(str(counts[block][kind]) for kind in kinds)
        lines.append(f"| {block}: {title} | {numbers} |")
    total = sum(counts.values(), Counter())
    lines.append(f"| together | {' | '.join(str(total[kind]) for kind in kinds)} |")
    for block, title in BLOCKS.items():
        lines += ["", f"### {block}: {title}", "", "| | What is asked | Result |", "|---|---|---|"]
        lines += [_line(row) for row in blocks[block]]
    return "\n".join(["", *lines, "", ""])


def _line(row: dict[str, Any]) -> str:
    kind, why = _result(row)
    said = re.sub(r"\|", r"\\|", row["says"])
    return f"| {row['id']} | {said} | {kind}{f': {why}' if why else ''} |"


def _result(row: dict[str, Any]) -> tuple[str, str]:
    """What became of a row, and why it is not simply passed."""
    told = [row, *row.get("case", ())]
    for key, kind in (
        ("missing", "not applicable"),
        ("open", "open"),
        ("difference", "deliberate difference"),
    ):
        whys = list(dict.fromkeys(one[key] for one in told if key in one))
        if whys:
            return kind, "; ".join(whys)
    return "pass", ""
