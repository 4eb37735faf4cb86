"""A response that the service works on by itself: made once, then waited for.

Made, it has an id, and that is told at once (`Accepted`): whoever has the id can go on waiting, in
another process too. Then it is listened to, if it streams and the service lets a broken stream be
taken up again, or else looked at now and then, until it has ended.

A failure to hear of it is not its failure: such an error has the outcome `unknown`, and the
response is not made a second time. One that failed itself may be, as any other request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolstone.errors import InputError, ProtocolError, ServiceError, TransportError
from toolstone.events import Accepted, Retrying
from toolstone.responses.address import path_segment
from toolstone.responses.exchange import Exchange
from toolstone.responses.missed import missed
from toolstone.responses.numbered import Following
from toolstone.responses.polling import UNENDED, Patience, poll

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from toolstone.ports import Response
    from toolstone.responses.numbered import Numbered, NumberedReader
    from toolstone.responses.service import Service
    from toolstone.wire.sse import Event

__all__ = ["Background"]


class Background:
    """One background request through all its attempts; see `Service.persist`.

    Args:
        service: Who answers.
        reader: How its answers are read.
        body: What is sent.
        emit: Where the id goes, and what is seen of a stream.
        streamed: Whether a stream is asked for.
        accepted: The id of a response that was made already.
        include: What else the response is to hold, as the body says too.
    """

    def __init__(
        self,
        service: Service,
        reader: NumberedReader,
        body: bytes,
        emit: Callable[[Sequence[Any]], Awaitable[None]],
        *,
        streamed: bool,
        accepted: str | None = None,
        include: Sequence[str] = (),
    ) -> None:
        self.emit = emit
        self.committed = False
        self._service = service
        self._reader = reader
        self._body = body
        self._streamed = streamed
        self._accepted = accepted
        self._sent = b""
        self._include = include
        self._listener: _Listener | None = None
        self._patience = Patience(service)

    async def attempt(self) -> Response:
        """Make the response, if it is not made yet, and wait until it has ended."""
        made: Response | None = None
        if self._accepted is None:
            made = await self._make()
        if not _ended(made) and self._streamed:
            made = await self._listen() or made
        if made is None or not _ended(made):
            made = await self._poll(waits=made is not None)
        return made

    async def _make(self) -> Response | None:
        """Ask for it; None if the answer broke off and it is being made all the same."""
        self._sent, self._listener = self._body, None
        url = f"{self._service.base_url}/responses"
        try:
            made = await self._exchange(url, "POST", self._body, streamed=self._streamed)
        except ServiceError as error:
            if self._told_id and not _failed(error):
                await self._take(self._told_id)  # both came with one read of the network
            if not self._may_come(error):
                raise
            return None
        if not _ended(made):
            await self._take(made.id)
        return made

    async def _listen(self) -> Response | None:
        """Take a broken stream up where it stopped; None if that cannot be."""
        service, fruitless = self._service, 0
        while service.profile.resumes and fruitless < service.retry.attempts:
            url, heard = self._rest(), self._heard
            if url is None:
                return None
            try:
                return await self._exchange(url, "GET", streamed=True)
            except ServiceError as error:
                if not _broke_off(error):
                    if not self._may_come(error):
                        raise
                    return None
                fruitless = 1 if self._heard > heard else fruitless + 1
                await self._patience.wait(service.retry.pause(error, fruitless))
        return None

    async def _poll(self, *, waits: bool) -> Response:
        try:
            response = await poll(
                self._service,
                self._accepted or "",
                lambda body, *rest: self._reader.parse(body, self._sent, *rest),
                self._patience,
                include=self._include,
                waits=waits,
            )
        except ServiceError as error:
            self._may_come(error)
            raise
        await self._catch_up(response)
        return response

    async def _exchange(
        self, url: str, method: str, body: bytes = b"", *, streamed: bool
    ) -> Response:
        exchange = Exchange(
            self._service, self, url, body, self._tell, method=method, streamed=streamed
        )
        return await exchange.attempt()

    @property
    def _told_id(self) -> str:
        return "" if self._listener is None else self._listener.id

    @property
    def _heard(self) -> int:
        return 0 if self._listener is None else self._listener.heard

    def _rest(self) -> str | None:
        """Where the rest of the stream is; None if its events have no numbers to begin after."""
        there = f"{self._service.base_url}/responses/{path_segment(self._accepted or '')}"
        if self._listener is None:
            return f"{there}?stream=true"
        last = self._listener.last_number
        return None if last is None else f"{there}?stream=true&starting_after={last}"

    def _may_come(self, error: ServiceError) -> bool:
        """Whether the response may still be coming after this failure."""
        if _failed(error):
            self._accepted = None  # it has ended; another may be made
        return self._accepted is not None

    # --------------------------------------------------------------------------- what is told of it

    async def _tell(self, events: Sequence[Any]) -> None:
        if type(events[0]) is Accepted:
            await self._take(events[0].response)
            events = events[1:]
        if events:
            await self.emit(events)

    async def _take(self, response_id: str) -> None:
        if response_id == self._accepted:
            return
        try:
            path_segment(response_id)
        except InputError:
            raise ProtocolError(
                f"the service has named a background response by {len(response_id)} characters "
                "that are no id: it cannot be asked for"
            ) from None
        self._accepted = response_id
        await self.emit([Accepted(response_id)])

    async def _catch_up(self, response: Response) -> None:
        """Tell what is missing of a stream that broke off."""
        partial = None if self._listener is None else self._listener.partial()
        if partial is None:
            return
        deltas = missed(partial.items, response.items)
        if deltas is None:
            why = "the stream broke off, and the whole response says something else"
            await self.emit([Retrying(1, 0.0, why)])
            deltas = missed((), response.items)
        if deltas:
            await self.emit(deltas)

    # ----------------------------------------------------------------------------------- see Reader

    def assembler(
        self, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Numbered:
        """The same one for all pieces of a stream; see `Reader`."""
        if self._listener is None:
            self._listener = _Listener(self._reader.assembler(sent, headers, secrets))
        return self._listener

    def parse(
        self, body: bytes, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Response:
        """See `Reader`."""
        return self._reader.parse(body, sent, headers, secrets)


class _Listener(Following):
    """Says first that the response was taken."""

    def __init__(self, inner: Numbered) -> None:
        super().__init__(inner)
        self._taken = False

    def feed(self, events: Sequence[Event]) -> Sequence[Any]:
        told = self._inner.feed(events)
        if self._taken or not self._inner.id:
            return told
        self._taken = True
        return [Accepted(self._inner.id), *told]


def _ended(response: Response | None) -> bool:
    return response is not None and response.status not in UNENDED


def _broke_off(error: ServiceError) -> bool:
    """Whether the stream only ended too early, however it did."""
    return isinstance(error, TransportError | ProtocolError) and error.retryable


def _failed(error: ServiceError) -> bool:
    """Whether it tells that the response itself has failed."""
    return error.partial is not None and error.partial.status == "failed"
