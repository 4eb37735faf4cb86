"""A ledger in one SQLite file: it survives the process, or also a power cut.

One row a record, with a checksum, and the length of each session: a file that has been damaged is
refused, never half believed. WAL, `BEGIN IMMEDIATE`, one connection in a thread of its own. The
file and its siblings are created for their owner alone; what is deleted is overwritten.
"""

from __future__ import annotations

import asyncio
import os
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from toolstone.errors import ConfigError, StorageError
from toolstone.events import decode_record, encode_record
from toolstone.ledgers.leases import Leases
from toolstone.ledgers.memory import conflict
from toolstone.ledgers.private import connect_private, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

    from toolstone.events import Record

__all__ = ["SQLiteLedger"]

T = TypeVar("T")

VERSION: Final = 1
"""Of the file; an older one is brought up to it, a newer one is refused."""

_SCHEMA: Final = (
    """
    CREATE TABLE IF NOT EXISTS records (
        session TEXT NOT NULL,
        seq INTEGER NOT NULL,
        record TEXT NOT NULL,
        sum INTEGER,
        PRIMARY KEY (session, seq)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS sessions (
        session TEXT PRIMARY KEY, length INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
    "PRAGMA user_version = 1",
)
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
        self._file = (0, 0)
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
            texts = [(record.seq, encode_record(record).decode()) for record in records]
            rows = [(session, seq, text, _sum(session, seq, text)) for seq, text in texts]
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
        """Delete a session and overwrite where it stood; no error if there is none.

        Raises:
            StorageError: The file cannot be written, or somebody keeps the log from being emptied.
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
                self._file = _identity(self.path)
            elif self._file != _identity(self.path):
                raise FileNotFoundError("it was removed or replaced while it was open")
            return work(self._connection, *args)
        except (sqlite3.Error, OSError) as error:
            self._close()  # what it thinks of the file may be wrong; the next use opens it anew
            raise self._broken(error) from error

    def _broken(self, error: Exception) -> StorageError:
        return StorageError(
            f"ledger {str(self.path)!r}: {type(error).__name__}: {error}; check that the file "
            "is a toolstone ledger, its directory writable and the disk not full"
        )

    def _open(self) -> sqlite3.Connection:
        import sqlite3  # noqa: PLC0415  first use of a ledger file

        connection = connect_private(self.path)
        try:
            connection.execute(_SYNCHRONOUS[self.survives])
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("PRAGMA cell_size_check=ON")
            self._check_version(connection)
        except (sqlite3.Error, StorageError):
            connection.close()
            raise
        return connection

    def _check_version(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StorageError(
                f"ledger {str(self.path)!r} has version {version}; this toolstone reads up to "
                f"{VERSION}: upgrade"
            )
        if version == VERSION:
            return
        with transaction(connection):
            for statement in _SCHEMA:
                connection.execute(statement)
            _upgrade(connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _load(self, connection: sqlite3.Connection, session: str) -> list[Record]:
        with transaction(connection, "BEGIN"):  # both of one moment
            length = _length(connection, session)
            rows = connection.execute(
                "SELECT seq, record, sum FROM records WHERE session = ? ORDER BY seq", (session,)
            ).fetchall()
        if length != len(rows):
            raise self._changed(session, f"{len(rows)} records, where {length!r} were kept")
        records = []
        for place, (seq, text, kept) in enumerate(rows):
            if seq != place or type(text) is not str or kept != _sum(session, seq, text):
                raise self._changed(session, f"another record {seq!r} in place {place}")
            records.append(decode_record(text))
            if records[-1].seq != place:
                raise self._changed(session, f"a record {records[-1].seq} in place {place}")
        return records

    def _changed(self, session: str, what: str) -> StorageError:
        return StorageError(
            f"ledger {str(self.path)!r}: session {session!r} has {what}; it was changed from "
            "outside or damaged. Take the file from a backup"
        )

    def _append(
        self, connection: sqlite3.Connection, session: str, rows: list[tuple[str, int, str, int]]
    ) -> None:
        with transaction(connection):
            expected, found = rows[0][1], _length(connection, session)
            if found != expected:
                raise conflict(session, expected, found)
            connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?)", rows)
            connection.execute(
                "INSERT INTO sessions VALUES (?, ?)"
                " ON CONFLICT (session) DO UPDATE SET length = excluded.length",
                (session, expected + len(rows)),
            )

    def _sessions(self, connection: sqlite3.Connection) -> list[str]:
        rows = connection.execute("SELECT session FROM sessions ORDER BY session")
        return [str(name) for (name,) in rows]

    def _forget(self, connection: sqlite3.Connection, session: str) -> None:
        with transaction(connection):
            connection.execute("DELETE FROM records WHERE session = ?", (session,))
            connection.execute("DELETE FROM sessions WHERE session = ?", (session,))
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StorageError(
                f"ledger {str(self.path)!r}: session {session!r} is deleted, but still stands in "
                "the log beside the file, which another process reads; forget it again later"
            )


def _identity(path: Path) -> tuple[int, int]:
    """Which file it is, whatever its name."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _upgrade(connection: sqlite3.Connection) -> None:
    """Give records that were kept before version 1 their checksums, and sessions their lengths."""
    columns = connection.execute("PRAGMA table_info(records)").fetchall()
    if any(name == "sum" for _, name, *_ in columns):
        return
    connection.create_function("checksum", 3, _sum, deterministic=True)
    connection.execute("ALTER TABLE records ADD COLUMN sum INTEGER")
    connection.execute("UPDATE records SET sum = checksum(session, seq, record)")
    connection.execute(
        "INSERT INTO sessions SELECT session, COUNT(*) FROM records GROUP BY session"
    )


def _length(connection: sqlite3.Connection, session: str) -> int:
    query = "SELECT length FROM sessions WHERE session = ?"
    found: tuple[int] | None = connection.execute(query, (session,)).fetchone()
    return 0 if found is None else found[0]


def _sum(session: str, seq: int, text: str) -> int:
    """What tells a record that a disk has changed, or that stands in the place of another."""
    return zlib.crc32(f"{session} {seq} {text}".encode())
