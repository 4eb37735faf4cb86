"""Who runs a session of a file: this process, another, or nobody."""

import os
import re
import stat
import sys
from pathlib import Path

import pytest

from toolstone import ConflictError
from toolstone.ledgers.leases import Leases

BUSY = re.escape("session 's': somebody else is running it. Let them finish, then resume")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.sqlite"


def open_files():
    """Where the system lists them (Linux); elsewhere nothing is compared."""
    listed = Path("/proc/self/fd")
    return {one.name for one in listed.iterdir()} if listed.is_dir() else set()


def in_another_process(work):
    """Whether a forked child may do this: 0 if so, 1 if somebody else runs the session."""
    child = os.fork()
    if not child:
        told = 2
        try:
            work()
            told = 0
        except ConflictError:
            told = 1
        finally:
            os._exit(told)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_session_is_held_once_whichever_way_the_file_is_named(path, tmp_path):
    (tmp_path / "folder").mkdir()
    one, two = Leases.of(path), Leases.of(tmp_path / "folder" / ".." / "a.sqlite")
    one.hold("s")
    with pytest.raises(ConflictError, match=BUSY):
        two.hold("s")
    two.hold("t")
    two.release("s")
    one.hold("s")
    for name in "st":
        one.release(name)
        one.release(name)  # no error


def test_a_session_of_one_file_is_free_in_another(path, tmp_path):
    Leases.of(path).hold("s")
    other = Leases.of(tmp_path / "b.sqlite")
    other.hold("s")
    other.release("s")
    Leases.of(path).release("s")


def test_another_process_is_told_apart_session_by_session(path):
    Leases.of(path).hold("s")

    assert in_another_process(lambda: Leases.of(path).hold("s")) == 1
    assert in_another_process(lambda: Leases.of(path).hold("t")) == 0
    Leases.of(path).hold("t")  # a process that has ended holds nothing
    Leases.of(path).release("t")
    assert in_another_process(lambda: Leases.of(path).hold("t")) == 0
    assert in_another_process(lambda: Leases.of(path).hold("s")) == 1
    Leases.of(path).release("s")
    assert in_another_process(lambda: Leases.of(path).hold("s")) == 0


def test_what_another_process_runs_is_refused_and_leaves_nothing_open(path):
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        try:
            Leases.of(path).hold("s")
            os.write(ready[1], b"x")
            os.read(go[0], 1)
        finally:
            os._exit(0)
    assert os.read(ready[0], 1) == b"x"
    before = open_files()
    try:
        for _ in range(2):
            with pytest.raises(ConflictError, match=BUSY):
                Leases.of(path).hold("s")
        assert open_files() == before
        Leases.of(path).hold("t")
        Leases.of(path).release("t")
    finally:
        os.write(go[1], b"x")
        os.waitpid(child, 0)
        for one in (*ready, *go):
            os.close(one)
    Leases.of(path).hold("s")
    Leases.of(path).release("s")


def test_the_lock_stands_beside_the_file_for_its_owner_and_is_closed_with_the_last_session(path):
    before = open_files()
    old = os.umask(0)
    try:
        Leases.of(path).hold("s")
        Leases.of(path).hold("t")
    finally:
        os.umask(old)
    lock = path.with_name("a.sqlite-lock")

    assert stat.S_IMODE(lock.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [lock.name]
    Leases.of(path).release("s")
    assert in_another_process(lambda: Leases.of(path).hold("t")) == 1
    Leases.of(path).release("t")
    assert open_files() == before


def test_a_lock_that_cannot_be_made_holds_nothing(tmp_path):
    leases = Leases.of(tmp_path / "missing" / "a.sqlite")
    with pytest.raises(FileNotFoundError):
        leases.hold("s")
    (tmp_path / "missing").mkdir()
    leases.hold("s")
    leases.release("s")


def test_a_planted_link_is_not_followed(path):
    path.with_name("a.sqlite-lock").symlink_to(path)
    with pytest.raises(OSError, match=r"a\.sqlite-lock"):
        Leases.of(path).hold("s")

    assert not path.exists()


def test_without_locks_of_the_system_the_runs_of_this_process_are_told_apart(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    Leases.of(path).hold("s")
    with pytest.raises(ConflictError, match=BUSY):
        Leases.of(path).hold("s")
    Leases.of(path).release("s")
    Leases.of(path).hold("s")
    Leases.of(path).release("s")
