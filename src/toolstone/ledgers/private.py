"""A database file that nobody but its owner can read, and that several processes may open."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolstone import limits

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

__all__ = ["connect_private", "create_private", "transaction"]

_BETWEEN_TRIES: Final = 0.01  # seconds
_OWNER = stat.S_IRUSR | stat.S_IWUSR
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SIBLINGS = ("-wal", "-shm", "-journal")
_locks: dict[int, threading.Lock] = {}
"""By process: a fork must not inherit one that is held."""


def connect_private(path: Path) -> sqlite3.Connection:
    """Open a file for its owner alone, with a write-ahead log, for any thread.

    Of several processes that open a new file together, one gives it its log. SQLite tells the
    others at once that it is locked, since two who wait could wait for each other
    (https://sqlite.org/c3ref/busy_handler.html): they try again.

    Raises:
        OSError: It cannot be made, or what stands there is no plain file.
        sqlite3.Error: It is no database, or has been kept locked for `limits.BUSY_SECONDS`.
    """
    import sqlite3  # noqa: PLC0415  first use of a database file

    create_private(path)
    connection = sqlite3.connect(
        path, timeout=limits.BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    given_up = time.monotonic() + limits.BUSY_SECONDS
    try:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > given_up:
                    raise
                time.sleep(_BETWEEN_TRIES)
            else:
                return connection
    except sqlite3.Error:
        connection.close()
        raise


def create_private(path: Path) -> None:
    """Make the file for its owner alone, or see that it is, and so are its siblings.

    A file that is there is looked at without being opened. To close it again would drop the
    locks that other connections of this process hold on it (POSIX), and the next process to
    leave would take it for the last one and delete the write-ahead log under their hands.

    Raises:
        OSError: It cannot be made, or what stands there is no plain file.
    """
    with _locks.setdefault(os.getpid(), threading.Lock()):
        if not _is_there(path):
            with suppress(FileExistsError):  # another process was faster
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER))
            _is_there(path)
    for tail in _SIBLINGS:
        _is_there(Path(f"{path}{tail}"))  # those to come take the file's own mode


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str = "BEGIN IMMEDIATE") -> Iterator[None]:
    """Do several things, or none of them.

    Args:
        connection: One without transactions of its own.
        begin: How to begin: `BEGIN` for one that only reads.
    """
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it already
            connection.execute("ROLLBACK")
        raise


def _is_there(path: Path) -> bool:
    """Whether there is a plain file; then it is for its owner alone."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "no plain file"
        raise OSError(errno.ELOOP, f"{path.name!r} is {what}")
    if os.name == "posix" and mode & _OTHERS:
        with suppress(FileNotFoundError):  # a log that another process has just folded in
            path.chmod(_OWNER)
    return True
