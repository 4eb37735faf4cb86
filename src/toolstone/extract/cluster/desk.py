"""The desk of a job on a cluster: hands out documents, takes answers in, keeps pace and money.

There is one for a job, in a process of its own: it holds the one `Throttle` and the one `Till`, and
all who ask do so with its leave. Work is done in *shifts*. Whoever has a shift draws documents
until it has had its share, or there are no more. When a worker dies its shift is begun again, by
another: what it had drawn and not answered goes back to the front, what it had answered does not,
and its turns are given back. So a dead worker costs what it was asking, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from toolstone import limits
from toolstone.extract.cluster.line import Reply
from toolstone.extract.till import Tally, Till

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence

    from toolstone.extract.cluster.line import Call
    from toolstone.extract.pace import Pace
    from toolstone.extract.records import Document
    from toolstone.extract.throttle import Turn
    from toolstone.runs.budget import Budget
    from toolstone.usage import Usage

__all__ = ["Desk"]


class Desk:
    """What the workers of a job share; on one event loop.

    Args:
        pace: How fast all of them together may ask.
        most: Requests at once, at most.
        shifts: How many may be begun and not over.
    """

    def __init__(self, pace: Pace, *, most: int, shifts: int) -> None:
        self.throttle = pace.throttle(most)
        self.till: Till | None = None
        self._shifts = shifts
        self._over = set[int]()
        self._ended = False
        self._seats: dict[str, _Seat] = {}
        self._holders: dict[int, _Seat] = {}
        self._drawn: dict[int, set[int]] = {}
        self._open: dict[int, Document] = {}
        self._waiting: deque[int] = deque()
        self._answers: list[tuple[int | None, Any]] = []
        self._changed = asyncio.Condition()

    # ------------------------------------------------------------------- for whoever wants answers

    async def spend(self, budget: Budget, model: str, spent: Usage) -> None:
        """Keep to a budget, of which this is spent already.

        Raises:
            DefinitionError: It counts dollars and has no price for the model.
        """
        self.till = Till(budget, model)
        self.till.spend(spent)

    async def add(self, documents: Iterable[tuple[int, Document]]) -> None:
        """Have documents answered, each under a number of its own."""
        for number, document in documents:
            self._open[number] = document
            self._waiting.append(number)
        await self._tell_all()

    async def take(self) -> list[tuple[int | None, Any]]:
        """What has been answered, as soon as there is something: rows and errors by number.

        What befell a worker rather than a document has none.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._answers)
            taken, self._answers = self._answers, []
        return taken

    async def end(self) -> None:
        """Let everybody go; what is being asked is given up."""
        self._ended = True
        for seat in self._seats.values():
            seat.spoken.set()
        await self._tell_all()

    # ----------------------------------------------------------------------------- for the workers

    async def wanted(self, shift: int) -> bool:
        """Whether this shift is to be begun, as soon as that is known; False at the end."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._ended or shift < len(self._over) + self._shifts
            )
        return not self._ended

    async def tell(self, worker: str, calls: Sequence[Call]) -> None:
        """What a worker has to say; `hear` has the replies."""
        for call in calls:
            self._seat(worker).carry_out(call)

    async def hear(self, worker: str) -> list[Reply] | None:
        """Replies to a worker, as soon as there are some; None at the end."""
        seat = self._seat(worker)
        await seat.spoken.wait()
        if self._ended:
            return None
        seat.spoken.clear()
        replies, seat.replies = seat.replies, []
        return replies

    def _seat(self, worker: str) -> _Seat:
        return self._seats.setdefault(worker, _Seat(self))

    # ----------------------------------------------------------------- documents and their shifts

    async def begin(self, shift: int, seat: _Seat) -> None:
        """This worker has the shift now. Whoever had it before is dead, or cut off for good."""
        before = self._holders.get(shift)
        self._holders[shift] = seat
        if before is not None and before is not seat:
            before.vacate()
            unanswered = self._drawn.pop(shift, set()) & self._open.keys()
            self._waiting.extendleft(sorted(unanswered, reverse=True))
        await self._tell_all()

    async def draw(self, shift: int, most: int, seat: _Seat) -> list[tuple[int, Document]]:
        """Some documents, as soon as there is one; none if the shift is over for this worker."""
        drawn = self._drawn.setdefault(shift, set())
        most = min(most, limits.EXTRACT_SHIFT - len(drawn))
        if most == 0:
            return []
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._waiting or self._ended or self._holders.get(shift) is not seat
            )
        if self._holders.get(shift) is not seat:
            return []
        found = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        drawn.update(found)
        return [(number, self._open[number]) for number in found if number in self._open]

    async def answer(self, number: int, answer: Any) -> None:
        """What came of a document. The first answer counts: a worker cut off may give another."""
        if self._open.pop(number, None) is not None:
            self._answers.append((number, answer))
            await self._tell_all()

    async def give_up(self, error: Exception) -> None:
        """A worker cannot work, and no other could."""
        self._answers.append((None, error))
        await self._tell_all()

    async def over(self, shift: int) -> None:
        """A shift is done."""
        self._over.add(shift)
        self._drawn.pop(shift, None)
        await self._tell_all()

    async def _tell_all(self) -> None:
        async with self._changed:
            self._changed.notify_all()


class _Seat:
    """One worker at the desk: what it holds, what it may say, and what it is to be told."""

    def __init__(self, desk: Desk) -> None:
        self.replies: list[Reply] = []
        self.spoken = asyncio.Event()
        self._desk = desk
        self._empty = False
        self._turns: dict[int, Turn] = {}
        self._rooms: dict[int, tuple[AsyncExitStack, Tally]] = {}
        self._tasks = set[asyncio.Task[None]]()

    def carry_out(self, call: Call) -> None:
        """Do what the worker wants done, and reply when it is done."""
        self._begin(self._carry_out(call))

    def vacate(self) -> None:
        """Give back what the worker holds; what it still waits for it will not hold."""
        self._empty = True
        for turn in self._turns.values():
            self._desk.throttle.leave(turn, answered=False)
        for stack, _ in self._rooms.values():
            self._begin(stack.aclose())
        self._turns.clear()
        self._rooms.clear()

    async def _carry_out(self, call: Call) -> None:
        value, error = None, None
        try:
            value = await getattr(self, call.name)(*call.args, **call.named)
        except Exception as problem:  # noqa: BLE001  the worker has to know
            error = problem
        if call.number is not None:
            self.replies.append(Reply(call.number, value, error))
            self.spoken.set()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --------------------------------------------------------------------- what a worker may say

    async def begin(self, shift: int) -> None:
        """It has a shift."""
        await self._desk.begin(shift, self)

    async def draw(self, shift: int, most: int) -> list[tuple[int, Document]]:
        """It has room for so many documents."""
        return await self._desk.draw(shift, most, self)

    async def answer(self, number: int, answer: Any) -> None:
        """This came of a document."""
        await self._desk.answer(number, answer)

    async def give_up(self, error: Exception) -> None:
        """It cannot work."""
        await self._desk.give_up(error)

    async def over(self, shift: int) -> None:
        """Its shift is over."""
        await self._desk.over(shift)

    async def enter(self, number: int, tokens: int) -> None:
        """It wants to send a request."""
        turn = await self._desk.throttle.enter(tokens)
        if self._empty:
            self._desk.throttle.leave(turn, answered=False)
        else:
            self._turns[number] = turn

    async def again(self, number: int) -> None:
        """It wants to send it again."""
        if (turn := self._turns.get(number)) is not None:
            await self._desk.throttle.again(turn)

    async def refuse(self, number: int, wait: float | None) -> None:
        """It was told 429."""
        if (turn := self._turns.get(number)) is not None:
            self._desk.throttle.refuse(turn, wait)

    async def leave(self, number: int, *, answered: bool, used: int | None) -> None:
        """Its request is over."""
        if (turn := self._turns.pop(number, None)) is not None:
            self._desk.throttle.leave(turn, answered=answered, used=used)

    async def reserve(self, number: int, input_tokens: int, output_tokens: int) -> None:
        """It wants to spend so much."""
        till = self._desk.till
        if till is None:
            return
        tally, stack = Tally(), AsyncExitStack()
        await stack.enter_async_context(till.room(tally, input_tokens, output_tokens))
        if self._empty:
            await stack.aclose()
        else:
            self._rooms[number] = (stack, tally)

    async def settle(self, number: int, usage: Usage) -> None:
        """It has spent this."""
        if (room := self._rooms.pop(number, None)) is not None:
            stack, tally = room
            tally.usage = usage
            await stack.aclose()
