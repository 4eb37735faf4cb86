"""The ledger file: who may read it, what stands in its place, hostile names, what is forgotten."""

import os
import re
import sqlite3
import stat

import pytest

from toolstone import (
    Agent,
    ConflictError,
    InputError,
    SQLiteLedger,
    StorageError,
    limits,
    sessions,
    tool,
    user,
)
from toolstone.events import Began, Record
from toolstone.items import parse_item
from toolstone.ledgers import private
from toolstone.ledgers import sqlite as ledgers
from toolstone.testing import Scripted, call


def record(seq, text="x"):
    return Record(seq, 0.0, "r", Began((user(text),)))


# --------------------------------------------------------------------- modes, links, names, SQL


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def check_modes(folder):
    """Everything that stands beside the ledger while a run is under way is its owner's alone."""
    seen = []

    @tool
    def act() -> str:
        """Act."""
        seen.append(modes(folder))
        return "done"

    ledger = SQLiteLedger(folder / "runs.sqlite")
    old = os.umask(0)
    try:
        await Agent(Scripted(call("act"), "end"), tools=[act], ledger=ledger).run("go", session="s")
    finally:
        os.umask(old)
        ledger.close()
    names = {"runs.sqlite", "runs.sqlite-wal", "runs.sqlite-shm", "runs.sqlite-lock"}
    assert seen == [dict.fromkeys(names, 0o600)]


async def test_d13_all_files_are_for_their_owner_alone_whatever_the_umask(tmp_path):
    await check_modes(tmp_path)


async def test_d13_without_private_files_others_can_read_them(tmp_path, monkeypatch):
    monkeypatch.setattr(private, "create_private", lambda path: None)

    with pytest.raises(AssertionError):
        await check_modes(tmp_path)


async def test_d13_files_that_stood_open_are_closed(path, ledger):
    await ledger.append("s", [record(0)])
    for one in path.parent.iterdir():
        one.chmod(0o644)
    other = SQLiteLedger(path)
    await other.load("s")
    other.close()

    assert set(modes(path.parent).values()) == {0o600}


async def check_links(folder):
    """A symbolic link planted in the place of any file of the ledger is refused, not followed."""
    victim = folder / "victim"
    for name in ("runs.sqlite", "runs.sqlite-wal", "runs.sqlite-journal", "runs.sqlite-lock"):
        victim.write_bytes(b"precious")
        (folder / name).symlink_to(victim)
        ledger = SQLiteLedger(folder / "runs.sqlite")
        try:
            with pytest.raises(StorageError):
                await Agent(Scripted("x"), ledger=ledger).run("go", session="s")
        except BaseException as error:
            raise AssertionError(name) from error
        finally:
            ledger.close()
        assert victim.read_bytes() == b"precious"
        for one in folder.glob("runs*"):
            one.unlink()


async def test_d13_a_planted_link_is_refused(tmp_path):
    await check_links(tmp_path)


async def test_d13_without_a_look_a_planted_link_is_followed(tmp_path, monkeypatch):
    monkeypatch.setattr(private, "create_private", lambda path: None)

    with pytest.raises(AssertionError):
        await check_links(tmp_path)


NAMES = [
    *("../x", "/abs", "..%2f", "..", ".", "", "a/b", "a\\b", "C:x", "~", "-x/..", "%00"),
    *("nul\0l", "a\n", "\n", "a b", "trailing ", "trailing.", " leading", "tab\t"),
    *(
        "x" * 65,
        "x" * 10_240,
        "CON.txt",
        "aux.",
        "\u2024\u2024",
        "\uff0e\uff0e/",
        "\uff41",
        "\u212a",
    ),
    *("\u0130", "\u00df", "e\u0301", "\u202e", "\ud800", "\U0001f600", "\u0661"),
    *("'; DROP TABLE records; --", '"', "`", "s' OR '1'='1", "%", "*", "?"),
]


async def check_names(agent):
    for name in [*NAMES, b"bytes", 7, ("s",), ["s"], True]:
        doors = [
            lambda name=name: agent.run("go", session=name),
            lambda name=name: agent.resume(name),
            lambda name=name: agent.begin("go", name),
            lambda name=name: agent.advance(name),
            lambda name=name: agent.settle(name, "0.0", again=True),
        ]
        for door in doors:
            try:
                with pytest.raises(InputError, match="a name is 1 to 64") as caught:
                    await door()
            except BaseException as error:
                raise AssertionError(ascii(name)) from error
            assert not (isinstance(name, str) and len(name) > 4 and name in str(caught.value))


async def test_d14_a_session_name_that_is_no_name_is_refused_at_every_door(ledger):
    await check_names(Agent(Scripted(), ledger=ledger))


async def test_d14_without_the_grammar_any_name_is_taken(ledger, monkeypatch):
    monkeypatch.setattr(sessions, "_NAME", re.compile(".*", re.DOTALL))

    with pytest.raises(AssertionError):
        await check_names(Agent(Scripted(), ledger=ledger))


async def test_d14_names_that_differ_in_case_alone_and_names_of_devices_are_names(ledger):
    names = ["CON", "NUL", "a", "A", "Straße".replace("ß", "ss"), "_", "-", "0", "x" * 64]
    for name in names:
        await Agent(Scripted(f"for {name}"), ledger=ledger).run("go", session=name)

    assert await ledger.sessions() == sorted(names)
    for name in names:
        assert (await Agent(Scripted(), ledger=ledger).resume(name)).output == f"for {name}"


HOSTILE = [
    "'; DROP TABLE records; --",
    "s' OR '1'='1",
    "%",
    "_",
    "s%",
    "a\0b",
    '"',
    "?1",
    ":s",
    "\\",
]


async def check_text_is_data(ledger):
    """Whatever a session, an item, or a key in it is called: it comes back, and nothing else does."""
    for n, text in enumerate(["s", *HOSTILE]):
        item = parse_item({"type": "vendor:x", text: {text: [text]}, "id": text})
        fact = Began((user(text), item), text, {text: text})
        await ledger.append(text, [Record(0, float(n), text, fact)])
    for n, text in enumerate(["s", *HOSTILE]):
        (kept,) = await ledger.load(text)
        assert (kept.run, kept.at, kept.fact.agent) == (text, float(n), text)
        assert kept.fact.budget == {text: text}
        assert kept.fact.input[1].raw == {"type": "vendor:x", text: {text: [text]}, "id": text}
    assert await ledger.sessions() == sorted(["s", *HOSTILE])
    for text in HOSTILE:
        await ledger.forget(text)
    assert await ledger.sessions() == ["s"]


async def test_d15_names_values_and_keys_are_data_and_never_sql(ledger):
    await check_text_is_data(ledger)


async def test_d15_where_a_name_is_put_into_the_sql_it_is_found(ledger, monkeypatch):
    def length(connection, session):
        found = connection.execute(f"SELECT length FROM sessions WHERE session = '{session}'")
        return (found.fetchone() or (0,))[0]

    monkeypatch.setattr(ledgers, "_length", length)
    with pytest.raises((AssertionError, ConflictError, StorageError)):
        await check_text_is_data(ledger)


# ------------------------------------------------------------------------------------- deletion


def readable(folder, text):
    return [path.name for path in folder.iterdir() if text in path.read_bytes()]


async def check_forgotten(path):
    """Nothing of a forgotten session can be read in any file, while the ledger is open and after."""
    ledger = SQLiteLedger(path)
    for size in (10, 3_000, 90_000):
        await ledger.append("before", [record(0, "other " * size)])
        await ledger.append("Canary-session", [record(n, "Canary-text " * size) for n in range(4)])
        await ledger.append("after", [record(0, "other " * size)])
        assert readable(path.parent, b"Canary")
        for name in ("Canary-session", "before", "after"):
            await ledger.forget(name)
        assert readable(path.parent, b"Canary") == []
    ledger.close()
    assert readable(path.parent, b"Canary") == []


async def test_d26_nothing_of_a_forgotten_session_can_be_read(path):
    await check_forgotten(path)


async def test_d26_without_overwriting_what_is_deleted_it_can_be_read(path, monkeypatch):
    opened = SQLiteLedger._open

    def careless(ledger):
        connection = opened(ledger)
        connection.execute("PRAGMA secure_delete=OFF")
        return connection

    monkeypatch.setattr(SQLiteLedger, "_open", careless)
    with pytest.raises(AssertionError):
        await check_forgotten(path)


async def test_d26_a_log_that_somebody_reads_is_said_to_hold_it_still(path, ledger, monkeypatch):
    monkeypatch.setattr(limits, "BUSY_SECONDS", 0.05)
    await ledger.append("s", [record(0)])
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM records").fetchall()
    with pytest.raises(StorageError, match="forget it again later"):
        await ledger.forget("s")
    reader.close()
    await ledger.forget("s")

    assert await ledger.load("s") == []
