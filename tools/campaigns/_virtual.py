"""An event loop whose clock jumps to the next timer as soon as nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

from toolstone.errors import ToolstoneError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from campaigns._sweep import Noise


class StuckError(ToolstoneError):
    """Everybody waits for ever."""


class _Jumping(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.instants: list[float] = []

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is None:
            raise StuckError("everybody waits for ever")
        if not ready and timeout:
            self.now += max(timeout, 0)
            self.instants.append(self.now)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only here.

    Attributes:
        instants: When something was due, so far.
    """

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since it was made."""
        return self._jumping.now

    @property
    def instants(self) -> list[float]:
        """When something was due, so far."""
        return self._jumping.instants


def run_virtually(main: Coroutine[Any, Any, Any], noise: Noise) -> list[float]:
    """Run to the end in no time; gives the instants at which something was due.

    Raises:
        StuckError: Somebody waits for what never comes.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        loop.set_exception_handler(noise.by_loop)
        runner.run(main)
        return list(loop.instants) if isinstance(loop, VirtualLoop) else []
