"""One WebSocket: turns in sequence, errors that leave it open, who may open it, how it ends."""

import asyncio
import json
from contextlib import contextmanager

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from toolstone import limits
from toolstone.local import Function, Script, answer, failed, serve
from toolstone.local.brain import End, RefusalError, Text

KEY = "sk-local-hunter2"


@contextmanager
def opened(endpoint, **headers):
    address = f"{endpoint.base_url}/responses".replace("http", "ws", 1)
    with connect(address, additional_headers=headers, close_timeout=5) as socket:
        yield socket


def create(text="hi", **fields):
    return json.dumps({"type": "response.create", "model": "m", "input": text, **fields})


def turn(socket):
    """Read the events of one turn."""
    events = []
    while not events or events[-1]["type"] not in (
        "error",
        "response.completed",
        "response.incomplete",
        "response.failed",
    ):
        events.append(json.loads(socket.recv(timeout=5)))
    return events


def ask(socket, *args, **fields):
    socket.send(create(*args, **fields))
    return turn(socket)


def text_of(events):
    return events[-1]["response"]["output"][0]["content"][0]["text"]


@pytest.mark.parametrize(
    ("message", "status", "code", "param"),
    [
        ("{", 400, "invalid_json", None),
        ("[]", 400, "invalid_type", None),
        ("{}", 400, "invalid_value", "type"),
        ('{"type": "response.cancel"}', 400, "invalid_value", "type"),
        ('{"type": "response.create", "input": "x"}', 400, "missing_required_parameter", "model"),
        (create(stream=True), 400, "unknown_parameter", "stream"),
        (create(stream_options={}), 400, "unknown_parameter", "stream_options"),
        (create(background=False), 400, "unknown_parameter", "background"),
        (create(frobnicate=1), 400, "unknown_parameter", "frobnicate"),
        (create(model="other"), 404, "model_not_found", "model"),
        (b'{"type": "response.create", "model": "m"}', 400, "missing_required_parameter", "input"),
    ],
)
def test_a_wrong_message_is_refused_and_the_socket_stays_open(message, status, code, param):
    brain = Function(lambda turn: "hello", models=["m"])
    with serve(brain) as endpoint, opened(endpoint) as socket:
        socket.send(message)
        [refused] = turn(socket)
        after = ask(socket)

    assert (refused["type"], refused["status"]) == ("error", status)
    assert (refused["error"]["code"], refused["error"]["param"]) == (code, param)
    assert text_of(after) == "hello"


def test_what_is_sent_ahead_is_answered_in_its_order():
    with serve(Function(lambda turn: turn.items[-1]["content"])) as endpoint:
        with opened(endpoint) as socket:
            for number in range(2 * limits.LOCAL_SOCKET_WAITING):
                socket.send(create(str(number)))
            turns = [turn(socket) for _ in range(2 * limits.LOCAL_SOCKET_WAITING)]

    assert [text_of(events) for events in turns] == [str(n) for n in range(len(turns))]
    assert all(e["sequence_number"] == n for events in turns for n, e in enumerate(events))


def test_a_turn_that_is_not_stored_is_remembered_by_its_socket_alone():
    with serve(Script(["a", "b"], by="conversation")) as endpoint, opened(endpoint) as socket:
        first = ask(socket, store=False)[-1]["response"]
        second = ask(socket, store=False, previous_response_id=first["id"])
        gone = ask(socket, store=False, previous_response_id=first["id"])
        over_http = httpx.get(f"{endpoint.base_url}/responses/{first['id']}")

    assert text_of(second) == "b"
    assert gone[-1]["error"]["code"] == "previous_response_not_found"  # only the latest is kept
    assert over_http.status_code == 404


def test_a_stored_response_is_gone_on_from_over_any_transport():
    with serve(Script(["a", "b", "c"], by="conversation")) as endpoint:
        body = {"model": "m", "input": "x"}
        first = httpx.post(f"{endpoint.base_url}/responses", json=body).json()
        with opened(endpoint) as socket:
            second = ask(socket, previous_response_id=first["id"])[-1]["response"]
        body |= {"previous_response_id": second["id"]}
        third = httpx.post(f"{endpoint.base_url}/responses", json=body).json()

    assert third["output"][0]["content"][0]["text"] == "c"


def test_a_continuation_whose_answer_fails_is_forgotten():
    script = Script(["a", failed("half")], by="conversation")
    with serve(script) as endpoint, opened(endpoint) as socket:
        first = ask(socket, store=False)[-1]["response"]["id"]
        broke = ask(socket, store=False, previous_response_id=first)
        again = ask(socket, store=False, previous_response_id=first)

    assert broke[-1]["response"]["status"] == "failed"
    assert again[-1]["error"]["code"] == "previous_response_not_found"


def test_an_item_of_the_last_turn_can_be_referred_to():
    with serve(Script(["a", "b"], by="conversation")) as endpoint, opened(endpoint) as socket:
        said = ask(socket, store=False)[-1]["response"]["output"][0]["id"]
        question = {"type": "message", "role": "user", "content": "x"}
        referred = [question, {"type": "item_reference", "id": said}, question]
        after = ask(socket, referred, store=False)

    assert text_of(after) == "b"


def test_a_brain_that_breaks_before_it_speaks_is_an_error_of_the_server():
    def broken(turn):
        raise KeyError("secret")

    with serve(Function(broken)) as endpoint, opened(endpoint) as socket:
        [event] = ask(socket)

    assert (event["status"], event["error"]["code"]) == (500, "server_error")
    assert "secret" not in json.dumps(event)


def test_an_http_error_of_the_brain_keeps_its_status():
    def refuses(turn):
        raise RefusalError(429, "rate_limit_exceeded", "slow down")

    with serve(Function(refuses)) as endpoint, opened(endpoint) as socket:
        [event] = ask(socket)

    assert (event["status"], event["error"]["type"]) == (429, "rate_limit_error")


def test_the_brain_is_stopped_when_the_client_leaves_in_the_middle():
    stopped = []

    async def endless(turn):
        try:
            yield Text("a")
            await asyncio.Event().wait()
            yield End()
        finally:
            stopped.append(True)

    with serve(Function(endless)) as endpoint:
        with opened(endpoint) as socket:
            socket.send(create())
            while json.loads(socket.recv(timeout=5))["type"] != "response.output_text.delta":
                pass
    assert stopped == [True]


def test_the_limit_of_an_hour_is_said_before_the_socket_is_closed(monkeypatch):
    monkeypatch.setattr(limits, "LOCAL_SOCKET_SECONDS", 0.05)
    with serve(Script(["a"])) as endpoint, opened(endpoint) as socket:
        [event] = turn(socket)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=5)

    assert event["error"]["code"] == "websocket_connection_limit_reached"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {KEY}", "Origin": "https://evil.example"}, 403),
        ({"Authorization": f"Bearer {KEY}", "Origin": "null"}, 403),
    ],
)
def test_the_handshake_is_refused_as_a_request_is(headers, status):
    with serve(Script(["a"]), api_key=KEY) as endpoint:
        with pytest.raises(InvalidStatus) as refused, opened(endpoint, **headers):
            pass

    reply = refused.value.response
    assert reply.status_code == status
    assert json.loads(reply.body)["error"]["message"]
    assert KEY not in reply.body.decode()


@pytest.mark.parametrize("origin", [{}, {"Origin": "http://localhost:3000"}])
def test_with_the_key_it_is_opened_by_programs_and_by_pages_of_this_machine(origin):
    with serve(Script(["a"]), api_key=KEY) as endpoint:
        with opened(endpoint, Authorization=f"Bearer {KEY}", **origin) as socket:
            assert text_of(ask(socket)) == "a"


def test_a_slow_answer_does_not_hold_up_another_socket():
    with serve(Script([answer("slow", delay=30)])) as endpoint, opened(endpoint) as slow:
        slow.send(create())
        listed = httpx.get(f"{endpoint.base_url}/models", timeout=5)

    assert listed.status_code == 200
