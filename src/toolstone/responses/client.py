"""The model at the other end of a Responses endpoint: ask, plain or streamed, and persist."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from toolstone import limits
from toolstone._portal import block
from toolstone.errors import InputError, ServiceError, StatusError
from toolstone.events import Noted, Retrying
from toolstone.items import Reasoning
from toolstone.ports import Request
from toolstone.responses.address import path_segment
from toolstone.responses.background import Background
from toolstone.responses.bodies import joined, rendered
from toolstone.responses.capabilities import check_request, passed_on, require
from toolstone.responses.exchange import Exchange, nobody
from toolstone.responses.mending import fingerprint, mend, without_reasoning
from toolstone.responses.operations import Operations
from toolstone.responses.parse import parse_response
from toolstone.responses.polling import Patience, poll
from toolstone.responses.quirks import fitted, honest
from toolstone.responses.raw import RawReader, RawStream
from toolstone.responses.render import Renderer
from toolstone.responses.stream import Assembler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolstone.items import Item
    from toolstone.ports import Emit, Response, ToolSpec

__all__ = ["Responses"]


class Responses(Operations):
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
        origin: Scheme, host and port: what a `Response` says as its `endpoint`.
        conversations: The conversations that the service keeps.

    Raises:
        ConfigError: The URL, the key or a header cannot be.

    Example:
        model = Responses(base_url="http://127.0.0.1:8080/v1", model="smollm2")
        response = await model.respond(Request(items=(user("hi"),)), emit)
    """

    _warned_of: Sequence[ToolSpec] = ()
    """The tools of which it was last told what the service runs itself."""

    @cached_property
    def _foreign(self) -> set[int]:
        """Marks of reasoning that was refused here."""
        return set()

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(self.model, self.profile)

    async def respond(self, request: Request, emit: Emit) -> Response:
        """Answer a request; see `toolstone.ports.Model`.

        A refusal that has a mend is mended once: a history that the server lost is sent whole,
        reasoning that it cannot read is left out, from then on too; `notes` tells of it. With
        `Settings(background=True)` the response is made by the service itself and waited for:
        its id is told first (`Accepted`), and with `request.accepted` it is only waited for. A
        task that is cancelled leaves it going; `cancel(id)` stops it.

        Raises:
            ServiceError: No answer, also when asked again where that can help. It says how often
                was tried; `notes` has what each attempt was, `partial` what had arrived.
            InputError: The request cannot be said in JSON; nothing was sent.
            Unsupported: The endpoint is known not to be able to do this; nothing was sent.
        """
        request = self._admit(request)
        try:
            response = await self._ask(request, emit)
        except StatusError as error:
            response = await self._mended(request, error, emit)
        if request.tools is not self._warned_of:
            self._warned_of = request.tools
            if warnings := passed_on(request.tools):
                response = replace(response, notes=(*warnings, *response.notes))
        return honest(response, request, self.profile) if self.profile.hides_cuts else response

    def _admit(self, request: Request) -> Request:
        """The request as this server understands it."""
        if self.profile.unsupported:
            check_request(request, self.profile)
        return fitted(request, self.profile) if self.profile.ignores else request

    async def create(self, body: Mapping[str, Any] | None = None, /, **fields: Any) -> Response:
        """Send a body of your own; `model` and `stream: false` are added where missing.

        With `background=True` the response comes back at once, `queued`: see `retrieve`.

        Args:
            body: The body; its `input` may hold items as well as JSON.
            **fields: More of it, or instead: `create(input="hi", store=True)`.

        Raises:
            ServiceError: As `respond`.
            InputError: The body cannot be said in JSON, or asks for a stream.
        """
        wanted = joined(self.model, body, fields)
        if wanted.get("stream"):
            raise InputError("create() answers whole; for a stream use stream() or respond()")
        raw = rendered({"stream": False, **wanted})
        return await self._send(raw, nobody, streamed=False)

    def stream(
        self, body: Request | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> RawStream:
        """See the events of an answer as the server says them.

        Nothing is asked again once an event was given, except that a broken stream of a background
        response is taken up again where the profile says that it can be.

        Args:
            body: The body, as for `create`; or a `Request`, sent as by `respond`.
            **fields: More of the body, or instead.

        Raises:
            InputError: The body cannot be said in JSON.
            Unsupported: The endpoint is known not to be able to do this; nothing was sent.

        Example:
            async with model.stream(input="hi") as events:
                async for event in events:
                    print(event["type"])
                response = await events.response()
        """
        if not isinstance(body, Request):
            wanted = {**joined(self.model, body, fields), "stream": True}
            include = wanted.get("include") or ()
            background = bool(wanted.get("background"))
            return self._raw(rendered(wanted), background=background, include=include)
        request = replace(self._native(self._admit(body)), stream=True)
        settings = request.settings
        return self._raw(
            self._renderer.render(request),
            background=bool(settings.background) or request.accepted is not None,
            accepted=request.accepted,
            include=settings.include or (),
            finish=lambda response: honest(response, request, self.profile),
        )

    def stream_stored(
        self, response_id: str, *, after: int | None = None, include: Sequence[str] = ()
    ) -> RawStream:
        """See the events of a background response that was asked for as a stream, from outside.

        Services keep no events of any other: `retrieve` has those whole.
        Where it breaks off, ask again after the last `sequence_number` that was given. After a
        number, the response is what its terminal event says.

        Args:
            response_id: Its id.
            after: The `sequence_number` of the last event that is known already; None begins with
                the first.
            include: What else the response is to hold.

        Raises:
            InputError: That is no id, or no such number.
            Unsupported: The endpoint does not have it; nothing was sent.

        Example:
            async with model.stream_stored(response.id, after=41) as events:
                async for event in events:
                    print(event["type"])
        """
        require(self, "stream_resume")
        if after is not None and (type(after) is not int or after < 0):
            raise InputError(f"after={after!r}: give the sequence_number of an event, 0 or more")
        query = [("stream", "true"), *(("include[]", name) for name in include)]
        if after is not None:
            query.append(("starting_after", str(after)))
        url = f"{self.base_url}/responses/{path_segment(response_id)}?{urlencode(query)}"
        reader = RawReader(self, tail=after is not None)
        return RawStream(
            self,
            lambda emit: Exchange(self, reader, url, b"", emit, method="GET", streamed=True),
        )

    def _raw(
        self,
        body: bytes,
        *,
        background: bool,
        accepted: str | None = None,
        include: Sequence[str] = (),
        finish: Callable[[Response], Response] | None = None,
    ) -> RawStream:
        reader = RawReader(self)

        def start(emit: Emit) -> Exchange[Response] | Background:
            if background:
                return Background(
                    self, reader, body, emit, streamed=True, accepted=accepted, include=include
                )
            url = f"{self.base_url}/responses"
            return Exchange(self, reader, url, body, emit, streamed=True)

        return RawStream(self, start, finish)

    async def wait(self, response_id: str, *, include: Sequence[str] = ()) -> Response:
        """Wait for a background response to end, looking at it now and then.

        Args:
            response_id: Its id.
            include: What else it is to hold.

        Raises:
            InputError: That is no id.
            ServiceError: It failed, or cannot be looked at (then `outcome` is `unknown`).
        """
        return await poll(
            self,
            response_id,
            lambda body, *rest: self.parse(body, b"", *rest),
            Patience(self),
            include=include,
        )

    def create_sync(self, body: Mapping[str, Any] | None = None, /, **fields: Any) -> Response:
        """`create`, blocking."""
        return block(self.create, body, **fields)

    def wait_sync(self, response_id: str, *, include: Sequence[str] = ()) -> Response:
        """`wait`, blocking."""
        return block(self.wait, response_id, include=include)

    async def _ask(self, request: Request, emit: Emit) -> Response:
        if self._foreign:
            request = self._native(request)
        body, settings = self._renderer.render(request), request.settings
        if settings.background or request.accepted is not None:
            job = Background(
                self,
                self,
                body,
                emit,
                streamed=request.stream,
                accepted=request.accepted,
                include=settings.include or (),
            )
            return await self.persist(job)
        return await self._send(body, emit, streamed=request.stream)

    async def _mended(self, request: Request, error: StatusError, emit: Emit) -> Response:
        """Answer a request that was refused, otherwise.

        Raises:
            ServiceError: It cannot be; the last refusal.
        """
        notes: list[Noted] = []
        tried: set[str] = set()
        while (better := mend(request, error.mend, tried)) is not None:
            tried.add(error.mend)
            notes += [*error.notes, Noted("mended", better.why, data={"mend": error.mend})]
            if error.partial is not None:
                await emit([Retrying(len(tried) + 1, 0.0, better.why)])
            request = better.request
            try:
                response = await self._ask(request, emit)
            except StatusError as refusal:
                error = refusal
            except ServiceError as failed:
                failed.notes = (*notes, *failed.notes)
                raise
            else:
                self._shun(better.stripped)
                return replace(response, notes=(*notes, *response.notes))
        error.notes = (*notes, *error.notes)
        raise error

    def _native(self, request: Request) -> Request:
        """The request without reasoning that was refused here before."""
        if not self._foreign:
            return request
        return replace(request, items=without_reasoning(request.items, self._foreign))

    def _shun(self, items: Sequence[Item]) -> None:
        """Never send the reasoning in these items again."""
        if len(self._foreign) > limits.FOREIGN_KEPT:
            self._foreign.clear()
        self._foreign.update(fingerprint(item) for item in items if type(item) is Reasoning)

    async def _send(self, body: bytes, emit: Emit, *, streamed: bool) -> Response:
        url = f"{self.base_url}/responses"
        return await self.persist(Exchange(self, self, url, body, emit, streamed=streamed))

    def assembler(
        self, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Assembler:
        """What puts a stream together; see `Reader`."""
        return Assembler(
            sent=sent,
            headers=headers,
            secrets=secrets,
            table=self.failures,
            endpoint=self.origin,
        )

    def parse(
        self, body: bytes, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Response:
        """Read a whole answer; see `Reader`."""
        return parse_response(
            body,
            sent=sent,
            headers=headers,
            secrets=secrets,
            table=self.failures,
            endpoint=self.origin,
        )
