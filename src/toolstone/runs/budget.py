"""One budget over requests, tokens, seconds and dollars; checked before each request. Pure.

A request is paid for twice: before it is sent its worst case is *reserved* (input estimated from
bytes, output as `max_output_tokens`), and when its usage is known the reservation is *settled*. So
two sub-agents at once cannot both spend the last token, and a crash forgets nothing: a request
without an answer keeps its reservation.

The estimate is one token for three bytes of the JSON sent. English prose and JSON have about four
bytes a token, Chinese and Japanese about three: the estimate errs on the high side, by up to 60 %.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError
from toolstone.usage import Usage, estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolstone.items import CallKey

__all__ = ["Budget", "Left", "Price", "Purse", "estimate_tokens"]

_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs, in dollars per million tokens. You supply it: prices change."""

    input: float
    output: float
    cached: float | None = None
    """Input read from the prompt cache; the full price if None."""

    def of(self, usage: Usage) -> float:
        """Dollars for this usage."""
        cached = self.input if self.cached is None else self.cached
        fresh = usage.input_tokens - usage.cached_tokens
        dollars = fresh * self.input + usage.cached_tokens * cached
        return (dollars + usage.output_tokens * self.output) / _MILLION


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend, re-asks, retries and sub-agents included; None is no limit.

    Attributes:
        requests: Requests to models.
        tokens: Input and output tokens together.
        seconds: Time from the start, not counting while a reader holds the stream back.
        dollars: Money, by `prices`.
        prices: Dollars per million tokens, by the model's name as given to `Agent`.
    """

    requests: int | None = limits.RUN_REQUESTS
    tokens: int | None = None
    seconds: float | None = None
    dollars: float | None = None
    prices: Mapping[str, Price] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("requests", "tokens", "seconds", "dollars"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise DefinitionError(
                    f"Budget({name}={value!r}): a limit is a number above 0, or None for no limit"
                )
        if self.dollars is not None and not self.prices:
            raise DefinitionError(
                "Budget(dollars=...) needs prices={model name: Price(input=, output=)}, "
                "in dollars per million tokens; toolstone ships no price list"
            )

    def as_data(self) -> dict[str, Any]:
        """The limits as plain JSON, for the ledger."""
        named = {n: getattr(self, n) for n in ("requests", "tokens", "seconds", "dollars")}
        return {name: value for name, value in named.items() if value is not None}


class Left(NamedTuple):
    """What remains of a budget; None is no limit."""

    requests: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    dollars: float | None = None

    def exhausted(self) -> str | None:
        """The first limit that is used up, in words; None if none is."""
        if self.requests is not None and self.requests < 1:
            return "requests"
        if self.tokens is not None and self.tokens < 1:
            return "tokens"
        if self.seconds is not None and self.seconds <= 0:
            return "seconds"
        if self.dollars is not None and self.dollars <= 0:
            return "dollars"
        return None


class Purse:
    """A budget being spent: by one run, and by the runs of its sub-agents through `parent`.

    Attributes:
        owner: The ledger and the session of the run, if it has both.
        outer: The purse of the run in whose tool this one was begun, whether it spends from it
            or not.
        calling: Whether the run's tools are being called now.
    """

    __slots__ = (
        "_dollars",
        "_held",
        "_requests",
        "_reserved",
        "_start",
        "_tokens",
        "budget",
        "calling",
        "charged",
        "model",
        "outer",
        "owner",
        "parent",
    )

    def __init__(
        self,
        budget: Budget,
        *,
        model: str = "",
        now: float = 0.0,
        parent: Purse | None = None,
    ) -> None:
        self.budget = budget
        self.parent = parent
        self.model = model
        if parent is not None or budget.dollars is not None:
            self.check_prices(model)
        self.charged: dict[CallKey, Usage] = {}
        """What the sub-agent of a call has spent so far."""
        self._start = now
        self._held = 0.0
        self._requests = 0
        self._tokens = 0
        self._dollars = 0.0
        self._reserved = 0
        self.owner: tuple[object, str] | None = None
        self.outer: Purse | None = None
        self.calling = False

    def check_prices(self, model: str) -> None:
        """What cannot be priced is not begun.

        Raises:
            DefinitionError: A purse here or above counts dollars, and has no price for it.
        """
        purse: Purse | None = self
        while purse is not None:
            purse.price_of(model)
            purse = purse.parent

    @property
    def counts_tokens(self) -> bool:
        """Whether requests must be estimated: some limit here or above needs it."""
        own = self.budget.tokens is not None or self.budget.dollars is not None
        return own or (self.parent is not None and self.parent.counts_tokens)

    def left(self, now: float) -> Left:
        """What remains here, and no more than remains above."""
        budget = self.budget
        own = Left(
            None if budget.requests is None else budget.requests - self._requests,
            None if budget.tokens is None else budget.tokens - self._tokens,
            None if budget.seconds is None else budget.seconds - (now - self._start - self._held),
            None if budget.dollars is None else budget.dollars - self._dollars,
        )
        return own if self.parent is None else _least(own, self.parent.left(now))

    def output_room(self, left: Left, input_tokens: int, model: str | None = None) -> int | None:
        """How many output tokens can be paid for besides this input; None is no limit."""
        room = None if left.tokens is None else left.tokens - input_tokens
        purse: Purse | None = self
        while purse is not None:
            room = _smaller(room, purse.affordable(model or self.model, input_tokens))
            purse = purse.parent
        return room

    def affordable(self, model: str, input_tokens: int) -> int | None:
        """Output tokens of this model that this purse alone can pay for; None is no limit."""
        price, dollars = self.price_of(model), self.budget.dollars
        if price is None or dollars is None or not price.output > 0:
            return None
        after_input = dollars - self._dollars - input_tokens * price.input / _MILLION
        return int(after_input * _MILLION / price.output)

    def reserve(self, input_tokens: int, output_tokens: int, model: str | None = None) -> None:
        """Take a request's worst case out of the purse, here and above.

        Args:
            input_tokens: Estimated.
            output_tokens: The most that may come.
            model: The one that is asked, if not this purse's: each purse has its own prices.
        """
        model = model or self.model
        self._requests += 1
        self._tokens += input_tokens + output_tokens
        if self.budget.dollars is not None:
            self._pay(model, Usage(input_tokens, output_tokens))
        if self.parent is not None:
            self.parent.reserve(input_tokens, output_tokens, model)

    def settle(
        self, input_tokens: int, output_tokens: int, usage: Usage, model: str | None = None
    ) -> None:
        """Put a reservation back and take what was really used."""
        model = model or self.model
        self._tokens += usage.total_tokens - input_tokens - output_tokens
        if self.budget.dollars is not None:
            self._pay(model, usage)
            self._pay(model, Usage(-input_tokens, -output_tokens))
        if self.parent is not None:
            self.parent.settle(input_tokens, output_tokens, usage, model)

    def spend(self, usage: Usage, requests: int = 0, model: str | None = None) -> None:
        """Take what an earlier process, a failed attempt or a sub-agent has used."""
        model = model or self.model
        self._requests += requests
        self._tokens += usage.total_tokens
        if self.budget.dollars is not None:
            self._pay(model, usage)
        if self.parent is not None:
            self.parent.spend(usage, requests, model)

    def _pay(self, model: str, usage: Usage) -> None:
        price = self.price_of(model)
        if price is not None:
            self._dollars += price.of(usage)

    def price_of(self, model: str) -> Price | None:
        """What a model costs by this purse's own table; None where no dollars are counted.

        Raises:
            DefinitionError: The table does not have it.
        """
        return None if self.budget.dollars is None else _price(self.budget, model)

    def hold(self, seconds: float) -> None:
        """Leave out time in which a reader held the run back."""
        self._held += seconds


def _price(budget: Budget, model: str) -> Price:
    try:
        return budget.prices[model]
    except KeyError:
        known = ", ".join(sorted(map(repr, budget.prices)))
        raise DefinitionError(
            f"Budget(dollars=...) has no price for model {model!r}, only for {known}; add it"
        ) from None


def _least(a: Left, b: Left) -> Left:
    return Left(
        _smaller(a.requests, b.requests),
        _smaller(a.tokens, b.tokens),
        _smaller(a.seconds, b.seconds),
        _smaller(a.dollars, b.dollars),
    )


def _smaller(x: Any, y: Any) -> Any:
    """Of two limits the one that is reached first; None is none."""
    return y if x is None else x if y is None else min(x, y)
