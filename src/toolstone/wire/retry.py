"""When to send a request again, and after how long; carried out by tenacity.

The first attempt of anything is plain: tenacity is entered, and imported, only after a failure.
"""

from __future__ import annotations

import asyncio
import time
from operator import attrgetter
from typing import TYPE_CHECKING, TypeVar

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import ConfigError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tenacity import RetryCallState

__all__ = ["Quota", "Retry", "persist"]

Answer = TypeVar("Answer")


def _random() -> float:
    import random  # noqa: PLC0415  only failures need it

    return random.random()  # noqa: S311  spreads load, guards nothing


@dataclass(frozen=True, slots=True)
class Retry:
    """How a client persists (responses-api.md §12.3, with full jitter).

    Attributes:
        attempts: Of one request, the first included; 1 never tries again.
        wait: The first pause lasts up to so many seconds; the bound doubles each time.
        wait_max: The bound's own bound.
        after_max: A server that asks for a longer wait than this is not waited for.
        sleep: Waits; tests pass virtual time.
        clock: Seconds that only grow.
        random: A number from 0 to 1.

    Raises:
        ConfigError: Less than one attempt, or a negative time.
    """

    attempts: int = limits.ATTEMPTS
    wait: float = limits.RETRY_WAIT
    wait_max: float = limits.RETRY_WAIT_MAX
    after_max: float = limits.RETRY_AFTER_MAX
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = _random

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ConfigError(f"Retry(attempts={self.attempts}): at least 1, the first included")
        for name in ("wait", "wait_max", "after_max"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"Retry({name}={getattr(self, name)!r}): give seconds, 0 or more")

    def pause(self, error: ServiceError, attempt: int) -> float:
        """Seconds to wait after this failed attempt, the first being 1."""
        if error.retry_after is not None:
            return error.retry_after + self.random() * self.wait
        return self.random() * min(self.wait_max, self.wait * 2.0 ** (attempt - 1))


class Quota:
    """Retries that the requests of one client may still make together.

    In an outage it runs dry, so that the client stops making it worse; successes fill it again.
    """

    __slots__ = ("_full", "left")

    def __init__(self, full: int | None = None) -> None:
        self._full = self.left = limits.RETRY_QUOTA if full is None else full

    def take(self, cost: int = limits.RETRY_COST) -> bool:
        """Take what a retry costs; False if there is not enough left."""
        if self.left < cost:
            return False
        self.left -= cost
        return True

    def refill(self, amount: int = 1) -> None:
        """A request succeeded: at the first attempt, or after a retry that cost `amount`."""
        self.left = min(self._full, self.left + amount)


async def persist(
    attempt: Callable[[], Awaitable[Answer]],
    failed: ServiceError,
    *,
    retry: Retry,
    quota: Quota,
    announce: Callable[[ServiceError, int, float], Awaitable[None]],
    repeats: Callable[[ServiceError], bool] = attrgetter("retryable"),
) -> Answer:
    """Go on after a first attempt has failed.

    Args:
        attempt: Makes one more attempt.
        failed: How the first one ended.
        retry: How often and how long.
        quota: What all requests of the client share.
        announce: Told before each pause: the failure, its number, the seconds.
        repeats: Whether another attempt may be made after this failure.

    Raises:
        ServiceError: The last failure.
    """
    from tenacity import AsyncRetrying, stop_never  # noqa: PLC0415  the one place; 25 ms

    first: list[ServiceError] = [failed]

    async def once() -> Answer:
        if first:
            raise first.pop()
        return await attempt()

    def again(state: RetryCallState) -> bool:
        error = _error(state)
        if error is None or not repeats(error) or state.attempt_number >= retry.attempts:
            return False
        if error.retry_after is not None and error.retry_after > retry.after_max:
            return False
        return quota.take()

    def pause(state: RetryCallState) -> float:
        error = _error(state)
        return 0.0 if error is None else retry.pause(error, state.attempt_number)

    async def told(state: RetryCallState) -> None:
        error = _error(state)
        if error is not None and state.next_action is not None:
            await announce(error, state.attempt_number, state.next_action.sleep)

    running = AsyncRetrying(
        sleep=retry.sleep,
        stop=stop_never,
        wait=pause,
        retry=again,
        before_sleep=told,
        reraise=True,
    )
    answer: Answer = await running(once)
    quota.refill(limits.RETRY_COST)
    return answer


def _error(state: RetryCallState) -> ServiceError | None:
    raised = state.outcome.exception() if state.outcome is not None else None
    return raised if isinstance(raised, ServiceError) else None
