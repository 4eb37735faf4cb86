"""The events of one response as the server says them, for who wants no deltas."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from toolstone import limits
from toolstone.errors import ProtocolError, ServiceError, UsageError
from toolstone.responses.decode import decode
from toolstone.responses.numbered import Following
from toolstone.responses.terminal import TERMINAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from types import TracebackType

    from toolstone.ports import Emit, Response
    from toolstone.responses.numbered import Numbered, NumberedReader
    from toolstone.responses.service import Attempted, Service
    from toolstone.wire.sse import Event

__all__ = ["RawReader", "RawStream"]

JSON = dict[str, Any]


class RawStream:
    """One response while it arrives; made by `Responses.stream`.

    Use it as a context manager: nothing is sent before, and leaving the block ends the request. A
    reader that pauses holds the server back.

    Args:
        service: Who answers.
        start: Makes the request, given where its events go.
        finish: What is made of the response, if anything.
    """

    def __init__(
        self,
        service: Service,
        start: Callable[[Emit], Attempted[Response]],
        finish: Callable[[Response], Response] | None = None,
    ) -> None:
        self._service = service
        self._finish = finish
        self._request = start(self._tell)
        self._queue: asyncio.Queue[list[JSON] | None] = asyncio.Queue(limits.STREAM_BACKLOG)
        self._task: asyncio.Task[Response] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _task: self._end())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = self._open()
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # it was for the reader, who has left

    async def __aiter__(self) -> AsyncIterator[JSON]:
        """The events in order, the terminal one too.

        Raises:
            ServiceError: As `Responses.respond`, after the events that had arrived.
        """
        task = self._open()
        while not (task.done() and self._queue.empty()):
            batch = await self._queue.get()
            for event in batch or ():
                yield event
        await task

    async def response(self) -> Response:
        """Read what is left, and give the response.

        Raises:
            ServiceError: As `Responses.respond`.
        """
        async for _ in self:
            pass
        return await self._open()

    def _open(self) -> asyncio.Task[Response]:
        if self._task is None:
            raise UsageError("open the stream first: async with model.stream(...) as events: ...")
        return self._task

    async def _run(self) -> Response:
        response = await self._service.persist(self._request)
        return response if self._finish is None else self._finish(response)

    def _end(self) -> None:
        """Wake a reader who waits for an event that will not come."""
        if not self._queue.full():
            self._queue.put_nowait(None)

    async def _tell(self, events: Sequence[Any]) -> None:
        told = [event for event in events if isinstance(event, dict)]
        if told:
            self._request.committed = True
            await self._queue.put(told)


class RawReader:
    """Reads streams as their events; see `NumberedReader`.

    Args:
        inner: Puts the response together meanwhile.
        tail: Whether the stream may begin in its midst: then the response is what the last event
            says, and what came before is not missed.
    """

    def __init__(self, inner: NumberedReader, *, tail: bool = False) -> None:
        self._inner = inner
        self._make = _TailAssembler if tail else _RawAssembler

    def assembler(
        self, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> _RawAssembler:
        """See `Reader`."""
        return self._make(self._inner.assembler(sent, headers, secrets))

    def parse(
        self, body: bytes, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Response:
        """See `Reader`."""
        return self._inner.parse(body, sent, headers, secrets)


class _RawAssembler(Following):
    """Hands on each event, also the one that tells of a failure; that is raised after it."""

    def __init__(self, inner: Numbered) -> None:
        super().__init__(inner)
        self._failure: ServiceError | None = None

    @property
    def response(self) -> Response | None:
        self._raise()
        return self._inner.response

    def feed(self, events: Sequence[Event]) -> Sequence[JSON]:
        told: list[JSON] = []
        for event in events:
            if self._inner.response is not None or event[1].startswith(b"[DONE]"):
                self._inner.feed([event])
                continue
            try:
                self._follow(event)
            except ServiceError as error:
                self._failure = error
                told += _decoded(event[1])
                break
            told += _decoded(event[1])
        return told

    def end(self) -> Response:
        self._raise()
        return self._inner.end()

    def _follow(self, event: Event) -> None:
        self._inner.feed([event])

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure


class _TailAssembler(_RawAssembler):
    """The same of a stream whose beginning is known elsewhere."""

    def _follow(self, event: Event) -> None:
        told = decode(event[1], phase="stream")
        kind = (told.get("type") if isinstance(told, dict) else None) or event[0].decode()
        if not isinstance(told, dict) or kind in TERMINAL or not str(kind).startswith("response."):
            super()._follow(event)

    def end(self) -> Response:
        self._raise()
        if self._inner.response is not None:
            return self._inner.end()
        raise ProtocolError(
            "the stored stream ended without its terminal event; take it up again after the last "
            "event that was given, or wait(...) for the response",
            phase="stream",
            outcome="partial",
            retryable=True,
        )


def _decoded(data: bytes) -> list[JSON]:
    try:
        event = decode(data, phase="stream")
    except ServiceError:
        return []
    return [event] if isinstance(event, dict) else []
