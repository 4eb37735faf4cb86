"""An agent that reads: its output type is given ready-made, its runs spend from the job's purse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolstone.agent import Agent
from toolstone.errors import RunError
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

_ITS_OWN = Budget(requests=None)
"""The re-asks bound a document's run, and the job's purse."""


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
            budget=_ITS_OWN,
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
        """
        try:
            result = await self._run(Wish(parent=parent), text, None)
        except RunError as error:
            self._count(tally, error.result)
            raise
        self._count(tally, result)
        return result.output

    def _count(self, tally: Tally, result: Result[Any] | None) -> None:
        if result is None:
            return
        asked = [one.fact for one in result.records if isinstance(one.fact, Asked)]
        tally.usage += result.usage
        tally.attempts += len(asked)
        most = self.settings.max_output_tokens or 0
        tally.clipped = bool(asked) and 0 < asked[-1].output_tokens < most
