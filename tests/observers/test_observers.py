"""The two observers that come with the package."""

import io
import stat

import pytest

from toolstone import Agent, StorageError
from toolstone.events import Finished, decode_record
from toolstone.observers import Console, JSONLines
from toolstone.testing import Scripted, call


def secret(word: str) -> str:
    """Say it back."""
    return word


def agent(observer):
    turns = [call("secret", word="hunter2"), call("nope"), "hunter2"]
    return Agent(Scripted(*turns), tools=[secret], observers=[observer])


async def test_the_console_tells_what_happens_and_no_content():
    file = io.StringIO()
    result = await agent(Console(file)).run("hunter2")
    lines = [line.removeprefix(result.run[:8]).strip() for line in file.getvalue().splitlines()]
    assert lines == [
        "began",
        "asked (1)",
        "answered completed: function_call; 10+5 tokens",
        "started 0.0",
        "returned 0.0",
        "asked (2)",
        "answered completed: function_call; 10+5 tokens",
        "returned 1.0 failed (unknown)",
        "asked (3)",
        "answered completed: message; 10+5 tokens",
        "finished: complete",
    ]
    assert "hunter2" not in file.getvalue()


async def test_json_lines_hold_every_fact_for_their_owner_alone(tmp_path):
    path = tmp_path / "run.jsonl"
    result = await agent(JSONLines(path)).run("go")
    kept = [decode_record(line).fact for line in path.read_bytes().splitlines()]
    assert kept == [record.fact for record in result.records]
    assert kept[-1] == Finished("complete")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_a_storage_error(tmp_path):
    with pytest.raises(StorageError, match="directory"):
        JSONLines(tmp_path / "none" / "x").observe("r", Finished("complete"))


def test_a_fact_that_cannot_be_said_in_json_is_counted_as_missing(tmp_path):
    observer = JSONLines(tmp_path / "run.jsonl")
    with pytest.raises(StorageError, match="Unicode"):
        observer.observe("r", Finished("failed", "\ud800"))
    observer.observe("r", Finished("complete"))
    assert observer.dropped == 1
    assert len((tmp_path / "run.jsonl").read_bytes().splitlines()) == 1
