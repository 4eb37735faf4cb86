"""Responses that are made in the background, whoever still listens."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

from toolstone import limits
from toolstone.errors import StorageError
from toolstone.local.encoding import encode
from toolstone.local.narrate import Event, Narration
from toolstone.local.store import Store
from toolstone.local.telling import STOPPED, crash, log

__all__ = ["Jobs"]


class Work(Protocol):
    """What is made: it tells events, and its narration says how far it has come."""

    @property
    def narration(self) -> Narration:
        """What tells it."""
        ...

    def events_in_background(self) -> AsyncGenerator[Sequence[Event], None]:
        """Tell it."""
        ...

    async def end_in_background(self) -> None:
        """Remember what has become of it."""
        ...


class _Job:
    """One response that this process works on."""

    def __init__(self, work: Work, *, streamed: bool) -> None:
        self.work = work
        self.streamed = streamed
        self.news = asyncio.Event()
        self.cancelled = False
        self.task: asyncio.Task[None] | None = None
        self.ending: asyncio.Task[None] | None = None

    def tell_all(self) -> None:
        """Wake who follows it."""
        self.news.set()
        self.news = asyncio.Event()


class Jobs:
    """The work in the background of this process.

    What becomes of it stands in the store, so that any process may look and any may cancel.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._jobs: dict[str, _Job] = {}
        self._watcher: asyncio.Task[None] | None = None

    def start(self, response_id: str, work: Work, *, streamed: bool) -> None:
        """Work on a response that stands in the store as queued.

        Args:
            response_id: Which.
            work: What makes it.
            streamed: Keep its events.
        """
        job = self._jobs[response_id] = _Job(work, streamed=streamed)
        job.task = asyncio.create_task(self._work(response_id, job))
        if self._store.shared and (self._watcher is None or self._watcher.done()):
            self._watcher = asyncio.create_task(self._watch())

    async def stop(self, response_id: str) -> None:
        """Cancel a response if this process works on it."""
        job = self._jobs.get(response_id)
        if job is not None:
            job.cancelled = True
            await self._end(response_id, job)

    async def close(self) -> None:
        """Stop all: what was under way has failed."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait((self._watcher,))
        for response_id, job in list(self._jobs.items()):
            await self._end(response_id, job)

    def news(self, response_id: str) -> asyncio.Event | None:
        """Give what is set at the next news of a response; None if another process has it."""
        job = self._jobs.get(response_id)
        return job.news if job is not None else None

    async def _work(self, response_id: str, job: _Job) -> None:
        try:
            async with aclosing(job.work.events_in_background()) as told:
                async for events in told:
                    await self._tell(response_id, job, events)
        except Exception:  # noqa: BLE001  whatever it is, the response has failed
            log.exception("a response in the background broke")
        await self._conclude(response_id, job)

    async def _end(self, response_id: str, job: _Job) -> None:
        """Break off; the task may not even have begun."""
        if job.task is not None:
            job.task.cancel()
            await asyncio.wait((job.task,))
        await self._conclude(response_id, job)

    async def _conclude(self, response_id: str, job: _Job) -> None:
        """Settle it, once, however many wait for that and whoever of them is cancelled."""
        if job.ending is None:
            job.ending = asyncio.create_task(self._settle(response_id, job))
        await asyncio.shield(job.ending)

    async def _settle(self, response_id: str, job: _Job) -> None:
        narration = job.work.narration
        ended: Sequence[Event] = ()
        if not narration.over:
            ended = narration.cancel() if job.cancelled else crash(narration, STOPPED, faults=True)
        try:
            await self._tell(response_id, job, ended)
            await job.work.end_in_background()
        except StorageError:
            log.exception("what became of a response in the background could not be stored")
        finally:
            self._jobs.pop(response_id, None)
            job.tell_all()

    async def _tell(self, response_id: str, job: _Job, events: Sequence[Event]) -> None:
        if job.streamed:
            told = [(event["sequence_number"], encode(event).decode()) for event in events]
            await self._store.tell(response_id, told)
            job.tell_all()
        if events and events[-1]["type"] == "response.in_progress":
            await self._store.advance(job.work.narration.response)

    async def _watch(self) -> None:
        """Stop what another process has cancelled or deleted, and show that the rest is alive."""
        while self._jobs:
            mine = list(self._jobs)
            try:
                held = await self._store.held(mine)
            except StorageError:
                log.exception("it cannot be seen what other processes did")
                held = set(mine)
            for response_id in set(mine) - held:
                await self.stop(response_id)
            await asyncio.sleep(limits.LOCAL_WATCH_SECONDS)
