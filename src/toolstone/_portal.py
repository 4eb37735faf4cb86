"""The blocking doors: one background thread with one event loop for the process.

Started at the first blocking call, never at import. Async code is written once; a blocking twin
hands it over here and waits. Works in scripts, in threads, inside a running loop (a notebook), and
after other loops have closed. A forked child gets a thread of its own.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from toolstone import limits
from toolstone.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["block", "portal_loop"]

T = TypeVar("T")


class _Portal:
    """A thread that runs an event loop until the process ends."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._serve, name="toolstone-portal", daemon=True)
        self.thread.start()
        atexit.register(self.close)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        while True:
            try:
                self.loop.run_forever()
            except (KeyboardInterrupt, SystemExit):
                continue  # a tool raised it; its task has it, and so has whoever waits for that
            break
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())  # connections end with it
        self.loop.close()

    def close(self) -> None:
        """The process ends: connections are closed, if that takes no longer than a moment."""
        if self.pid == os.getpid() and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(limits.EXIT_SECONDS)


_lock = threading.Lock()
_portal: _Portal | None = None


def portal_loop() -> asyncio.AbstractEventLoop:
    """The loop of the blocking doors, started if need be."""
    return _current().loop


def _current() -> _Portal:
    global _portal, _lock  # noqa: PLW0603  the one portal of the process
    if _portal is not None and _portal.pid != os.getpid():
        _portal, _lock = None, threading.Lock()  # a forked child has neither thread nor loop
    with _lock:
        if _portal is None:
            _portal = _Portal()
        return _portal


def block(work: Callable[..., Coroutine[Any, Any, T]], /, *args: Any, **named: Any) -> T:
    """Run `work(*args, **named)` on the portal's loop and wait for it here.

    The caller's context variables travel. Ctrl-C cancels the work, waits for it to clean up, and
    is then raised.

    Raises:
        UsageError: Called on the portal's own thread, where waiting would never end.
    """
    portal = _current()
    if threading.current_thread() is portal.thread:
        raise UsageError(
            "a blocking (_sync) method was called on toolstone's own event loop, where it would "
            "wait for itself; in an async tool await the async twin instead"
        )
    waiter: _Waiter[T] = _Waiter(work(*args, **named))
    portal.loop.call_soon_threadsafe(waiter.start, contextvars.copy_context())
    try:
        # The system wakes one thread for a signal, and Python runs its handler in the main one.
        while not waiter.done.wait(limits.SIGNAL_SECONDS):
            pass
    except BaseException:
        portal.loop.call_soon_threadsafe(waiter.cancel)
        waiter.done.wait()
        raise
    return waiter.result()


class _Waiter(Generic[T]):
    """One piece of work on the portal, and the thread that waits for it."""

    def __init__(self, work: Coroutine[Any, Any, T]) -> None:
        self.done = threading.Event()
        self._work = work
        self._task: asyncio.Task[T] | None = None
        self._cancelled = False

    def start(self, context: contextvars.Context) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work, context=context)
        self._task.add_done_callback(lambda _task: self.done.set())
        if self._cancelled:
            self._task.cancel()

    def cancel(self) -> None:
        self._cancelled = True
        if self._task is not None:
            self._task.cancel()

    def result(self) -> T:
        if self._task is None:  # pragma: no cover  done is set by the task alone
            raise UsageError("the portal lost the work it was given")
        return self._task.result()
