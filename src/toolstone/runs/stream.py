"""A run somebody watches: the same loop in a task, and one reader behind a bounded queue."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from toolstone import limits
from toolstone._portal import block
from toolstone.errors import DroppedError, UsageError
from toolstone.events import (
    Answered,
    ArgumentsDelta,
    Asked,
    Retrying,
    TextDelta,
)

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Iterator,
        Sequence,
    )
    from types import TracebackType

    from toolstone.events import Delta, Fact
    from toolstone.runs.budget import Purse
    from toolstone.runs.plan import Plan
    from toolstone.runs.result import Result
    from toolstone.schema.output import OutputType
    from toolstone.schema.partial import Partial

__all__ = ["BlockingStream", "RunStream"]

Output = TypeVar("Output")
T = TypeVar("T")


class RunStream(Generic[Output]):
    """A run that is read while it goes.

    Use it as a context manager; leaving the block stops the run and its HTTP response. One iterator
    per stream: `events`, `text` or `partials`. A reader that pauses holds the run back, and the
    run's deadlines stand still meanwhile.

    Example:
        async with agent.stream("Report on Paris") as stream:
            async for partial in stream.partials():
                print(partial.data, partial.done)
            result = await stream.result()
    """

    def __init__(
        self,
        start: Callable[[RunStream[Output]], Coroutine[Any, Any, Result[Output]]],
        output: OutputType[Output],
    ) -> None:
        self._start = start
        self._output = output
        self._final_tool: str | None = None
        self._queue: asyncio.Queue[Sequence[Fact | Delta] | None] = asyncio.Queue(
            limits.STREAM_BACKLOG
        )
        self._task: asyncio.Task[Result[Output]] | None = None
        self._purse: Purse | None = None
        self._reading = False
        self._ended = False
        self._left = False

    async def __aenter__(self) -> RunStream[Output]:
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _task: self._end())  # also of one that never began
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the run, if it still goes, and wait until it has let go of everything."""
        task = self._task
        if task is None:
            return
        if not task.done():
            self._left = True
            while not self._queue.empty():
                self._queue.get_nowait()  # a run that waits for room could not say its last facts
            task.cancel()
            await _whole(task)
        if not task.cancelled():
            task.exception()  # it was for the reader, who has left

    async def _run(self) -> Result[Output]:
        return await self._start(self)

    def _end(self) -> None:
        self._ended = True
        if not self._queue.full():
            self._queue.put_nowait(None)

    def attach(
        self, plan: Plan[Output], purse: Purse
    ) -> Callable[[Sequence[Fact | Delta]], Awaitable[None]]:
        """Where the run is to put what happens; called by the agent when it starts."""
        self._final_tool = plan.final_tool
        self._purse = purse
        return self._put

    async def _put(self, batch: Sequence[Fact | Delta]) -> None:
        if self._left:
            return
        if not self._queue.full():
            self._queue.put_nowait(batch)
            return
        since = time.monotonic()
        await self._queue.put(batch)
        if self._purse is not None:
            self._purse.hold(time.monotonic() - since)

    async def batches(self) -> AsyncGenerator[Sequence[Fact | Delta], None]:
        """What happens, as it was handed over: several events of one network read together."""
        self._take_reader()
        while not (self._ended and self._queue.empty()):
            batch = await self._queue.get()
            if batch is None:
                break
            yield batch
        await self._finished()

    def _take_reader(self) -> None:
        if self._task is None:
            raise UsageError("open the stream first: async with agent.stream(...) as stream: ...")
        if self._reading:
            raise UsageError(
                "a stream has one reader: choose one of events(), text() and partials(); "
                "result() may follow"
            )
        self._reading = True

    async def _finished(self) -> Result[Output]:
        """The end of the run, as `run` would have given it."""
        if self._task is None:
            raise UsageError("open the stream first: async with agent.stream(...) as stream: ...")
        await asyncio.wait((self._task,))
        if self._task.cancelled() and self._left:
            raise UsageError(
                "the stream was left before its run had ended, and that stopped the run; read "
                "result() inside the block, or go on with the session"
            )
        return self._task.result()

    async def events(self) -> AsyncGenerator[Fact | Delta, None]:
        """Facts and deltas in order.

        Raises:
            RunError: At the end, when the run did not complete.
        """
        async with aclosing(self.batches()) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def text(self) -> AsyncGenerator[str, None]:
        """The model's text as it grows, of all turns.

        Raises:
            DroppedError: The answer was begun anew after some of it had been shown; `events`
                tells how it went on.
            RunError: At the end, when the run did not complete.
        """
        shown = False
        async with aclosing(self.events()) as events:
            async for event in events:
                match event:
                    case TextDelta(text=text):
                        shown = True
                        yield text
                    case Retrying() if shown:
                        raise DroppedError(
                            "the answer broke off and was begun anew; what was shown of it is "
                            "void. Use events(), which tells of it, or result()"
                        )
                    case Answered():
                        shown = False
                    case _:
                        pass

    async def partials(self) -> AsyncGenerator[Partial[Output], None]:
        """The output as it grows: strings may still grow, other scalars appear when closed.

        `partial.done` names the finished fields. After a re-ask the partials begin anew.

        Raises:
            RunError: At the end, when the run did not complete.
        """
        from toolstone.schema.partial import PartialReader  # noqa: PLC0415  only for who asks

        told, reader = 0, PartialReader(self._output)
        async with aclosing(self.events()) as events:
            async for event in events:
                grown = None
                match event:
                    case TextDelta(text=text, item=place) if self._final_tool is None:
                        if place != told:  # another message: the one before was not the answer
                            told, reader = place, PartialReader(self._output)
                        grown = reader.feed(text)
                    case ArgumentsDelta(text=text, name=name) if name == self._final_tool:
                        grown = reader.feed(text)
                    case Asked() | Retrying():
                        told, reader = 0, PartialReader(self._output)
                    case _:
                        pass
                if grown is not None:
                    yield grown

    async def result(self) -> Result[Output]:
        """Read what is left, and give what `run` would have given.

        Raises:
            RunError: The run did not complete.
        """
        if not self._reading:
            async for _ in self.batches():
                pass
        while not (self._ended and self._queue.empty()):
            if await self._queue.get() is None:
                break
        return await self._finished()

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self._ended


class BlockingStream(Generic[Output]):
    """`RunStream` for code without an event loop; the same readers, as plain iterators."""

    def __init__(self, make: Callable[[], RunStream[Output]]) -> None:
        self._make = make
        self._stream: RunStream[Output] | None = None

    def __enter__(self) -> BlockingStream[Output]:
        async def enter() -> RunStream[Output]:
            return await self._make().__aenter__()

        self._stream = block(enter)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        block(self._open().aclose)

    def _open(self) -> RunStream[Output]:
        if self._stream is None:
            raise UsageError("open the stream first: with agent.stream_sync(...) as stream: ...")
        return self._stream

    def events(self) -> Iterator[Fact | Delta]:
        """`RunStream.events`."""
        batches = self._open().batches()
        try:
            while (batch := block(_next, batches)) is not None:
                yield from batch
        finally:
            block(batches.aclose)

    def text(self) -> Iterator[str]:
        """`RunStream.text`."""
        return _blocking(self._open().text())

    def partials(self) -> Iterator[Partial[Output]]:
        """`RunStream.partials`."""
        return _blocking(self._open().partials())

    def result(self) -> Result[Output]:
        """`RunStream.result`."""
        return block(self._open().result)


async def _whole(task: asyncio.Task[Any]) -> None:
    """Wait for a task that ends soon; a cancellation meanwhile is passed on afterwards."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled


def _blocking(source: AsyncGenerator[T, None]) -> Iterator[T]:
    try:
        while (item := block(_next, source)) is not None:
            yield item
    finally:
        block(source.aclose)


async def _next(source: AsyncIterator[T]) -> T | None:
    return await anext(source, None)
