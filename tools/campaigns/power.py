"""Cut the power after any write: what was acknowledged, and what is left of it, at both levels.

Every write and sync that SQLite asks of the disk is noted (`_disk.py`), through appends, automatic
checkpoints and closings. For each cut the files are put together as it could have left them, and
opened by the ledger: what is there must be a valid beginning of what was written, and with
`survives="power-loss"` all that was acknowledged.
"""

from __future__ import annotations

import asyncio
import platform
import random
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from campaigns import _disk
from toolstone import SQLiteLedger, user
from toolstone.errors import StorageError
from toolstone.events import Began, Record

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

Level = Literal["process-death", "power-loss"]
LEVELS: Final[tuple[Level, ...]] = ("process-death", "power-loss")
_SIZES: Final = (100, 3_000, 60_000)  # characters of a record; the long ones bring checkpoints
_BATCHES: Final = (1, 1, 3)  # records of an append
_CLOSED: Final = 60  # appends until the ledger is closed and opened again


def options(parser: argparse.ArgumentParser) -> None:
    """How many cuts."""
    parser.add_argument("--cuts", type=int, default=5_000, help="of each level")
    parser.add_argument("--appends", type=int, default=400)
    parser.add_argument("--seed", type=int, default=5)


def run(given: argparse.Namespace) -> int:
    """Cut so often at each level, and print what was left."""
    print(
        f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, seed {given.seed}"
    )
    right = True
    for level in LEVELS:
        found = sweep(level, given.cuts, given.appends, given.seed)
        print(found.told())
        right = right and not found.invalid and not (level == "power-loss" and found.lost)
    for level in LEVELS:
        print(f"{level}: {cost(level):.2f} ms for a fact, the median of 500")
    return 0 if right else 1


@dataclass
class Found:
    """What cuts have left at one level."""

    level: Level
    cuts: int = 0
    lost: int = 0
    most: int = 0
    syncs: int = 0
    invalid: list[str] = field(default_factory=list)

    def told(self) -> str:
        """All of it as text."""
        lines = [
            f"{self.level}: {self.cuts:,} cuts, {self.syncs:,} syncs of the disk",
            f"  acknowledged records lost after {self.lost:,} cuts, {self.most} at most",
            f"  invalid: {len(self.invalid)}",
            *[f"    {one}" for one in self.invalid[:5]],
        ]
        return "\n".join(lines)


def sweep(level: Level, cuts: int, appends: int, seed: int) -> Found:
    """Write, and cut; half of the cuts within the last few events before a record was kept."""
    chance = random.Random(f"{seed} {level}")  # noqa: S311  a sweep, to be made again
    events, kept = _written(level, appends, chance)
    found = Found(level, syncs=sum(event.what == "sync" for event in events))
    for number in range(cuts):
        cut = chance.randrange(len(events) + 1)
        with tempfile.TemporaryDirectory(prefix="toolstone-power-") as folder:
            _disk.rebuild(events[:cut], Path(folder), chance)
            sure = sum(event.what == "kept" for event in events[:cut])
            _judge(found, Path(folder), kept, sure, f"seed {seed}, cut {number} at {cut}")
    return found


def _written(level: Level, appends: int, chance: random.Random) -> tuple[list[_disk.Event], _Kept]:
    """Append so often; what the disk was asked, and what was handed to the ledger when."""
    kept: list[list[Record]] = []
    recorder = _disk.Recorder()

    async def write(folder: Path) -> None:
        ledger = SQLiteLedger(folder / "runs.sqlite", survives=level)
        seq = 0
        for number in range(appends):
            count = chance.choice(_BATCHES)
            text = chance.choice("abcdef") * chance.choice(_SIZES)
            fact = Began((user(text),))
            kept.append([Record(seq + n, 0.0, "r", fact) for n in range(count)])
            await ledger.append("s", kept[-1])
            recorder.kept()
            seq += count
            if number % _CLOSED == _CLOSED - 1:
                ledger.close()
        ledger.close()

    with tempfile.TemporaryDirectory(prefix="toolstone-power-") as folder:
        asyncio.run(write(Path(folder)))
    recorder.stop()
    return recorder.events, kept


_Kept = list[list[Record]]


def _judge(found: Found, folder: Path, kept: _Kept, sure: int, plan: str) -> None:
    found.cuts += 1
    ledger = SQLiteLedger(folder / "runs.sqlite", survives=found.level)
    try:
        there = list(asyncio.run(ledger.load("s")))
        more = Record(len(there), 0.0, "r", Began((user("more"),)))
        asyncio.run(ledger.append("s", [more]))
    except StorageError as error:
        found.invalid.append(f"{plan}: {error}")
        return
    finally:
        ledger.close()
    whole = _whole_appends(kept, there)
    if whole is None:
        found.invalid.append(f"{plan}: {len(there)} records that are no beginning of what was kept")
    elif whole < sure:
        found.lost += 1
        found.most = max(found.most, sure - whole)
    with closing(sqlite3.connect(folder / "runs.sqlite")) as connection:
        (said,) = connection.execute("PRAGMA integrity_check").fetchone()
    if said != "ok":
        found.invalid.append(f"{plan}: {said}")


def _whole_appends(kept: _Kept, there: Sequence[Record]) -> int | None:
    """How many appends these records are; None if they are not whole ones, in order."""
    place = 0
    for number, records in enumerate(kept):
        if place == len(there):
            return number
        if list(there[place : place + len(records)]) != records:
            return None
        place += len(records)
    return len(kept) if place == len(there) else None


def cost(level: Level) -> float:
    """Milliseconds that a fact of the usual size costs on this disk."""

    async def measure(folder: str) -> list[float]:
        ledger = SQLiteLedger(Path(folder) / "runs.sqlite", survives=level)
        times = []
        for seq in range(500):
            record = Record(seq, 0.0, "r", Began((user("x" * 300),)))
            began = time.perf_counter()
            await ledger.append("s", [record])
            times.append(time.perf_counter() - began)
        await ledger.aclose()
        return times

    with tempfile.TemporaryDirectory(prefix="toolstone-power-") as folder:
        return 1000 * statistics.median(asyncio.run(measure(folder)))
