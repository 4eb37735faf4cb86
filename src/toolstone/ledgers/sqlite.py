"""A ledger in one SQLite file: it survives the process, or also a power cut.

One table, one row a record. WAL, `BEGIN IMMEDIATE`, one connection in a thread of its own. The file
and its siblings are created for their owner alone.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from toolstone import limits
from toolstone.errors import ConfigError, StorageError
from toolstone.events import decode_record, encode_record
from toolstone.ledgers.leases import Leases
from toolstone.ledgers.memory import conflict
from toolstone.ledgers.private import create_private

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from toolstone.events import Record

__all__ = ["SQLiteLedger"]

T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    session TEXT NOT NULL,
    seq INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (session, seq)
) WITHOUT ROWID
"""
_SYNCHRONOUS = {
    "process-death": "PRAGMA synchronous=NORMAL",
    "power-loss": "PRAGMA synchronous=FULL",
}


class SQLiteLedger:
    """Sessions in a file.

    Args:
        path: The file; made if it is not there, readable and writable by its owner alone (0600).
        survives: What an acknowledged record survives. `process-death`: the process may be
            killed at any moment (a power cut may lose the last records, never corrupt the file).
            `power-loss`: also a power cut; each append then waits for the disk.

    Raises:
        ConfigError: `survives` is neither.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        survives: Literal["process-death", "power-loss"] = "process-death",
    ) -> None:
        if survives not in _SYNCHRONOUS:
            raise ConfigError(
                f"SQLiteLedger(survives={survives!r}): choose 'process-death' or 'power-loss'"
            )
        self.path = Path(path)
        self.survives = survives
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"SQLiteLedger({str(self.path)!r}, survives={self.survives!r})"

    async def load(self, session: str, /) -> Sequence[Record]:
        """All records of a session, oldest first.

        Raises:
            StorageError: The file cannot be read, or holds something else.
        """
        return await self._in_thread(self._load, session)

    async def append(self, session: str, records: Sequence[Record], /) -> None:
        """Add records in one transaction.

        Raises:
            ConflictError: The session has grown meanwhile.
            StorageError: The file cannot be written.
        """
        if records:
            rows = [(session, record.seq, encode_record(record).decode()) for record in records]
            await self._in_thread(self._append, session, rows)

    def hold(self, session: str) -> None:
        """Take a session for a run, until `release` or the end of the process.

        Raises:
            ConflictError: Somebody else is running it, in this process or another.
            StorageError: The lock beside the file cannot be made.
        """
        try:
            Leases.of(self.path).hold(session)
        except OSError as error:
            raise self._broken(error) from error

    def release(self, session: str) -> None:
        """Let go of a session; no error if it is not held."""
        Leases.of(self.path).release(session)

    async def sessions(self) -> list[str]:
        """The names of all sessions, in order.

        Raises:
            StorageError: The file cannot be read.
        """
        return await self._in_thread(self._sessions)

    async def forget(self, session: str) -> None:
        """Delete a session; no error if there is none.

        Raises:
            StorageError: The file cannot be written.
        """
        await self._in_thread(self._forget, session)

    def close(self) -> None:
        """Close the file and end the thread. The ledger opens again when it is next used."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and self._pid == os.getpid():
            thread.submit(self._close).result()
            thread.shutdown()

    async def aclose(self) -> None:
        """`close`, without holding up the event loop."""
        await asyncio.to_thread(self.close)

    # ------------------------------------------------------------------- on the ledger's thread

    async def _in_thread(self, work: Callable[..., T], *args: Any) -> T:
        future = asyncio.get_running_loop().run_in_executor(
            self._executor(), self._guard, work, *args
        )
        return await asyncio.shield(future)  # a cancelled run must not leave half a transaction

    def _executor(self) -> ThreadPoolExecutor:
        if self._pid != os.getpid():  # a connection must not be carried into a forked child
            self._lock = threading.Lock()
            self._pid, self._thread, self._connection = os.getpid(), None, None
        with self._lock:
            if self._thread is None:
                self._thread = ThreadPoolExecutor(1, thread_name_prefix="toolstone-ledger")
            return self._thread

    def _guard(self, work: Callable[..., T], *args: Any) -> T:
        import sqlite3  # noqa: PLC0415  first use of a ledger file

        try:
            if self._connection is None:
                self._connection = self._open()
            return work(self._connection, *args)
        except (sqlite3.Error, OSError) as error:
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> StorageError:
        return StorageError(
            f"ledger {str(self.path)!r}: {type(error).__name__}: {error}; check that the file "
            "is a toolstone ledger, its directory writable and the disk not full"
        )

    def _open(self) -> sqlite3.Connection:
        import sqlite3  # noqa: PLC0415  first use of a ledger file

        create_private(self.path)
        connection = sqlite3.connect(
            self.path, timeout=limits.BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute(_SYNCHRONOUS[self.survives])
            connection.execute(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _load(self, connection: sqlite3.Connection, session: str) -> list[Record]:
        rows = connection.execute(
            "SELECT seq, record FROM records WHERE session = ? ORDER BY seq", (session,)
        ).fetchall()
        records = [decode_record(record) for _, record in rows]
        for n, (row, record) in enumerate(zip(rows, records, strict=True)):
            if not n == row[0] == record.seq:
                raise StorageError(
                    f"ledger {str(self.path)!r}: session {session!r} has record {row[0]} in place "
                    f"{n}; it was changed from outside"
                )
        return records

    def _append(
        self, connection: sqlite3.Connection, session: str, rows: list[tuple[str, int, str]]
    ) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            _check_place(connection, session, rows[0][1])
            connection.executemany("INSERT INTO records VALUES (?, ?, ?)", rows)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _sessions(self, connection: sqlite3.Connection) -> list[str]:
        rows = connection.execute("SELECT DISTINCT session FROM records ORDER BY session")
        return [name for (name,) in rows]

    def _forget(self, connection: sqlite3.Connection, session: str) -> None:
        connection.execute("DELETE FROM records WHERE session = ?", (session,))


def _check_place(connection: sqlite3.Connection, session: str, expected: int) -> None:
    query = "SELECT COALESCE(MAX(seq) + 1, 0) FROM records WHERE session = ?"
    (found,) = connection.execute(query, (session,)).fetchone()
    if found != expected:
        raise conflict(session, expected, found)
