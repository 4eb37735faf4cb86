"""Counts where the tasks of an event loop are suspended, and does something at one such point.

Every task is made of a coroutine that looks on: what the real one is sent and yields passes through
it. So nothing in the program under test is changed, and a point is a number: the k-th suspension of
all tasks since the count began.
"""

from __future__ import annotations

import asyncio
import gc
import io
import logging
import re
import sys
import tracemalloc
import warnings
from collections.abc import Coroutine
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextvars import Context

Deed = Literal["once", "twice", "at-once", "hail", "main-too", "raise", "break"]
"""What is done at a point.

- `once`: the task is cancelled.
- `twice`: and again at its next suspension, while it cleans up.
- `at-once`: two cancels before it can do anything.
- `hail`: at every suspension from then on, up to thirty.
- `main-too`: the task, and with its next suspension the main task.
- `raise`: what it waits for raises an error that nobody expects.
- `break`: what it waits for raises an `OSError`.
"""
DEEDS: Final[tuple[Deed, ...]] = get_args(Deed)
CANCELS: Final = frozenset({"once", "twice", "at-once", "hail", "main-too"})
_HAIL: Final = 30
_OF_TOOLS: Final = re.compile(r"tool \w+ failed \(reference ")
"""What is said, rightly, of a call whose own task is cancelled or fails."""


class PlantedError(Exception):
    """Raised by nobody but the sweep."""


class Sweep:
    """One count of the suspensions of one event loop.

    Args:
        at: At which of them something is done; 0 only counts.
        deed: What.

    Attributes:
        points: How many there were so far.
        where: Which task, and the line where it waited, once it was met.
        on_main: Whether that was the main task.
        main_cancelled: Whether the main task was cancelled.
        when: The loop's time when it was met.
    """

    def __init__(self, at: int = 0, deed: Deed = "once") -> None:
        self.at, self.deed = at, deed
        self.points = 0
        self.where = ""
        self.on_main = False
        self.main_cancelled = False
        self.when = 0.0
        self.main: asyncio.Task[Any] | None = None
        self.counting = False
        self._more = 0
        self._hit: asyncio.Task[Any] | None = None

    def make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Any,
        *,
        context: Context | None = None,
    ) -> asyncio.Task[Any]:
        """A task factory for the loop."""
        watched = Watched(self, work) if self.counting else work
        return asyncio.Task(watched, loop=loop, context=context)

    def suspended(self, work: Coroutine[Any, Any, Any], waits_for: Any) -> Any:
        """A coroutine has yielded what it waits for; gives what it then really yields."""
        if not self.counting:
            return waits_for
        self.points += 1
        task = asyncio.current_task()
        if self.points == self.at and task is not None:
            return self._meet(task, work, waits_for)
        if self._more and task is not None and (task is self._hit or self.deed == "main-too"):
            self._more -= 1
            self._cancel(self.main if self.deed == "main-too" else task)
        return waits_for

    def _meet(self, task: asyncio.Task[Any], work: Coroutine[Any, Any, Any], waits_for: Any) -> Any:
        self._hit, self.on_main = task, task is self.main
        self.where = _where(work)
        self.when = task.get_loop().time()
        self._more = {"twice": 1, "main-too": 1, "hail": _HAIL}.get(self.deed, 0)
        if self.deed in CANCELS:
            self._cancel(task)
            if self.deed == "at-once":
                self._cancel(task)
            return waits_for
        if waits_for is not None:
            waits_for._asyncio_future_blocking = False  # noqa: SLF001  nobody waits for it now
            waits_for.add_done_callback(lambda future: future.cancelled() or future.exception())
            if not isinstance(waits_for, asyncio.Task):
                waits_for.cancel()  # one that has failed is done, and whoever made it has seen it
        error = PlantedError("planted") if self.deed == "raise" else OSError(5, "planted")
        return self.suspended(work, work.throw(error))

    def _cancel(self, task: asyncio.Task[Any] | None) -> None:
        """When it is suspended for good: now it still runs."""
        if task is None:
            return
        self.main_cancelled = self.main_cancelled or task is self.main
        task.get_loop().call_soon(task.cancel)


class Watched(Coroutine[Any, Any, Any]):
    """A coroutine that tells the sweep of each suspension."""

    def __init__(self, sweep: Sweep, work: Coroutine[Any, Any, Any]) -> None:
        self._sweep, self._work = sweep, work

    def send(self, value: Any) -> Any:
        return self._sweep.suspended(self._work, self._work.send(value))

    def throw(self, *error: Any) -> Any:
        return self._sweep.suspended(self._work, self._work.throw(*error))

    def close(self) -> None:
        self._work.close()

    def __await__(self) -> Any:
        return self._work.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._work, name)  # anyio asks in which state it is


def _where(work: Any) -> str:
    """The coroutine, and the innermost line of ours, or else of all, that can be seen."""
    name, ours, lines = getattr(work, "__qualname__", type(work).__name__), [], []
    while work is not None:
        frame = getattr(work, "cr_frame", None) or getattr(work, "ag_frame", None)
        if frame is not None:
            path = frame.f_code.co_filename
            lines.append(f"{path.rpartition('/')[2]}:{frame.f_lineno}")
            if "/toolstone/" in path:
                ours.append(f"{path.rpartition('/toolstone/')[2]}:{frame.f_lineno}")
        work = getattr(work, "cr_await", None) or getattr(work, "ag_await", None)
    at = [*(lines or ["its beginning"]), *ours][-1]
    return f"{name} at {at}"


class Noise:
    """What was said to nobody: on stderr, in logs, by the interpreter."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def by_loop(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception handler for a loop."""
        self.told.append(f"the loop: {context.get('message')} {context.get('exception')!r}")


def _made(warned: warnings.WarningMessage) -> str:
    """Where the object was made that a warning is about; python -X tracemalloc=20 knows."""
    made = tracemalloc.get_object_traceback(warned.source) if warned.source is not None else None
    return "" if made is None else "".join(f"\n      {line.strip()}" for line in made.format())


class _Handler(logging.Handler):
    def __init__(self, noise: Noise) -> None:
        super().__init__(logging.WARNING)
        self._noise = noise

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if not _OF_TOOLS.match(message):
            self._noise.told.append(f"log {record.name}: {message}")


@contextmanager
def listening(*, collect: bool = True) -> Iterator[Noise]:
    """Hear everything that would stand on stderr, and at the end what unreachable objects say.

    Args:
        collect: Whether cycles of such objects are looked for: that takes a while.
    """
    noise, root, stderr = Noise(), logging.getLogger(), sys.stderr
    handler, hook, said = _Handler(noise), sys.unraisablehook, io.StringIO()
    root.addHandler(handler)
    sys.stderr = said
    sys.unraisablehook = lambda event: noise.told.append(f"unraisable: {event.exc_value!r}")
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            yield noise
            if collect:
                gc.collect()
    finally:
        sys.stderr, sys.unraisablehook = stderr, hook
        root.removeHandler(handler)
    noise.told += [f"warning: {one.category.__name__}: {one.message}{_made(one)}" for one in warned]
    noise.told += [f"stderr: {line}" for line in said.getvalue().splitlines() if line.strip()]
