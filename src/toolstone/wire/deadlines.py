"""How long an HTTP exchange may take, counting only time spent waiting for the network."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import ConfigError, DeadlineError
from toolstone.wire.failed import frameless

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Deadlines", "Watch"]


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Limits of one attempt in seconds; None means no limit.

    Attributes:
        connect: To reach the server, TLS and a proxy included.
        first_byte: Until the headers of a streamed answer; `idle` if not given. An answer that is
            not streamed may take `total` for its first byte.
        idle: Silence between two semantic events of a stream; comments and pings are silence.
        total: One attempt. Time in which the reader holds a stream back does not count.
        background: A response that the service works on by itself, until it has ended; each look
            at it is an attempt of its own.

    Raises:
        ConfigError: One of them is not above zero.
    """

    connect: float | None = limits.CONNECT_SECONDS
    first_byte: float | None = None
    idle: float | None = limits.IDLE_SECONDS
    total: float | None = limits.TOTAL_SECONDS
    background: float | None = limits.BACKGROUND_SECONDS

    def __post_init__(self) -> None:
        for name in ("connect", "first_byte", "idle", "total", "background"):
            seconds = getattr(self, name)
            if seconds is not None and not seconds > 0:
                raise ConfigError(f"Deadlines({name}={seconds!r}): give seconds above 0, or None")


class Watch:
    """Ends the current task's wait for the network when a deadline passes.

    One timer for the whole exchange; it is set again only when it fires, so a chunk costs two
    readings of the clock. Entered and left within one function, like `asyncio.timeout`.

    Raises:
        DeadlineError: On leaving, naming the deadline that passed.
    """

    __slots__ = (
        "_cancelling",
        "_expired",
        "_handle",
        "_loop",
        "_quiet",
        "_quiet_name",
        "_since",
        "_task",
        "_total",
        "deadlines",
    )

    def __init__(self, deadlines: Deadlines, *, streamed: bool) -> None:
        self.deadlines = deadlines
        self._total = deadlines.total
        self._quiet_name = "first_byte" if streamed and deadlines.first_byte else "idle"
        self._quiet = (deadlines.first_byte or deadlines.idle) if streamed else None
        self._since: float | None = None
        self._expired: str | None = None
        self._handle: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a Watch needs a running task")
        self._task = task
        self._cancelling = task.cancelling()
        self._loop = asyncio.get_running_loop()
        self.wait()
        self._arm()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._expired is None:
            return
        mine = self._task.uncancel() <= self._cancelling
        if mine and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise self._error(self._expired) from (error and frameless(error))

    def wait(self) -> None:
        """From now on we wait for the network."""
        self._since = self._loop.time()

    def hold(self) -> None:
        """Something arrived: until `wait` the deadlines stand still."""
        if self._since is None:
            return
        spent = self._loop.time() - self._since
        self._since = None
        if self._total is not None:
            self._total -= spent
        if self._quiet is not None:
            self._quiet -= spent

    def began(self) -> None:
        """The headers of a streamed answer arrived: `idle` counts from now on."""
        self.hold()
        self._quiet_name = "idle"
        self._quiet = self.deadlines.idle
        if self._handle is not None:
            self._handle.cancel()
        self._arm()
        self.wait()

    def heard(self) -> None:
        """A semantic event arrived: silence is counted anew."""
        self._quiet = self.deadlines.idle

    def _left(self) -> float | None:
        left = [seconds for seconds in (self._total, self._quiet) if seconds is not None]
        if not left:
            return None
        return min(left) - (0.0 if self._since is None else self._loop.time() - self._since)

    def _arm(self) -> None:
        left = self._left()
        if left is not None:
            self._handle = self._loop.call_later(max(left, 0.001), self._fire)

    def _fire(self) -> None:
        left = self._left()
        if self._since is not None and left is not None and left <= 0:
            quiet, total = self._quiet, self._total
            silent = quiet is not None and (total is None or quiet <= total)
            self._expired = self._quiet_name if silent else "total"
            self._task.cancel()
        else:
            self._arm()

    def _error(self, name: str) -> DeadlineError:
        seconds = getattr(self.deadlines, name)
        what = {
            "first_byte": "the answer did not begin",
            "idle": "nothing that means anything arrived of the stream",
            "total": "the answer was not whole",
        }[name]
        return DeadlineError(
            f"{what} within {seconds:g} s (Deadlines.{name}); "
            f"if the service may take longer, raise {name}=",
            phase="headers" if name == "first_byte" else "stream" if name == "idle" else "body",
        )
