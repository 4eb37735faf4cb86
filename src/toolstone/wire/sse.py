"""Bytes in, server-sent events out, to the rules of the WHATWG (HTML Living Standard §9.2). Pure.

Whatever way the bytes are split, the events are the same. Line ends are first made one kind (CR
and CRLF become LF, which changes nothing that the rules can see), so an event is whatever stands
before an empty line. Events of the two common shapes, `event:` plus `data:` or `data:` alone, are
cut out of the bytes as they are; everything else takes the slow path, which reads line by line.
A long event that has not ended yet is read line by line too, so that endless comments need no
memory.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import Final

from toolstone import limits
from toolstone.errors import LimitError, ProtocolError

__all__ = ["Event", "SseDecoder"]

Event = tuple[bytes, bytes, bytes]
"""Name (empty: `message`), data, last id; UTF-8. A plain tuple, as there are very many."""

_BOM: Final = b"\xef\xbb\xbf"
_OPEN_LINES: Final = 64 * limits.KIB
"""An unfinished event of more bytes than this is read line by line."""


class SseDecoder:
    """An incremental decoder for one stream.

    Args:
        limit: The most bytes of one line, or of the data of one event.
        fast: False always takes the slow path; for tests, both give the same.

    Attributes:
        last_id: The last `id:` that was seen.
        retry: The last `retry:` in milliseconds, if one was seen.
    """

    def __init__(self, *, limit: int | None = None, fast: bool = True) -> None:
        self.last_id = b""
        self.retry: int | None = None
        self._limit = limits.EVENT_BYTES if limit is None else limit
        self._unread = min(self._limit, _OPEN_LINES)  # so much of an unfinished event may wait
        self._fast = fast
        self._buffer = bytearray()
        self._begun = False  # the place of a byte order mark is behind us
        self._skip_lf = False  # the last byte was a CR
        self._utf8 = getincrementaldecoder("utf-8")("strict")
        self._pending = False  # a character is cut in two at the end of the last chunk
        self._seen = 0  # bytes of all chunks before this one
        self._open = False  # the slow path is in the middle of an event
        self._searched = 0  # so many bytes of the buffer hold no line end, looked at line by line
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that end in this chunk.

        Raises:
            ProtocolError: The bytes are not UTF-8; the message has the offset.
            LimitError: A line or an event is longer than the limit.
        """
        if self._pending or not chunk.isascii():
            self._check_utf8(chunk)
        self._seen += len(chunk)
        if self._skip_lf or b"\r" in chunk:
            chunk = self._one_line_end(chunk)
        buffer = self._buffer
        before = len(buffer)
        buffer += chunk
        if not self._begun and not self._begin():
            return []
        if self._open or not self._fast:
            return self._feed_lines()
        end = buffer.rfind(b"\n\n", max(before - 1, 0)) + 2
        events: list[Event] = []
        if end > 1:
            block = bytes(buffer[:end])
            del buffer[:end]
            self._searched = 0
            events = self._frames(block)
        if len(buffer) > self._unread:
            events += self._feed_lines()
        return events

    def _begin(self) -> bool:
        if len(self._buffer) < len(_BOM) and _BOM.startswith(self._buffer):
            return False
        self._begun = True
        if self._buffer.startswith(_BOM):
            del self._buffer[: len(_BOM)]
        return True

    def _check_utf8(self, chunk: bytes) -> None:
        held = len(self._utf8.getstate()[0])
        try:
            self._utf8.decode(chunk)
        except UnicodeDecodeError as error:
            raise ProtocolError(
                f"the stream is not UTF-8 at byte {self._seen - held + error.start}; "
                "nothing of this event was used",
                phase="stream",
                outcome="partial",
            ) from error
        self._pending = bool(self._utf8.getstate()[0])

    def _one_line_end(self, chunk: bytes) -> bytes:
        if self._skip_lf and chunk:
            chunk = chunk[1:] if chunk.startswith(b"\n") else chunk
            self._skip_lf = False
        if chunk.endswith(b"\r"):
            self._skip_lf = True
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _frames(self, block: bytes) -> list[Event]:
        events: list[Event] = []
        last_id, limit = self.last_id, self._limit
        for frame in block.split(b"\n\n"):
            if frame.startswith(b"event: "):
                name, found, data = frame.partition(b"\ndata: ")
                if found and b"\n" not in data and b"\n" not in name and len(frame) <= limit:
                    events.append((name[7:], data, last_id))
                    continue
            elif frame.startswith(b"data: ") and b"\n" not in frame and len(frame) <= limit:
                events.append((b"", frame[6:], last_id))
                continue
            if frame:
                self._read_lines(frame.split(b"\n"), events)
                self._dispatch(events)
                last_id = self.last_id
        return events

    def _feed_lines(self) -> list[Event]:
        """Read every line that has ended, one by one."""
        events: list[Event] = []
        end = self._buffer.rfind(b"\n", self._searched)
        if end >= 0:
            lines = bytes(self._buffer[:end]).split(b"\n")
            del self._buffer[: end + 1]
            self._read_lines(lines, events)
            self._open = bool(lines[-1])
        self._searched = len(self._buffer)
        self._check_size(len(self._buffer))
        return events

    def _read_lines(self, lines: list[bytes], events: list[Event]) -> None:
        for line in lines:
            if not line:
                self._dispatch(events)
                continue
            self._check_size(len(line))
            name, _, value = line.partition(b":")
            self._field(name, value.removeprefix(b" "))

    def _field(self, name: bytes, value: bytes) -> None:
        if name == b"data":
            self._size += len(value) + 1
            self._check_size(self._size - 1)
            self._data.append(value)
        elif name == b"event":
            self._name = value
        elif name == b"id" and b"\0" not in value:
            self.last_id = value
        elif name == b"retry" and value.isdigit():
            self.retry = int(value[:18])

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            events.append((self._name, b"\n".join(self._data), self.last_id))
            self._data = []
            self._size = 0
        self._name = b""

    def _check_size(self, size: int) -> None:
        if size > self._limit:
            raise LimitError(
                f"a line or event of the stream is longer than {self._limit} bytes "
                "(limits.EVENT_BYTES)",
                phase="stream",
                outcome="partial",
            )
