"""What the campaigns of kills share: options, a child that is forked and killed, the account."""

from __future__ import annotations

import os
import platform
import resource
import select
import signal
import sqlite3
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from campaigns._killed import Trap

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

INSTANT: Final = "instant"
"""Not a place: a moment after so many signs of life."""
SECONDS: Final = 60.0
"""A child that lives longer is stuck."""


def options(parser: argparse.ArgumentParser, *, kills: int, seed: int, careless: str) -> None:
    """How many, and how.

    Args:
        parser: Of the campaign.
        kills: So many, unless something else is said.
        seed: Unless something else is said.
        careless: What is done wrongly on purpose.
    """
    parser.add_argument("--kills", type=int, default=kills)
    parser.add_argument("--seed", type=int, default=seed)
    parser.add_argument("--folder", type=Path, help="where the files go; removed afterwards")
    parser.add_argument("--careless", action="store_true", help=careless)


@dataclass
class Account:
    """What became of the kills; each problem with the plan that shows it."""

    problems: dict[str, list[str]]
    kills: Counter[str] = field(default_factory=Counter)

    @property
    def killed(self) -> int:
        """How many kills hit a living child."""
        return self.kills.total()

    @property
    def right(self) -> bool:
        """Whether nothing was found."""
        return not any(self.problems.values())

    def places(self) -> str:
        """The kills by place, as text."""
        return ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.kills.items()))

    def lines(self) -> list[str]:
        """All of it as text."""
        lines = []
        for kind, said in self.problems.items():
            lines.append(f"{kind}: {len(said)}")
            lines += [f"    {one}" for one in said[:5]]
        return lines


def account(seed: int, found: Account, sweep: Callable[[ExitStack], None]) -> int:
    """Sweep, and print what was found, also after Ctrl-C; the exit code."""
    print(f"CPython {platform.python_version()}, SQLite {sqlite3.sqlite_version}, seed {seed}")
    began = time.monotonic()
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        sweep(stack)
    spent = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = sum(one.ru_utime + one.ru_stime for one in spent)
    print("\n".join(found.lines()))
    print(
        f"{1000 * cpu / max(1, found.killed):.0f} ms of CPU a kill, "
        f"{time.monotonic() - began:.0f} s in all"
    )
    return 0 if found.right else 1


@dataclass(frozen=True)
class Ended:
    """How a child ended; `stuck`: it had to be ended."""

    pid: int
    status: int
    stuck: bool = False

    @property
    def killed(self) -> bool:
        """Whether it died where it was to."""
        return self.status == -signal.SIGKILL and not self.stuck


def fork(live: Callable[[Trap], None], kind: str, number: int, delay: float) -> Ended:
    """A child that lives until it is killed, or to its end.

    Args:
        live: Its life; it never returns.
        kind: Where it dies; nowhere, if it is empty.
        number: How often it has been there then; signs of life, for an instant.
        delay: Seconds after these.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        live(Trap("" if kind == INSTANT else kind, number, writer))
    os.close(writer)
    stuck = False
    try:
        if kind == INSTANT and _heard(reader, number):
            time.sleep(delay)
            os.kill(pid, signal.SIGKILL)
        _heard(reader, sys.maxsize)
    except TimeoutError:
        stuck = True
        os.kill(pid, signal.SIGKILL)
    finally:
        os.close(reader)
    return Ended(pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), stuck)


def _heard(reader: int, signs: int) -> bool:
    """Wait for so many signs of life; False if the child ended before."""
    deadline = time.monotonic() + SECONDS
    while signs > 0:
        ready, _, _ = select.select([reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError
        heard = len(os.read(reader, min(signs, 4096)))
        if not heard:
            return False
        signs -= heard
    return True
