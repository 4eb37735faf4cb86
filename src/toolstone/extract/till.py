"""The money of a job: a document is let in when its worst case can be paid beside the others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from time import monotonic
from typing import TYPE_CHECKING

from toolstone.errors import StoppedError
from toolstone.runs.budget import Purse
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from toolstone.runs.budget import Budget

__all__ = ["Tally", "Till"]


class Tally:
    """What one document has cost so far."""

    __slots__ = ("attempts", "clipped", "usage")

    def __init__(self) -> None:
        self.usage = Usage()
        self.attempts = 0
        self.clipped = False
        """Whether the last answer had less room than the settings allow: no more could be paid."""


class Till:
    """A budget over a whole job.

    The runs of the documents spend from its purse, which lets no request go that cannot be paid
    for. Before that, a document waits here while others hold what it might need: without it the
    first hundred would each reserve the same last dollar, and ninety-nine be told it is gone.

    Args:
        budget: What the job may spend.
        model: The model's name in the price table.
        clock: Seconds.

    Raises:
        DefinitionError: The budget counts dollars and has no price for the model.
    """

    def __init__(self, budget: Budget, model: str, clock: Callable[[], float] = monotonic) -> None:
        self.purse = Purse(budget, model=model, now=clock())
        self.price = self.purse.price_of(model)
        self._clock = clock
        self._spent = Usage()
        self._held: set[Tally] = set()
        """The documents that are being asked."""
        self._worst = Usage()
        """What is spent, and the worst case of those that are being asked."""
        self._door = asyncio.Lock()
        """One waits for room; the others wait for that one."""
        self._left = asyncio.Event()
        """Set when a document has been let go."""

    @property
    def spent(self) -> Usage:
        """What the job has used so far, earlier processes included."""
        return sum((tally.usage for tally in self._held), self._spent)

    def spend(self, usage: Usage) -> None:
        """Take what an earlier process has spent on this job."""
        self._spent += usage
        self._worst += usage
        self.purse.spend(usage, usage.requests)

    @asynccontextmanager
    async def room(
        self,
        tally: Tally,
        input_tokens: int,
        output_tokens: int,
        *,
        times: int = 1,
        reasks: int = 0,
    ) -> AsyncIterator[None]:
        """Hold room for one document, once there is some.

        Beside others there must be room for its re-asks as well; alone, for one request.

        Args:
            tally: What the document costs, counted meanwhile.
            input_tokens: Of its request, estimated.
            output_tokens: The most that may come.
            times: How often it is asked, for each piece and pass.
            reasks: How often each of these may be asked again, with what was said so far.

        Raises:
            StoppedError: There is none, and nobody is left who might give some back.
        """
        one = Usage(input_tokens, output_tokens, requests=1)
        tries = 1 + reasks
        said = tries * reasks // 2 * output_tokens
        worst = Usage(
            times * (tries * input_tokens + said),
            times * tries * output_tokens,
            requests=times * tries,
        )
        async with self._door:
            while (short := self._short(worst if self._held else one)) is not None:
                if not self._held or short == "seconds":
                    raise self.over(short)
                self._left.clear()
                await self._left.wait()
            self._held.add(tally)
            self._worst += worst
        try:
            yield
        finally:
            self._held.remove(tally)
            self._spent += tally.usage
            self._worst += tally.usage + Usage(
                -worst.input_tokens, -worst.output_tokens, requests=-worst.requests
            )
            self._left.set()

    def over(self, limit: str) -> StoppedError:
        """The error that ends the job because this limit is reached."""
        return StoppedError(
            f"the job's budget of {limit} does not last for another document; what is finished is "
            f"kept. Raise Budget({limit}=...)"
            + (
                ", or lower Settings(max_output_tokens=...): as much is reserved for each answer"
                if limit in {"tokens", "dollars"}
                else ""
            ),
            limit=limit,
        )

    def _short(self, wanted: Usage) -> str | None:
        """The limit that this might break; None if there is room."""
        budget, after = self.purse.budget, self._worst + wanted
        if budget.requests is not None and after.requests > budget.requests:
            return "requests"
        if budget.seconds is not None and (self.purse.left(self._clock()).seconds or 0) <= 0:
            return "seconds"
        if budget.tokens is not None and after.total_tokens > budget.tokens:
            return "tokens"
        if self.price is not None and self.price.of(after) > (budget.dollars or 0):
            return "dollars"
        return None
