"""A watchdog: says which tool keeps the event loop from everything else, while it does."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from typing import TYPE_CHECKING, Final, Self

from toolstone import limits
from toolstone._portal import portal_loop

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Watchdog"]

_log: Final = logging.getLogger("toolstone.tools")


class Watchdog:
    """Warns when something keeps the event loop busy, by the name of the tool if it is one.

    An async tool that blocks holds up every other call, run and time-out of its loop. The warning
    goes to the log `toolstone.tools` while it happens, with the line that is being run. The loop
    that is watched is the running one; without one, that of the blocking doors.

    Args:
        seconds: So long may the loop be busy without a pause.

    Example:
        with Watchdog():
            agent.run_sync("go")
    """

    def __init__(self, seconds: float = limits.LOOP_BUSY_SECONDS) -> None:
        self._seconds = seconds
        self._wake = threading.Event()
        self._stopped = False

    def __enter__(self) -> Self:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = portal_loop()
        self._runner: int | None = None
        self._heard = False
        self._stopped = False
        name = "toolstone-watchdog"
        self._thread = threading.Thread(target=self._watch, name=name, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped = True
        self._wake.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopped:
            self._heard = False
            self._wake.clear()
            try:
                self._loop.call_soon_threadsafe(self._answer)
            except RuntimeError:
                return  # the loop is closed
            if not self._wait(self._seconds):
                self._bark()
                self._wait(None)
            self._pause()

    def _answer(self) -> None:
        self._runner = threading.get_ident()
        self._heard = True
        self._wake.set()

    def _wait(self, seconds: float | None) -> bool:
        """Whether the loop was heard, or nobody wants to know any more."""
        while not self._stopped and not self._heard:
            if not self._wake.wait(seconds):
                return False
        return True

    def _pause(self) -> None:
        self._wake.clear()
        if not self._stopped:
            self._wake.wait(self._seconds / 2)

    def _bark(self) -> None:
        task = asyncio.current_task(self._loop)
        coroutine = None if task is None else task.get_coro()
        kind = "tool" if getattr(coroutine, "__qualname__", "") == "_Batch._one" else "task"
        what = "a callback" if task is None else f"{kind} {task.get_name()}"
        frame = None if self._runner is None else sys._current_frames().get(self._runner)  # noqa: SLF001  there is no other way to see another thread
        place = "" if frame is None else f" at {frame.f_code.co_filename}:{frame.f_lineno}"
        _log.warning(
            "%s has kept the event loop busy for %g s%s; nothing else runs meanwhile. Make it a "
            "plain function, which gets a thread, or await what it waits for",
            *(what, self._seconds, place),
        )
