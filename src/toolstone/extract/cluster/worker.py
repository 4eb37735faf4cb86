"""Somebody who asks, in a process of its own: one client, and so many documents at once.

It knows no Ray: it is handed the desk, whose methods are called with `.remote(...)` and awaited.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from toolstone.errors import ToolstoneError
from toolstone.extract.asking import ask
from toolstone.extract.cluster.line import Charged, FarThrottle, Line
from toolstone.extract.pace import Paced
from toolstone.extract.plan import Plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from toolstone.extract.records import Document
    from toolstone.ports import Model

__all__ = ["Worker"]


class Worker:
    """An actor of Ray Data.

    Args:
        told: What makes the plan.
        desk: The handle of the `Desk`.
        places: Documents at once.
        counts_tokens: Whether the pace does.
        charged: Whether the job has a budget.
    """

    def __init__(
        self,
        told: Mapping[str, Any],
        desk: Any,
        places: int,
        *,
        counts_tokens: bool,
        charged: bool,
    ) -> None:
        self._plan: Plan[Any] = Plan(**told)
        self._desk = desk
        self._places = asyncio.Semaphore(places)
        self._counts_tokens = counts_tokens
        self._charges = charged
        self._charged: Charged | None = None
        self._line: Line | None = None
        self._opening = asyncio.Lock()

    async def __call__(self, batch: Mapping[str, Any]) -> AsyncIterator[Mapping[str, Any]]:
        """Work a shift, or as much of it as the desk lets be done."""
        line = await self._open()
        work = asyncio.create_task(self._work(int(batch["shift"][0]), line))
        closed = asyncio.create_task(line.closed.wait())
        await asyncio.wait({work, closed}, return_when=asyncio.FIRST_COMPLETED)
        closed.cancel()
        if line.closed.is_set():
            work.cancel()
            await asyncio.wait({work})
            line.check()
        else:
            await work
        yield batch

    async def _open(self) -> Line:
        async with self._opening:
            if self._line is None:
                desk, name = self._desk, uuid4().hex
                self._line = Line(
                    lambda calls: desk.tell.remote(name, calls), lambda: desk.hear.remote(name)
                )
                try:
                    await self._plan.open(self._around)
                except ToolstoneError as error:
                    self._line.say("give_up", error)  # the end may be quicker than a reply
            return self._line

    def _around(self, model: Model) -> Model:
        assert self._line is not None  # noqa: S101  it is opened first
        far = FarThrottle(self._line, counts_tokens=self._counts_tokens)
        paced = Paced(model, far, self._plan.model_name)
        if not self._charges:
            return paced
        self._charged = Charged(paced, self._line)
        return self._charged

    async def _work(self, shift: int, line: Line) -> None:
        await line.call("begin", shift)
        async with asyncio.TaskGroup() as group:
            while documents := await self._draw(shift, line):
                for number, document in documents:
                    group.create_task(self._read(number, document, line))
        await line.call("over", shift)

    async def _draw(self, shift: int, line: Line) -> list[tuple[int, Document]]:
        """The next documents, as many as there are places; these are taken then."""
        await self._places.acquire()
        free = 1
        while not self._places.locked():
            await self._places.acquire()
            free += 1
        found: list[tuple[int, Document]] = []
        try:
            found = await line.call("draw", shift, free)
        finally:
            for _ in range(free - len(found)):
                self._places.release()
        return found

    async def _read(self, number: int, document: Document, line: Line) -> None:
        answer: Any
        try:
            record = await ask(self._plan, document)
            stopped = None if self._charged is None or record.ok else self._charged.stopped
            answer = stopped or record.as_row()
        except ToolstoneError as error:
            answer = error
        finally:
            self._places.release()
        await line.call("answer", number, answer)
