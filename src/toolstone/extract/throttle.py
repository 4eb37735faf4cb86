"""How fast one job asks: how many requests at once, and how many a second; found out as it goes.

Two things bound it. The *window* is how many requests are under way. It doubles with every round
trip until the service shows a sign of strain, and grows by one a round trip from there on. A 429
halves it, once for each round trip: those that were under way together were refused together.
Answers that take twice as long as the quickest round did keep it where it is.

The *rate* is requests a second. Where a limit is stated it is kept from the beginning. Where none
is, there is no bound until the first 429; then it is learnt. A service that counts with a bucket
refuses when that is empty, so what it let through between two refusals, over the time between
them, is its limit, exactly. The rate is set just below that, and creeps up again until the next
refusal: above the limit by a few per cent, so one refusal every few seconds. Where nothing was let
through since the last refusal a quota is used up: then all wait, longer each time.

A window alone could not do it: where answers take 50 ms, a limit of 20 a second lies between a
window of one and of two. Nothing here waits by the wall clock: time is the event loop's.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from toolstone import limits
from toolstone._dataclass import dataclass

__all__ = ["Gate", "Throttle", "Turn"]

_STATED: Final = 0.5  # seconds of a stated rate that may be caught up after a stall of this process
_LEARNT: Final = 0.2  # ... of one that was found out
_SLOWER: Final = 2.0  # times the quickest round: then the window stays
_FORGET: Final = 1.1  # the quickest round counts for less with each minute
_EVIDENCE: Final = 10  # requests let through that make a measured rate
_MOMENT: Final = 0.25  # seconds; in less nothing is measured
_SECOND: Final = 1.0
_BELOW: Final = 0.98  # of the measured rate
_LEAST: Final = 0.8  # of the last rate: what was saved up and lost is not measured
_CREEP: Final = 0.01  # a second, and faster the longer nothing was refused
_CLIMB: Final = 0.25  # a second, while far below what was measured or nothing was
_MINUTE: Final = 60.0
_INSTANT: Final = 1e-6  # less than this is no wait: a clock may not be able to show it


class _Bucket:
    """So many a second; taking is allowed while nothing is owed, and may leave a debt."""

    __slots__ = ("_at", "_credit", "_level", "rate")

    def __init__(self, rate: float, credit: float, now: float) -> None:
        self.rate = rate
        self._credit = credit
        self._level = 0.0
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until nothing is owed."""
        self._refill(now)
        owed = -self._level / self.rate
        return owed if owed > _INSTANT else 0.0

    def take(self, amount: float) -> None:
        """Take, or give back what is negative."""
        self._level -= amount

    @property
    def full(self) -> bool:
        """Whether more is not saved up."""
        return self._level >= self._size

    @property
    def _size(self) -> float:
        return max(1.0, self.rate * self._credit)

    def _refill(self, now: float) -> None:
        self._level = min(self._level + (now - self._at) * self.rate, self._size)
        self._at = now


@dataclass(slots=True)
class Turn:
    """One request's leave to be sent."""

    sent: float
    tokens: int
    placed: bool = True
    """Whether it takes a place in the window; a retry, which the client waits out, does not."""


class Gate(Protocol):
    """What gives leave to send; `Throttle` says what each is for."""

    @property
    def counts_tokens(self) -> bool:
        """Whether `enter` must be told tokens."""
        ...

    async def enter(self, tokens: int = 0) -> Turn:
        """Wait for leave."""
        ...

    async def again(self, turn: Turn) -> None:
        """Wait for leave to send the same request again."""
        ...

    def refuse(self, turn: Turn, wait: float | None = None) -> None:
        """Tell of a 429."""
        ...

    def leave(self, turn: Turn, *, answered: bool, used: int | None = None) -> None:
        """Tell of its end."""
        ...


class Throttle:
    """The running state of a `Pace`, for one event loop.

    Args:
        requests: Requests a minute that are allowed; None is for it to find out.
        tokens: Tokens a minute, those reserved for answers included.
        start: Requests at once in the beginning.
        most: And at most.

    Attributes:
        window: Requests at once, now.
        rate: Requests a second that were found to be allowed; None while nothing was refused.
        refusals: How often the service has said 429.
        busy: Requests under way.
    """

    def __init__(
        self, *, requests: float | None, tokens: float | None, start: int, most: int
    ) -> None:
        self.window = float(min(start, most))
        self.refusals = 0
        self.busy = 0
        self._most = most
        self._stated = (requests, tokens)
        self._door = asyncio.Lock()  # first come, first served
        self._changed = asyncio.Event()
        self._requests: _Bucket | None = None
        self._tokens: _Bucket | None = None
        self._learnt: _Bucket | None = None
        self._grown = 0.0
        self._measured: float | None = None
        self._since: float | None = None  # the last refusal that was measured from
        self._passed = 0  # requests sent since, and not refused
        self._reach = float(most)  # up to here it doubles
        self._cut = -1.0  # when the window was last halved
        self._answers = 0  # since then
        self._closed = 0.0  # nothing is sent before
        self._backoff = limits.RETRY_WAIT
        self._round: list[float] = []
        self._peak = 0
        self._quickest = float("inf")
        self._rounded: float | None = None

    @property
    def rate(self) -> float | None:
        """Requests a second that were found to be allowed."""
        return None if self._learnt is None else self._learnt.rate

    @property
    def counts_tokens(self) -> bool:
        """Whether tokens are limited, so that requests must be estimated."""
        return self._tokens is not None or self._stated[1] is not None

    async def enter(self, tokens: int = 0) -> Turn:
        """Wait for leave to send a request; `leave` must follow."""
        turn = Turn(0.0, tokens)
        await self._pass(turn)
        return turn

    async def again(self, turn: Turn) -> None:
        """Wait for leave to send the same request again; meanwhile its place is free."""
        self._free(turn)
        await self._pass(turn)

    def refuse(self, turn: Turn, wait: float | None = None) -> None:
        """The service has said 429 to this request; `wait` is what it asks for, in seconds."""
        now = _now()
        self.refusals += 1
        self._passed -= self._since is not None and turn.sent >= self._since
        if turn.sent <= self._cut:
            return  # of the same round trip as the last one
        self._reach = self.window
        self.window = max(1.0, self.window / 2)
        if self._answers or self._learnt is None:
            self._learn(now)
        else:  # nothing is let through: slower is no help, only later is
            told = min(wait or 0.0, limits.RETRY_AFTER_MAX)
            self._closed = max(self._closed, now + max(told, self._backoff))
            self._backoff = min(2 * self._backoff, limits.RETRY_WAIT_MAX)
            self._since, self._passed = self._closed, 0
        self._cut, self._answers, self._round = now, 0, []

    def leave(self, turn: Turn, *, answered: bool, used: int | None = None) -> None:
        """The request is over.

        Args:
            turn: What `enter` gave.
            answered: Whether the service answered it.
            used: Tokens that count against the limit; None keeps what was reserved.
        """
        at_once = turn.placed
        self._free(turn)
        if self._tokens is not None and used is not None:
            self._tokens.take(used - turn.tokens)
        if answered:
            self._answers += 1
            self._backoff = limits.RETRY_WAIT
            if at_once:
                self._grow(_now() - turn.sent)

    # ------------------------------------------------------------------------------------ the door

    async def _pass(self, turn: Turn) -> None:
        async with self._door:
            loop = asyncio.get_running_loop()
            while (wait := self._wait(turn, loop.time())) != 0:
                self._changed.clear()
                timer = None if wait is None else loop.call_later(wait, self._changed.set)
                try:
                    await self._changed.wait()
                finally:
                    if timer is not None:
                        timer.cancel()
            self._send(turn, loop.time())

    def _wait(self, turn: Turn, now: float) -> float | None:
        """Seconds until this request may be sent; None until another one is over."""
        if turn.placed and self.busy >= int(self.window):
            return None
        wait = self._closed - now
        for bucket in self._buckets(now):
            wait = max(wait, bucket.wait(now))
        return wait if wait > _INSTANT else 0.0

    def _send(self, turn: Turn, now: float) -> None:
        self._creep(now)
        for bucket in self._buckets(now):
            bucket.take(turn.tokens if bucket is self._tokens else 1)
        self._since = now if self._since is None else self._since
        self._passed += 1
        self.busy += turn.placed
        self._peak = max(self._peak, self.busy)
        turn.sent = now

    def _free(self, turn: Turn) -> None:
        self.busy -= turn.placed
        turn.placed = False
        self._changed.set()

    def _buckets(self, now: float) -> list[_Bucket]:
        if self._stated != (None, None):
            requests, tokens = self._stated
            self._requests, self._tokens = (
                None if one is None else _Bucket(one / _MINUTE, _STATED, now)
                for one in (requests, tokens)
            )
            self._stated = (None, None)
        return [one for one in (self._requests, self._tokens, self._learnt) if one is not None]

    # ---------------------------------------------------------------------------- what is found out

    def _grow(self, seconds: float) -> None:
        """An answer came; at the end of a round the window may grow."""
        self._round.append(seconds)
        if len(self._round) < self.window:
            return
        mean = sum(self._round) / len(self._round)
        now = _now()
        minutes = 0.0 if self._rounded is None else min((now - self._rounded) / _MINUTE, _MINUTE)
        self._quickest = min(self._quickest * _FORGET**minutes, mean)
        self._rounded = now
        filled = self._peak >= int(self.window)
        self._round, self._peak = [], self.busy
        if mean > _SLOWER * self._quickest:
            self._reach = self.window
        elif filled:  # a window that was not used is no proof that it may be larger
            doubled = min(2 * self.window, self._reach)
            self.window = min(max(doubled, self.window + 1), float(self._most))

    def _learn(self, now: float) -> None:
        """A refusal, the first of its round trip: what does the service let through?"""
        since = now if self._since is None else self._since
        elapsed = max(now - since, _MOMENT)
        measured = max(self._passed, 1) / elapsed
        if self._learnt is None:  # it may have let us use what it had saved up
            self._learnt = _Bucket(measured / 2, _LEARNT, now)
        elif self._passed < _EVIDENCE or elapsed < _SECOND:
            slower = self._learnt.rate * (0.5 if self._measured is None else 0.7)
            self._learnt.rate = max(slower, 1 / _MINUTE)
            return
        else:
            rate, self._measured = self._learnt.rate, measured
            self._learnt.rate = max(_BELOW * min(measured, rate), _LEAST * rate)
        self._since, self._passed, self._grown = now, 0, now

    def _creep(self, now: float) -> None:
        """Send a little faster, as nothing was refused lately, if it is the rate that binds."""
        bucket, known = self._learnt, self._measured
        if bucket is None or bucket.full:
            self._grown = now
            return
        quiet = now - max(self._cut, self._since or 0.0)
        far = known is None or bucket.rate < _BELOW * _BELOW * known
        per_second = _CLIMB if far else _CREEP * (1 + quiet / 10)
        bucket.rate *= 1 + per_second * min(now - self._grown, _SECOND)
        self._grown = now


def _now() -> float:
    return asyncio.get_running_loop().time()
