"""The one SQLite connection of a store: in memory, or a file that several processes share."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from toolstone.errors import StorageError
from toolstone.ledgers.private import connect_private

__all__ = ["Database"]

P = ParamSpec("P")
T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS responses (
    place INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    made REAL NOT NULL,
    status TEXT NOT NULL,
    owner TEXT,
    beat REAL,
    streamed INTEGER NOT NULL,
    response TEXT NOT NULL,
    input TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS responses_made ON responses (made);
CREATE TABLE IF NOT EXISTS events (
    response TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (response, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS conversations (
    id TEXT PRIMARY KEY, made INTEGER NOT NULL, metadata TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS conversation_items (
    place INTEGER PRIMARY KEY,
    conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    item TEXT NOT NULL,
    UNIQUE (conversation, id)
);
"""


class Database:
    """A connection that is opened at first use.

    A file is used from a thread of its own, so that waiting for another process holds up nobody;
    memory is used at once, since nothing there waits.

    Args:
        path: The file, made for its owner alone if it is not there; None: memory.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="toolstone-store") if path else None
        self._connection: sqlite3.Connection | None = None

    async def run(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Do work with the connection.

        Raises:
            StorageError: The file cannot be read or written.
        """
        if self._thread is None:
            return work(self._opened(), *args, **kwargs)
        loop = asyncio.get_running_loop()
        future = loop.run_in_executor(self._thread, lambda: self._guarded(work, *args, **kwargs))
        return await asyncio.shield(future)  # who is cancelled leaves no half transaction

    async def close(self) -> None:
        """Close it, after what is under way."""
        if self._thread is not None:
            thread = self._thread
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown()
        else:
            self._close()

    def _guarded(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        try:
            return work(self._opened(), *args, **kwargs)
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"store {str(self.path)!r}: {type(error).__name__}: {error}; check that the file "
                "is a toolstone store, its directory writable and the disk not full"
            ) from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        connection = (
            sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            if self.path is None
            else connect_private(self.path)
        )
        try:
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA foreign_keys=ON")
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
