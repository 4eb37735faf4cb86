"""Whether what stands in a ledger file can have happened; read without the toolkit (I3, I4)."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Record = dict[str, Any]

_TYPES: Final = frozenset(
    {
        *("began", "said", "asked", "accepted", "answered"),
        *("started", "returned", "ruled", "noted", "finished"),
    }
)


@dataclass
class Session:
    """One session, read record by record.

    Attributes:
        invalid: What cannot have happened.
        interrupted: The calls that started and neither returned nor were ruled about since.
        starts: How often each call was started.
        names: The tool of each call.
        open: The calls that have no output yet.
        ruled: What was said about those that wait.
        answers: How many there were.
        finished: The outcome of the last run; None while it goes.
    """

    invalid: list[str] = field(default_factory=list)
    interrupted: set[str] = field(default_factory=set)
    starts: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)
    ruled: dict[str, str] = field(default_factory=dict)
    answers: int = 0
    finished: str | None = None


def rows(path: Path) -> dict[str, list[tuple[int, str]]]:
    """Every record of a ledger file by session, from a copy: looking changes nothing.

    Raises:
        sqlite3.Error: The file is no database.
    """
    found: dict[str, list[tuple[int, str]]] = {}
    if not path.exists():
        return found
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        there = Path(folder) / "copy"
        for tail in ("", "-wal"):
            if Path(f"{path}{tail}").exists():
                shutil.copyfile(f"{path}{tail}", f"{there}{tail}")
        with closing(sqlite3.connect(there)) as connection:
            (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
            if not tables:
                return found
            query = "SELECT session, seq, record FROM records ORDER BY session, seq"
            for session, seq, record in connection.execute(query):
                found.setdefault(session, []).append((seq, record))
    return found


def digest(record: str | bytes) -> str:
    """A record in few characters, to be known again."""
    data = record.encode() if isinstance(record, str) else record
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def read(records: list[tuple[int, str]], repeatable: frozenset[str] = frozenset()) -> Session:
    """Read one session; `repeatable` are the tools that may be started again unasked."""
    session = Session()
    for place, (seq, text) in enumerate(records):
        record = json.loads(text)
        if not seq == record["seq"] == place:
            session.invalid.append(f"record {seq} in place {place}")
        if record["v"] != 1 or record["type"] not in _TYPES:
            session.invalid.append(f"record {seq}: version {record['v']}, type {record['type']}")
        elif place == 0 and record["type"] != "began":
            session.invalid.append(f"the first record is {record['type']}")
        else:
            wrong = _add(session, record, repeatable)
            session.invalid += [f"record {seq}: {one}" for one in wrong]
    return session


def _add(session: Session, record: Record, repeatable: frozenset[str]) -> list[str]:
    match record["type"]:
        case "began":
            session.finished = None
            return _left_open(session) if not record["resumed"] else []
        case "asked" | "answered" | "said" if session.open:
            return [f"{record['type']} while {sorted(session.open)} are open"]
        case "answered":
            _answered(session, record)
        case "started":
            keys = [_key(pair) for pair in record["calls"]]
            return [one for key in keys for one in _started(session, key, repeatable)]
        case "returned":
            return _returned(session, _key(record["call"]))
        case "ruled":
            key = _key(record["call"])
            session.ruled[key] = record["ruling"]
            session.interrupted.discard(key)
            return [] if key in session.open else [f"a ruling about {key}, which is not open"]
        case "finished":
            session.finished = record["outcome"]
            return _left_open(session) if record["outcome"] == "complete" else []
    return []


def _key(pair: list[int]) -> str:
    return f"{pair[0]}.{pair[1]}"


def _left_open(session: Session) -> list[str]:
    return [f"calls {sorted(session.open)} have no output"] if session.open else []


def _answered(session: Session, record: Record) -> None:
    calls = [item for item in record["items"] if item["type"] == "function_call"]
    for place, item in enumerate(calls):
        key = f"{session.answers}.{place}"
        session.names[key] = item["name"]
        session.open.add(key)
    session.answers += 1


def _started(session: Session, key: str, repeatable: frozenset[str]) -> list[str]:
    session.starts[key] = session.starts.get(key, 0) + 1
    again = session.ruled.pop(key, None) == "again"
    name = session.names.get(key, "")
    if name not in repeatable:
        session.interrupted.add(key)
    if key not in session.open:
        return [f"{key} starts and is not open"]
    if session.starts[key] > 1 and not again and name not in repeatable:
        return [f"{key} ({name}) starts again although nobody said so"]
    return []


def _returned(session: Session, key: str) -> list[str]:
    session.interrupted.discard(key)
    if key not in session.open:
        return [f"{key} returns and is not open"]
    session.open.discard(key)
    return []


def problems_of_input(items: list[Record]) -> list[str]:
    """What is not legal in a conversation that is sent: each call has its one output, after it."""
    wrong: list[str] = []
    waiting: list[str] = []
    for item in items:
        if item["type"] == "function_call":
            waiting.append(item["call_id"])
        elif item["type"] == "function_call_output":
            if not waiting or waiting.pop(0) != item["call_id"]:
                wrong.append(f"an output for {item['call_id']} out of its place")
        elif waiting and item["type"] == "message":
            wrong.append(f"calls {waiting} have no output")
            waiting.clear()
    return wrong + ([f"calls {waiting} have no output"] if waiting else [])
