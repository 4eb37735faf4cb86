"""Processes that share one file share the work: any may poll, follow and cancel."""

import json
import subprocess
import sys
import time

import httpx
import pytest

from toolstone.local import Script, serve
from toolstone.local.store import Store

CHILD = """
import asyncio, sys
from toolstone.local import serve
from toolstone.local.brain import End, Text

class Held:
    models = ()
    gate = None

    async def answer(self, turn):
        if turn.items[-1]["content"] == "go":
            self.loop.call_soon_threadsafe(self.gate.set)
            yield End()
            return
        self.loop, self.gate = asyncio.get_running_loop(), asyncio.Event()
        try:
            yield Text("one")
            print("asked", flush=True)
            await self.gate.wait()
            yield Text(" two")
            yield End()
        finally:
            print("left", flush=True)

    async def close(self):
        pass

with serve(Held(), store=sys.argv[1]) as endpoint:
    print(endpoint.base_url, flush=True)
    sys.stdin.readline()
"""


class Child:
    """Another process that serves from the same file."""

    def __init__(self, path):
        command = [sys.executable, "-c", CHILD, str(path)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.url = f"{self.line()}/responses"

    def line(self):
        return self.process.stdout.readline().strip()

    def start(self, **body):
        body = {"model": "m", "input": "hello", "background": True, **body}
        return httpx.post(self.url, json=body, timeout=5)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def shared(tmp_path):
    """A process of its own, and an endpoint here, over one file."""
    child = Child(tmp_path / "store.db")
    try:
        with serve(Script(["three"]), store=tmp_path / "store.db") as endpoint:
            yield child, f"{endpoint.base_url}/responses"
    finally:
        child.end()


def until(url, *statuses):
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up:
        response = httpx.get(url).json()
        if response["status"] in statuses:
            return response
    raise AssertionError(f"still {response['status']}")


def until_said(url):
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up:
        response = httpx.get(url).json()
        if response["output"]:
            return response
    raise AssertionError("nothing was said")


def test_another_process_can_poll_and_go_on(shared):
    child, here = shared
    own = child.start().json()["id"]
    assert child.line() == "asked"
    assert until(f"{here}/{own}", "in_progress")["id"] == own
    child.start(input="go", background=False)
    done = until(f"{here}/{own}", "completed")
    body = {"model": "m", "input": "more", "previous_response_id": own}
    after = httpx.post(here, json=body).json()

    assert done["output"][0]["content"][0]["text"] == "one two"
    assert after["output"][0]["content"][0]["text"] == "three"


def test_another_process_can_cancel(shared):
    child, here = shared
    own = child.start().json()["id"]
    assert child.line() == "asked"
    reply = httpx.post(f"{here}/{own}/cancel").json()

    assert reply["status"] == "cancelled"
    assert child.line() == "left"
    after = until_said(f"{here}/{own}")
    assert after["status"] == "cancelled"
    assert after["output"][0]["content"][0]["text"] == "one"


def test_another_process_can_delete(shared):
    child, here = shared
    own = child.start().json()["id"]
    assert child.line() == "asked"

    assert httpx.delete(f"{here}/{own}").status_code == 200
    assert child.line() == "left"
    assert httpx.get(f"{child.url}/{own}").status_code == 404


def test_another_process_can_follow(shared):
    child, here = shared
    body = {"model": "m", "input": "x", "background": True, "stream": True}
    with httpx.stream("POST", child.url, json=body, timeout=5) as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("data: "))
        own = json.loads(first.removeprefix("data: "))["response"]["id"]
    assert child.line() == "asked"
    child.start(input="go", background=False)
    rest = httpx.get(f"{here}/{own}", params={"stream": "true", "starting_after": 0}, timeout=5)
    events = [json.loads(line[6:]) for line in rest.text.split("\n") if line.startswith("data: {")]

    assert [event["sequence_number"] for event in events] == list(range(1, 11))
    assert events[-1]["type"] == "response.completed"


def test_the_work_of_a_process_that_was_killed_has_failed_in_its_events_too(shared):
    child, here = shared
    plain = child.start().json()["id"]
    assert child.line() == "asked"
    body = {"model": "m", "input": "x", "background": True, "stream": True}
    with httpx.stream("POST", child.url, json=body, timeout=5) as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("data: "))
    streamed = json.loads(first.removeprefix("data: "))["response"]["id"]
    assert child.line() == "asked"
    child.end()
    failed = httpx.get(f"{here}/{plain}").json()
    told = httpx.get(f"{here}/{streamed}", params={"stream": "true"}, timeout=5).text

    assert failed["status"] == "failed"
    assert failed["error"]["code"] == "server_error"
    assert "has ended" in failed["error"]["message"]
    events = [json.loads(line[6:]) for line in told.split("\n") if line.startswith("data: {")]
    assert events[-1]["type"] == "response.failed"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


async def test_work_without_a_sign_of_life_has_failed_and_with_one_it_has_not(tmp_path):
    now = 1000.0
    mine = Store.open(tmp_path / "store.db", clock=lambda: now)
    theirs = Store.open(tmp_path / "store.db", clock=lambda: now)
    for own in ("resp_1", "resp_2"):
        await mine.keep({"id": own, "status": "queued", "output": []}, [])
    now += 14
    assert await mine.held(["resp_1"]) == {"resp_1"}
    now += 2

    assert (await theirs.find("resp_1")).response["status"] == "queued"
    assert (await theirs.find("resp_2")).response["status"] == "failed"
    assert (await mine.find("resp_2")).response["status"] == "failed"
    await mine.close()
    await theirs.close()


async def test_side_by_side_writers_wait_for_each_other(tmp_path):
    import asyncio

    stores = [Store.open(tmp_path / "store.db") for _ in range(4)]

    async def write(store, name):
        for number in range(25):
            response = {"id": f"{name}_{number}", "status": "completed", "output": []}
            await store.keep(response, [])

    await asyncio.gather(*(write(store, n) for n, store in enumerate(stores)))

    found = [await stores[0].find(f"{n}_{m}") for n in range(4) for m in range(25)]
    assert all(found)
    assert len(found) == 100
    for store in stores:
        await store.close()
