"""The SQLite ledger: what it says of a file that is not as it left it, and of who else uses it."""

import asyncio
import os
import re
import signal
import sqlite3
import threading
import zlib
from contextlib import closing

import pytest

from toolstone import ConfigError, ConflictError, SQLiteLedger, StorageError, limits, user
from toolstone.events import Began, Record, encode_record

BACKUP = "; it was changed from outside or damaged. Take the file from a backup"
CHECK = "; check that the file is a toolstone ledger, its directory writable and the disk not full"


def record(seq, text="x"):
    return Record(seq, 0.0, "r", Began((user(text),)))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.sqlite"


@pytest.fixture
def ledger(path):
    made = SQLiteLedger(path)
    yield made
    made.close()


def ours():
    return {one for one in threading.enumerate() if one.name.startswith("toolstone-ledger")}


def from_outside(path, *statements):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement, *values in statements:
            connection.execute(statement, values)


def exactly(text):
    return f"^{re.escape(text)}$"


# ----------------------------------------------------------------------------------- how it is made


def test_a_ledger_says_where_it_is_and_what_it_survives():
    made = SQLiteLedger("a.sqlite", survives="power-loss")

    assert repr(made) == "SQLiteLedger('a.sqlite', survives='power-loss')"
    assert SQLiteLedger("a.sqlite").survives == "process-death"
    made.close()  # it was never opened


def test_what_no_ledger_survives_is_refused_with_the_choice():
    said = "SQLiteLedger(survives='all'): choose 'process-death' or 'power-loss'"
    with pytest.raises(ConfigError, match=exactly(said)):
        SQLiteLedger("a.sqlite", survives="all")


@pytest.mark.parametrize(("survives", "level"), [("process-death", 1), ("power-loss", 2)])
async def test_the_disk_is_waited_for_as_promised_and_what_is_deleted_overwritten(
    path, survives, level
):
    ledger = SQLiteLedger(path, survives=survives)
    await ledger.load("s")
    found = {
        name: ledger._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("synchronous", "secure_delete", "cell_size_check", "user_version")
    }
    ledger.close()

    assert found == {
        "synchronous": level,
        "secure_delete": 1,
        "cell_size_check": 1,
        "user_version": 1,
    }


async def test_no_records_are_no_reason_to_make_a_file(ledger, path):
    await ledger.append("s", [])

    assert not path.exists()


# --------------------------------------------------------------------------- threads and processes


async def test_one_thread_serves_a_ledger_until_it_is_closed(ledger):
    before = ours()
    await asyncio.gather(*(ledger.load(str(n)) for n in range(8)))
    opened = ours() - before
    ledger.close()

    assert len(opened) == 1
    assert not ours() & opened
    ledger.close()  # once more is no error


def in_a_child(work):
    """What a forked child's work comes to: 0 if it is true; it may take 20 seconds."""
    child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        try:
            told = 0 if work() else 1
        except BaseException:
            told = 2
        os._exit(told)
    return os.waitpid(child, 0)[1]


def test_a_forked_child_opens_the_file_for_itself(ledger):
    asyncio.run(ledger.append("s", [record(0)]))
    mine = ledger._connection

    def reads():
        found = asyncio.run(ledger.load("s"))
        return found == [record(0)] and ledger._connection is not mine

    assert in_a_child(reads) == 0
    assert asyncio.run(ledger.load("s")) == [record(0)]


def test_a_forked_child_may_close_what_it_never_used(ledger):
    asyncio.run(ledger.append("s", [record(0)]))

    assert in_a_child(lambda: ledger.close() is None) == 0
    assert asyncio.run(ledger.load("s")) == [record(0)]


# ------------------------------------------------------------------------------- who runs a session


def test_a_session_is_run_by_one_at_a_time(ledger, path):
    other = SQLiteLedger(path)
    ledger.hold("s")
    said = "session 's': somebody else is running it. Let them finish, then resume"
    with pytest.raises(ConflictError, match=exactly(said)):
        other.hold("s")
    other.hold("t")
    ledger.release("s")
    other.hold("s")
    other.release("s")
    other.release("t")


def test_a_lock_that_cannot_be_made_is_a_storage_error(tmp_path):
    path = tmp_path / "missing" / "a.sqlite"
    said = (
        f"ledger '{path}': FileNotFoundError: [Errno 2] No such file or directory: "
        f"'{path}-lock'{CHECK}"
    )
    with pytest.raises(StorageError, match=exactly(said)) as refused:
        SQLiteLedger(path).hold("s")

    assert isinstance(refused.value.__cause__, FileNotFoundError)


# ----------------------------------------------------------------------------- records and sessions


async def test_a_session_that_has_grown_is_a_conflict_that_counts(ledger):
    await ledger.append("s", [record(0), record(1)])
    said = (
        "session 's': expected 1 records, found 2; somebody else is running it. "
        "Let them finish, then resume"
    )
    with pytest.raises(ConflictError, match=exactly(said)):
        await ledger.append("s", [record(1)])

    await ledger.append("s", [record(2), record(3)])
    await ledger.append("s", [record(4)])
    assert await ledger.load("s") == [record(n) for n in range(5)]


async def test_forgetting_one_session_leaves_the_others(ledger):
    for name in "bca":
        await ledger.append(name, [record(0, name)])
    await ledger.forget("b")
    await ledger.forget("nobody")

    assert await ledger.sessions() == ["a", "c"]
    assert await ledger.load("b") == []
    assert await ledger.load("c") == [record(0, "c")]
    await ledger.append("b", [record(0)])
    assert await ledger.load("b") == [record(0)]


async def test_a_session_that_somebody_reads_is_forgotten_but_still_in_the_log(
    ledger, path, monkeypatch
):
    monkeypatch.setattr(limits, "BUSY_SECONDS", 0.05)
    await ledger.append("s", [record(0)])
    said = (
        f"ledger '{path}': session 's' is deleted, but still stands in the log beside the file, "
        "which another process reads; forget it again later"
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM records").fetchall()
        with pytest.raises(StorageError, match=exactly(said)):
            await ledger.forget("s")

    assert await ledger.load("s") == []


async def test_what_is_kept_can_be_read_while_somebody_writes(ledger, path, monkeypatch):
    monkeypatch.setattr(limits, "BUSY_SECONDS", 0.05)
    await ledger.append("s", [record(0)])
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")

        assert await ledger.load("s") == [record(0)]
        with pytest.raises(StorageError, match=r": OperationalError: database is locked; check"):
            await ledger.append("s", [record(1)])


# ------------------------------------------------------------------------------ changed from outside


def summed(seq, text):
    return seq, text, zlib.crc32(f"s {seq} {text}".encode())


FIRST = encode_record(record(0)).decode()
SECOND = encode_record(record(1)).decode()
CHANGES = {
    "a record less": (
        ["DELETE FROM records WHERE seq = 1"],
        "1 records, where 2 were kept",
    ),
    "a session of no length": (["DELETE FROM sessions"], "2 records, where 0 were kept"),
    "a length that is none": (
        ["UPDATE sessions SET length = 'two'"],
        "2 records, where 'two' were kept",
    ),
    "another number": (["UPDATE records SET seq = 5 WHERE seq = 1"], "another record 5 in place 1"),
    "another sum": (["UPDATE records SET sum = 7 WHERE seq = 1"], "another record 1 in place 1"),
    "no sum": (["UPDATE records SET sum = NULL WHERE seq = 0"], "another record 0 in place 0"),
    "no text": (
        ["UPDATE records SET record = CAST(record AS BLOB) WHERE seq = 0"],
        "another record 0 in place 0",
    ),
    "another text": (
        ["UPDATE records SET record = ? WHERE seq = 0", SECOND],
        "another record 0 in place 0",
    ),
    "a record of another place, with its sum": (
        ["UPDATE records SET seq = ?, record = ?, sum = ? WHERE seq = 0", *summed(0, SECOND)],
        "a record 1 in place 0",
    ),
    "a record of an earlier place, with its sum": (
        ["UPDATE records SET seq = ?, record = ?, sum = ? WHERE seq = 1", *summed(1, FIRST)],
        "a record 0 in place 1",
    ),
}


@pytest.mark.parametrize(("change", "what"), CHANGES.values(), ids=CHANGES)
async def test_what_was_changed_from_outside_is_refused_and_says_where(ledger, path, change, what):
    await ledger.append("s", [record(0), record(1)])
    from_outside(path, change)

    with pytest.raises(
        StorageError, match=exactly(f"ledger '{path}': session 's' has {what}{BACKUP}")
    ):
        await ledger.load("s")


async def test_a_file_that_was_replaced_while_it_was_open_is_named_and_then_opened_anew(
    ledger, path
):
    await ledger.append("s", [record(0)])
    path.rename(path.with_name("old"))
    path.write_bytes(b"")
    said = (
        f"ledger '{path}': FileNotFoundError: it was removed or replaced while it was open{CHECK}"
    )
    with pytest.raises(StorageError, match=exactly(said)) as refused:
        await ledger.load("s")

    assert isinstance(refused.value.__cause__, FileNotFoundError)
    path.unlink()
    for tail in ("-wal", "-shm"):
        path.with_name(f"{path.name}{tail}").unlink(missing_ok=True)
    assert await ledger.load("s") == []


async def test_a_file_of_a_newer_version_is_refused_with_what_is_read(ledger, path):
    from_outside(path, ["PRAGMA user_version = 2"])
    said = f"ledger '{path}' has version 2; this toolstone reads up to 1: upgrade"
    for _ in range(2):
        with pytest.raises(StorageError, match=exactly(said)):
            await ledger.load("s")


async def test_a_file_of_this_version_is_taken_as_it_is(ledger, path):
    """Its tables are not looked for: a ledger that is opened writes nothing."""
    from_outside(path, ["CREATE TABLE sessions (session TEXT)"], ["PRAGMA user_version = 1"])

    with pytest.raises(StorageError, match="no such column: length"):
        await ledger.load("s")


async def test_a_full_disk_ends_the_append_and_what_was_kept_stays(ledger, path):
    await ledger.append("s", [record(0)])
    (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
    ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
    said = f"ledger '{path}': OperationalError: database or disk is full{CHECK}"
    with pytest.raises(StorageError, match=exactly(said)):
        await ledger.append("s", [record(1, "x" * 50_000)])

    assert await ledger.load("s") == [record(0)]
    await ledger.append("s", [record(1)])
