"""A response in the background is made whoever still listens, and can be polled and cancelled."""

import asyncio
import json
import threading
import time

import httpx
import pytest

from toolstone.local import RefusalError, Script, error, serve
from toolstone.local.brain import End, Text


class Held:
    """A brain that says one piece and then waits until it is let go."""

    models = ()

    def __init__(self):
        self.asked = threading.Event()
        self.left = threading.Event()
        self.free = False
        self.waiting = None

    def go(self):
        self.free = True
        if self.waiting:
            loop, gate = self.waiting
            loop.call_soon_threadsafe(gate.set)

    async def answer(self, turn):
        gate = asyncio.Event()
        self.waiting = asyncio.get_running_loop(), gate
        try:
            yield Text("one")
            self.asked.set()
            if not self.free:
                await gate.wait()
            yield Text(" two")
            yield End()
        finally:
            self.left.set()

    async def close(self):
        pass


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "store.db"


def post(endpoint, path="", **body):
    body = {"model": "m", "input": "hello", "background": True, **body}
    return httpx.post(f"{endpoint.base_url}/responses{path}", json=body, timeout=5)


def get(endpoint, response_id, **params):
    return httpx.get(f"{endpoint.base_url}/responses/{response_id}", params=params, timeout=5)


def until(endpoint, response_id, *statuses):
    """Poll until the response is in one of these."""
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up:
        response = get(endpoint, response_id).json()
        if response["status"] in statuses:
            return response
    raise AssertionError(f"still {response['status']}")


def read(lines, count=None):
    events = []
    for line in lines:
        if line.startswith("data: {"):
            events.append(json.loads(line.removeprefix("data: ")))
            if len(events) == count:
                break
    return events


def test_it_is_queued_worked_on_and_completed(store):
    brain = Held()
    with serve(brain, store=store) as endpoint:
        first = post(endpoint).json()
        assert brain.asked.wait(5)
        during = get(endpoint, first["id"]).json()
        brain.go()
        after = until(endpoint, first["id"], "completed")

    assert (first["status"], first["background"], first["output"]) == ("queued", True, [])
    assert (during["status"], during["usage"]) == ("in_progress", None)
    assert after["output"][0]["content"][0]["text"] == "one two"
    assert after["usage"]["total_tokens"] == 0


def test_it_can_be_gone_on_from_when_it_is_over_and_not_before():
    brain = Held()
    with serve(brain) as endpoint:
        made = post(endpoint).json()
        early = post(endpoint, previous_response_id=made["id"])
        brain.go()
        until(endpoint, made["id"], "completed")
        late = post(endpoint, previous_response_id=made["id"], background=False)

    assert early.json()["error"]["code"] == "previous_response_not_found"
    assert late.json()["status"] == "completed"


def test_cancelling_stops_the_brain_keeps_what_was_said_and_may_be_repeated(store):
    brain = Held()
    with serve(brain, store=store) as endpoint:
        made = post(endpoint).json()
        assert brain.asked.wait(5)
        replies = [post(endpoint, f"/{made['id']}/cancel") for _ in range(2)]
        assert brain.left.wait(5)
        after = get(endpoint, made["id"]).json()

    assert [reply.json()["status"] for reply in replies] == ["cancelled", "cancelled"]
    assert after["status"] == "cancelled"
    [message] = after["output"]
    assert (message["status"], message["content"][0]["text"]) == ("incomplete", "one")


def test_only_what_is_in_the_background_can_be_cancelled():
    with serve(Script(["hi"])) as endpoint:
        made = post(endpoint, background=False).json()
        reply = post(endpoint, f"/{made['id']}/cancel")

    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_value")


def test_deleting_it_stops_the_brain():
    brain = Held()
    with serve(brain) as endpoint:
        made = post(endpoint).json()
        assert brain.asked.wait(5)
        assert httpx.delete(f"{endpoint.base_url}/responses/{made['id']}").status_code == 200
        assert brain.left.wait(5)
        assert get(endpoint, made["id"]).status_code == 404


def test_a_stream_that_broke_is_taken_up_where_it_was(store):
    brain = Held()
    with serve(brain, store=store) as endpoint:
        body = {"model": "m", "input": "x", "background": True, "stream": True}
        url = f"{endpoint.base_url}/responses"
        with httpx.stream("POST", url, json=body, timeout=5) as stream:
            seen = read(stream.iter_lines(), 6)
        brain.go()  # nobody listens, and it goes on
        own, last = seen[0]["response"]["id"], seen[-1]["sequence_number"]
        until(endpoint, own, "completed")
        rest = read(get(endpoint, own, stream=True, starting_after=last).text.split("\n"))
        whole = read(get(endpoint, own, stream=True).text.split("\n"))

    kinds = [event["type"] for event in seen]
    assert kinds == [
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
    ]
    assert [seen[n]["response"]["status"] for n in range(3)] == ["queued", "queued", "in_progress"]
    assert seen + rest == whole
    assert [event["sequence_number"] for event in whole] == list(range(len(whole)))
    assert rest[-1]["type"] == "response.completed"


def test_who_takes_a_stream_up_early_gets_events_as_they_come():
    brain = Held()
    with serve(brain) as endpoint:
        body = {"model": "m", "input": "x", "background": True, "stream": True}
        with httpx.stream("POST", f"{endpoint.base_url}/responses", json=body) as stream:
            [first] = read(stream.iter_lines(), 1)
        url = f"{endpoint.base_url}/responses/{first['response']['id']}?stream=true"
        with httpx.stream("GET", f"{url}&starting_after=0", timeout=5) as stream:
            lines = stream.iter_lines()
            before = read(lines, 5)
            brain.go()
            after = read(lines)

    assert [event["sequence_number"] for event in before] == [1, 2, 3, 4, 5]
    assert after[-1]["type"] == "response.completed"


def test_a_stream_of_a_cancelled_response_ends():
    brain = Held()
    with serve(brain) as endpoint:
        body = {"model": "m", "input": "x", "background": True, "stream": True}
        with httpx.stream("POST", f"{endpoint.base_url}/responses", json=body) as stream:
            lines = stream.iter_lines()
            [first] = read(lines, 1)
            assert brain.asked.wait(5)
            post(endpoint, f"/{first['response']['id']}/cancel")
            rest = read(lines)

    assert rest[-1]["type"] == "response.output_item.done"
    assert rest[-1]["item"]["status"] == "incomplete"


def test_what_the_brain_refuses_is_a_response_that_failed(store):
    with serve(Script([error(429, "rate_limit_exceeded", "slow down")]), store=store) as endpoint:
        made = post(endpoint)
        failed = until(endpoint, made.json()["id"], "failed")

    assert made.status_code == 200
    assert failed["error"] == {"code": "rate_limit_exceeded", "message": "slow down"}


class Breaks:
    models = ()

    async def answer(self, turn):
        raise KeyError("secret")
        yield

    async def close(self):
        pass


def test_a_brain_that_breaks_fails_the_response_and_tells_nothing(caplog):
    with serve(Breaks()) as endpoint:
        made = post(endpoint).json()
        failed = until(endpoint, made["id"], "failed")

    assert failed["error"]["code"] == "server_error"
    assert "secret" not in json.dumps(failed)


def test_a_request_is_judged_before_it_is_queued():
    with serve(Script(["hi"])) as endpoint:
        wrong = post(endpoint, store=False)
        worse = post(endpoint, temperature=9)

    assert wrong.json()["error"]["param"] == "store"
    assert worse.json()["error"]["param"] == "temperature"


def test_what_is_under_way_when_the_server_stops_has_failed(tmp_path):
    brain = Held()
    with serve(brain, store=tmp_path / "store.db") as endpoint:
        made = post(endpoint, stream=False).json()
        assert brain.asked.wait(5)
    with serve(Script(["hi"]), store=tmp_path / "store.db") as endpoint:
        after = get(endpoint, made["id"]).json()

    assert after["status"] == "failed"
    assert after["error"]["code"] == "server_error"
    assert "stopped" in after["error"]["message"]


def test_a_plain_stream_is_cancelled_when_its_client_leaves():
    brain = Held()
    with serve(brain) as endpoint:
        body = {"model": "m", "input": "x", "stream": True}
        with httpx.stream("POST", f"{endpoint.base_url}/responses", json=body) as stream:
            [first] = read(stream.iter_lines(), 1)
        assert brain.left.wait(5)
        reply = get(endpoint, first["response"]["id"])

    assert reply.status_code == 404


def test_a_plain_answer_is_cancelled_when_its_client_leaves():
    brain = Held()
    with serve(brain) as endpoint:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(
                f"{endpoint.base_url}/responses", json={"model": "m", "input": "x"}, timeout=0.2
            )
        assert brain.left.wait(5)


def test_a_refusal_after_the_first_piece_is_told_in_the_stream(says):
    refusal = RefusalError(429, "rate_limit_exceeded", "slow down", "x")
    with serve(says(Text("half"), error=refusal)) as endpoint:
        events = read(post(endpoint, background=False, stream=True).text.split("\n"))

    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
    assert events[-2]["error"] == {
        "type": "rate_limit_error",
        "code": "rate_limit_exceeded",
        "message": "slow down",
        "param": "x",
    }
    assert events[-1]["response"]["error"] == {
        "code": "rate_limit_exceeded",
        "message": "slow down",
    }
