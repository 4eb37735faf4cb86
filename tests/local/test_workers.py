"""Real processes: several on one address and one store, and how they end."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from toolstone.errors import ConfigError
from toolstone.local import Script, run

PROGRAM = """
import json, os, sys
from pathlib import Path
from toolstone.local import Function, answer, run

def brain():
    marks = Path(sys.argv[2])
    (marks / str(os.getpid())).touch()
    if (marks / "broken").exists():
        raise SystemExit(3)
    return Function(lambda turn: str(os.getpid()))

def ready(base_url, stop):
    print(json.dumps({"base_url": base_url}), flush=True)

if __name__ == "__main__":
    run(brain, workers=2, store=sys.argv[1], ready=ready)
"""


def until(condition):
    """Wait for a condition, five seconds at most."""
    import time

    end = time.monotonic() + 5
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
    def workers(self):
        return {int(mark.name) for mark in self.marks.iterdir() if mark.name.isdigit()}

    def close(self):
        if self.parent.poll() is None:
            self.parent.kill()
        self.parent.wait()
        self.parent.stdout.close()


@pytest.fixture
def office(tmp_path):
    opened = Office(tmp_path)
    yield opened
    opened.close()
    until(lambda: not any(alive(pid) for pid in opened.workers))


def test_both_workers_answer_and_go_on_from_each_others_responses(office):
    assert len(office.workers) == 2
    seen = {}
    while len(seen) < 2:
        response = ask(office.url)
        seen[who(response)] = response["id"]
    assert seen.keys() == office.workers

    others = {worker: set() for worker in seen}
    while not all(others.values()):
        for worker, response_id in seen.items():
            going_on = ask(office.url, previous_response_id=response_id)
            if who(going_on) != worker:
                others[worker].add(going_on["id"])


def test_a_worker_that_dies_is_replaced(office):
    victim = who(ask(office.url))
    os.kill(victim, signal.SIGKILL)

    until(lambda: len(office.workers) == 3)
    until(lambda: {who(ask(office.url)) for _ in range(4)} == office.workers - {victim})


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_parent_ends_them_all(office, number):
    office.parent.send_signal(number)
    office.parent.wait(10)

    assert not any(alive(pid) for pid in office.workers)
    assert office.parent.returncode in (-number, 1 if number == signal.SIGINT else 0, 130)


def test_ctrl_c_in_a_terminal_reaches_the_group_and_ends_them_all(office):
    os.killpg(office.parent.pid, signal.SIGINT)
    office.parent.wait(10)

    assert not any(alive(pid) for pid in office.workers)


def test_workers_end_when_their_parent_is_killed(office):
    office.parent.kill()
    office.parent.wait(5)

    until(lambda: not any(alive(pid) for pid in office.workers))


def test_workers_that_cannot_start_end_all_with_an_error(tmp_path):
    (tmp_path / "marks").mkdir()
    (tmp_path / "marks" / "broken").touch()
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path / "store.db"), str(tmp_path / "marks")],
        capture_output=True,
        text=True,
        timeout=30,
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
