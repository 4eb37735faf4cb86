"""The endpoint stops in good order: what runs may end, and whoever waits gets an ending."""

import json
import signal
import subprocess
import sys
import threading

import httpx
import pytest

from toolstone.local import Script, answer, serve

PROGRAM = """
import json
from toolstone.local import Function, run
from toolstone.local.brain import End, Text

async def half(turn):
    print("asked", flush=True)
    yield Text("half")
    import asyncio
    await asyncio.sleep({seconds})
    yield Text(" and half")
    yield End()

try:
    run(Function(half), store={store!r}, ready=lambda url, stop: print(json.dumps(url), flush=True))
except KeyboardInterrupt:
    pass
"""


class Child:
    """A server in a process of its own whose brain says half, waits, and says the rest."""

    def __init__(self, seconds, store=None):
        program = PROGRAM.format(seconds=seconds, store=store)
        self.process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.url = json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def create(self, **body):
        body = {"model": "m", "input": "x", **body}
        return httpx.stream("POST", f"{self.url}/responses", json=body, timeout=20)

    def complete(self, **body):
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], **body}
        return httpx.stream("POST", f"{self.url}/chat/completions", json=body, timeout=20)


def events_until(lines, kind):
    events = []
    for line in lines:
        if line.startswith("data: {"):
            events.append(json.loads(line.removeprefix("data: ")))
            if events[-1]["type"] == kind:
                break
    return events


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stream_that_ends_in_time_ends_well(number):
    with Child(seconds=0.5) as child, child.create(stream=True) as reply:
        lines = reply.iter_lines()
        events_until(lines, "response.output_text.delta")
        child.process.send_signal(number)
        rest = events_until(lines, "response.completed")
        last = list(lines)
        child.process.wait(10)

    assert rest[-1]["response"]["output"][0]["content"][0]["text"] == "half and half"
    assert last[-2:] == ["data: [DONE]", ""]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stream_that_takes_too_long_is_failed_and_still_gets_its_ending(number):
    with Child(seconds=60) as child, child.create(stream=True) as reply:
        lines = reply.iter_lines()
        events_until(lines, "response.output_text.delta")
        child.process.send_signal(number)
        rest = events_until(lines, "response.failed")
        last = list(lines)
        child.process.wait(10)
        told = child.process.stderr.read().decode()

    assert rest[-2]["type"] == "error"
    assert rest[-1]["response"]["error"]["code"] == "server_error"
    assert last[-2:] == ["data: [DONE]", ""]
    assert "Traceback" not in told


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_completion_that_takes_too_long_gets_its_error_and_no_traceback_is_written(number):
    with Child(seconds=60) as child, child.complete(stream=True) as reply:
        lines = reply.iter_lines()
        next(line for line in lines if "half" in line)
        child.process.send_signal(number)
        last = [line for line in lines if line]
        child.process.wait(10)
        told = child.process.stderr.read().decode()

    assert json.loads(last[-1].removeprefix("data: "))["error"]["code"] == "server_error"
    assert "Traceback" not in told


def test_a_plain_answer_that_takes_too_long_comes_home_failed():
    with Child(seconds=60) as child:
        got = []

        def ask():
            with child.create() as reply:
                got.append(json.loads(reply.read()))

        asking = threading.Thread(target=ask)
        asking.start()
        assert child.process.stdout.readline() == b"asked\n"
        child.process.terminate()
        asking.join(10)

    assert [response["status"] for response in got] == ["failed"]


def test_work_in_the_background_is_failed_for_who_asks_the_next_server(tmp_path):
    store = str(tmp_path / "store.db")
    with Child(seconds=60, store=store) as child:
        with child.create(background=True) as reply:
            response = json.loads(reply.read())
        child.process.terminate()
        child.process.wait(10)
    with serve(Script(["x"]), store=store) as endpoint:
        after = httpx.get(f"{endpoint.base_url}/responses/{response['id']}").json()

    assert response["status"] in ("queued", "in_progress")
    assert after["status"] == "failed"
    assert after["error"]["code"] == "server_error"


def test_no_new_connection_is_taken_once_it_stops():
    with serve(Script([answer("x", delay=0.2)])) as endpoint:
        assert httpx.get(f"{endpoint.base_url}/models").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{endpoint.base_url}/models")
