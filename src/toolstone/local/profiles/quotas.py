"""Tokens and requests a minute: reserved when a request is admitted, settled when it is over."""

from collections.abc import Callable, Mapping

from toolstone._dataclass import dataclass
from toolstone.local.profiles.account import Allowance
from toolstone.local.profiles.observed import Kind

__all__ = ["Quotas", "Reservation"]

_MINUTE = 60.0


@dataclass(slots=True)
class _Bucket:
    """So many a minute, coming back evenly."""

    size: int
    level: float
    at: float

    def refill(self, now: float) -> None:
        self.level = min(self.size, self.level + (now - self.at) * self.size / _MINUTE)
        self.at = now

    def take(self, amount: float, now: float) -> bool:
        self.refill(now)
        if amount > self.level:
            return False
        self.level -= amount
        return True


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside for one request.

    Attributes:
        input_tokens: Of the prompt, estimated.
        output_tokens: The cap, which is counted in full.
        writable: How much may be written before the output quota truncates; None: no such quota.
    """

    key: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    writable: int | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Tell the caller."""
        return {
            "x-amzn-usage-reservation-input-tokens": str(self.input_tokens),
            "x-amzn-usage-reservation-output-tokens": str(self.output_tokens),
        }


class Quotas:
    """The buckets of an account: one set for each host, region and model.

    Args:
        allowances: By the model's own id.
        clock: Gives seconds.
    """

    def __init__(self, allowances: Mapping[str, Allowance], clock: Callable[[], float]) -> None:
        self._allowances = allowances
        self._clock = clock
        self._buckets: dict[tuple[str, ...], _Bucket] = {}

    def reserve(
        self, kind: Kind, region: str, model: str, *, read: int, cap: int
    ) -> Reservation | None:
        """Admit a request, or not: None if its tokens do not fit."""
        allowance = self._allowances.get(model, Allowance())
        key = (kind, region, model)
        if kind == "runtime" and not self._take((*key, "requests"), allowance.requests, 1):
            return None
        if not self._take((*key, "input"), allowance.input_tokens, read + cap):
            return None
        writable = None
        if kind == "mantle" and allowance.output_tokens is not None:
            bucket = self._bucket((*key, "output"), allowance.output_tokens)
            bucket.refill(self._clock())
            writable = int(bucket.level)
        return Reservation(key, read, cap, writable)

    def settle(self, reservation: Reservation, *, read: int, wrote: int, cached: int) -> None:
        """Give back what was not used; cached tokens do not count."""
        used = max(read - cached, 0) + wrote
        unused = reservation.input_tokens + reservation.output_tokens - used
        for name, back in (("input", unused), ("output", -wrote)):
            bucket = self._buckets.get((*reservation.key, name))
            if bucket is not None:
                bucket.level = max(0.0, min(bucket.size, bucket.level + back))

    def _take(self, key: tuple[str, ...], size: int | None, amount: int) -> bool:
        return size is None or self._bucket(key, size).take(amount, self._clock())

    def _bucket(self, key: tuple[str, ...], size: int) -> _Bucket:
        if key not in self._buckets:
            self._buckets[key] = _Bucket(size, float(size), self._clock())
        return self._buckets[key]
