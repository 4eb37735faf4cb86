"""How facts get from the loop into the ledger, the run, and the eyes of those who watch."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from toolstone.errors import StorageError, ToolstoneError
from toolstone.events import Accepted, Record
from toolstone.tools.telling import SPARING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from toolstone.events import Delta, Fact
    from toolstone.ports import Ledger, Observer
    from toolstone.runs.state import Run

__all__ = ["Journal", "broken_ledger", "new_id"]

_logger = logging.getLogger("toolstone.runs")
_logger.addFilter(SPARING)


def new_id() -> str:
    """The id of a run: 128 random bits in hexadecimal digits."""
    return os.urandom(16).hex()


class Journal:
    """Records facts: first kept, then folded, then shown. Only the loop's own task writes."""

    __slots__ = ("_id", "_ledger", "_now", "_observers", "_sink", "_unsure", "run", "watched")

    def __init__(
        self,
        run: Run,
        run_id: str,
        *,
        ledger: Ledger | None,
        observers: Sequence[Observer] = (),
        sink: Callable[[Sequence[Any]], Awaitable[None]] | None = None,
        now: Callable[[], float],
    ) -> None:
        self.run = run
        self._id = run_id
        self._ledger = ledger
        self._observers = tuple(observers)
        self._sink = sink
        self._now = now
        self._unsure: Sequence[Record] = ()
        self.watched = sink is not None or bool(self._observers)
        """Whether anybody listens."""

    async def record(self, *facts: Fact) -> None:
        """Keep facts, all or none.

        Raises:
            ConflictError: Somebody else has written this session.
            StorageError: The ledger cannot be written.
        """
        if self._unsure and self._ledger is not None:
            await self._catch_up(self._ledger)
        seq, at = len(self.run.records), self._now()
        records = [Record(seq, at, self._id, facts[0])]
        if facts[1:]:
            more = enumerate(facts[1:], seq + 1)
            records += [Record(place, at, self._id, fact) for place, fact in more]
        if self._ledger is not None:
            self._unsure = records  # an append that is cancelled may have been kept all the same
            try:
                await self._ledger.append(self.run.session, records)
            except ToolstoneError:
                raise
            except Exception as error:
                raise broken_ledger(self._ledger, error) from error
            self._unsure = ()
        for record in records:
            self.run.add(record)
        if self.watched:
            await self._show(facts)

    async def _catch_up(self, ledger: Ledger) -> None:
        """Fold in what the last append kept although nobody heard of it."""
        mine = list(self._unsure)
        start = len(self.run.records)
        try:
            kept = await ledger.load(self.run.session)
        except ToolstoneError:
            raise
        except Exception as error:
            raise broken_ledger(ledger, error) from error
        if list(kept[start : start + len(mine)]) != mine:
            return  # none of it; or somebody else's, and the next append will conflict
        for record in mine:
            self.run.add(record)
        if self.watched:
            await self._show([record.fact for record in mine])

    async def emit(self, events: Sequence[Delta | Accepted]) -> None:
        """Show deltas; keep that a response was accepted, so that it can be waited for later."""
        if events and type(events[0]) is Accepted:
            await self.record(events[0])
        else:
            await self._show(events)

    async def _show(self, events: Sequence[Fact | Delta]) -> None:
        """Show events to observers, then to the one reader; a slow reader slows the run."""
        for observer in self._observers:
            for event in events:
                try:
                    observer.observe(self._id, event)
                except Exception:
                    _logger.exception("an observer raised; the run goes on")
        if self._sink is not None:
            await self._sink(events)


def broken_ledger(ledger: Ledger, error: Exception) -> StorageError:
    """The error for a ledger that raised something of its own kind."""
    return StorageError(
        f"the ledger {type(ledger).__name__!r} raised {type(error).__name__}; it is the cause of "
        "this error. See that what it keeps records in can be reached, then resume the session"
    )
