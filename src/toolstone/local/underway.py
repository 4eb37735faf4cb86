"""One response on its way: from the checked request to the last event, remembered in between."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Protocol

from toolstone.local.brain import Brain, End, Piece, RefusalError, Turn
from toolstone.local.compaction import shorter
from toolstone.local.narrate import Event, Narration
from toolstone.local.request import Items
from toolstone.local.telling import BROKEN, STOPPED, crash, log, tell_whole

__all__ = ["Keeper", "Underway"]


class Keeper(Protocol):
    """Who answers and who remembers."""

    brain: Brain
    stopping: bool

    async def remember(self, underway: "Underway") -> None:
        """Store a response that is over."""
        ...


class Underway:
    """One response on its way: `ask`, then its events; `response` is what they add up to.

    Args:
        keeper: Who answers and who remembers.
        turn: What the brain is asked.
        went_in: Every item that went in, as it came.
        narration: What tells it.
        opening: What is said before the brain is heard; with an `End`, the brain is not asked.

    Attributes:
        events: The events, batch by batch, once it is asked; close it if you leave early.
    """

    def __init__(
        self,
        keeper: Keeper,
        turn: Turn,
        went_in: Items,
        narration: Narration,
        opening: Sequence[Piece] = (),
    ) -> None:
        self.turn = turn
        self.went_in = went_in
        self.narration = narration
        self.events = self._events()
        self._keeper = keeper
        self._opening = opening
        self._first: Piece = End()
        self._rest: AsyncIterator[Piece] = _after(())

    @property
    def response(self) -> dict[str, Any]:
        """The response object, as far as it has come."""
        return self.narration.response

    async def ask(self) -> None:
        """Ask the brain and wait for its first piece.

        A turn that is longer than the brain can read loses its older half, again and again, if
        the request says `truncation: auto`.

        Raises:
            RefusalError: It refuses.
        """
        if any(isinstance(piece, End) for piece in self._opening):
            self._first, self._rest = self._opening[0], _after(self._opening[1:])
            return
        while True:
            self._rest = self._keeper.brain.answer(self.turn)
            try:
                self._first = await anext(self._rest, End())
            except RefusalError as error:
                self.turn = self._shortened(error)
            else:
                break
        if self._opening:
            later = (*self._opening[1:], self._first)
            self._first, self._rest = self._opening[0], _after(later, self._rest)

    def _shortened(self, error: RefusalError) -> Turn:
        automatic = self.turn.body.get("truncation") == "auto"
        too_long = error.code == "context_length_exceeded"
        items = shorter(self.turn.items) if automatic and too_long else None
        if items is None:
            raise error
        return replace(self.turn, items=items)

    async def _events(self) -> AsyncGenerator[Sequence[Event], None]:
        """Tell the response, batch by batch; it is remembered before its end is told."""
        told = tell_whole(self.narration, self._first, self._rest, faults=True)
        try:
            async with aclosing(told):
                async for batch in told:
                    if self.narration.over:
                        await self._keeper.remember(self)
                    yield batch
        except asyncio.CancelledError:
            if self.narration.over or not self._keeper.stopping:
                raise
            batch = crash(self.narration, STOPPED, faults=True)  # its client gets an ending
            await self._keeper.remember(self)
            yield batch

    async def events_in_background(self) -> AsyncGenerator[Sequence[Event], None]:
        """Tell a response that waited: the brain is asked only now."""
        yield self.narration.start(queued=True)
        yield [self.narration.go()]
        try:
            await self.ask()
        except RefusalError as error:
            yield crash(self.narration, error, faults=True)
        except Exception:  # noqa: BLE001  whatever it is, the response has failed
            log.exception("the brain broke before it said anything")
            yield crash(self.narration, BROKEN, faults=True)
        else:
            told = tell_whole(self.narration, self._first, self._rest, started=True, faults=True)
            async with aclosing(told):
                async for batch in told:
                    yield batch

    async def end_in_background(self) -> None:
        """Remember what has become of it."""
        await self._keeper.remember(self)


async def _after(
    pieces: Sequence[Piece], rest: AsyncIterator[Piece] | None = None
) -> AsyncGenerator[Piece, None]:
    for piece in pieces:
        yield piece
    if rest is None:
        return
    try:
        async for piece in rest:
            yield piece
    finally:
        close = getattr(rest, "aclose", None)
        if close is not None:
            await close()
