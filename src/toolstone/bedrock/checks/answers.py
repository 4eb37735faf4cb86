"""One request of the doctor's own, sent as it is, and what came back: nothing is mended here."""

from __future__ import annotations

import asyncio
import time
from dataclasses import field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.bedrock.catalogue import list_models
from toolstone.bedrock.choosing import choose_auth
from toolstone.bedrock.endpoint import resolve_endpoint
from toolstone.errors import ConfigError, ServiceError, ToolstoneError
from toolstone.responses.decode import decode
from toolstone.responses.failures import failure, read_error
from toolstone.wire import Deadlines, HttpReply, HttpRequest, HttpxTransport, SseDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolstone.bedrock.checks.case import Case
    from toolstone.bedrock.endpoint import Endpoint
    from toolstone.errors import StatusError
    from toolstone.wire import Auth, Transport

__all__ = ["Answer", "Visit"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The HTTP status; 0 if nothing came.
        body: What it said: JSON, or text.
        refused: The refusal, by the table that exceptions have too; None for a success.
        trouble: Why nothing came, in words.
        silent: Whether it is because of silence.
        nobody: Whether it is because there is nobody to ask as.
        events: Of a stream, the names of its events, in order.
    """

    status: int = 0
    body: Any = field(default=None, repr=False)
    refused: StatusError | None = None
    trouble: str = ""
    silent: bool = False
    nobody: bool = False
    events: tuple[str, ...] = ()

    @property
    def means(self) -> str:
        """What a refusal is about, in one word; `ok` for a response, empty if nothing came."""
        if self.refused is not None:
            return self.refused.means or "other"
        if self.trouble:
            return ""
        return "ok" if self.is_response else "no-response"

    @property
    def is_response(self) -> bool:
        """Whether the body is a response or a chat completion, and not just any 200."""
        return isinstance(self.body, dict) and self.body.get("object") in _ANSWERS

    @property
    def said(self) -> str:
        """The refusal, or the trouble, in words."""
        return str(self.refused) if self.refused is not None else self.trouble


class Visit:
    """One visit to the case's endpoint; remembers what was answered.

    Args:
        case: What is examined.
        endpoint: Its endpoint.
        auth: Who asks.
        transport: Carries the requests; httpx unless said otherwise.
        clock: Unix seconds by our clock.

    Attributes:
        skew: How far our clock is behind the host's, in seconds; None before any answer.
        kept: Answers by name, for checks that read the same one.
    """

    def __init__(
        self,
        case: Case,
        endpoint: Endpoint,
        auth: Auth,
        *,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.case, self.endpoint, self.auth = case, endpoint, auth
        self.skew: float | None = None
        self.kept: dict[str, Answer] = {}
        self._transport = transport or HttpxTransport()
        self._clock = clock

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def get(self, path: str) -> Answer:
        """GET a path under the origin; each path is asked for once."""
        if path not in self.kept:
            self.kept[path] = await self.ask("GET", f"{self.endpoint.origin}{path}")
        return self.kept[path]

    async def models_of(self, region: str) -> frozenset[str]:
        """The ids that the mantle host of another region lists; none if it does not tell."""
        end = resolve_endpoint(
            f"bedrock-mantle/{self.endpoint.bare}", region=region, environment={}
        )
        try:
            auth = choose_auth(end, environment={}).auth
            async with asyncio.timeout(limits.DOCTOR_IDLE_SECONDS):
                listed = await list_models(
                    end, auth, transport=self._transport, dialect=self.case.dialect
                )
        except (ToolstoneError, TimeoutError):
            return frozenset()
        return frozenset(one.id for one in listed)

    async def post(self, body: Mapping[str, Any], *, base: str | None = None) -> Answer:
        """Create a response; the model is added, and the endpoint's protocol spoken."""
        end = self.endpoint
        told = _as_chat(body) if end.api == "chat" else body
        raw = to_json({"model": end.model, **told})
        return await self.ask("POST", f"{base or end.base_url}{end.path}", raw)

    async def ask(self, method: str, url: str, body: bytes = b"", *, signed: bool = True) -> Answer:
        """Send one request, once more if the one who signs has learnt something."""
        try:
            return await self._ask(method, url, body, signed=signed)
        except ConfigError as error:
            return Answer(trouble=str(error), nobody=True)
        except TimeoutError as error:
            text = str(error) or f"no answer within {limits.DOCTOR_IDLE_SECONDS:g} s"
            return Answer(trouble=text, silent=True)
        except ServiceError as error:
            return Answer(trouble=str(error))

    async def _ask(self, method: str, url: str, body: bytes, *, signed: bool) -> Answer:
        again = signed
        while True:
            request = await self._request(method, url, body, signed=signed)
            async with asyncio.timeout(limits.DOCTOR_IDLE_SECONDS):
                reply = await self._transport.send(request)
            self._look_at_clock(reply.headers)
            answer = self._read(reply, request)
            refused = answer.refused
            final = refused is None or refused.means == "permission" or not again
            if final or not await self.auth.learn(reply.status, reply.headers):
                return answer
            again = False

    async def _request(
        self, method: str, url: str, body: bytes, *, signed: bool, accept: str = "application/json"
    ) -> HttpRequest:
        headers = {"accept": accept, "accept-encoding": "identity", "user-agent": "toolstone"}
        if body:
            headers["content-type"] = "application/json"
        if self.endpoint.project is not None:
            headers["openai-project"] = self.endpoint.project
        if signed:
            headers = {**headers, **await self.auth.headers(method, url, headers, body)}
        return HttpRequest(
            method, url, headers, body, Deadlines(connect=limits.DOCTOR_CONNECT_SECONDS)
        )

    def _read(self, reply: HttpReply, request: HttpRequest) -> Answer:
        body = _decoded(reply.body)
        if 200 <= reply.status < 300:  # noqa: PLR2004  the class of HTTP successes
            return Answer(reply.status, body)
        secrets = [v for k, v in request.headers.items() if k in _SECRET_HEADERS]
        refused = failure(
            read_error(body),
            status=reply.status,
            headers=reply.headers,
            body=reply.body,
            secrets=secrets,
            table=self.case.dialect.failures,
        )
        return Answer(reply.status, body, refused)

    def _look_at_clock(self, headers: Mapping[str, str]) -> None:
        try:
            there = parsedate_to_datetime(headers.get("date", ""))
        except ValueError:
            return
        if self.skew is None:
            self.skew = there.timestamp() - self._clock()

    async def stream(self, body: Mapping[str, Any]) -> Answer:
        """Create a response as a stream, and read it to its end."""
        raw = to_json({"model": self.endpoint.model, "stream": True, **body})
        names: list[str] = []
        try:
            return await self._streamed(raw, names)
        except ConfigError as error:
            return Answer(trouble=str(error), nobody=True)
        except TimeoutError as error:
            text = str(error) or f"silence for {limits.DOCTOR_IDLE_SECONDS:g} s"
            return Answer(trouble=text, silent=True, events=tuple(names))
        except ServiceError as error:
            return Answer(trouble=str(error), events=tuple(names))

    async def _streamed(self, raw: bytes, names: list[str]) -> Answer:
        url = f"{self.endpoint.base_url}/responses"
        request = await self._request("POST", url, raw, signed=True, accept="text/event-stream")
        decoder, last, whole = SseDecoder(), None, b""
        async with (
            asyncio.timeout(limits.DOCTOR_IDLE_SECONDS) as idle,
            self._transport.stream(request) as answer,
        ):
            async for chunk in answer.chunks:
                idle.reschedule(asyncio.get_running_loop().time() + limits.DOCTOR_IDLE_SECONDS)
                if answer.status != 200:  # noqa: PLR2004  a refusal is not streamed
                    whole += chunk
                    continue
                for event in decoder.feed(chunk):
                    last = _event(event[1], names, last)
        if whole:
            return self._read(HttpReply(answer.status, answer.headers, whole), request)
        return Answer(answer.status, last, events=tuple(names))


_ANSWERS = ("response", "chat.completion")


def _as_chat(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The small request, in the words of Chat Completions."""
    asked = {"role": "user", "content": body["input"]}
    return {"messages": [asked], "max_completion_tokens": body["max_output_tokens"]}


_SECRET_HEADERS = frozenset({"authorization", "x-api-key", "x-amz-security-token"})


def _event(data: bytes, names: list[str], last: Any) -> Any:
    """Note the name of an event; the response that it carries, or the last one."""
    if data.strip() == b"[DONE]":
        names.append("[DONE]")
        return last
    body = _decoded(data)
    if not isinstance(body, dict):
        return last
    names.append(str(body.get("type") or "(no type)"))
    return body.get("response", last)


def _decoded(body: bytes) -> Any:
    try:
        return decode(body)
    except ServiceError:
        return body.decode("utf-8", "replace")
