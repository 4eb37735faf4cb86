"""A new file that several processes open together."""

import sqlite3
from contextlib import closing

import pytest

from toolstone import limits
from toolstone.ledgers import private


def locked(path):
    """A file that another has just made, before it has got its log."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("CREATE TABLE t (x)")
    other.execute("BEGIN IMMEDIATE")  # whoever wants to give it a log is told at once: locked
    return other


def test_who_finds_the_new_file_locked_tries_again(tmp_path, monkeypatch):
    path = tmp_path / "new.sqlite"
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr(private.time, "sleep", sleep)
    with closing(locked(path)) as other, closing(private.connect_private(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    assert len(waits) == 3


def test_a_file_that_stays_locked_is_given_up(tmp_path, monkeypatch):
    path = tmp_path / "new.sqlite"
    monkeypatch.setattr(limits, "BUSY_SECONDS", 0.05)

    with closing(locked(path)), pytest.raises(sqlite3.OperationalError, match="locked"):
        private.connect_private(path)


def test_what_is_no_database_is_said_at_once(tmp_path, monkeypatch):
    path = tmp_path / "new.sqlite"
    path.write_bytes(b"no database" * 100)
    monkeypatch.setattr(private.time, "sleep", lambda seconds: pytest.fail("it waited"))

    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        private.connect_private(path)
