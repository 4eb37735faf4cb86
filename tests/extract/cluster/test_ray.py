"""A real Ray of two workers on this machine, one of which is killed; and a driver that is killed.

They need the extra, 600 MB that the other tests do without:
`pip install -e '.[local,ray]' pytest hypothesis psutil && python -m pytest tests/extract/cluster/test_ray.py`
"""

import asyncio
import re
import subprocess
import sys
import threading
from collections import Counter
from contextlib import aclosing, contextmanager
from importlib.util import find_spec

import pytest

from toolstone import AuthError, Budget, ConfigError, DefinitionError, StoppedError
from toolstone.extract import extract_many
from toolstone.extract.job import Job
from toolstone.local import Script, serve
from toolstone.local.brain import RefusalError
from toolstone.testing import Scripted

pytestmark = [
    pytest.mark.skipif(
        not (find_spec("ray") and find_spec("psutil")),
        reason="needs Ray: pip install 'toolstone[ray]' psutil",
    ),
    pytest.mark.filterwarnings("default"),  # Ray's own
]

SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}
CONCURRENCY = 20


class Reader:
    """A brain that reads the number in a document, and counts who asks."""

    models = ()
    hosted = Script.hosted

    def __init__(self):
        self.asked = Counter()
        self.refusing = None

    async def answer(self, turn):
        if self.refusing is not None:
            raise self.refusing
        number = int(re.search(r"invoice (\d+)", str(turn.body["input"])).group(1))
        self.asked[number] += 1
        await asyncio.sleep(0.05)  # a model is not quicker
        async for piece in Script([{"number": number}]).answer(turn):
            yield piece

    @property
    def repeated(self):
        return sum(self.asked.values()) - len(self.asked)

    async def close(self):
        """Nothing is held."""


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # 127.0.0.1, if Ray is to be new
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture(scope="module")
def cluster():
    """Two cores, so two workers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield
        ray.shutdown()


@contextmanager
def served():
    reader = Reader()
    with serve(reader) as endpoint:
        yield reader, f"responses+{endpoint.base_url}#m"


def texts(count):
    return [f"invoice {number}" for number in range(count)]


def extracted(documents, model, watch=None, **options):
    """All records, and the error that ended the job; `watch` sees each as it comes."""

    async def gathered():
        records, error = [], None
        job = extract_many(documents, SCHEMA, model=model, engine="ray", **options)
        try:
            async with aclosing(job), asyncio.timeout(300):
                async for record in job:
                    records.append(record)
                    if watch is not None:
                        watch(records)
        except Exception as problem:
            error = problem
        return records, error

    return asyncio.run(gathered())


def worker_processes():
    import psutil

    children = psutil.Process().children(recursive=True)
    return [child for child in children if "MapWorker" in child.name()]


def test_one_of_two_workers_is_killed_and_every_document_has_its_record_once(cluster):
    killed = []

    def kill(records):
        if len(records) == 100:
            workers = worker_processes()
            assert len(workers) == 2
            workers[0].kill()
            killed.append(workers[0].pid)

    with served() as (reader, model):
        records, error = extracted(texts(400), model, kill, concurrency=CONCURRENCY)

    assert error is None
    assert killed
    assert Counter(record.value["number"] for record in records) == Counter(range(400))
    assert len(reader.asked) == 400
    assert reader.repeated <= CONCURRENCY // 2  # what that one was asking


def test_records_are_those_of_the_local_engine_in_order_and_identical_texts_are_asked_once(cluster):
    with served() as (reader, model):
        records, error = extracted([*texts(30), "invoice 3"], model, ordered=True)

    assert error is None
    assert [record.value["number"] for record in records] == [*range(30), 3]
    assert records[-1].same_as == records[3].id
    assert records[0].attempts == 1
    assert records[0].usage.requests == 1
    assert [one.quote for one in records[7].evidence] == ["7"]
    assert reader.repeated == 0


def test_the_budget_of_the_job_is_that_of_all_workers_together(cluster):
    with served() as (reader, model):
        records, error = extracted(texts(40), model, budget=Budget(requests=10))

    assert isinstance(error, StoppedError)
    assert len(records) == 10
    assert sum(reader.asked.values()) == 10


def test_a_service_that_does_not_know_us_ends_the_job(cluster):
    with served() as (reader, model):
        reader.refusing = RefusalError(401, None, "no such key")
        records, error = extracted(texts(5), model)

    assert isinstance(error, AuthError)
    assert records == []


def test_a_key_that_the_workers_do_not_have_ends_the_job(cluster):
    records, error = extracted(texts(5), "openai/gpt-5")

    assert isinstance(error, ConfigError)
    assert "OPENAI_API_KEY" in str(error)
    assert records == []


def test_whoever_leaves_early_leaves_nothing_running(cluster):
    import psutil

    with served() as (_reader, model):

        async def some():
            job = extract_many(texts(1000), SCHEMA, model=model, engine="ray")
            async with aclosing(job), asyncio.timeout(300):
                return [await anext(job) for _ in range(3)]

        assert len(asyncio.run(some())) == 3
        _, alive = psutil.wait_procs(worker_processes(), timeout=60)

    assert alive == []


def test_a_model_that_cannot_travel_is_told_at_once(cluster):
    model = Scripted(threading.Lock())
    _, error = extracted(texts(1), model)

    assert isinstance(error, DefinitionError)
    assert "give the model as a string" in str(error)


def test_an_imported_ray_without_a_cluster_is_asked_to_join_one(monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.delenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")
    _, error = extracted(texts(1), "responses+http://127.0.0.1:9/v1#m")

    assert isinstance(error, ConfigError)
    assert "ray.init()" in str(error)


DRIVER = """
import sys
import threading
from toolstone.extract import extract_many_sync
from toolstone.extract.job import Job

def texts():
    for number in range(int(sys.argv[3])):
        yield f"invoice {number}"

schema = %r
records = extract_many_sync(
    texts(), schema, model=sys.argv[1], engine="ray", job=sys.argv[2], concurrency=%d
)
for record in records:
    print(record.value["number"], flush=True)
"""


@contextmanager
def driver(model, job, count):
    """A process that starts a Ray of its own, works on the job, and is killed at the end."""
    code = DRIVER % (SCHEMA, CONCURRENCY)
    command = [sys.executable, "-c", code, model, str(job), str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_killed_driver_is_started_again_and_asks_nothing_twice_that_it_had_kept(tmp_path):
    import psutil

    path = tmp_path / "job.db"
    with served() as (reader, model):
        with driver(model, path, 200) as first:
            seen = [int(first.stdout.readline()) for _ in range(60)]
            children = psutil.Process(first.pid).children(recursive=True)
            heard = [c.laddr.ip for one in children for c in listening(one)]
            first.kill()
            _, alive = psutil.wait_procs(children, timeout=60)
        with Job(path) as job:
            kept = {row["value"]["number"] for row in job.rows()}
        before = Counter(reader.asked)
        with driver(model, path, 200) as second:
            said = sorted(map(int, second.stdout))
            code = second.wait()

    assert heard
    assert {ip.removeprefix("::ffff:") for ip in heard} == {"127.0.0.1"}
    assert code == 0
    assert said == list(range(200))
    assert set(seen) <= kept
    assert not (reader.asked - before).keys() & kept
    assert reader.repeated <= CONCURRENCY
    assert [one for one in alive if one.is_running()] == []


def listening(process):
    import psutil

    try:
        return [c for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    except psutil.Error:
        return []
