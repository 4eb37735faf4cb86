"""From a job to its output, over deaths: each row stands there once."""

import json

import pytest

from toolstone.errors import InputError
from toolstone.extract.files.outbox import Outbox
from toolstone.extract.job import Job, fingerprint
from toolstone.extract.records import Document, Record

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def keep(job, *numbers):
    for n in numbers:
        document = Document(str(n), f"text {n}")
        job.keep(job.place(document), fingerprint(document.text), Record(str(n), {"n": n}).as_row())


def numbers(path):
    return [json.loads(line)["value"]["n"] for line in path.read_text().splitlines()]


def die(*_):
    """What happens to the process between the disk and the note."""
    raise KeyboardInterrupt


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.jsonl"


@pytest.fixture
def job(tmp_path):
    return tmp_path / "out.jsonl.job"


def test_rows_that_reached_the_disk_and_were_not_noted_are_written_once(job, out):
    with Job(job) as first, Outbox(first, out, SCHEMA) as outbox:
        keep(first, 1, 2)
        outbox.drain()
        keep(first, 3, 4)
        first.written = die
        with pytest.raises(KeyboardInterrupt):
            outbox.drain()
    assert numbers(out) == [1, 2, 3, 4]
    with Job(job) as second, Outbox(second, out, SCHEMA) as outbox:
        assert numbers(out) == [1, 2]
        keep(second, 5)
        outbox.finish()
    assert numbers(out) == [1, 2, 3, 4, 5]


def test_more_rows_than_are_written_in_one_go(job, out):
    with Job(job) as opened, Outbox(opened, out, SCHEMA) as outbox:
        keep(opened, *range(1_203))
        outbox.finish()
        outbox.finish()
    assert numbers(out) == list(range(1_203))


def test_parquet_is_made_of_all_rows_of_all_processes(job, tmp_path):
    import pyarrow.parquet

    path = tmp_path / "out.parquet"
    for n in (1, 2):
        with Job(job) as opened, Outbox(opened, path, SCHEMA) as outbox:
            keep(opened, n)
            outbox.drain()
            outbox.finish()
    assert pyarrow.parquet.read_table(path)["n"].to_pylist() == [1, 2]


def test_only_a_new_beginning_writes_over_what_is_there(job, out):
    out.write_text("mine\n")
    with Job(job) as opened:
        with pytest.raises(InputError, match="does not come from this job"):
            Outbox(opened, out, SCHEMA)
        with Outbox(opened, out, SCHEMA, anew=True):
            assert out.read_text() == ""
