"""The pace of a job: what you allow it, and the model that keeps to it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError, RateLimitError
from toolstone.events import Retrying
from toolstone.extract.throttle import Throttle
from toolstone.extract.worst import WorstCase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.events import Accepted, Delta, Noted
    from toolstone.extract.throttle import Gate, Turn
    from toolstone.ports import Emit, Model, Request, Response
    from toolstone.usage import Usage

__all__ = ["Pace", "Paced"]

_REFUSED: Final = 429


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a job may ask. What is not stated is found out: see `toolstone.extract.throttle`.

    Attributes:
        requests_per_minute: Requests, evenly spread; retries count.
        tokens_per_minute: Tokens as Amazon Bedrock counts them: the input, estimated, and
            `max_output_tokens` are reserved when a request is sent; what was not used is given
            back when its answer is there, and so is input that came from a cache.
        start: Requests at once in the beginning; doubled with each round trip until the service
            shows strain.

    Raises:
        DefinitionError: A limit that is not above 0.

    Example:
        extract_many(documents, Invoice, model=..., pace=Pace(requests_per_minute=600))
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    start: int = limits.EXTRACT_START

    def __post_init__(self) -> None:
        for name in ("requests_per_minute", "tokens_per_minute", "start"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise DefinitionError(
                    f"Pace({name}={value!r}): a limit is a number above 0, or None to find it out"
                )
        if self.start < 1:
            raise DefinitionError(f"Pace(start={self.start!r}): at least 1 request at once")

    def shared(self, parts: int) -> Pace:
        """One of so many equal parts, for processes that ask the same service."""
        requests, tokens = self.requests_per_minute, self.tokens_per_minute
        return replace(
            self,
            requests_per_minute=None if requests is None else requests / parts,
            tokens_per_minute=None if tokens is None else tokens / parts,
        )

    def throttle(self, most: int) -> Throttle:
        """What keeps to it, for one event loop; `most` requests at once, if it comes to that."""
        return Throttle(
            requests=self.requests_per_minute,
            tokens=self.tokens_per_minute,
            start=self.start,
            most=most,
        )


class Paced:
    """A model that is asked only when the throttle gives leave; fits `toolstone.ports.Model`.

    A 429 is waited out here, beyond the client's own retries: the request goes back in the queue,
    `limits.EXTRACT_QUEUED` times. The client's retries wait for leave as well.

    Args:
        model: The model that is asked.
        throttle: Gives leave.
        name: What the user called the model: the key of a price table.
    """

    def __init__(self, model: Model, throttle: Gate, name: str = "") -> None:
        self._model = model
        self._throttle = throttle
        self._worst = WorstCase()
        self.name = name or str(getattr(model, "name", ""))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # half made, as in a copy
        return getattr(self._model, name)

    async def respond(self, request: Request, emit: Emit, /) -> Response:
        """Answer a request when it is its turn; see `toolstone.ports.Model`.

        Raises:
            RateLimitError: The service kept saying 429, or asks for a longer wait than
                `limits.RETRY_AFTER_MAX`.
            ServiceError: No answer for another reason.
        """
        notes: list[Noted] = []
        turns = limits.EXTRACT_QUEUED
        tokens = sum(self._worst(request)) if self._throttle.counts_tokens else 0
        while True:
            try:
                response = await self._once(request, emit, tokens)
            except RateLimitError as error:
                notes += error.notes
                error.notes = tuple(notes)
                turns -= 1
                wait = error.retry_after or 0.0
                final = not error.retryable or error.outcome != "none"
                if final or not turns or wait > limits.RETRY_AFTER_MAX:
                    raise
            else:
                break
            await asyncio.sleep(wait)
        return replace(response, notes=(*notes, *response.notes)) if notes else response

    async def _once(self, request: Request, emit: Emit, tokens: int) -> Response:
        throttle = self._throttle
        turn = await throttle.enter(tokens)
        answered, used = False, None
        try:
            response = await self._model.respond(request, _Watching(emit, throttle, turn).emit)
            answered, used = True, _counted(response.usage)
        except RateLimitError as error:
            throttle.refuse(turn, error.retry_after)
            used = 0
            raise
        else:
            return response
        finally:
            throttle.leave(turn, answered=answered, used=used)


class _Watching:
    """Sees in what is emitted that the client tries again, and has it wait for leave."""

    __slots__ = ("_emit", "_throttle", "_turn")

    def __init__(self, emit: Emit, throttle: Gate, turn: Turn) -> None:
        self._emit = emit
        self._throttle = throttle
        self._turn = turn

    async def emit(self, events: Sequence[Delta | Accepted]) -> None:
        await self._emit(events)
        if events and type(events[0]) is Retrying:
            if events[0].status == _REFUSED:
                self._throttle.refuse(self._turn, events[0].wait)
            await self._throttle.again(self._turn)


def _counted(usage: Usage) -> int:
    """Tokens that count against a limit: those read from a cache do not."""
    return usage.total_tokens - usage.cached_tokens
