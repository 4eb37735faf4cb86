"""An agent that reads: its output type is given ready-made, its runs spend from the job's purse."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from toolstone import limits
from toolstone.agent import Agent
from toolstone.errors import FailedError, RunError, StoppedError
from toolstone.events import Asked
from toolstone.runs.budget import Budget
from toolstone.sessions import Wish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.events import Record
    from toolstone.extract.till import Tally
    from toolstone.ports import Model, Settings
    from toolstone.runs.budget import Purse
    from toolstone.runs.result import Result
    from toolstone.schema.output import OutputType

__all__ = ["Asker"]


class _Nowhere:
    """A ledger that keeps nothing: a document that failed is in its record, not in memory."""

    async def load(self, _session: str, /) -> Sequence[Record]:
        """Nothing has happened."""
        return ()

    async def append(self, _session: str, _records: Sequence[Record], /) -> None:
        """Nothing is kept."""


class Asker(Agent[Any]):
    """An agent without tools and sessions that reads texts into one shape.

    Args:
        model: The model; its `name` is the key of a price table.
        output: What it reads texts into.
        instructions: What it is told first.
        settings: Parameters of every request.
        reasks: How often an answer that does not fit is asked for again.
    """

    __slots__ = ()

    def __init__(
        self,
        model: Model,
        output: OutputType[Any],
        *,
        instructions: str,
        settings: Settings,
        reasks: int,
    ) -> None:
        super().__init__(
            model,
            output=output,
            instructions=instructions,
            settings=settings,
            reasks=reasks,
            budget=Budget(requests=limits.RUN_REQUESTS + reasks),
            ledger=_Nowhere(),
        )

    async def read(self, text: str, tally: Tally, parent: Purse | None) -> Any:
        """Have a text read.

        Args:
            text: What the user says.
            tally: Where it is written down what this cost, whatever comes of it.
            parent: The purse that it spends from.

        Raises:
            RunError: There is no answer.
            StoppedError: The parent has no more.
        """
        try:
            result = await self._run(Wish(parent=parent), text, None)
        except RunError as error:
            self._count(tally, error.result)
            if isinstance(error, StoppedError) and _is_its_own(error, parent):
                raise _no_answer(error.result) from error
            raise
        self._count(tally, result)
        if result.outcome != "complete":
            raise _no_answer(result)
        return result.output

    def _count(self, tally: Tally, result: Result[Any] | None) -> None:
        if result is None:
            return
        asked = [one.fact for one in result.records if isinstance(one.fact, Asked)]
        tally.usage += result.usage
        tally.attempts += len(asked)
        most = self.settings.max_output_tokens or 0
        tally.clipped = bool(asked) and 0 < asked[-1].output_tokens < most


def _is_its_own(error: StoppedError, parent: Purse | None) -> bool:
    """Whether the run itself went round in circles; else its parent has no more."""
    if error.result is None:
        return False
    if parent is None or not error.limit:
        return True
    requests = parent.left(monotonic()).requests
    return error.limit == "requests" and (requests is None or requests > 0)


def _no_answer(result: Result[Any]) -> FailedError:
    made = len(result.calls)
    return FailedError(
        f"the model gave no answer, and called tools {made} times although there are none; try "
        "instructions that say so, or another model",
        result=result,
    )
