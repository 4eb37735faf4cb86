"""User instructions of a measurement, counted by Linux's `perf` where it is there.

They hardly depend on what else the machine does, as CPU time does. What the kernel does for a
process (its reads and writes) is not among them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Counter", "counter"]

_EVENT: Final = "instructions:u"


class Counter:
    """Counts what one process does.

    Attributes:
        command: What is to be run instead.
        environment: Further variables for it.
    """

    def __init__(self, command: Sequence[str], folder: Path | None, *, whole: bool) -> None:
        self.command = list(command)
        self.environment: dict[str, str] = {}
        self._file = None if folder is None else folder / "found"
        if folder is None:
            return
        count = ["perf", "stat", "-x", ",", "-e", _EVENT, "-o", str(self._file)]
        if not whole:
            pipes = [folder / "control", folder / "ack"]
            for pipe in pipes:
                os.mkfifo(pipe)
            count += ["--delay", "-1", "--control", f"fifo:{','.join(map(str, pipes))}"]
            self.environment["TOOLSTONE_BENCH_PERF"] = str(folder)
        self.command = [*count, "--", *command]

    def millions(self, units: float) -> dict[str, float]:
        """Millions of instructions for each unit, once the process has ended; empty if unknown."""
        if self._file is None:
            return {}
        count = next(line for line in self._file.read_text().splitlines() if _EVENT in line)
        return {"instructions_m": int(count.split(",")[0]) / units / 1e6}


@contextmanager
def counter(command: Sequence[str], *, whole: bool) -> Iterator[Counter]:
    """A counter for one measurement; it counts nothing where that cannot be done.

    Args:
        command: What is measured.
        whole: Whether all of it counts, or what it says itself.
    """
    if not _can_count():
        yield Counter(command, None, whole=whole)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Counter(command, Path(folder), whole=whole)


@cache
def _can_count() -> bool:
    perf = shutil.which("perf")
    if perf is None:
        return False
    tried = subprocess.run(
        [perf, "stat", "-x", ",", "-e", _EVENT, "true"],
        capture_output=True,
        text=True,
        check=False,  # where counting is forbidden, it says so
    )
    return tried.stderr.split(",")[0].isdigit()
