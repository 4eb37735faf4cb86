"""The model at the other end of a Responses endpoint: ask, streamed or plain, and persist."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from toolstone.errors import InputError
from toolstone.responses.bodies import joined, rendered
from toolstone.responses.capabilities import check_request
from toolstone.responses.exchange import Exchange, nobody
from toolstone.responses.operations import Operations
from toolstone.responses.parse import parse_response
from toolstone.responses.quirks import fitted, honest
from toolstone.responses.render import Renderer
from toolstone.responses.stream import Assembler

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.ports import Emit, Request, Response

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

    Raises:
        ConfigError: The URL, the key or a header cannot be.

    Example:
        model = Responses(base_url="http://127.0.0.1:8080/v1", model="smollm2")
        response = await model.respond(Request(items=(user("hi"),)), emit)
    """

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(self.model, self.profile)

    async def respond(self, request: Request, emit: Emit) -> Response:
        """Answer a request; see `toolstone.ports.Model`.

        Raises:
            ServiceError: No answer, also when asked again where that can help. It says how often
                was tried; `notes` has what each attempt was, `partial` what had arrived.
            InputError: The request cannot be said in JSON; nothing was sent.
            Unsupported: The endpoint is known not to be able to do this; nothing was sent.
        """
        if self.profile.unsupported:
            check_request(request, self.profile)
        if self.profile.ignores:
            request = fitted(request, self.profile)
        body = self._renderer.render(request)
        response = await self._send(body, emit, streamed=request.stream)
        return honest(response, request, self.profile) if self.profile.hides_cuts else response

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
