"""A run as a file of JSON lines: every fact as the ledger would keep it."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from toolstone.errors import StorageError
from toolstone.events import (
    ArgumentsDelta,
    ReasoningDelta,
    Record,
    RefusalDelta,
    Retrying,
    TextDelta,
    ToolProgress,
    encode_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.events import Delta, Fact

__all__ = ["JSONLines"]

_DELTAS = (TextDelta, RefusalDelta, ReasoningDelta, ArgumentsDelta, ToolProgress, Retrying)


class JSONLines:
    """Appends facts to a file, one a line, content included; readable by its owner alone.

    Safe to share between runs and threads. Deltas are not written. What cannot be written at once,
    because the disk is full or nobody reads the pipe, is dropped and counted: no run waits for it.

    Args:
        path: The file; made (0600) if it is not there.
        now: The clock, unix seconds.

    Attributes:
        dropped: How many facts are missing from the file.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, now: Callable[[], float] = time.time
    ) -> None:
        self.path = Path(path)
        self._now = now
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._torn = False
        self.dropped = 0

    def observe(self, run: str, event: Fact | Delta, /) -> None:
        """Write a fact.

        Raises:
            StorageError: The file cannot be written.
        """
        if isinstance(event, _DELTAS):
            return
        with self._lock:
            seq = self._counts.get(run, 0)
            try:
                self._write(encode_record(Record(seq, self._now(), run, event)) + b"\n")
            except StorageError:
                self.dropped += 1
                raise
            self._counts[run] = seq + 1
            if event.type == "finished":
                del self._counts[run]

    def _write(self, line: bytes) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        try:
            descriptor = os.open(self.path, flags, 0o600)
            try:
                line = b"\n" + line if self._torn else line
                written = os.write(descriptor, line)
                self._torn = written < len(line)
                if self._torn:
                    raise OSError(errno.ENOSPC, "only a part of a line could be written")
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StorageError(
                f"observer file {str(self.path)!r}: {error.strerror}; check that its directory "
                "exists and is writable"
            ) from error
