"""One connection pool for each event loop, closed when its loop ends."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar
from weakref import finalize

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

__all__ = ["PerLoop"]

Pool = TypeVar("Pool")

_ABANDONED: list[object] = []
"""Pools of a parent process, kept from being collected in its forked child.

Closing one there would unregister the parent's sockets from an epoll that both share.
"""


_CLOSING: set[asyncio.Task[None]] = set()
"""Tasks that close the pools of an object that was dropped; a loop keeps no hold of its own."""


class _Entry(NamedTuple):
    pid: int
    loop: asyncio.AbstractEventLoop
    pool: Any
    keeper: AsyncGenerator[None]


_Entries = dict[asyncio.AbstractEventLoop, _Entry]


class PerLoop(Generic[Pool]):
    """Makes a pool for a loop at its first use, and closes it at the loop's end.

    An asynchronous generator is started in each loop and left suspended; `asyncio.run` (by
    `loop.shutdown_asyncgens`) ends it, and its `finally` closes the pool while the loop still
    runs. So nothing of ours is needed at the end of a program, and nothing is left over. A loop
    that is closed without `shutdown_asyncgens` needs `aclose()` before. When this object is
    dropped, its pools close soon after, each in its own loop.
    A forked child gets pools of its own and leaves its parent's alone.

    Args:
        make: Makes a pool. The pool must not refer to this object's owner, or neither is dropped.
        close: Closes one.
    """

    def __init__(
        self, make: Callable[[], Pool], close: Callable[[Pool], Awaitable[object]]
    ) -> None:
        self._make = make
        self._close = close
        self._entries: _Entries = {}
        self._last: _Entry | None = None
        finalize(self, _let_go, self._entries).atexit = False

    async def get(self) -> Pool:
        """The running loop's pool."""
        loop = asyncio.get_running_loop()
        entry = self._last
        if entry is None or entry.loop is not loop or entry.pid != os.getpid():
            entry = await self._find(loop)
        pool: Pool = entry.pool
        return pool

    async def aclose(self) -> None:
        """Close the running loop's pool now; the next `get` makes a new one."""
        self._last = None
        entry = self._entries.get(asyncio.get_running_loop())
        if entry is not None and entry.pid == os.getpid():
            await entry.keeper.aclose()

    async def _find(self, loop: asyncio.AbstractEventLoop) -> _Entry:
        _forget(self._entries)
        entry = self._entries.get(loop)
        if entry is None:
            pool = self._make()
            keeper = _keep(loop, self._entries, partial(self._close, pool))
            entry = self._entries[loop] = _Entry(os.getpid(), loop, pool, keeper)
            await anext(keeper)
        self._last = entry
        return entry


async def _keep(
    loop: asyncio.AbstractEventLoop, entries: _Entries, close: Callable[[], Awaitable[object]]
) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        entries.pop(loop, None)
        await close()


def _forget(entries: _Entries) -> None:
    """Drop what belongs to a parent process or to a loop that is no more."""
    for loop, entry in list(entries.items()):
        if entry.pid != os.getpid():
            _ABANDONED.append(entries.pop(loop))
        elif loop.is_closed():
            entries.pop(loop)


def _let_go(entries: _Entries) -> None:
    """Nobody can use these pools any more: close each in its own loop."""
    _forget(entries)
    for loop, entry in list(entries.items()):
        loop.call_soon_threadsafe(_close_soon, loop, entry.keeper)


def _close_soon(loop: asyncio.AbstractEventLoop, keeper: AsyncGenerator[None]) -> None:
    task = loop.create_task(_ended(keeper))
    _CLOSING.add(task)
    task.add_done_callback(_CLOSING.discard)


async def _ended(keeper: AsyncGenerator[None]) -> None:
    if getattr(keeper, "ag_running", False):
        return  # the loop is at its end, and has begun to close it
    await keeper.aclose()
