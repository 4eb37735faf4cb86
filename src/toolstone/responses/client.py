"""The model at the other end of a Responses endpoint: ask, streamed or plain, and persist."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from toolstone import limits
from toolstone.errors import ConfigError, InputError, ServiceError, StatusError
from toolstone.events import Noted, Retrying
from toolstone.ports import Profile, Response
from toolstone.responses.address import check_base_url
from toolstone.responses.decode import decode
from toolstone.responses.failures import TABLE, failure, read_error, sanitised
from toolstone.responses.parse import parse_response
from toolstone.responses.render import Renderer
from toolstone.responses.stream import Assembler
from toolstone.wire import (
    Auth,
    BearerAuth,
    Deadlines,
    HttpReply,
    HttpRequest,
    HttpxTransport,
    NoAuth,
    Quota,
    Retry,
    SseDecoder,
    Transport,
    Watch,
    read_body,
)
from toolstone.wire.retry import persist

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from types import TracebackType

    from toolstone.events import Accepted, Delta
    from toolstone.ports import Emit, Request
    from toolstone.responses.failures import Row
    from toolstone.wire import HttpStream

__all__ = ["Responses"]

_DEFAULT_PROFILE: Final = Profile()
_DEFAULT_RETRY: Final = Retry()
_SSE: Final = "text/event-stream"
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")


class Responses:
    """A model behind `POST {base_url}/responses`; fits `toolstone.ports.Model`.

    Safe to share between runs, threads and event loops. Nothing is opened before the first
    request, and connections close with their loop.

    Args:
        model: The model's name as the server knows it.
        base_url: Up to and without `/responses`; https, or http on this machine.
        api_key: Sent as `Authorization: Bearer ...`; text, or a function called for each attempt.
        auth: Signs attempts in another way; instead of `api_key`.
        transport: Carries the requests; httpx unless said otherwise.
        profile: What the server can and cannot do.
        deadlines: How long one attempt may take; `profile.idle` counts if this is not given.
        retry: How often to try; `Retry(attempts=1)` is once.
        headers: More headers for every request.
        user_agent: Who we say we are.

    Attributes:
        failures: What errors mean here, row by row; see `toolstone.responses.failures`.

    Raises:
        ConfigError: The URL, the key or a header cannot be.

    Example:
        model = Responses(base_url="http://127.0.0.1:8080/v1", model="smollm2")
        response = await model.respond(Request(items=(user("hi"),)), emit)
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str,
        api_key: str | Callable[[], str | Awaitable[str]] | None = None,
        auth: Auth | None = None,
        transport: Transport | None = None,
        profile: Profile = _DEFAULT_PROFILE,
        deadlines: Deadlines | None = None,
        retry: Retry = _DEFAULT_RETRY,
        headers: Mapping[str, str] | None = None,
        user_agent: str = "toolstone",
    ) -> None:
        if not model:
            raise ConfigError("model is empty; give the name that the server knows it by")
        if auth is not None and api_key is not None:
            raise ConfigError("both api_key and auth are given; one of them says who asks")
        self.model = model
        self.profile = profile
        self.base_url = check_base_url(base_url)
        self.deadlines = deadlines or Deadlines(idle=profile.idle or limits.IDLE_SECONDS)
        self.retry = retry
        self.quota = Quota()
        self.failures: Sequence[Row] = TABLE
        self._auth = auth or (NoAuth() if api_key is None else BearerAuth(api_key))
        self._transport = transport or HttpxTransport()
        self._renderer = Renderer(model, profile)
        self._url = f"{self.base_url}/responses"
        common = _checked(
            {
                **{name.lower(): value for name, value in (headers or {}).items()},
                "user-agent": user_agent,
                "content-type": "application/json",
                "accept-encoding": "identity",
            }
        )
        self._headers = {
            False: {**common, "accept": "application/json"},
            True: {**common, "accept": _SSE},
        }

    def __repr__(self) -> str:
        return f"Responses(model={self.model!r}, base_url={self.base_url!r})"

    async def respond(self, request: Request, emit: Emit) -> Response:
        """Answer a request; see `toolstone.ports.Model`.

        Raises:
            ServiceError: No answer, also when asked again where that can help. It says how often
                was tried; `notes` has what each attempt was, `partial` what had arrived.
            InputError: The request cannot be said in JSON; nothing was sent.
        """
        body = self._renderer.render(request)
        return await self._persist(_Exchange(self, body, emit, streamed=request.stream))

    async def create(self, body: Mapping[str, Any]) -> Response:
        """Send a body of your own; `model` and `stream: false` are added where missing.

        Raises:
            ServiceError: As `respond`.
            InputError: The body cannot be said in JSON, or asks for a stream.
        """
        from pydantic_core import PydanticSerializationError, to_json  # noqa: PLC0415

        if body.get("stream"):
            raise InputError("create() answers whole; for a stream use respond(), stream=True")
        try:
            raw = to_json({"model": self.model, "stream": False, **body})
        except (PydanticSerializationError, UnicodeEncodeError) as error:
            raise InputError(f"the body is not plain JSON: {type(error).__name__}") from error
        return await self._persist(_Exchange(self, raw, _nobody, streamed=False))

    async def aclose(self) -> None:
        """Close the transport's connections in this event loop; a later request opens new ones."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _persist(self, exchange: _Exchange) -> Response:
        started = self.retry.clock()
        try:
            response = await exchange.attempt()
        except ServiceError as error:
            return await self._again(exchange, error, started)
        self.quota.refill()
        return response

    async def _again(self, exchange: _Exchange, first: ServiceError, started: float) -> Response:
        notes = [_note(1, first)]

        async def attempt() -> Response:
            try:
                return await exchange.attempt()
            except ServiceError as error:
                notes.append(_note(len(notes) + 1, error))
                raise

        async def announce(error: ServiceError, number: int, wait: float) -> None:
            await exchange.emit([Retrying(number + 1, wait, str(error))])

        try:
            response = await persist(
                attempt, first, retry=self.retry, quota=self.quota, announce=announce
            )
        except ServiceError as error:
            error.attempts = len(notes)
            error.elapsed = self.retry.clock() - started
            error.notes = tuple(notes)
            raise
        return replace(response, notes=(*notes, *response.notes))

    async def open(self, body: bytes, *, streamed: bool) -> tuple[HttpRequest, Sequence[str]]:
        """One attempt's request, signed, and the values in it that must not be told."""
        headers = self._headers[streamed]
        added = await self._auth.headers("POST", self._url, headers, body)
        request = HttpRequest("POST", self._url, {**headers, **added}, body, self.deadlines)
        return request, list(added.values())

    async def learn(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether the one who signs has learnt something from a refusal."""
        return await self._auth.learn(status, headers)

    @property
    def transport(self) -> Transport:
        """What carries the requests."""
        return self._transport


class _Exchange:
    """One request to one model, through all its attempts."""

    __slots__ = ("_body", "_client", "_learnt", "_refusal", "_secrets", "_streamed", "emit")

    def __init__(self, client: Responses, body: bytes, emit: Emit, *, streamed: bool) -> None:
        self._client = client
        self._body = body
        self._streamed = streamed
        self._learnt = False
        self._secrets: Sequence[str] = ()
        self._refusal: Mapping[str, str] = {}
        self.emit = emit

    async def attempt(self) -> Response:
        """Ask once; once more if the one who signs has learnt something from a refusal."""
        try:
            return await self._once()
        except StatusError as error:
            if self._learnt or error.status is None or error.means == "permission":
                raise
            self._learnt = await self._client.learn(error.status, self._refusal)
            if not self._learnt:
                raise
        return await self._once()

    async def _once(self) -> Response:
        client, body = self._client, self._body
        request, self._secrets = await client.open(body, streamed=self._streamed)
        if self._streamed:
            return await self._stream(request)
        with Watch(client.deadlines, streamed=False):
            reply = await client.transport.send(request)
        if not 200 <= reply.status < 300:  # noqa: PLR2004  the class of HTTP successes
            raise self._refused(reply)
        if "event-stream" in _kind(reply.headers):
            return self._read_events(reply)
        return self._parse(reply)

    def _read_events(self, reply: HttpReply) -> Response:
        """A server that streams although it was not asked to."""
        events = SseDecoder().feed(reply.body + b"\n\n")
        assembler = self._assembler(reply.headers)
        assembler.feed(events)
        return assembler.end()

    def _assembler(self, headers: Mapping[str, str]) -> Assembler:
        return Assembler(
            sent=self._body, headers=headers, secrets=self._secrets, table=self._client.failures
        )

    async def _stream(self, request: HttpRequest) -> Response:
        assembler = self._assembler({})
        try:
            with Watch(self._client.deadlines, streamed=True) as watch:
                async with self._client.transport.stream(request) as reply:
                    return await self._read(reply, watch, assembler)
        except ServiceError as error:
            if error.partial is None:
                error.partial = assembler.partial()
                if error.partial is not None and not isinstance(error, StatusError):
                    error.outcome = "partial"
            raise

    async def _read(self, reply: HttpStream, watch: Watch, assembler: Assembler) -> Response:
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
                await _drain(chunks)
                break
            watch.wait()
        return assembler.end()

    async def _read_whole(self, answer: HttpStream) -> Response:
        """A refusal, or a server that does not stream although it was asked to."""
        reply = HttpReply(
            answer.status, answer.headers, await read_body(answer.status, answer.chunks)
        )
        if not 200 <= reply.status < 300:  # noqa: PLR2004  the class of HTTP successes
            raise self._refused(reply)
        return self._parse(reply)

    def _parse(self, reply: HttpReply) -> Response:
        return parse_response(
            reply.body,
            sent=self._body,
            headers=reply.headers,
            secrets=self._secrets,
            table=self._client.failures,
        )

    def _refused(self, reply: HttpReply) -> StatusError:
        self._refusal = reply.headers
        return failure(
            read_error(_error_body(reply.body)),
            status=reply.status,
            headers=reply.headers,
            body=reply.body,
            phase="headers" if reply.status < 400 else "response",  # noqa: PLR2004  redirects
            secrets=self._secrets,
            table=self._client.failures,
        )


async def _nobody(deltas: Sequence[Delta | Accepted]) -> None:
    """Nobody watches."""


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Let the end of a stream arrive, so that its connection can be used again."""
    with suppress(TimeoutError, ServiceError):
        async with asyncio.timeout(limits.DRAIN_SECONDS):
            async for _ in chunks:
                pass


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


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(f"header name {name[:40]!r}: use letters, digits and '-'")
        if not value.isascii() or not value.isprintable():
            raise ConfigError(
                f"the value of header {name!r} ({len(value)} characters) holds a line break or a "
                "character outside ASCII"
            )
    return headers


def _note(number: int, error: ServiceError) -> Noted:
    """What a failed attempt was, and what it is known to have cost."""
    data = {
        "attempt": number,
        "error": type(error).__name__,
        "phase": error.phase,
        "status": error.status,
        "code": error.code,
        "request_id": error.request_id,
    }
    known = {name: value for name, value in data.items() if value is not None}
    usage = error.partial.usage if error.partial is not None else None
    return Noted("attempt", sanitised(str(error)), usage, known)
