"""One connection pool for each event loop, closed when its loop ends."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

__all__ = ["PerLoop"]

Pool = TypeVar("Pool")

_ABANDONED: list[object] = []
"""Pools of a parent process, kept from being collected in its forked child.

Closing one there would unregister the parent's sockets from an epoll that both share.
"""


class _Entry(NamedTuple):
    pid: int
    loop: asyncio.AbstractEventLoop
    pool: Any
    keeper: AsyncGenerator[None]


class PerLoop(Generic[Pool]):
    """Makes a pool for a loop at its first use, and closes it at the loop's end.

    An asynchronous generator is started in each loop and left suspended; `asyncio.run` (by
    `loop.shutdown_asyncgens`) ends it, and its `finally` closes the pool while the loop still
    runs. Nothing of ours is needed at the end of a program, and nothing is left over. A loop that
    is closed without `shutdown_asyncgens` needs `aclose()` before.
    A forked child gets pools of its own and leaves its parent's alone.
    """

    def __init__(
        self, make: Callable[[], Pool], close: Callable[[Pool], Awaitable[object]]
    ) -> None:
        self._make = make
        self._close = close
        self._entries: dict[asyncio.AbstractEventLoop, _Entry] = {}
        self._last: _Entry | None = None

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
        entry = self._entries.get(asyncio.get_running_loop())
        if entry is not None and entry.pid == os.getpid():
            await entry.keeper.aclose()

    async def _find(self, loop: asyncio.AbstractEventLoop) -> _Entry:
        self._forget()
        entry = self._entries.get(loop)
        if entry is None:
            pool = self._make()
            entry = _Entry(os.getpid(), loop, pool, self._keep(loop, pool))
            self._entries[loop] = entry
            await anext(entry.keeper)
        self._last = entry
        return entry

    def _forget(self) -> None:
        """Drop what belongs to a parent process or to a loop that is no more."""
        pid = os.getpid()
        for loop, entry in list(self._entries.items()):
            if entry.pid != pid:
                _ABANDONED.append(self._entries.pop(loop))
            elif loop.is_closed():
                self._entries.pop(loop)

    async def _keep(self, loop: asyncio.AbstractEventLoop, pool: Pool) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._entries.pop(loop, None)
            if self._last is not None and self._last.loop is loop:
                self._last = None
            await self._close(pool)
