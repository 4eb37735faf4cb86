"""One request to a service, through all its attempts: sent, read whole or as a stream."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from toolstone import limits
from toolstone.errors import ProtocolError, ServiceError, StatusError
from toolstone.responses.decode import decode
from toolstone.responses.failures import failure, read_error, request_id
from toolstone.wire import HttpReply, HttpRequest, SseDecoder, Watch, read_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from toolstone.ports import Response
    from toolstone.responses.service import Service
    from toolstone.wire import HttpStream
    from toolstone.wire.sse import Event

__all__ = ["Assembling", "Exchange", "Reader", "Whole", "nobody"]

Answer = TypeVar("Answer")
Told = TypeVar("Told", covariant=True)  # noqa: PLC0105  the answer, where it is only given


async def nobody(_events: Sequence[Any]) -> None:
    """Where events go when nobody watches."""


class Assembling(Protocol[Told]):
    """Puts a stream together; see `toolstone.responses.stream.Assembler`."""

    headers: Mapping[str, str]

    @property
    def heard(self) -> int:
        """How many events said something: silence is counted from the last of them."""
        ...

    @property
    def response(self) -> Told | None:
        """The response, once its end has arrived."""
        ...

    def feed(self, events: Sequence[Event]) -> Sequence[Any]:
        """Take in events; what is new to see."""
        ...

    def end(self) -> Told:
        """The response, at the end of the stream."""
        ...

    def partial(self) -> Response | None:
        """What had arrived when it broke off."""
        ...


class Reader(Protocol[Told]):
    """How a protocol reads answers."""

    def assembler(
        self, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Assembling[Told]:
        """For one stream."""
        ...

    def parse(
        self, body: bytes, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Told:
        """A whole answer."""
        ...


class Whole(Generic[Answer]):
    """Reads answers that never stream.

    Args:
        read: Makes something of a body, its headers, and the values that must not be told.
    """

    __slots__ = ("_read",)

    def __init__(self, read: Callable[[bytes, Mapping[str, str], Sequence[str]], Answer]) -> None:
        self._read = read

    def assembler(
        self, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Assembling[Answer]:
        """See `Reader`."""
        del sent, secrets
        raise ProtocolError(
            "the service answers with a stream, and was not asked for one",
            phase="body",
            request_id=request_id(headers),
        )

    def parse(
        self, body: bytes, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Answer:
        """See `Reader`."""
        del sent
        return self._read(body, headers, secrets)


class Exchange(Generic[Answer]):
    """One request to a service, through all its attempts.

    Args:
        service: Who answers.
        reader: How its answers are read.
        url: Where it is.
        body: What is sent.
        emit: Where events of a stream go, and what is to be known of attempts.
        method: How it is sent.
        streamed: Whether a stream is asked for.

    Attributes:
        committed: Whether something of the answer is in use already: then nobody asks again.
    """

    __slots__ = (
        "_body",
        "_learnt",
        "_method",
        "_reader",
        "_refusal",
        "_secrets",
        "_service",
        "_streamed",
        "_url",
        "committed",
        "emit",
    )

    def __init__(
        self,
        service: Service,
        reader: Reader[Answer],
        url: str,
        body: bytes = b"",
        emit: Callable[[Sequence[Any]], Awaitable[None]] = nobody,
        *,
        method: str = "POST",
        streamed: bool = False,
    ) -> None:
        self._service = service
        self._reader = reader
        self._method = method
        self._url = url
        self._body = body
        self._streamed = streamed
        self._learnt = False
        self._secrets: Sequence[str] = ()
        self._refusal: Mapping[str, str] = {}
        self.emit = emit
        self.committed = False

    async def attempt(self) -> Answer:
        """Ask once; once more if the one who signs has learnt something from a refusal."""
        try:
            return await self._once()
        except StatusError as error:
            if self._learnt or error.status is None or error.means == "permission":
                raise
            self._learnt = await self._service.learn(error.status, self._refusal)
            if not self._learnt:
                raise
        return await self._once()

    async def _once(self) -> Answer:
        service, streamed = self._service, self._streamed
        request, self._secrets = await service.open(
            self._method, self._url, self._body, streamed=streamed
        )
        if streamed:
            return await self._stream(request)
        with Watch(service.deadlines, streamed=False):
            reply = await service.transport.send(request)
        if not 200 <= reply.status < 300:  # noqa: PLR2004  the class of HTTP successes
            raise self._refused(reply)
        if "event-stream" in _kind(reply.headers):
            return self._read_events(reply)
        return self._parse(reply)

    def _read_events(self, reply: HttpReply) -> Answer:
        """A server that streams although it was not asked to."""
        events = SseDecoder().feed(reply.body + b"\n\n")
        assembler = self._assembler(reply.headers)
        assembler.feed(events)
        return assembler.end()

    def _assembler(self, headers: Mapping[str, str]) -> Assembling[Answer]:
        return self._reader.assembler(self._body, headers, self._secrets)

    async def _stream(self, request: HttpRequest) -> Answer:
        assembler = self._assembler({})
        try:
            with Watch(self._service.deadlines, streamed=True) as watch:
                async with self._service.transport.stream(request) as reply:
                    return await self._read(reply, watch, assembler)
        except ServiceError as error:
            if error.partial is None:
                error.partial = assembler.partial()
                if error.partial is not None and not isinstance(error, StatusError):
                    error.outcome = "partial"
            raise

    async def _read(self, reply: HttpStream, watch: Watch, assembler: Assembling[Answer]) -> Answer:
        watch.began()
        succeeded = 200 <= reply.status < 300  # noqa: PLR2004  the class of HTTP successes
        if not succeeded or not _streams(_kind(reply.headers)):
            return await self._read_whole(reply)
        assembler.headers = reply.headers
        decoder, chunks = SseDecoder(), reply.chunks
        async for chunk in chunks:
            watch.hold()
            heard = assembler.heard
            deltas = assembler.feed(decoder.feed(chunk))
            if assembler.heard != heard:
                watch.heard()
            if deltas:
                await self.emit(deltas)
            if assembler.response is not None:
                await _drain(chunks, decoder, assembler)
                break
            watch.wait()
        return assembler.end()

    async def _read_whole(self, answer: HttpStream) -> Answer:
        """A refusal, or a server that does not stream although it was asked to."""
        reply = await read_reply(answer)
        if not 200 <= reply.status < 300:  # noqa: PLR2004  the class of HTTP successes
            raise self._refused(reply)
        return self._parse(reply)

    def _parse(self, reply: HttpReply) -> Answer:
        return self._reader.parse(reply.body, self._body, reply.headers, self._secrets)

    def _refused(self, reply: HttpReply) -> StatusError:
        self._refusal = reply.headers
        return failure(
            read_error(_error_body(reply.body)),
            status=reply.status,
            headers=reply.headers,
            body=reply.body,
            cut=reply.cut,
            phase="headers" if reply.status < 400 else "response",  # noqa: PLR2004  redirects
            secrets=self._secrets,
            table=self._service.failures,
        )


async def _drain(
    chunks: AsyncIterator[bytes], decoder: SseDecoder, assembler: Assembling[Any]
) -> None:
    """Let the end of a stream arrive, so that its connection can be used again."""
    with suppress(TimeoutError, ServiceError):
        async with asyncio.timeout(limits.DRAIN_SECONDS):
            async for chunk in chunks:
                assembler.feed(decoder.feed(chunk))


def _error_body(body: bytes) -> object:
    try:
        return decode(body)
    except ServiceError:
        return body.decode("utf-8", "replace")


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _streams(kind: str) -> bool:
    """Whether an answer to a request for a stream may be one; some servers forget to say."""
    return "event-stream" in kind or kind in ("", "text/plain", "application/octet-stream")
