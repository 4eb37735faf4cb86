"""The model at the other end of a Chat Completions endpoint: the same port, the older protocol."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from toolstone.chat.bounds import CHAT_PROFILE, bounded
from toolstone.chat.parse import parse_completion
from toolstone.chat.render import Renderer
from toolstone.chat.stream import Assembler
from toolstone.errors import InputError
from toolstone.responses.bodies import write
from toolstone.responses.exchange import Exchange, nobody
from toolstone.responses.quirks import honest
from toolstone.responses.service import Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.ports import Emit, Profile, Request, Response

__all__ = ["ChatCompletions"]


class ChatCompletions(Service):
    """A model behind `POST {base_url}/chat/completions`; fits `toolstone.ports.Model`.

    For servers that do not speak Responses. What the protocol cannot say (background mode, state on
    the server, hosted tools ...) is `Unsupported` before anything is sent; `profile` states it all.
    Safe to share between runs, threads and event loops. Nothing is opened before the first request.

    Args:
        model: The model's name as the server knows it.
        base_url: Up to and without `/chat/completions`; https, or http on this machine.
        profile: What the server can and cannot do.
        **options: As for `Responses`: `api_key`, `auth`, `transport`, `deadlines`, `retry`,
            `headers`, `user_agent`.

    Attributes:
        profile: What the server can, and what the protocol cannot.
        failures: What errors mean here, row by row; see `toolstone.responses.failures`.

    Raises:
        ConfigError: The URL, the key or a header cannot be.

    Example:
        agent = Agent(ChatCompletions(base_url="http://127.0.0.1:8080/v1", model="qwen"))
    """

    def __init__(
        self, *, model: str, base_url: str, profile: Profile = CHAT_PROFILE, **options: Any
    ) -> None:
        super().__init__(model=model, base_url=base_url, profile=bounded(profile), **options)

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(self.model, self.profile)

    async def respond(self, request: Request, emit: Emit) -> Response:
        """Answer a request; see `toolstone.ports.Model`.

        Raises:
            ServiceError: No answer, also when asked again where that can help. It says how often
                was tried; `notes` has what each attempt was, `partial` what had arrived.
            Unsupported: The protocol or the server cannot do this; nothing was sent.
            InputError: The request cannot be said in JSON; nothing was sent.
        """
        body, notes = self._renderer.render(request)
        response = await self._send(body, emit, streamed=request.stream)
        if self.profile.hides_cuts:
            response = honest(response, request, self.profile)
        return replace(response, notes=(*notes, *response.notes)) if notes else response

    async def create(self, body: Mapping[str, Any]) -> Response:
        """Send a body of your own; `model` and `stream: false` are added where missing.

        Raises:
            ServiceError: As `respond`.
            InputError: The body cannot be said in JSON, or asks for a stream.
        """
        if body.get("stream"):
            raise InputError("create() answers whole; for a stream use respond(), stream=True")
        raw = write({"model": self.model, "stream": False, **body}, "the body")
        return await self._send(raw, nobody, streamed=False)

    async def _send(self, body: bytes, emit: Emit, *, streamed: bool) -> Response:
        url = f"{self.base_url}/chat/completions"
        exchange = Exchange(self, self, url, body, emit, streamed=streamed)
        return replace(await self.persist(exchange), endpoint=self.origin)

    def assembler(
        self, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Assembler:
        """What puts a stream together; see `Reader`."""
        return Assembler(
            sent=sent,
            headers=headers,
            secrets=secrets,
            table=self.failures,
            tag=self.profile.thought_tag,
        )

    def parse(
        self, body: bytes, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Response:
        """Read a whole answer; see `Reader`."""
        return parse_completion(
            body,
            sent=sent,
            headers=headers,
            secrets=secrets,
            table=self.failures,
            tag=self.profile.thought_tag,
        )
