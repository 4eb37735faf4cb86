"""The threads that blocking tools run on: ours, at most 64, and never in the way of the exit.

Daemon threads, since a tool that hangs must not keep the process alive; started when there is
work and nobody idle; shared by all event loops; forgotten by a forked child. A call that nobody
waits for any more (it timed out, or the run was cancelled) cannot be stopped. Its thread is
*abandoned*: counted, and replaced as long as there are no more than 64 such.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from contextlib import suppress
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["IN_TIME", "abandoned", "run_in_thread"]

IN_TIME: Final = "end in time"
"""The message of a cancellation that lets a blocking function end, if it has begun."""


class _Job:
    __slots__ = (
        *("abandoned", "arguments", "came", "context", "ended", "finished"),
        *("function", "future", "loop", "running"),
    )

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        ended: Callable[[], None] | None,
    ) -> None:
        self.function = function
        self.arguments = arguments
        self.ended = ended
        self.context: Context = copy_context()
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[tuple[Any, BaseException | None]] = self.loop.create_future()
        self.came: tuple[Any, BaseException | None] | None = None
        self.running = False
        self.abandoned = False
        self.finished = False

    def run(self) -> None:
        value: Any = None
        error: BaseException | None = None
        try:
            value = self.context.run(self.function, **self.arguments)
        except BaseException as raised:  # noqa: BLE001  handed to whoever waits
            error = raised
        finally:
            if self.ended is not None:
                self.ended()
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self.loop.call_soon_threadsafe(self._deliver, value, error)

    def _deliver(self, value: Any, error: BaseException | None) -> None:
        self.came = (value, error)
        if not self.future.done():
            self.future.set_result(self.came)

    def wait_on(self) -> bool:
        """After a cancellation, wait for the function all the same; false if it has not begun."""
        if self.future.cancelled():
            if not self.running:
                return False
            self.future = self.loop.create_future()
            if self.came is not None:  # between the cancellation and now
                self.future.set_result(self.came)
        return True


class _Pool:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.work = threading.Condition(self.lock)
        self.jobs: deque[_Job] = deque()
        self.threads = self.idle = self.abandoned = self.begun = 0

    def submit(self, job: _Job) -> None:
        with self.lock:
            if self.idle > len(self.jobs):
                self.work.notify()
            else:
                try:
                    self._start()
                except RuntimeError:  # the system gives no more threads
                    if self.threads <= self.abandoned:
                        raise  # and nobody is there who would ever take the job
                if self.threads <= self.abandoned:
                    raise ToolError(
                        f"not called: all {self.threads} threads for blocking tools are held by "
                        "calls that timed out or were cancelled, and have not ended "
                        "(limits.SYNC_THREADS)"
                    )
            self.jobs.append(job)

    def _start(self) -> None:
        """With the lock held: one more thread, if there may be one."""
        spare = min(self.abandoned, limits.SYNC_THREADS)
        if self.threads < limits.SYNC_THREADS + spare:
            name = f"toolstone-tool-{self.begun + 1}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
            self.begun += 1
            self.threads += 1

    def _work(self) -> None:
        while (job := self._next()) is not None:
            job.run()
            with self.lock:
                job.finished = True
                if job.abandoned:
                    self.abandoned -= 1
            del job

    def _next(self) -> _Job | None:
        with self.lock:
            while True:
                while not self.jobs:
                    if self.threads > limits.SYNC_THREADS + self.abandoned:
                        self.threads -= 1  # it stood in for one that has come back
                        return None
                    self.idle += 1
                    self.work.wait()
                    self.idle -= 1
                job = self.jobs.popleft()
                if not job.future.cancelled():  # what nobody waits for any more never begins
                    job.running = True
                    return job

    def abandon(self, job: _Job) -> None:
        """Nobody waits for this job any more: it is never begun, or its thread is written off."""
        with self.lock:
            if not job.running:
                with suppress(ValueError):  # passed over already
                    self.jobs.remove(job)
                if job.ended is not None:
                    job.ended()
                return
            if job.finished:
                return
            job.abandoned = True
            self.abandoned += 1
            if self.jobs:
                with suppress(RuntimeError):  # no thread to be had: the others come to it
                    self._start()


_pools: Final[dict[int, _Pool]] = {}  # by process: a forked child has none of its parent's threads


def _pool() -> _Pool:
    return _pools.get(os.getpid()) or _pools.setdefault(os.getpid(), _Pool())


def abandoned() -> int:
    """How many threads run calls that nobody waits for any more."""
    return _pool().abandoned


async def run_in_thread(
    function: Callable[..., Any],
    arguments: Mapping[str, Any],
    ended: Callable[[], None] | None = None,
) -> Any:
    """Run a blocking function on a thread, with the caller's context variables.

    Args:
        function: What to run.
        arguments: By name.
        ended: Called, on some thread, when the function has really ended or will never begin.

    Raises:
        BaseException: What the function raised. Of a caller cancelled with the message `IN_TIME`
            a function that has begun is still waited for; of any other the thread is abandoned.
        RuntimeError: The system gives no thread to run it on.
        ToolError: Every thread there may be is held by a call that nobody waits for any more.
    """
    job = _Job(function, arguments, ended)
    pool = _pool()
    try:
        pool.submit(job)
    except (RuntimeError, ToolError):
        if ended is not None:
            ended()  # it will never begin
        raise
    while True:
        try:
            value, error = await job.future
            break
        except asyncio.CancelledError as cancelled:
            if cancelled.args == (IN_TIME,) and job.wait_on():
                continue
            if not job.future.done() or job.future.cancelled():
                pool.abandon(job)
            raise
    if error is not None:
        raise error
    return value
