"""Every ledger passes the contract; the SQLite one keeps its file to itself."""

import asyncio
import os
import stat
import subprocess
import sys

import pytest

from toolstone import ConfigError, ConflictError, MemoryLedger, SQLiteLedger, StorageError, user
from toolstone.events import Began, Record, encode_record
from toolstone.testing import check_ledger


def record(seq):
    return Record(seq, 0.0, "r", Began((user("x"),)))


async def test_the_memory_ledger_passes_the_contract():
    await check_ledger(MemoryLedger())


@pytest.mark.parametrize("survives", ["process-death", "power-loss"])
async def test_the_sqlite_ledger_passes_the_contract(tmp_path, survives):
    ledger = SQLiteLedger(tmp_path / "a.sqlite", survives=survives)
    await check_ledger(ledger)
    ledger.close()


async def test_what_was_kept_is_there_after_the_file_was_closed(tmp_path):
    ledger = SQLiteLedger(tmp_path / "a.sqlite")
    await ledger.append("s", [record(0)])
    ledger.close()
    assert list(await ledger.load("s")) == [record(0)]
    assert await ledger.sessions() == ["s"]
    await ledger.forget("s")
    assert await ledger.sessions() == []
    await ledger.aclose()


async def test_the_file_and_its_siblings_are_for_their_owner_alone(tmp_path):
    old = os.umask(0)
    try:
        ledger = SQLiteLedger(tmp_path / "a.sqlite")
        await ledger.append("s", [record(0)])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(old)
        ledger.close()
    assert set(modes.values()) == {0o600}
    assert "a.sqlite-wal" in modes


async def test_a_planted_symlink_is_refused(tmp_path):
    (tmp_path / "target").write_bytes(b"")
    (tmp_path / "a.sqlite").symlink_to(tmp_path / "target")
    ledger = SQLiteLedger(tmp_path / "a.sqlite")
    with pytest.raises(StorageError):
        await ledger.append("s", [record(0)])
    ledger.close()


async def test_two_ledgers_on_one_file_see_each_other(tmp_path):
    one, two = SQLiteLedger(tmp_path / "a.sqlite"), SQLiteLedger(tmp_path / "a.sqlite")
    await one.append("s", [record(0)])
    with pytest.raises(ConflictError, match="'s'"):
        await two.append("s", [record(0)])
    await two.append("s", [record(1)])
    assert len(await one.load("s")) == 2
    one.close()
    two.close()


async def test_a_record_changed_from_outside_is_refused_not_believed(tmp_path):
    import sqlite3

    ledger = SQLiteLedger(tmp_path / "a.sqlite")
    await ledger.append("s", [record(0)])
    ledger.close()
    for bad in ["{", "{}", '{"v":99}', '{"v":1,"seq":0,"at":0,"run":"r","type":"os.system"}']:
        with sqlite3.connect(tmp_path / "a.sqlite") as connection:
            connection.execute("UPDATE records SET record = ?", (bad,))
        connection.close()
        with pytest.raises(StorageError):
            await ledger.load("s")
    ledger.close()


async def test_a_file_kept_before_there_were_checksums_is_gone_on_with(tmp_path):
    import sqlite3

    path = tmp_path / "a.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE records (session TEXT NOT NULL, seq INTEGER NOT NULL,"
            " record TEXT NOT NULL, PRIMARY KEY (session, seq)) WITHOUT ROWID"
        )
        connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?)",
            [(name, n, encode_record(record(n)).decode()) for name in "st" for n in range(2)],
        )
    connection.close()
    ledger = SQLiteLedger(path)

    assert await ledger.load("s") == [record(0), record(1)]
    await ledger.append("s", [record(2)])
    assert await ledger.load("s") == [record(0), record(1), record(2)]
    assert await ledger.sessions() == ["s", "t"]
    ledger.close()


def test_an_unknown_durability_level_is_a_config_error():
    with pytest.raises(ConfigError, match="process-death"):
        SQLiteLedger("x", survives="everything")


WRITER = """
import asyncio, sys
from toolstone import ConflictError, SQLiteLedger, user
from toolstone.events import Began, Record

async def main():
    ledger = SQLiteLedger(sys.argv[1])
    won = 0
    while won < 25:
        seq = len(await ledger.load("s"))
        try:
            await ledger.append("s", [Record(seq, 0.0, sys.argv[2], Began((user("x"),)))])
            won += 1
        except ConflictError:
            pass
    ledger.close()

asyncio.run(main())
"""


def test_processes_that_write_one_session_lose_and_double_nothing(tmp_path):
    path = str(tmp_path / "a.sqlite")
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path, str(n)]) for n in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    ledger = SQLiteLedger(path)
    records = asyncio.run(ledger.load("s"))
    ledger.close()
    assert [r.seq for r in records] == list(range(75))
    assert sorted(r.run for r in records) == ["0"] * 25 + ["1"] * 25 + ["2"] * 25
