"""Choices out of bytes: the same bytes, the same choices; where they end, the first of each."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")

_ODD: Final[tuple[Any, ...]] = (
    None,
    True,
    0,
    -1,
    1,
    2**63,
    10**300,
    1.5,
    -0.0,
    1e308,
    "",
    "a",
    "é\u2028\x00",
    "\U0001f600",
    "x" * 70,
)
"""Values that a field rarely holds."""


class Reader:
    """Reads choices off the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._data) - self._at

    def byte(self) -> int:
        """The next byte; 0 at the end."""
        if not self.left:
            return 0
        self._at += 1
        return self._data[self._at - 1]

    def below(self, most: int) -> int:
        """A number below `most`, of at most 256."""
        return self.byte() % most

    def pick(self, among: Sequence[T]) -> T:
        """One of these."""
        return among[self.below(len(among))]

    def chance(self, of: int) -> bool:
        """Once in so many times; never where the bytes have ended."""
        return self.left > 0 and self.below(of) == of - 1

    def text(self) -> str:
        """Up to 15 characters of whatever the bytes are."""
        size = self.below(16)
        said = self._data[self._at : self._at + size]
        self._at += len(said)
        return said.decode("utf-8", "replace")

    def rest(self) -> bytes:
        """All that is left."""
        said = self._data[self._at :]
        self._at = len(self._data)
        return said

    def value(self, depth: int = 3) -> Any:
        """A JSON value of any kind, half of them odd."""
        kind = self.below(8)
        if kind == 6 and depth:  # noqa: PLR2004  kinds are counted here alone
            return [self.value(depth - 1) for _ in range(self.below(4))]
        if kind == 7 and depth:  # noqa: PLR2004  the same
            return {self.text(): self.value(depth - 1) for _ in range(self.below(4))}
        return self.text() if kind < 3 else self.pick(_ODD)  # noqa: PLR2004  the same

    def cuts(self, size: int) -> list[tuple[int, int]]:
        """A way to cut something of this size into pieces."""
        edges = sorted({self.below(256) * size // 256 for _ in range(self.below(6))})
        edges = [0, *[edge for edge in edges if 0 < edge < size], size]
        return list(pairwise(edges))
