"""The public JSON Schema test suite (draft 2020-12, required), from your own clone of it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolstone.schema.foreign import SafeSchema, UnsafeSchema

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable


def options(parser: argparse.ArgumentParser) -> None:
    """Where the suite is."""
    parser.add_argument("folder", type=Path, help="its tests/draft2020-12 folder")


def run(given: argparse.Namespace) -> int:
    """Judge every case; 0 if no answer is wrong."""
    told = judge(
        group
        for path in sorted(given.folder.glob("*.json"))
        for group in json.loads(path.read_text())
    )
    print(f"{told.right} right, {len(told.wrong)} wrong, {told.refused} refused at registration:")
    for reason, count in told.reasons.most_common():
        print(f"  {count:4} {reason}")
    print("\n".join(told.wrong))
    return 1 if told.wrong or not told.right else 0


@dataclass
class Judged:
    """What became of the cases."""

    right: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


def judge(groups: Iterable[dict[str, Any]]) -> Judged:
    """Put each test of each group (a schema and its tests, as in the suite) to our validator."""
    told = Judged()
    for group in groups:
        try:
            schema = SafeSchema(group["schema"])
        except UnsafeSchema as problem:
            told.refused += len(group["tests"])
            told.reasons[str(problem)] += len(group["tests"])
            continue
        for test in group["tests"]:
            problems = schema.problems(test["data"])
            if (problems == []) == test["valid"]:
                told.right += 1
            else:
                says = "; ".join(problems) or "fits"
                told.wrong.append(f"{group['description']}: {test['description']}: {says}")
    return told
