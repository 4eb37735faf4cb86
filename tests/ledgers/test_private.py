"""A new file that several processes open together."""

import errno
import os
import sqlite3
import stat
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


def test_a_log_that_stays_locked_is_closed_again(tmp_path, monkeypatch):
    path = tmp_path / "new.sqlite"
    made = []

    class Connection(sqlite3.Connection):
        def close(self):
            made.append("closed")
            super().close()

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, factory=Connection, **k))
    path.write_bytes(b"no database" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        private.connect_private(path)

    assert made == ["closed"]


def test_who_is_second_to_make_the_file_takes_the_first_ones(tmp_path, monkeypatch):
    path = tmp_path / "new.sqlite"
    made = os.open

    def slow(name, *args):
        path.write_bytes(b"the other's")
        path.chmod(0o644)
        return made(name, *args)

    monkeypatch.setattr(private.os, "open", slow)
    private.create_private(path)

    assert path.read_bytes() == b"the other's"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_log_that_is_folded_in_while_it_is_looked_at_is_no_error(tmp_path, monkeypatch):
    path = tmp_path / "new.sqlite"
    private.create_private(path)
    log = path.with_name("new.sqlite-wal")
    log.write_bytes(b"")
    log.chmod(0o644)
    chmod = type(log).chmod

    def gone(one, mode):
        one.unlink()
        chmod(one, mode)

    monkeypatch.setattr(type(log), "chmod", gone)
    private.create_private(path)

    assert not log.exists()


@pytest.mark.parametrize(
    ("name", "make", "what"),
    [
        ("new.sqlite", lambda path: path.mkdir(), "no plain file"),
        ("new.sqlite", lambda path: path.symlink_to("elsewhere"), "a symbolic link"),
        ("new.sqlite-wal", lambda path: path.symlink_to("elsewhere"), "a symbolic link"),
        ("new.sqlite-shm", lambda path: path.symlink_to("elsewhere"), "a symbolic link"),
        ("new.sqlite-journal", os.mkfifo, "no plain file"),
    ],
)
def test_what_stands_in_the_place_of_a_file_is_named(tmp_path, name, make, what):
    make(tmp_path / name)
    with pytest.raises(OSError, match=f"'{name}' is {what}$") as refused:
        private.create_private(tmp_path / "new.sqlite")

    assert refused.value.errno == errno.ELOOP


def test_a_file_that_its_owner_alone_can_read_is_left_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "new.sqlite"
    private.create_private(path)
    path.chmod(0o400)
    private.create_private(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o400
