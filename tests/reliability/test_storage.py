"""The ledger file: cut off from power, damaged, full, locked, gone, written by many."""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from campaigns import flips, power

from toolstone import (
    Agent,
    MemoryLedger,
    SQLiteLedger,
    StorageError,
    limits,
    tool,
    user,
)
from toolstone.events import Began, Record
from toolstone.testing import Scripted, call

LONG = bool(os.environ.get("TOOLSTONE_LONG"))


def record(seq, text="x", run="r"):
    return Record(seq, 0.0, run, Began((user(text),)))


# --------------------------------------------------------------------------------- power, damage


def test_d03_a_power_cut_after_any_write_loses_nothing_acknowledged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = power.sweep("power-loss", cuts=50, appends=50, seed=5)

    assert (found.cuts, found.invalid, found.lost) == (50, [], 0)
    assert list(tmp_path.iterdir()) == []  # every file has the name that SQLite gave it


def test_d03_at_the_other_level_a_power_cut_loses_the_last_records_and_no_order():
    found = power.sweep("process-death", cuts=50, appends=50, seed=5)

    assert (found.cuts, found.invalid) == (50, [])
    assert found.lost > 0  # so the cuts do cut


def test_d12_a_flipped_bit_or_a_cut_is_detected_or_harmless():
    found, wrong = flips.sweep(flips=150, cuts=30, seed=5)

    assert wrong == []
    assert found["flip", "detected"] > 30
    assert found["flip", "harmless"] > 30
    assert found["cut", "detected"] >= 25


async def test_d12_a_file_of_zeros_is_no_ledger(ledger, path):
    await ledger.append("s", [record(0)])
    ledger.close()
    path.write_bytes(bytes(path.stat().st_size))

    with pytest.raises(StorageError, match="not a database"):
        await ledger.load("s")


# ------------------------------------------------------------------------ full, read-only, locked


FULL = """
import asyncio, json, resource, signal, sys
from toolstone import Agent, MemoryLedger, SQLiteLedger, StorageError, tool
from toolstone.testing import Scripted, call

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path, first, last, step = sys.argv[1], *map(int, sys.argv[2:])
turns = [[call("act", n=n), call("act", n=n + 1)] for n in range(0, 8, 2)]

async def one(size):
    ran = []

    @tool
    def act(n: int) -> str:
        "Act."
        ran.append(n)
        return "x" * 3000

    ledger = SQLiteLedger(f"{path}-{size}")
    agent = Agent(Scripted(*turns, "the end"), tools=[act], ledger=ledger)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    said = "complete"
    try:
        await agent.run("go", session="s")
    except Exception as error:
        said = type(error).__name__
    after = list(ran)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    kept = await ledger.load("s")
    told = sum(one.fact.type == "returned" for one in kept)
    memory = MemoryLedger()  # asked for: what is on the disk goes on in memory
    await memory.append("s", kept)
    begun = [key.position + 2 * key.response for one in kept if one.fact.type == "started" for key in one.fact.calls]
    ledger.close()
    return [size, said, sorted(after), sorted(begun), told, [one.seq for one in kept] == list(range(len(kept)))]

for size in [*range(first, last, step), 1 << 30]:
    print(json.dumps(asyncio.run(one(size))))
"""


def test_d07_a_full_disk_at_any_write_is_typed_and_what_was_kept_stays(tmp_path):
    command = [sys.executable, "-c", FULL, str(tmp_path / "runs"), "0", "130000", "6100"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)

    assert done.stderr == ""
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line[1] for line in lines].count("StorageError") > 15
    assert lines[-1][1] == "complete"
    for size, said, ran, begun, told, ordered in lines:
        assert said in {"StorageError", "complete"}, size
        assert ordered
        assert set(ran) <= set(begun)  # nothing ran that was not written down first
        assert told <= len(ran)


async def test_d07_a_run_goes_on_in_memory_only_where_that_is_asked_for(ledger, path):
    @tool
    def act() -> str:
        """Act."""
        with closing(sqlite3.connect(path)) as other:
            (pages,) = other.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")  # as a full disk
        return "x" * 20_000

    agent = Agent(Scripted(call("act")), tools=[act], ledger=ledger)
    with pytest.raises(StorageError, match="full"):
        await agent.run("go", session="s")

    memory = MemoryLedger()
    await memory.append("s", await ledger.load("s"))
    asked = Agent(Scripted("the end"), tools=[act], ledger=memory)
    waiting = await asked.resume("s")
    assert [one.state for one in waiting.waiting] == ["unknown"]
    await asked.settle("s", "0.0", result="it was done")
    assert (await asked.resume("s")).output == "the end"


async def test_d08_a_directory_in_its_place_a_missing_one_and_one_to_read_only_are_typed(tmp_path):
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("directory", "missing/runs.sqlite", "pipe", "/proc/runs.sqlite"):
        made = SQLiteLedger(tmp_path / name)
        for work in (
            lambda made=made: made.load("s"),
            lambda made=made: made.append("s", [record(0)]),
        ):
            with pytest.raises(StorageError, match="ledger "):
                await work()
        with pytest.raises(StorageError, match="ledger "):
            await Agent(Scripted("x"), ledger=made).run("go", session="s")
        made.close()


async def test_d08_a_file_that_is_removed_or_replaced_while_it_is_open_is_typed(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    ledger = SQLiteLedger(folder / "runs.sqlite")
    await ledger.append("s", [record(0)])
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(StorageError, match="No such file"):
        await ledger.append("s", [record(1)])  # acknowledged, it would be nowhere
    await ledger.append("s", [record(0)])
    (folder / "runs.sqlite").rename(folder / "old")
    (folder / "runs.sqlite").write_bytes(b"")
    with pytest.raises(StorageError, match="removed or replaced"):
        await ledger.load("s")
    ledger.close()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    with pytest.raises(StorageError):
        await ledger.load("s")
    ledger.close()


@pytest.mark.parametrize("freed", [True, False])
async def test_d09_a_locked_file_is_waited_for_up_to_the_limit(ledger, path, monkeypatch, freed):
    monkeypatch.setattr(limits, "BUSY_SECONDS", 5.0 if freed else 0.05)
    await ledger.load("s")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    append = asyncio.create_task(ledger.append("s", [record(0), record(1)]))
    if freed:
        await asyncio.sleep(0.05)
        other.execute("ROLLBACK")
        await append
    else:
        with pytest.raises(StorageError, match="locked"):
            await append
        other.execute("ROLLBACK")
    other.close()

    assert len(await ledger.load("s")) == (2 if freed else 0)
    assert limits.BUSY_SECONDS <= 10


# ------------------------------------------------------------------------------- several writers


WRITERS = """
import asyncio, os, sys
from toolstone import ConflictError, SQLiteLedger, user
from toolstone.events import Began, Record

path, writers, appends = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])

async def write(name):
    ledger = SQLiteLedger(path)
    seq = won = 0
    while won < appends:
        try:
            await ledger.append("s", [Record(seq, 0.0, name, Began((user(str(won)),)))])
            won += 1
            seq += 1
        except ConflictError as error:
            seq = int(str(error).partition("found ")[2].partition(";")[0])
    ledger.close()

children = []
for number in range(writers):
    if (pid := os.fork()) == 0:
        asyncio.run(write(str(number)))
        os._exit(0)
    children.append(pid)
sys.exit(max(os.waitpid(pid, 0)[1] for pid in children))
"""


def test_d10_processes_that_append_to_one_session_lose_and_double_nothing(path):
    writers, appends = (16, 1_000) if LONG else (6, 30)
    command = [sys.executable, "-c", WRITERS, str(path), str(writers), str(appends)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert (done.returncode, done.stderr) == (0, "")

    ledger = SQLiteLedger(path)
    records = asyncio.run(ledger.load("s"))
    ledger.close()
    assert [one.seq for one in records] == list(range(writers * appends))
    for number in range(writers):  # each one's own, whole and in order
        mine = [one.fact.input[0].text for one in records if one.run == str(number)]
        assert mine == [str(n) for n in range(appends)]


READER = """
import asyncio, sys
from toolstone import SQLiteLedger

async def main():
    ledger = SQLiteLedger(sys.argv[1])
    print(len(await ledger.load("s")))
    ledger.close()

asyncio.run(main())
"""


async def test_d10_two_ledgers_of_one_process_do_not_lose_their_log_to_another(path):
    one, two = SQLiteLedger(path), SQLiteLedger(path)
    await one.append("s", [record(0)])
    await two.load("s")
    two.close()

    def read():
        command = [sys.executable, "-c", READER, str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout

    assert await asyncio.to_thread(read) == "1\n"  # it leaves, and is not the last one
    await one.append("s", [record(1)])
    assert await asyncio.to_thread(read) == "2\n"
    one.close()
