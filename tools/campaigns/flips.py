"""Flip single bits of a ledger file, and cut it short: detected or harmless, never half believed.

A ledger with several sessions, long records and free pages is written. Of each flip and each cut a
copy is opened by the ledger: every session is read, and folded into a run as `resume` would. Either
all of it is as it was, or a `StorageError` says that it is not.
"""

from __future__ import annotations

import asyncio
import platform
import random
import sqlite3
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolstone import Agent, SQLiteLedger, tool
from toolstone.errors import StorageError
from toolstone.runs.soundness import fold_stored
from toolstone.testing import Scripted, call

if TYPE_CHECKING:
    import argparse

    from toolstone.events import Record

_SESSIONS: Final = 6
_FORGOTTEN: Final = "forgotten"
Kept = dict[str, "tuple[Record, ...]"]


def options(parser: argparse.ArgumentParser) -> None:
    """How many of each."""
    parser.add_argument("--flips", type=int, default=10_000)
    parser.add_argument("--cuts", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=5)


def run(given: argparse.Namespace) -> int:
    """Damage a file so often, and print what became of it."""
    print(
        f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, seed {given.seed}"
    )
    found, wrong = sweep(given.flips, given.cuts, given.seed)
    for (kind, what), count in sorted(found.items()):
        print(f"{kind}: {what}: {count:,}")
    print(f"wrong: {len(wrong)}")
    print("\n".join(wrong[:10]))
    return 1 if wrong else 0


def sweep(flips: int, cuts: int, seed: int) -> tuple[Counter[tuple[str, str]], list[str]]:
    """What became of each, counted; and what was read although it is not what was written."""
    chance = random.Random(seed)  # noqa: S311  a sweep, to be made again
    found: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    with tempfile.TemporaryDirectory(prefix="toolstone-flips-") as folder:
        path = Path(folder) / "runs.sqlite"
        kept = asyncio.run(write(path))
        whole = path.read_bytes()
        for number in range(flips + cuts):
            if number < flips:
                kind, place = "flip", chance.randrange(8 * len(whole))
                damaged = bytearray(whole)
                damaged[place // 8] ^= 1 << place % 8
            else:
                kind, place = "cut", chance.randrange(len(whole))
                damaged = bytearray(whole[:place])
            what = _what(Path(folder) / "damaged.sqlite", bytes(damaged), kept)
            found[kind, what] += 1
            if what not in {"detected", "harmless"}:
                wrong.append(f"seed {seed}, {kind} at {place}: {what}")
    return found, wrong


async def write(path: Path) -> Kept:
    """Some sessions, one of them deleted again; what is in them."""

    @tool
    def act(n: int) -> str:
        """Act."""
        return f"did {n} " + "x" * 37 * n

    ledger = SQLiteLedger(path)
    names = [f"session-{n}" for n in range(_SESSIONS)]
    for number, name in enumerate([*names, _FORGOTTEN]):
        turns = [[call("act", n=n), call("act", n=number * 40)] for n in range(6)]
        agent = Agent(Scripted(*turns, "the end"), tools=[act], ledger=ledger)
        await agent.run("go", session=name)
    await ledger.forget(_FORGOTTEN)
    kept = {name: tuple(await ledger.load(name)) for name in names}
    ledger.close()
    return kept


def _what(path: Path, damaged: bytes, kept: Kept) -> str:
    for tail in ("", "-wal", "-shm"):
        Path(f"{path}{tail}").unlink(missing_ok=True)
    path.write_bytes(damaged)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            there, names = asyncio.run(_read(path, list(kept)))
    except StorageError:
        return "detected"
    except Exception as error:  # noqa: BLE001  it is what is looked for
        return f"{type(error).__name__}: {error}"
    if not damaged:
        return "detected" if not names else "read from nothing"  # an empty file is a new ledger
    return "harmless" if (there, names) == (kept, list(kept)) else "read, and not what was written"


async def _read(path: Path, names: list[str]) -> tuple[Kept, list[str]]:
    """Every session as `resume` reads it, and which there are."""
    ledger = SQLiteLedger(path)
    try:
        there = {name: tuple(await ledger.load(name)) for name in names}
        for name, records in there.items():
            fold_stored(list(records), name)
        return there, await ledger.sessions()
    finally:
        ledger.close()
