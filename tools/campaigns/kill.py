"""Kill -9 at random instants and at every write; resume; compare the effects with the ledger.

A prepared process forks a child that runs a real agent on a SQLite ledger, and kills it: where a
write is about to begin, where its rows stand in an open transaction, where it has been
acknowledged, where a tool is about to have its effect, where it had it, and at instants of no
particular kind. Another child goes on, and may be killed as well, until the run is complete.

What the tools did stands in a file of their own; what the ledger acknowledged in another. Both are
compared with the ledger file, which is read without the toolkit.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import random
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from campaigns import _kept, _killed, _kills
from campaigns._kills import INSTANT
from campaigns._servers import forked
from toolstone import Agent, MemoryLedger
from toolstone.events import decode_record, encode_record
from toolstone.local import Script as Answers
from toolstone.testing import Scripted

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from contextlib import ExitStack

_PROBLEMS: Final = ("duplicated", "lost", "invalid", "unnamed", "other key", "stuck")
_KINDS: Final = ("begin", "commit", "kept", "act", "acted")
_AGAIN: Final = 0.8  # how often the next child is killed as well
_MOST: Final = 8  # kills of one run
_DELAY: Final = 0.003  # seconds after a sign of life within which an instant falls


def options(parser: argparse.ArgumentParser) -> None:
    """How many, and which."""
    careless = "declare every tool repeatable: the sweep must then find what is doubled"
    _kills.options(parser, kills=10_000, seed=5, careless=careless)
    parser.add_argument("--script", choices=sorted(_killed.SCRIPTS), action="append")
    parser.add_argument("--each", action="store_true", help="each place once, and nothing else")


def run(given: argparse.Namespace) -> int:
    """Kill so often, and print what became of it."""
    found = Found({one: [] for one in _PROBLEMS})
    return _kills.account(given.seed, found, lambda stack: _sweep(given, found, stack))


def _sweep(given: argparse.Namespace, found: Found, stack: ExitStack) -> None:
    sweep = Sweep(found, given.script or list(_killed.SCRIPTS), stack, given)
    sweep.each() if given.each else sweep.run(given.kills)


@dataclass
class Found(_kills.Account):
    """What became of it."""

    scripts: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    children: int = 0
    interrupted: int = 0
    named: int = 0
    repeated: int = 0
    acknowledged: int = 0
    effects: int = 0

    def lines(self) -> list[str]:
        """All of it as text."""
        scripts = ", ".join(f"{name} {count:,}" for name, count in sorted(self.scripts.items()))
        return [
            f"{self.killed:,} kills in {self.runs:,} runs and {self.children:,} processes",
            f"  by place: {self.places()}",
            f"  by script: {scripts}",
            f"{self.effects:,} effects, {self.acknowledged:,} acknowledged records",
            f"interrupted calls: {self.interrupted:,}",
            f"named: {self.named:,}",
            f"repeatable calls made again: {self.repeated:,}",
            *super().lines(),
        ]


class Sweep:
    """Runs that are killed until enough kills have been made."""

    def __init__(
        self, found: Found, scripts: list[str], stack: ExitStack, given: argparse.Namespace
    ) -> None:
        self.found = found
        self._random = random.Random(given.seed)  # noqa: S311  a sweep, to be made again
        self._folder = given.folder
        _prepare()
        self._children = {}
        for name in scripts:
            script = _killed.SCRIPTS[name]
            url = stack.enter_context(forked(Answers(list(script.turns)))) if script.served else ""
            self._children[name] = _killed.Child(script, url, careless=given.careless)
        self._reached = {name: self._uncut(name) for name in scripts}
        gc.collect()
        gc.freeze()

    def run(self, kills: int) -> None:
        """Every place once in an order of the seed, and instants between them; then at random."""
        places = self._places()
        self._random.shuffle(places)
        while self.found.killed < kills:
            self._one(*(places.pop() if places else self._at_random()))
            if self.found.killed < kills:
                name = self._random.choice(list(self._children))
                self._one(name, INSTANT, self._instant(name))

    def each(self) -> None:
        """Every place once; the next process comes to the end."""
        for place in self._places():
            self._one(*place, again=0.0)

    def _places(self) -> list[tuple[str, str, int]]:
        return [
            (name, kind, number + 1)
            for name, reached in self._reached.items()
            for kind in _KINDS
            for number in range(reached.get(kind, 0))
        ]

    def _at_random(self) -> tuple[str, str, int]:
        name = self._random.choice(list(self._children))
        return (name, *self._any_place(name))

    def _any_place(self, name: str) -> tuple[str, int]:
        kind = self._random.choice((*_KINDS, *[INSTANT] * len(_KINDS)))
        if kind == INSTANT:
            return kind, self._instant(name)
        return kind, self._random.randint(1, max(1, self._reached[name].get(kind, 1)))

    def _instant(self, name: str) -> int:
        return self._random.randint(0, sum(self._reached[name].values()))

    def _one(self, name: str, kind: str, number: int, again: float = _AGAIN) -> None:
        """One run from its beginning to its end, killed here and perhaps again."""
        with tempfile.TemporaryDirectory(dir=self._folder, prefix="toolstone-kill-") as folder:
            case = _Case(self.found, Path(folder), f"{name} {kind} {number}", name)
            for _ in range(_MOST):
                if self._child(case, name, kind, number):
                    break
                if self._random.random() >= again:
                    self._child(case, name, "", 0)
                    break
                kind, number = self._any_place(name)
            else:
                self._child(case, name, "", 0)
            case.close()
        self.found.runs += 1

    def _child(self, case: _Case, name: str, kind: str, number: int) -> bool:
        """One child; whether it came to the end."""
        self.found.children += 1
        ended = self._fork(name, case.folder, kind, number)
        case.after(ended.pid)
        if ended.stuck:
            self.found.problems["stuck"].append(f"{case.plan}: killed after {_kills.SECONDS} s")
            return True
        if ended.killed:
            self.found.kills[kind] += 1
            self.found.scripts[name] += 1
            return False
        if ended.status:
            self.found.problems["stuck"].append(f"{case.plan}: exit status {ended.status}")
        return True

    def _fork(self, name: str, folder: Path, kind: str, number: int) -> _kills.Ended:
        def live(trap: _killed.Trap) -> None:
            _killed.live(self._children[name], folder, trap, learn=not kind)

        return _kills.fork(live, kind, number, self._random.random() * _DELAY)

    def _uncut(self, name: str) -> dict[str, int]:
        """How often each place is reached when nobody kills."""
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            ended = self._fork(name, Path(folder), "", 0)
            marks = _killed.Marks()
            marks.folder = Path(folder)
            if ended.status:
                raise RuntimeError(f"{name}: {marks.read('errors')}")
            (learnt,) = marks.read("learnt")
        for module in learnt["modules"]:
            with suppress(ImportError):
                importlib.import_module(module)
        return {str(kind): int(n) for kind, n in learnt["reached"].items()}


class _Case:
    """One run, and everything that is known of it from outside."""

    def __init__(self, found: Found, folder: Path, plan: str, name: str) -> None:
        self.found = found
        self.folder = folder
        self.plan = plan
        self._script = _killed.SCRIPTS[name]
        self._marks = _killed.Marks()
        self._marks.folder = folder
        self._interrupted: set[tuple[str, str, int]] = set()
        self._named: set[tuple[str, str, int]] = set()
        self._sessions: dict[str, _kept.Session] = {}

    def after(self, pid: int) -> None:
        """A child has gone: whom did it name, and what has it left unknown?"""
        for line in self._marks.read("waiting"):
            session = self._sessions.get(line["session"], _kept.Session())
            if line["pid"] == pid:
                self._named |= {
                    (line["session"], key, session.starts.get(key, 0))
                    for key, state in line["states"].items()
                    if state == "unknown"
                }
        self._sessions = {
            name: _kept.read(rows, _killed.REPEATABLE)
            for name, rows in _kept.rows(self.folder / "runs.sqlite").items()
        }
        for name, session in self._sessions.items():
            self._interrupted |= {(name, key, session.starts[key]) for key in session.interrupted}
            for wrong in session.invalid:
                self._tell("invalid", f"{name}: {wrong}")

    def close(self) -> None:
        """The run is over: everything must agree."""
        self.found.interrupted += len(self._interrupted)
        self.found.named += len(self._interrupted & self._named)
        for there, key, _ in self._interrupted ^ self._named:
            self._tell("unnamed", f"{there} {key}: named and interrupted are not the same")
        self._check_acknowledged()
        self._check_effects()
        for line in self._marks.read("invalid"):
            self._tell("invalid", line["wrong"])
        for line in self._marks.read("errors"):
            self._tell("stuck", line["said"])
        if {line["output"] for line in self._marks.read("done")} != {"the end"}:
            self._tell("lost", "the run did not come to its end")
        for name, session in self._sessions.items():
            if session.finished != "complete":
                self._tell("lost", f"session {name} is not complete")

    def _check_acknowledged(self) -> None:
        kept = _kept.rows(self.folder / "runs.sqlite")
        for line in self._marks.read("acknowledged"):
            self.found.acknowledged += len(line["kept"])
            there = [text for _, text in kept.get(line["session"], ())]
            now = [_kept.digest(text) for text in there[line["seq"] :][: len(line["kept"])]]
            if now != line["kept"]:
                self._tell("lost", f"acknowledged record {line['seq']} of {line['session']}")

    def _check_effects(self) -> None:
        made: dict[int, list[str]] = {n: [] for n in _numbers(self._script)}
        repeatable = set()
        for line in self._marks.read("effects"):
            made[line["n"]].append(line["key"])
            if line["name"] in _killed.REPEATABLE:
                repeatable.add(line["n"])
        self.found.effects += sum(map(len, made.values()))
        for n, keys in made.items():
            if not keys:
                self._tell("lost", f"effect {n} was never made")
            elif n in repeatable:
                self.found.repeated += len(keys) - 1
                if len(set(keys)) > 1:
                    self._tell("other key", f"effect {n} was made as {sorted(set(keys))}")
            elif len(keys) > 1:
                self._tell("duplicated", f"effect {n} was made {len(keys)} times")

    def _tell(self, kind: str, what: str) -> None:
        self.found.problems[kind].append(f"{self.plan}: {what}")


def _numbers(script: _killed.Script) -> Iterator[int]:
    """The `n` of every call a script makes."""
    for turn in (*script.turns, *script.inner):
        for part in turn if isinstance(turn, list) else [turn]:
            if not isinstance(part, str) and part.name != "helper":
                yield int(json.loads(part.arguments)["n"])


def _prepare() -> None:
    """Build what is built once, so that no child pays for it."""
    agent = Agent(Scripted("warm"), ledger=MemoryLedger())
    result = asyncio.run(agent.run("warm", session="warm"))
    for record in result.records:
        decode_record(encode_record(record))
