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


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_an_output_that_is_gone_is_written_again_from_the_job(job, tmp_path, name):
    path = tmp_path / name
    for n in (1, 2):
        with Job(job) as opened, Outbox(opened, path, SCHEMA) as outbox:
            keep(opened, n)
            outbox.finish()
    before = path.read_bytes()
    path.unlink()
    with Job(job) as opened, Outbox(opened, path, SCHEMA) as outbox:
        outbox.finish()
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_where_nothing_was_kept_nothing_stands_in_the_way_of_the_next_run(job, tmp_path, name):
    path = tmp_path / name
    for _ in range(2):
        with Job(job) as opened, Outbox(opened, path, SCHEMA) as outbox:
            outbox.finish()
    assert not path.exists() or path.read_bytes() == b""


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.csv", "mine.parquet"])
def test_another_file_is_not_taken_for_the_output_of_a_job_that_has_one(job, out, tmp_path, name):
    with Job(job) as first, Outbox(first, out, SCHEMA) as outbox:
        keep(first, 1)
        outbox.finish()
    mine = tmp_path / name
    mine.write_text("precious\n" * 1_000)
    with (
        Job(job) as second,
        pytest.raises(InputError, match="does not come from this job"),
        Outbox(second, mine, SCHEMA),
    ):
        pytest.fail("it was taken")
    assert mine.read_text() == "precious\n" * 1_000


def test_the_parquet_of_another_job_is_not_written_over(job, tmp_path):
    path = tmp_path / "out.parquet"
    for n, name in enumerate(["first.job", "second.job"]):
        with Job(tmp_path / name) as opened:
            keep(opened, n)
            if n == 0:
                with Outbox(opened, path, SCHEMA) as outbox:
                    outbox.finish()
            else:
                with pytest.raises(InputError, match="does not come from this job"):
                    Outbox(opened, path, SCHEMA)


def test_a_second_output_of_a_job_has_all_its_rows(job, out, tmp_path):
    other = tmp_path / "other.jsonl"
    for n, path in enumerate([out, other]):
        with Job(job) as opened, Outbox(opened, path, SCHEMA) as outbox:
            keep(opened, n)
            outbox.finish()
    assert (numbers(out), numbers(other)) == ([0], [0, 1])


def test_only_a_new_beginning_writes_over_what_is_there(job, out):
    out.write_text("mine\n")
    with Job(job) as opened:
        with pytest.raises(InputError, match="does not come from this job"):
            Outbox(opened, out, SCHEMA)
        with Outbox(opened, out, SCHEMA, anew=True):
            assert out.read_text() == ""
