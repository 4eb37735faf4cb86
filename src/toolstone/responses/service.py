"""An HTTP service that answers requests: its address, who asks, how long, how often."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar, cast

from toolstone import limits
from toolstone._secrets import PRIVATE, Hidden, Secret
from toolstone.errors import ConfigError, ServiceError
from toolstone.events import Noted, Retrying
from toolstone.ports import Profile, Response
from toolstone.responses.address import check_base_url
from toolstone.responses.failures import TABLE, sanitised
from toolstone.wire import (
    Auth,
    BearerAuth,
    Deadlines,
    HttpRequest,
    HttpxTransport,
    NoAuth,
    Quota,
    Retry,
    Transport,
)
from toolstone.wire.failed import frameless
from toolstone.wire.retry import persist

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from types import TracebackType

    from toolstone.responses.failures import Row

__all__ = ["DEFAULT_PROFILE", "DEFAULT_RETRY", "Attempted", "Service"]

Answer = TypeVar("Answer")
Got = TypeVar("Got", covariant=True)  # noqa: PLC0105  the answer, where it is only given

DEFAULT_PROFILE: Final = Profile()
DEFAULT_RETRY: Final = Retry()
_NAME: Final = re.compile(r"[A-Za-z0-9-]+")


class Attempted(Protocol[Got]):
    """What can be tried more than once, such as an `Exchange`."""

    emit: Callable[[Sequence[Any]], Awaitable[None]]
    """Where it is said that it is tried again."""
    committed: bool
    """Whether something of it is in use already: then it is not begun anew."""

    async def attempt(self) -> Got:
        """Try once."""
        ...


class Service:
    """What the clients of both protocols share; see `Responses` for the arguments.

    Attributes:
        failures: What errors mean here, row by row; see `toolstone.responses.failures`.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str,
        api_key: str | Callable[[], str | Awaitable[str]] | None = None,
        auth: Auth | None = None,
        transport: Transport | None = None,
        profile: Profile = DEFAULT_PROFILE,
        deadlines: Deadlines | None = None,
        retry: Retry = DEFAULT_RETRY,
        headers: Mapping[str, str] | None = None,
        user_agent: str = "toolstone",
    ) -> None:
        api_key = Hidden(api_key) if isinstance(api_key, str) else api_key
        base_url, headers = Hidden(base_url), _hidden(headers or {})
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
        common = _checked(
            {
                **{name.lower(): value for name, value in headers.items()},
                "user-agent": user_agent,
                "content-type": "application/json",
                "accept-encoding": "identity",
            }
        )
        self._headers = {
            False: {**common, "accept": "application/json"},
            True: {**common, "accept": "text/event-stream"},
        }
        self._bodiless = {
            streamed: {name: value for name, value in headers.items() if name != "content-type"}
            for streamed, headers in self._headers.items()
        }

    def __repr__(self) -> str:
        if "base_url" not in self.__dict__:
            return f"{type(self).__name__}(...)"  # in the report of what kept it from being made
        return f"{type(self).__name__}(model={self.model!r}, base_url={self.base_url!r})"

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

    @cached_property
    def origin(self) -> str:
        """Where it is, without the path: what is bound to a service is bound to this."""
        return "/".join(self.base_url.split("/", 3)[:3])

    async def persist(self, exchange: Attempted[Answer]) -> Answer:
        """Carry an exchange out, and again where that can help.

        Raises:
            ServiceError: No answer; `notes` has what each attempt was.
        """
        started = self.retry.clock()
        try:
            answer = await exchange.attempt()
        except ServiceError as error:
            first = frameless(error)
        else:
            self.quota.refill()
            return answer
        return await self._again(exchange, first, started)

    async def _again(
        self, exchange: Attempted[Answer], first: ServiceError, started: float
    ) -> Answer:
        notes: list[Noted] = []
        _add_note(notes, first)

        async def attempt() -> Answer:
            try:
                return await exchange.attempt()
            except ServiceError as error:
                _add_note(notes, error)
                failed = frameless(error)
            raise failed

        async def announce(error: ServiceError, number: int, wait: float) -> None:
            await exchange.emit([Retrying(number + 1, wait, str(error), error.status)])

        def repeats(error: ServiceError) -> bool:
            return error.retryable and error.outcome != "unknown" and not exchange.committed

        try:
            answer = await persist(
                attempt,
                first,
                retry=self.retry,
                quota=self.quota,
                announce=announce,
                repeats=repeats,
            )
        except ServiceError as error:
            error.attempts = max(1, len(notes))
            error.elapsed = self.retry.clock() - started
            error.notes = tuple(notes)
            failed = frameless(error)
            raise failed from failed.__cause__
        if isinstance(answer, Response):
            return cast("Answer", replace(answer, notes=(*notes, *answer.notes)))
        return answer

    async def open(
        self, method: str, url: str, body: bytes, *, streamed: bool
    ) -> tuple[HttpRequest, Sequence[str]]:
        """One attempt's request, signed, and the values in it that must not be told."""
        headers = (self._headers if body else self._bodiless)[streamed]
        added = await self._auth.headers(method, url, headers, body)
        request = HttpRequest(method, url, {**headers, **added}, body, self.deadlines)
        return request, list(added.values())

    async def learn(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether the one who signs has learnt something from a refusal."""
        return await self._auth.learn(status, headers)

    @property
    def transport(self) -> Transport:
        """What carries the requests."""
        return self._transport


def _hidden(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Headers of the user's own; the values of those that may say who asks are hidden."""
    return {
        name: Secret(value) if isinstance(value, str) and PRIVATE.search(name) else value
        for name, value in headers.items()
    }


def _checked(headers: Mapping[str, str]) -> Mapping[str, str]:
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ConfigError(f"header name {name[:40]!r}: use letters, digits and '-'")
        if not isinstance(value, str):
            raise ConfigError(
                f"the value of header {name!r} is a {type(value).__name__!r}; it must be text"
            )
        if not value.isascii() or not value.isprintable():
            raise ConfigError(
                f"the value of header {name!r} ({len(value)} characters) holds a line break or a "
                "character outside ASCII"
            )
    return headers


def _add_note(notes: list[Noted], error: ServiceError) -> None:
    """Say what a failed attempt was, and what it is known to have cost.

    One whose outcome is unknown has not failed yet: who goes on with it will know.
    """
    if error.outcome == "unknown":
        return
    made = error.partial.id if error.partial is not None else None
    data = {
        "attempt": len(notes) + 1,
        "error": type(error).__name__,
        "phase": error.phase,
        "status": error.status,
        "code": error.code,
        "request_id": error.request_id,
        "response": made or None,
    }
    known = {name: value for name, value in data.items() if value is not None}
    usage = error.partial.usage if error.partial is not None else None
    notes.append(Noted("attempt", sanitised(str(error)), usage, known))
