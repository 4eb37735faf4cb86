"""The engine of one machine: many documents at once, identical ones asked once, what is kept first.

Workers draw documents, ask, and put records in a line of bounded length; whoever reads the records
takes them from it. So a slow reader stops the workers, and they stop the source: nothing is held in
memory but what is under way. The workers live in one task, which is ended before the iterator is.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from toolstone import limits
from toolstone.errors import FailedError
from toolstone.extract import asking
from toolstone.extract.job import Answer, Job, fingerprint
from toolstone.extract.pace import Pace, Paced
from toolstone.extract.records import Document, Record
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from toolstone.extract.plan import Plan
    from toolstone.extract.records import Failure

__all__ = ["Ask", "run_local"]

_END: Final = object()


class Ask(Protocol):
    """Reads one document; see `toolstone.extract.asking.ask`."""

    async def __call__(self, plan: Plan[Any], document: Document, /) -> Record[Any]:
        """Give its record; raise what ends the job."""
        ...


async def run_local(
    plan: Plan[Any],
    documents: AsyncIterator[Document | Record[Any]],
    *,
    pace: Pace | None = None,
    job: str | Path | Job | None = None,
    concurrency: int = limits.EXTRACT_CONCURRENCY,
    ordered: bool = False,
    ask: Ask | None = None,
) -> AsyncGenerator[Record[Any], None]:
    """A record for each document, as they finish or in the documents' order.

    Leave it early with `contextlib.aclosing`: what is being asked is cancelled then.

    Args:
        plan: What is asked of each.
        documents: Drawn from as they are needed. A `Record` among them is given out as it is: of
            a document that could not be read.
        pace: How fast; found out, if None.
        job: The file that remembers what was answered; a path is opened here, and closed.
        concurrency: Documents at once, at most.
        ordered: Whether records come in the documents' order.
        ask: Asks in another way, at a pace of its own; the plan is open then.

    Raises:
        ToolstoneError: What ends the job, once everything that is finished was given out.
    """
    with ExitStack() as stack:
        if isinstance(job, str | Path):
            job = stack.enter_context(Job(job))
        if job is not None:
            job.begin(plan.fingerprint())
            if plan.till is not None:
                plan.till.spend(job.usage)
        if ask is None:
            throttle = (pace or Pace()).throttle(concurrency)
            await plan.open(lambda model: Paced(model, throttle, plan.model_name))
            ask = asking.ask
        crew = _Crew(plan, documents, _Memory(plan, job), ask, ordered=ordered, most=concurrency)
        working = asyncio.create_task(crew.work(concurrency))
        try:
            async for record in crew.line():
                yield record
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


class _Crew:
    """The workers of a job, and the line in which records wait to be given out."""

    def __init__(
        self,
        plan: Plan[Any],
        documents: AsyncIterator[Document | Record[Any]],
        memory: _Memory,
        ask: Ask,
        *,
        ordered: bool,
        most: int,
    ) -> None:
        self._plan = plan
        self._documents = documents
        self._memory = memory
        self._ask = ask
        self._ordered = ordered
        self._door = asyncio.Lock()
        self._line: asyncio.Queue[Any] = asyncio.Queue(most)
        self._over = False
        self._error: BaseException | None = None
        self._unanswered = 0
        self._patience = most + limits.EXTRACT_UNANSWERED
        self._asking: dict[bytes, asyncio.Event] = {}

    async def line(self) -> AsyncGenerator[Record[Any], None]:
        """The records, until there are no more."""
        while (place := await self._line.get()) is not _END:
            record = await place if isinstance(place, asyncio.Future) else place
            if record is not None:
                yield record

    async def work(self, workers: int) -> None:
        """Have all documents asked.

        Raises:
            ToolstoneError: What ended the job, once what was under way is finished.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._worker())
        except Exception as error:  # noqa: BLE001  raised again when the line has ended
            self._end(error)
        await self._line.put(_END)
        if self._error is not None:
            raise self._error

    async def _worker(self) -> None:
        while (drawn := await self._draw()) is not None:
            document, place, promise = drawn
            record = None
            try:
                record = await self._record(document, place)
            except BaseException as error:
                self._end(error)
                if not isinstance(error, Exception):
                    raise
            finally:
                if promise is not None:
                    promise.set_result(record)
            if promise is None and record is not None:
                await self._line.put(record)

    async def _draw(
        self,
    ) -> tuple[Document | Record[Any], bytes, asyncio.Future[Record[Any] | None] | None] | None:
        """The next document, its place in the job, and what is promised to whoever reads."""
        async with self._door:
            if self._over:
                return None
            try:
                document = await anext(self._documents)
                place = self._memory.place(document)
            except StopAsyncIteration:
                self._over = True
                return None
            except Exception as error:  # noqa: BLE001  raised again when the others are done
                self._end(error)
                return None
            if not self._ordered:
                return document, place, None
            promise = asyncio.get_running_loop().create_future()
            await self._line.put(promise)
            return document, place, promise

    def _end(self, error: BaseException) -> None:
        self._over = True
        self._error = self._error or error

    async def _record(self, document: Document | Record[Any], place: bytes) -> Record[Any]:
        if isinstance(document, Record):
            return document
        if (kept := self._memory.find(place)) is not None:
            return kept
        text = fingerprint(document.text)
        while (other := self._asking.get(text)) is not None:
            await other.wait()
        record = self._memory.alike(text, document.id)
        if record is None:
            told = self._asking[text] = asyncio.Event()
            try:
                record = await self._ask(self._plan, document)
                await self._memory.keep(place, text, record)
                self._watch(record.error)
            finally:
                del self._asking[text]
                told.set()
        else:
            await self._memory.keep(place, text, record)
        return record

    def _watch(self, failure: Failure | None) -> None:
        """End the job when nobody answers: also those asked after the first had failed."""
        if failure is None or not failure.retryable:
            self._unanswered = 0
            return
        self._unanswered += 1
        if self._unanswered == self._patience:
            error = FailedError(
                f"{self._unanswered} documents in a row had no answer, so the job stops here; what "
                "is finished is kept, and the same job goes on when the service answers again. "
                f"The last one: {failure.message}"
            )
            error.retryable = True
            self._end(error)


class _Memory:
    """What was answered: in the job's file, or the last answers of this process alone."""

    def __init__(self, plan: Plan[Any], job: Job | None) -> None:
        self._type = plan.type
        self._job = job
        self._last: OrderedDict[bytes, Record[Any]] = OrderedDict()
        self._batch: _Batch | None = None

    def place(self, document: Document | Record[Any]) -> bytes:
        if self._job is None or isinstance(document, Record):
            return b""
        return self._job.place(document)

    def find(self, place: bytes) -> Record[Any] | None:
        """What was answered to this document by an earlier process."""
        if self._job is None or not self._job.kept:
            return None
        row = self._job.find(place)
        return None if row is None else Record.from_row(row, self._type)

    def alike(self, text: bytes, name: str) -> Record[Any] | None:
        """The answer for the same text, as that of the document with this name."""
        if self._job is None:
            found = self._last.get(text)
        else:
            row = self._job.alike(text)
            found = None if row is None else Record.from_row(row, self._type)
        if found is None:
            return None
        first = found.same_as or found.id
        return replace(found, id=name, usage=Usage(), attempts=0, same_as=first)

    async def keep(self, place: bytes, text: bytes, record: Record[Any]) -> None:
        """Remember an answer; a failure that may not happen again is none."""
        if record.error is not None and record.error.retryable:
            if self._job is not None:
                self._job.charge(record.usage)
        elif self._job is not None:
            await self._keep(self._job, Answer(place, text, record.as_row()))
        elif record.same_as is None:
            self._last[text] = record
            if len(self._last) > limits.EXTRACT_REMEMBERED:
                self._last.popitem(last=False)

    async def _keep(self, job: Job, answer: Answer) -> None:
        """Keep an answer, together with those that come home at the same moment."""
        if self._batch is not None:
            self._batch.answers.append(answer)
            await asyncio.shield(self._batch.kept)
            return
        batch = self._batch = _Batch([answer], asyncio.get_running_loop().create_future())
        try:
            await asyncio.sleep(0)
        finally:  # also what is cancelled now was paid for
            self._batch = None
            batch.keep(job)
        await batch.kept


class _Batch(NamedTuple):
    """Answers that are kept in one transaction."""

    answers: list[Answer]
    kept: asyncio.Future[None]

    def keep(self, job: Job) -> None:
        try:
            job.keep_all(self.answers)
        except Exception as error:  # noqa: BLE001  each that waits raises it
            self.kept.set_exception(error)
            self.kept.exception()  # looked at: all that wait for it may be cancelled
        else:
            self.kept.set_result(None)
