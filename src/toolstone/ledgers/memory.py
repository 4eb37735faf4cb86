"""A ledger in memory: it survives the run, not the process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from toolstone import limits
from toolstone.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.events import Record

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """Sessions as lists. Safe to share between threads and event loops.

    Sessions that somebody named stay; of the others the oldest are forgotten when there are more
    than `limits.UNNAMED_SESSIONS`.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, list[Record]] = {}
        self._unnamed: dict[str, None] = {}
        self._held: dict[str, list[str]] = {}
        self._lock = threading.Lock()

    async def load(self, session: str, /) -> Sequence[Record]:
        """All records of a session, oldest first."""
        return tuple(self._sessions.get(session, ()))

    async def append(self, session: str, records: Sequence[Record], /) -> None:
        """Add records to a session.

        Raises:
            ConflictError: The session has grown meanwhile.
        """
        with self._lock:
            if session not in self._sessions:
                self._sessions[session] = []
            kept = self._sessions[session]
            if records and records[0].seq != len(kept):
                raise conflict(session, records[0].seq, len(kept))
            kept += records

    def hold(self, session: str) -> None:
        """Take a session for a run, until `release`.

        Raises:
            ConflictError: Somebody else is running it.
        """
        mine = [session]
        if self._held.setdefault(session, mine) is not mine:
            raise busy(session)

    def release(self, session: str) -> None:
        """Let go of a session; no error if it is not held."""
        self._held.pop(session, None)

    def keep_unnamed(self, session: str, records: Sequence[Record]) -> None:
        """Keep an unfinished run that nobody named, so that it can be resumed."""
        self._sessions[session] = list(records)
        self._unnamed[session] = None
        while len(self._unnamed) > limits.UNNAMED_SESSIONS:
            oldest = next(iter(self._unnamed))
            self.forget(oldest)

    def is_unnamed(self, session: str) -> bool:
        """Whether this is an unfinished run that nobody named."""
        return session in self._unnamed

    def forget(self, session: str) -> None:
        """Drop a session; no error if there is none."""
        self._sessions.pop(session, None)
        self._unnamed.pop(session, None)


def busy(session: str) -> ConflictError:
    """What both ledgers say of a session that is being run."""
    return ConflictError(
        f"session {session!r}: somebody else is running it. Let them finish, then resume"
    )


def conflict(session: str, expected: int, found: int) -> ConflictError:
    """What both ledgers say when a session has grown under somebody's hands."""
    return ConflictError(
        f"session {session!r}: expected {expected} records, found {found}; somebody else is "
        "running it. Let them finish, then resume"
    )
