"""At most n at once of one resource in the process, across runs, threads and event loops."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import field
from typing import Final
from weakref import WeakValueDictionary

from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError

__all__ = ["Gate", "Limit"]


class _Waiter:
    __slots__ = ("future", "granted", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.granted = False


class Gate:
    """Lets n through at once, first come, first served. One lock, held for a few instructions."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._free = n
        self._lock = threading.Lock()
        self._waiters: deque[_Waiter] = deque()

    async def acquire(self) -> None:
        """Wait for a place. Being cancelled while waiting leaves nothing behind."""
        with self._lock:
            if self._free:
                self._free -= 1
                return
            waiter = _Waiter(asyncio.get_running_loop())
            self._waiters.append(waiter)
        try:
            await waiter.future
        except BaseException:
            self._leave(waiter)
            raise

    def _leave(self, waiter: _Waiter) -> None:
        with self._lock:
            if not waiter.granted:
                self._waiters.remove(waiter)
                return
        self.release()  # the place had been given to somebody who no longer wants it

    def release(self) -> None:
        """Give a place back; from any thread."""
        while True:
            with self._lock:
                if not self._waiters:
                    self._free += 1
                    return
                waiter = self._waiters.popleft()
                waiter.granted = True
            if _wake(waiter):
                return


def _wake(waiter: _Waiter) -> bool:
    """Pass the place on; false if the waiter's loop is gone."""
    try:
        waiter.loop.call_soon_threadsafe(_grant, waiter.future)
    except RuntimeError:  # the loop is closed
        return False
    return True


def _grant(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_gates: Final[WeakValueDictionary[str, Gate]] = WeakValueDictionary()
_registry: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `n` calls at once that use the resource `name`, anywhere in the process.

    Raises:
        DefinitionError: `n` is not positive, or another limit of this name has another `n`.

    Example:
        @tool(limit=Limit("db", 3))
        async def query(sql: str) -> str: ...
    """

    name: str
    n: int
    gate: Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.n) is not int or self.n < 1:
            raise DefinitionError(f"Limit({self.name!r}, {self.n!r}): n must be at least 1")
        with _registry:
            gate = _gates.get(self.name) or _gates.setdefault(self.name, Gate(self.n))
        if gate.n != self.n:
            raise DefinitionError(
                f"Limit({self.name!r}, {self.n}) and Limit({self.name!r}, {gate.n}) disagree; "
                "make one Limit and give it to both tools"
            )
        object.__setattr__(self, "gate", gate)
