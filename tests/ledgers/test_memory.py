"""The ledger in memory: what it says to the second of two, and which runs it forgets."""

import re

import pytest

from toolstone import ConflictError, MemoryLedger, limits, user
from toolstone.events import Began, Record


def record(seq):
    return Record(seq, 0.0, "r", Began((user("x"),)))


@pytest.fixture
def ledger():
    return MemoryLedger()


async def test_a_session_that_has_grown_is_a_conflict_that_counts(ledger):
    await ledger.append("s", [record(0), record(1)])
    said = (
        "session 's': expected 1 records, found 2; somebody else is running it. "
        "Let them finish, then resume"
    )
    with pytest.raises(ConflictError, match=f"^{re.escape(said)}$"):
        await ledger.append("s", [record(1)])

    await ledger.append("s", [])
    assert await ledger.load("s") == (record(0), record(1))
    assert await ledger.load("another") == ()


def test_a_session_is_run_by_one_at_a_time(ledger):
    ledger.hold("s")
    ledger.hold("t")
    said = "session 's': somebody else is running it. Let them finish, then resume"
    for _ in range(2):
        with pytest.raises(ConflictError, match=f"^{re.escape(said)}$"):
            ledger.hold("s")
    ledger.release("s")
    ledger.release("s")  # no error
    ledger.hold("s")


async def test_of_the_runs_that_nobody_named_the_oldest_are_forgotten(ledger, monkeypatch):
    monkeypatch.setattr(limits, "UNNAMED_SESSIONS", 2)
    await ledger.append("named", [record(0)])
    for name in ("one", "two", "three"):
        ledger.keep_unnamed(name, (record(0), record(1)))

    assert [name for name in ("named", "one", "two", "three") if ledger.is_unnamed(name)] == [
        "two",
        "three",
    ]
    assert await ledger.load("one") == ()
    assert await ledger.load("two") == (record(0), record(1))
    assert await ledger.load("named") == (record(0),)
    await ledger.append("two", [record(2)])  # it goes on where it was
    ledger.forget("two")
    ledger.forget("two")  # no error
    assert await ledger.load("two") == ()
    assert not ledger.is_unnamed("two")
