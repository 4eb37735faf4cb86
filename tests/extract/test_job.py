import sqlite3
import stat
import subprocess
import sys

import pytest

from toolstone.errors import ConfigError, ConflictError, StorageError
from toolstone.extract import Document, Record
from toolstone.extract.job import Answer, Job, Output, fingerprint
from toolstone.usage import Usage

TOLD = {"model": "a", "schema": "b"}


def row(name, **more):
    return Record(name, {"n": 1}, usage=Usage(10, 5, cached_tokens=2, requests=1), **more).as_row()


def keep(job, *documents):
    job.keep_all([answer(job, document) for document in documents])


def answer(job, document):
    return Answer(job.place(document), fingerprint(document.text), row(document.id))


ONE, TWO = Document("one", "a text"), Document("two", "another")


def test_what_is_kept_is_found_again_by_another_process(tmp_path):
    with Job(tmp_path / "job") as job:
        keep(job, ONE)

    with Job(tmp_path / "job") as job:
        assert job.kept == 1
        assert job.find(job.place(ONE)) == row("one")
        assert job.find(job.place(TWO)) is None
        assert job.alike(fingerprint("a text")) == row("one")
        assert job.alike(fingerprint("no text")) is None
        assert list(job.rows()) == [row("one")]


def test_a_document_whose_text_has_changed_is_another_one(tmp_path):
    with Job(tmp_path / "job") as job:
        keep(job, ONE)

        assert job.find(job.place(Document("one", "a text, longer"))) is None


def test_of_equal_documents_each_has_a_place_of_its_own_in_their_order(tmp_path):
    with Job(tmp_path / "job") as job:
        places = [job.place(ONE) for _ in range(3)]

    with Job(tmp_path / "job") as job:
        assert [job.place(ONE) for _ in range(3)] == places
    assert len(set(places)) == 3


def test_what_is_written_is_told_from_what_is_not(tmp_path):
    with Job(tmp_path / "job") as job:
        assert job.output == Output(0, 0)
        keep(job, ONE, TWO)
        assert job.unwritten(1) == [(1, row("one"))]

        job.written(1, 120)

        assert job.unwritten() == [(2, row("two"))]

    with Job(tmp_path / "job") as job:
        assert job.output == Output(120, 1)
        assert job.unwritten() == [(2, row("two"))]


def test_rows_come_in_the_order_in_which_they_were_kept_however_many_there_are(tmp_path):
    names = [f"letter {number}" for number in range(1_203)]
    with Job(tmp_path / "job") as job:
        keep(job, *(Document(name, name) for name in names))

        assert [one["id"] for one in job.rows()] == names


def test_what_was_spent_is_counted_also_for_what_is_asked_again(tmp_path):
    with Job(tmp_path / "job") as job:
        keep(job, ONE, TWO)
        job.charge(Usage(1, 1, requests=3))
        job.charge(Usage())

    with Job(tmp_path / "job") as job:
        assert job.usage == Usage(21, 11, cached_tokens=4, requests=5)


def test_a_job_is_gone_on_with_as_it_was_begun(tmp_path):
    with Job(tmp_path / "job") as job:
        job.begin(TOLD)
        job.begin(dict(TOLD))

    with Job(tmp_path / "job") as job:
        with pytest.raises(ConfigError) as error:
            job.begin({"model": "a", "schema": "c", "split": "d"})
        assert "another schema and another split" in str(error.value)
        assert "restart=True" in str(error.value)
        job.begin(TOLD)


def test_begun_anew_it_knows_nothing(tmp_path):
    with Job(tmp_path / "job") as job:
        job.begin(TOLD)
        keep(job, ONE)
        job.written(1, 100)

    with Job(tmp_path / "job", restart=True) as job:
        assert (job.kept, list(job.rows()), job.output, job.usage) == (0, [], Output(0, 0), Usage())
        job.begin({"model": "other"})
    assert b"letter" not in (tmp_path / "job").read_bytes()


def test_one_process_at_a_time_works_on_a_job(tmp_path):
    path = tmp_path / "job"
    other = f"from toolstone.extract.job import Job; Job({str(path)!r})"
    with Job(path):
        done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True)
        with pytest.raises(ConflictError, match="being worked on"):
            Job(path)

    assert "ConflictError: job" in done.stderr
    Job(path).close()


def test_a_job_that_could_not_be_opened_is_free_again(tmp_path):
    path = tmp_path / "job"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="file is not a database"):
        Job(path)

    path.unlink()
    Job(path).close()


def test_a_job_that_has_lost_a_table_is_free_again(tmp_path):
    path = tmp_path / "job"
    Job(path).close()
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE records")
    database.close()

    for _ in range(2):
        with pytest.raises(StorageError, match="no such table"):
            Job(path)


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "job"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()

    with pytest.raises(StorageError, match="another program's database"):
        Job(path, restart=True)

    with sqlite3.connect(path) as database:
        names = database.execute("SELECT name FROM sqlite_schema").fetchall()
    database.close()
    assert names == [("theirs",)]


def test_a_job_of_a_later_version_is_refused(tmp_path):
    path = tmp_path / "job"
    Job(path).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 2")
    database.close()

    with pytest.raises(StorageError, match=r"version 2.*upgrade"):
        Job(path)


@pytest.mark.parametrize(
    ("damage", "read"),
    [
        ("UPDATE records SET row = '{'", lambda job: list(job.rows())),
        ("DELETE FROM output", lambda job: job.output),
        ("DROP TABLE spent", lambda job: job.usage),
    ],
)
def test_a_job_that_was_changed_from_outside_says_so(tmp_path, damage, read):
    path = tmp_path / "job"
    with Job(path) as job:
        keep(job, ONE)
    with sqlite3.connect(path) as database:
        database.execute(damage)
    database.close()

    with Job(path) as job, pytest.raises(StorageError, match=r"job '.*'"):
        read(job)


def test_records_are_kept_together_or_not_at_all(tmp_path):
    with Job(tmp_path / "job") as job:
        one, two = answer(job, ONE), answer(job, TWO)
        job.keep(*one)
        with pytest.raises(StorageError, match="UNIQUE"):
            job.keep_all([two, one])

        assert list(job.rows()) == [row("one")]
        assert job.usage.requests == 1


def test_a_directory_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StorageError, match="No such file or directory"):
        Job(tmp_path / "nowhere" / "job")


def test_a_job_is_for_its_owner_alone(tmp_path):
    with Job(tmp_path / "job") as job:
        keep(job, ONE)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert set(modes.values()) == {0o600}
    assert repr(job) == f"Job({str(tmp_path / 'job')!r})"
