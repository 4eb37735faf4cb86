"""Kill -9 an extraction at every write and at random; go on; nothing is asked twice, lost, doubled.

A prepared process forks a child that extracts forty documents into JSON lines, and kills it: where
a request is about to be sent, where its answer has come, around each transaction of the job, before
and after rows reach the output, and at instants of no particular kind. Another child goes on, and
may be killed as well, until the job is done.

An endpoint in a process of its own writes down what it is asked. After each death the job's file is
copied and read without the toolkit: what it has then must never be asked again.
"""

from __future__ import annotations

import gc
import importlib
import json
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from campaigns import _extracted, _killed, _kills
from campaigns._kills import INSTANT
from campaigns._servers import forked
from toolstone.local import Function

if TYPE_CHECKING:
    import argparse
    from contextlib import ExitStack

_AGAIN: Final = 0.7  # how often the next child is killed as well
_MOST: Final = 6  # kills of one job
_DELAY: Final = 0.004  # seconds after a sign of life within which an instant falls
_PROBLEMS: Final = ("asked twice", "lost", "doubled", "wrong", "stuck")


def options(parser: argparse.ArgumentParser) -> None:
    """How many."""
    careless = "acknowledge each record before it is kept: the sweep must then find what is lost"
    _kills.options(parser, kills=200, seed=7, careless=careless)


def run(given: argparse.Namespace) -> int:
    """Kill so often, and print what became of it."""
    found = Found({one: [] for one in _PROBLEMS})
    return _kills.account(
        given.seed, found, lambda stack: Sweep(found, given, stack).run(given.kills)
    )


@dataclass
class Found(_kills.Account):
    """What became of it."""

    jobs: int = 0
    processes: int = 0
    asked: int = 0
    again: int = 0
    kept: int = 0

    def lines(self) -> list[str]:
        """All of it as text."""
        return [
            f"{self.killed:,} kills in {self.jobs:,} jobs and {self.processes:,} processes",
            f"  by place: {self.places()}",
            f"answered at a kill: {self.kept:,}",
            f"asked: {self.asked:,}",
            f"asked again, under way at a kill: {self.again:,}",
            *super().lines(),
        ]


class Sweep:
    """Jobs that are killed until enough kills have been made."""

    def __init__(self, found: Found, given: argparse.Namespace, stack: ExitStack) -> None:
        self.found = found
        self._random = random.Random(given.seed)  # noqa: S311  a sweep, to be made again
        self._careless = given.careless
        folder = tempfile.TemporaryDirectory(dir=given.folder, prefix="toolstone-extract-")
        self._folder = Path(stack.enter_context(folder))
        counting = _extracted.Counting(self._folder / "asked")
        self._url = stack.enter_context(forked(Function(counting.__call__)))
        self._reached = self._uncut()
        gc.collect()
        gc.freeze()

    def run(self, kills: int) -> None:
        """Every place once in an order of the seed, and instants between them; then at random."""
        places = [
            (kind, number + 1)
            for kind in _extracted.KINDS
            for number in range(self._reached.get(kind, 0))
        ]
        self._random.shuffle(places)
        while self.found.killed < kills:
            self._one(places.pop() if places else self._at_random())
            if self.found.killed < kills:
                self._one((INSTANT, self._instant()))

    def _at_random(self) -> tuple[str, int]:
        kind = self._random.choice((*_extracted.KINDS, *[INSTANT] * len(_extracted.KINDS)))
        if kind == INSTANT:
            return kind, self._instant()
        return kind, self._random.randint(1, max(1, self._reached.get(kind, 1)))

    def _instant(self) -> int:
        return self._random.randint(0, sum(self._reached.values()))

    def _one(self, place: tuple[str, int]) -> None:
        """One job from its beginning to its end, killed here and perhaps again."""
        self.found.jobs += 1
        case = _Case(self.found, self._folder, f"{place[0]} {place[1]}")
        for _ in range(_MOST):
            if self._child(case, *place):
                break
            if self._random.random() >= _AGAIN:
                self._child(case, "", 0)
                break
            place = self._at_random()
        else:
            self._child(case, "", 0)
        case.close()

    def _child(self, case: _Case, kind: str, number: int) -> bool:
        """One process; whether it came to its end."""
        self.found.processes += 1
        ended = self._fork(case, kind, number)
        if ended.stuck:
            case.tell("stuck", f"killed after {_kills.SECONDS} s")
        elif ended.killed:
            self.found.kills[kind] += 1
            case.killed()
        elif ended.status:
            said = case.marks.read("errors")
            why = said[-1]["said"] if said else "mute"
            case.tell("stuck", f"exit status {ended.status}: {why}")
        return not ended.killed

    def _fork(self, case: _Case, kind: str, number: int, *, learn: bool = False) -> _kills.Ended:
        def live(trap: _killed.Trap) -> None:
            careless = self._careless and not learn
            _extracted.live(
                case.folder, self._url, case.number, trap, careless=careless, learn=learn
            )

        return _kills.fork(live, kind, number, self._random.random() * _DELAY)

    def _uncut(self) -> dict[str, int]:
        """How often each place is reached when nobody kills."""
        found = Found({one: [] for one in _PROBLEMS})
        case = _Case(found, self._folder, "uncut")
        if self._fork(case, "", 0, learn=True).status:
            raise RuntimeError(case.marks.read("errors"))
        (learnt,) = case.marks.read("learnt")
        case.close()
        if not found.right:
            raise RuntimeError("\n".join(found.lines()))
        for module in learnt["modules"]:
            with suppress(ImportError):
                importlib.import_module(module)
        return {str(kind): int(n) for kind, n in learnt["reached"].items()}


class _Case:
    """One job, and everything that is known of it from outside."""

    _count = 0

    def __init__(self, found: Found, folder: Path, plan: str) -> None:
        _Case._count += 1
        self.number = _Case._count
        self.found = found
        self.folder = folder / f"case-{self.number}"
        self.folder.mkdir()
        self.marks = _killed.Marks()
        self.marks.folder = self.folder
        self._plan = plan
        self._asked = folder / "asked"
        self._kills = 0
        self._answered: dict[int, int] = {}
        """How often a text that is kept had been asked when that was seen."""
        self._kept: set[str] = set()

    def tell(self, kind: str, what: str) -> None:
        """Note a problem."""
        self.found.problems[kind].append(f"{self._plan}: {what}")

    def asked(self) -> Counter[int]:
        """How often each text was asked so far."""
        lines = self._asked.read_text().splitlines() if self._asked.exists() else []
        mine = [line.split() for line in lines if line.startswith(f"{self.number} ")]
        return Counter(int(number) for _, number in mine)

    def killed(self) -> None:
        """A child has died: what is kept now must stay, and not be asked again."""
        self._kills += 1
        asked, rows = self.asked(), self._rows()
        names = {str(row["id"]) for row in rows}
        self.found.kept += len(names - self._kept)
        self._look(names)
        for number in map(_extracted.text_number, names):
            self._answered.setdefault(number, asked[number])

    def _look(self, names: set[str]) -> None:
        for gone in self._kept - names:
            self.tell("lost", f"{gone} was kept, and is not any more")
        for line in self.marks.read("acknowledged"):
            if line["id"] not in names:
                self.tell("lost", f"{line['id']} was acknowledged, and is not kept")
        self._kept = names

    def close(self) -> None:
        """The job is done: everything must agree."""
        rows, asked = self._rows(), self.asked()
        self._look({str(row["id"]) for row in rows})
        self.found.asked += asked.total()
        for number, count in asked.items():
            self.found.again += count - 1
            if count > self._answered.get(number, count):
                self.tell("asked twice", f"text {number}, which was answered")
            if count > 1 + self._kills:
                self.tell("asked twice", f"text {number}, {count} times in {self._kills} kills")
        self._check_output()
        for wrong in (path for path in self.folder.iterdir() if path.name.endswith("-journal")):
            self.tell("wrong", f"{wrong.name} was left")
        shutil.rmtree(self.folder)

    def _check_output(self) -> None:
        lines = (self.folder / "letters.jsonl").read_bytes().split(b"\n")
        if lines.pop():
            self.tell("wrong", "the last line has no end")
        written = Counter[str]()
        for line in lines:
            row = json.loads(line)
            name = row["id"]
            written[name] += 1
            said = row.get("value")
            if said != _extracted.value(_extracted.text_number(name)):
                self.tell("wrong", f"{name} has another text's value")
        for name in (f"letter-{number}" for number in range(_extracted.DOCUMENTS)):
            if not written[name]:
                self.tell("lost", f"{name} has no row")
            elif written[name] > 1:
                self.tell("doubled", f"{name} has {written[name]} rows")
        if len(written) > _extracted.DOCUMENTS:
            self.tell("wrong", "there are rows of other documents")

    def _rows(self) -> list[dict[str, object]]:
        """The rows that are kept, from a copy: looking changes nothing."""
        path = self.folder / "letters.job"
        if not path.exists():
            return []
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            for tail in ("", "-wal"):
                if (there := Path(f"{path}{tail}")).exists():
                    shutil.copyfile(there, Path(folder) / f"copy{tail}")
            with closing(sqlite3.connect(Path(folder) / "copy")) as database:
                if not database.execute("SELECT * FROM sqlite_schema").fetchall():
                    return []  # killed before it was made
                return [json.loads(row) for (row,) in database.execute("SELECT row FROM records")]
