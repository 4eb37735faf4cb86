"""Who runs a session: one at a time, and nobody any more once its process is gone."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from toolstone.ledgers.memory import busy

__all__ = ["Leases"]


class Leases:
    """The sessions of one file that are being run, by this process and by others.

    Each is a lock of one byte in a file beside the ledger. The system lets go of it when the
    process ends, however it ends, so nothing has to be waited for after a crash. Where there are
    no such locks (Windows), only the runs of this process are told apart.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(f"{path}-lock")
        self._lock = threading.Lock()
        self._file = -1
        self._held: set[str] = set()

    @staticmethod
    def of(path: Path) -> Leases:
        """Those of a file; the same object for everybody in this process.

        Closing any descriptor of a file drops the process's locks on it (POSIX), so there is one.
        """
        there = os.path.realpath(path)
        return _leases.setdefault((os.getpid(), there), Leases(Path(there)))

    def hold(self, session: str) -> None:
        """Take a session for a run.

        Raises:
            ConflictError: Somebody else is running it.
            OSError: There can be no lock beside the ledger.
        """
        with self._lock:
            if session in self._held:
                raise busy(session)
            if not self._held:
                flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
                self._file = os.open(self._path, flags, 0o600)
            try:
                if not _take(self._file, _place(session)):
                    raise busy(session)
                self._held.add(session)
            finally:
                self._close_unused()

    def release(self, session: str) -> None:
        """Let go of a session; no error if it is not held."""
        with self._lock:
            if session in self._held:
                self._held.discard(session)
                _drop(self._file, _place(session))
                self._close_unused()

    def _close_unused(self) -> None:
        if not self._held:
            os.close(self._file)


_leases: dict[tuple[int, str], Leases] = {}
"""By process too: a fork holds nothing."""


def _place(session: str) -> int:
    """A byte for each name; two names share one once in 2**62."""
    digest = hashlib.blake2b(session.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 2


def _take(file: int, place: int) -> bool:
    try:
        import fcntl  # noqa: PLC0415  not on every system
    except ImportError:
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _drop(file: int, place: int) -> None:
    try:
        import fcntl  # noqa: PLC0415  not on every system
    except ImportError:
        return
    fcntl.lockf(file, fcntl.LOCK_UN, 1, place)
