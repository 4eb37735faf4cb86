"""What a process holds: tasks, threads, open files and sockets, children (I5)."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Final

SECONDS: Final = 1.0
"""So long may a run take to clean up after itself, however it ended."""


def take() -> Counter[str]:
    """Count everything by name; the tasks are those of the running loop, if there is one."""
    found: Counter[str] = Counter()
    try:
        current = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not current]
    except RuntimeError:
        tasks = []
    found.update(f"task {_named(task)}" for task in tasks if not task.done())
    found.update(f"thread {thread.name}" for thread in threading.enumerate())
    found.update(_files())
    children = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    found["child process"] += len(children.read_text().split()) if children.exists() else 0
    return found


async def left(before: Counter[str], *, seconds: float = SECONDS) -> list[str]:
    """What there is more of than before, after at most so many seconds to clean up."""
    deadline = time.monotonic() + seconds
    while (more := take() - before) and time.monotonic() < deadline:  # noqa: ASYNC110  nothing tells of a closed socket
        await asyncio.sleep(0.005)
    return sorted(more.elements())


def left_now(before: Counter[str], *, seconds: float = SECONDS) -> list[str]:
    """As `left`, without an event loop."""
    deadline = time.monotonic() + seconds
    while (more := take() - before) and time.monotonic() < deadline:
        time.sleep(0.005)
    return sorted(more.elements())


def _named(task: asyncio.Task[object]) -> str:
    return getattr(task.get_coro(), "__qualname__", task.get_name())


def _files() -> Counter[str]:
    """Open descriptors, by kind; files by their name."""
    found: Counter[str] = Counter()
    for number in os.listdir("/proc/self/fd"):  # noqa: PTH208  plain numbers are wanted
        try:
            mode = os.stat(int(number)).st_mode  # noqa: PTH116  of a descriptor
            name = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115  of a descriptor
        except OSError:  # the listing's own
            continue
        found[f"file {name}" if stat.S_ISREG(mode) else name.partition(":")[0]] += 1
    return found
