"""Secrets: marks for keys and content, looked for in every channel and encoding (K01 to K14).

Each sweep works or fails with keys and content that are marks, and shows what a person, a log, a
crash report or another process would see of it. What may show what is data:
tests/data/reliability/channels.toml.
"""

from __future__ import annotations

import time
import tomllib
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

from campaigns._canaries import ENCODINGS, Canaries
from campaigns._echoes import echoing
from campaigns._mistakes import mistakes
from campaigns._outside import commands, endpoint, model_process
from campaigns._signing import signing
from campaigns._spills import agents, failures, objects

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from campaigns._spills import Spill
    from toolstone.testing.faults import Faults

__all__ = ["RULES", "SWEEPS", "Verdict", "judge", "options", "run"]

RULES: Final = Path(__file__).parent.parent.parent / "tests/data/reliability/channels.toml"

SWEEPS: Final[dict[str, Callable[[Canaries, Faults], Iterator[Spill]]]] = {
    "objects": lambda marks, _: objects(marks),
    "mistakes": lambda marks, _: mistakes(marks),
    "failures": failures,
    "agents": agents,
    "signing": signing,
    "commands": commands,
    "endpoint": lambda marks, _: endpoint(marks),
    "model's process": lambda marks, _: model_process(marks),
}


class Verdict:
    """What came of one sweep.

    Attributes:
        channels: How often each was looked at.
        found: Marks in channels that may show them.
        leaks: Marks in channels that may not: channel, mark, encoding.
    """

    def __init__(self) -> None:
        self.channels: Counter[str] = Counter()
        self.found = 0
        self.leaks: Counter[tuple[str, str, str]] = Counter()


def judge(marks: Canaries, spills: Iterable[Spill]) -> Verdict:
    """Look for every mark in everything that was shown."""
    rules = tomllib.loads(RULES.read_text())["may"]
    verdict = Verdict()
    for channel, shown in spills:
        verdict.channels[channel] += 1
        for name, encoding in sorted(marks.found(shown)):
            if any(name in rule["show"] and _fits(channel, rule["channels"]) for rule in rules):
                verdict.found += 1
            else:
                verdict.leaks[channel, name, encoding] += 1
    return verdict


def _fits(channel: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(channel, pattern) for pattern in patterns)


def options(parser: argparse.ArgumentParser) -> None:
    """What can be said on the command line."""
    parser.add_argument("--seed", type=int, default=5, help="of the marks")
    parser.add_argument("--only", choices=SWEEPS, action="append", help="this sweep; may repeat")


def run(given: argparse.Namespace) -> int:
    """Sweep, print a table, and name every leak; 0 if there is none."""
    marks, rows = Canaries(given.seed), []
    leaks = 0
    with echoing() as peer:
        for name in given.only or SWEEPS:
            began = time.process_time()
            verdict = judge(marks, SWEEPS[name](marks, peer))
            leaks += len(verdict.leaks)
            shown = verdict.channels.total()
            looks = shown * len(marks.values) * len(ENCODINGS)
            seconds = time.process_time() - began
            rows.append((name, len(verdict.channels), shown, looks, verdict.found, seconds))
            for (channel, mark, encoding), times in sorted(verdict.leaks.items()):
                print(f"LEAK {channel}: {mark}, {encoding} ({times} times)")
    print(
        f"seed {given.seed}: {len(marks.values)} marks, {len(ENCODINGS)} encodings, {leaks} leaks"
    )
    print("sweep            channels  showings       looks  as allowed  CPU s")
    for row in rows:
        print("{:16} {:8,} {:9,} {:11,} {:11,} {:6.1f}".format(*row))
    total = [sum(int(row[n]) for row in rows) for n in range(1, 5)]
    print("{:16} {:8,} {:9,} {:11,} {:11,}".format("all", *total))
    return 1 if leaks else 0
