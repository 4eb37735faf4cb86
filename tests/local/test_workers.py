"""Real processes: several on one address and one store, and how they end."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from toolstone.errors import ConfigError
from toolstone.local import Script, run

PROGRAM = """
import json, os, sys, time
from pathlib import Path
from toolstone.local import Function, run

async def name(turn):
    time.sleep(0.05)  # busy, so that the next request finds the other
    return str(os.getpid())

def brain():
    marks = Path(sys.argv[2])
    (marks / str(os.getpid())).touch()
    if (marks / "broken").exists():
        raise SystemExit(3)
    return Function(name)

def ready(base_url, stop):
    print(json.dumps({"base_url": base_url}), flush=True)

if __name__ == "__main__":
    run(brain, workers=2, store=sys.argv[1], ready=ready)
"""


def until(condition):
    """Wait for a condition, half a minute at most: processes start slowly on a busy machine."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with Path(f"/proc/{pid}/stat").open() as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"


def ask(url, **body):
    body = {"model": "m", "input": "who are you?", **body}
    reply = httpx.post(f"{url}/responses", json=body)  # a connection of its own
    assert reply.status_code == 200, reply.text
    return reply.json()


def who(response):
    return int(response["output"][0]["content"][0]["text"])


class Office:
    """A parent and its workers, started from a script."""

    def __init__(self, folder):
        self.marks = folder / "marks"
        self.marks.mkdir()
        program = folder / "program.py"
        program.write_text(PROGRAM)
        self.parent = subprocess.Popen(
            [sys.executable, str(program), str(folder / "store.db"), str(self.marks)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.url = json.loads(self.parent.stdout.readline())["base_url"]

    @property
    def marked(self):
        return {int(mark.name) for mark in self.marks.iterdir() if mark.name.isdigit()}

    @property
    def workers(self):
        return {pid for pid in self.marked if alive(pid)}

    def close(self):
        if self.parent.poll() is None:
            self.parent.kill()
        self.parent.wait()
        self.parent.stdout.close()


@contextmanager
def opened(folder):
    office = Office(folder)
    try:
        yield office
    finally:
        office.close()
        until(lambda: not any(alive(pid) for pid in office.marked))


@pytest.fixture
def office(tmp_path):
    with opened(tmp_path) as office:
        yield office


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """An office for all tests that leave it running."""
    with opened(tmp_path_factory.mktemp("office")) as office:
        yield office


def answers(url, **body):
    """Ask four times at once; which worker gave which response."""
    with ThreadPoolExecutor(4) as together:
        given = list(together.map(lambda _: ask(url, **body), range(4)))
    return {who(response): response["id"] for response in given}


def test_both_workers_answer_and_go_on_from_each_others_responses(running):
    assert len(running.workers) == 2
    until(lambda: answers(running.url).keys() == running.workers)

    made = ask(running.url)
    until(lambda: answers(running.url, previous_response_id=made["id"]).keys() - {who(made)})


def test_a_worker_that_dies_is_replaced(running):
    victim = who(ask(running.url))
    os.kill(victim, signal.SIGKILL)

    until(lambda: len(running.workers - {victim}) == 2)
    until(lambda: answers(running.url).keys() == running.workers - {victim})


def test_a_signal_to_the_parent_ends_them_all(office):
    office.parent.terminate()
    office.parent.wait(10)

    assert not office.workers
    assert office.parent.returncode == -signal.SIGTERM


def test_ctrl_c_in_a_terminal_reaches_the_group_and_ends_them_all(office):
    os.killpg(office.parent.pid, signal.SIGINT)
    office.parent.wait(10)

    assert not office.workers


def test_workers_end_when_their_parent_is_killed(office):
    office.parent.kill()
    office.parent.wait(5)

    until(lambda: not office.workers)


def test_workers_that_cannot_start_end_all_with_an_error(tmp_path):
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks" / "broken").touch()
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "store.db"), str(tmp_path / "marks")],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "a worker of the endpoint did not start" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"brain": Script([])}, "give a function that makes it"),
        ({"brain": lambda: Script([])}, "one store they share"),
        ({"brain": lambda: Script([]), "profile": "mantle"}, "workers at 1"),
    ],
)
def test_what_workers_cannot_share_is_said(options, wrong):
    with pytest.raises(ConfigError, match=wrong):
        run(workers=2, **options)
