"""One HTTP exchange, and the seam between the protocol and whichever library carries it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from toolstone._dataclass import dataclass
from toolstone.errors import TransportError
from toolstone.wire.deadlines import Deadlines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from contextlib import AbstractAsyncContextManager

__all__ = ["HttpReply", "HttpRequest", "HttpStream", "Transport", "reply_headers"]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What is sent. A transport alters neither the body nor a header."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    deadlines: Deadlines = field(default_factory=Deadlines)
    """A transport minds `connect` alone; the others are minded above it, by a `Watch`."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """What came back, whole.

    Attributes:
        status: The HTTP status.
        headers: Names in lower case; values of one name joined with a comma.
        body: At most `limits.BODY_BYTES`; of an error, the first `limits.ERROR_BODY_BYTES`.
        cut: Whether the body of an error broke off.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    cut: bool = False


class HttpStream(Protocol):
    """What comes back, piece by piece."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Names in lower case; values of one name joined with a comma."""
        ...

    @property
    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, decompressed, one piece for each read of the network."""
        ...


@runtime_checkable
class Transport(Protocol):
    """An HTTP library: httpx, aiohttp, or yours.

    It follows no redirects, keeps no cookies, retries nothing, and raises `TransportError` (with
    `phase`), `ProtocolError` or `LimitError` and nothing else of its own.
    """

    async def send(self, request: HttpRequest) -> HttpReply:
        """Send a request and read the whole answer, whatever its status."""
        ...

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        """Send a request; inside the context the answer can be read as it arrives.

        Leaving the context early closes the connection.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections of the running event loop; later requests open new ones."""
        ...


_FORBIDDEN = ("\0", "\r", "\n")


def reply_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers as they came, in the form that `HttpReply` has them.

    Raises:
        TransportError: A value holds a NUL or a line break.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if any(character in value for character in _FORBIDDEN):
            raise TransportError(
                "the answer has a header with a NUL or a line break in its value; "
                "what answers here is broken, or is not the service",
                phase="headers",
                retryable=False,
            )
        found[name] = f"{found[name]}, {value}" if name in found else value
    return found
