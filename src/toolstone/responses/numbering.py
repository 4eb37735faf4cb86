"""The numbers of a stream's events: what is repeated, out of order or missing. Pure."""

from __future__ import annotations

from toolstone.errors import ProtocolError

__all__ = ["Numbering"]


class Numbering:
    """Follows `sequence_number`, where a server sends it.

    Attributes:
        due: The number that should come next, once one was seen.
        last: The event before, as it came.
        gap: The first gap: the number that should have come, and the one that did. None also where
            numbers are missing here and there, as they then prove nothing.
    """

    __slots__ = ("_gap", "_unreliable", "due", "last")

    def __init__(self) -> None:
        self.due: int | None = None
        self.last = b""
        self._gap: tuple[int, int] | None = None
        self._unreliable = False

    @property
    def gap(self) -> tuple[int, int] | None:
        """See the class."""
        return None if self._unreliable else self._gap

    def admits(self, number: object, data: bytes) -> bool:
        """Judge an event whose number is not the one that is due; False: it was here already.

        Raises:
            ProtocolError: It is out of order.
        """
        if type(number) is not int or number < 0:
            self._unreliable = True
            return True
        if self.due is None or number > self.due:
            if self.due is not None and self._gap is None:
                self._gap = (self.due, number)
            self.due = number + 1
            return True
        if number == self.due - 1 and data == self.last:
            return False
        raise ProtocolError(
            f"event number {number} came where {self.due} should: the stream is out of order",
            phase="stream",
        )
