"""Streams that can be taken up again: an assembler that knows how far it is, and one behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from toolstone.ports import Response
from toolstone.responses.exchange import Assembling, Reader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.wire.sse import Event

__all__ = ["Following", "Numbered", "NumberedReader"]


class Numbered(Assembling[Response], Protocol):
    """An assembler that knows how far it is; see `toolstone.responses.stream.Assembler`."""

    @property
    def id(self) -> str:
        """The response's id, once it was told."""
        ...

    @property
    def last_number(self) -> int | None:
        """The number of the last event, where the server numbers them."""
        ...


class NumberedReader(Reader[Response], Protocol):
    """How responses are read that can be taken up again."""

    def assembler(
        self, sent: bytes, headers: Mapping[str, str], secrets: Sequence[str]
    ) -> Numbered:
        """For one stream."""
        ...


class Following:
    """An assembler that leaves the work to another; what it does otherwise, a subclass says."""

    def __init__(self, inner: Numbered) -> None:
        self._inner = inner

    @property
    def headers(self) -> Mapping[str, str]:
        """See `Assembling`."""
        return self._inner.headers

    @headers.setter
    def headers(self, headers: Mapping[str, str]) -> None:
        self._inner.headers = headers

    @property
    def id(self) -> str:
        """See `Numbered`."""
        return self._inner.id

    @property
    def last_number(self) -> int | None:
        """See `Numbered`."""
        return self._inner.last_number

    @property
    def heard(self) -> int:
        """See `Assembling`."""
        return self._inner.heard

    @property
    def response(self) -> Response | None:
        """See `Assembling`."""
        return self._inner.response

    def feed(self, events: Sequence[Event]) -> Sequence[Any]:
        """See `Assembling`."""
        return self._inner.feed(events)

    def end(self) -> Response:
        """See `Assembling`."""
        return self._inner.end()

    def partial(self) -> Response | None:
        """See `Assembling`."""
        return self._inner.partial()
