"""Looks at a background response again and again, until it has ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from toolstone import limits
from toolstone.errors import DeadlineError, ServiceError, StatusError
from toolstone.responses.address import path_segment
from toolstone.responses.exchange import Exchange, Whole
from toolstone.responses.mending import FORGOTTEN
from toolstone.responses.objects import read_object
from toolstone.wire.retry_after import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolstone.ports import Response
    from toolstone.responses.service import Service

    Read = Callable[[bytes, Mapping[str, str], Sequence[str]], Response]

__all__ = ["UNENDED", "Patience", "poll"]

UNENDED: Final = frozenset({"queued", "in_progress"})
"""What a response is that has not ended."""
_NOT_FOUND: Final = 404


class Patience:
    """How long a response is waited for, all looks at it together.

    Args:
        service: Whose deadline and clock count.
    """

    __slots__ = ("_began", "_service")

    def __init__(self, service: Service) -> None:
        self._service = service
        self._began = service.retry.clock()

    async def wait(self, seconds: float) -> None:
        """Wait so long before the next look.

        Raises:
            DeadlineError: It has been waited for long enough.
        """
        most = self._service.deadlines.background
        if most is not None and self._service.retry.clock() + seconds - self._began > most:
            raise DeadlineError(
                f"the background response was not over within {most:g} s (Deadlines.background); "
                "the service goes on with it, and so can you: look at it again later",
                outcome="unknown",
            )
        await self._service.retry.sleep(seconds)


class _Seen(NamedTuple):
    read: Callable[[], Response] | None
    """Reads it, once it has ended."""
    after: float = 0.0
    """Seconds that the service asks to be left alone."""


async def poll(
    service: Service,
    response_id: str,
    read: Read,
    patience: Patience,
    *,
    include: Sequence[str] = (),
    waits: bool = False,
) -> Response:
    """The response, once it has ended.

    Args:
        service: Who has it.
        response_id: Its id.
        read: What is made of a response that has ended.
        patience: How long to wait.
        include: What else it is to hold.
        waits: Whether to wait before the first look: it was begun just now.

    Raises:
        StatusError: It failed; or it is not there (404), and `mend` says to ask anew.
        ServiceError: It could not be looked at: `outcome` is `unknown`.
    """
    query = urlencode([("include[]", name) for name in include])
    url = f"{service.base_url}/responses/{path_segment(response_id)}"
    url = f"{url}?{query}" if query else url

    def look(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> _Seen:
        wanted, table = "a response", service.failures
        raw = read_object(body, headers, secrets, wanted, "id", "status", table=table)
        if raw["status"] in UNENDED:
            return _Seen(None, min(retry_after(headers) or 0.0, service.retry.after_max))
        return _Seen(partial(read, body, headers, secrets))

    pause, seen = limits.BACKGROUND_WAIT, _Seen(None)
    if not waits:
        seen = await _ask(service, Exchange(service, Whole(look), url, method="GET"))
    while seen.read is None:
        await patience.wait(max(pause, seen.after))
        pause = min(2 * pause, limits.BACKGROUND_WAIT_MAX)
        seen = await _ask(service, Exchange(service, Whole(look), url, method="GET"))
    return seen.read()


async def _ask(service: Service, exchange: Exchange[_Seen]) -> _Seen:
    try:
        return await service.persist(exchange)
    except ServiceError as error:
        error.notes = ()  # these were looks at a response, not requests for one
        if isinstance(error, StatusError) and error.status == _NOT_FOUND:
            error.args = (f"the service has no such background response, or no more: {error}",)
            error.mend = FORGOTTEN
        else:
            error.outcome = "unknown"
        raise
