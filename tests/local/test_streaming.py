"""Events on their way over HTTP: each in a chunk of its own, and nobody is held up by them."""

import json
import socket
import threading

import httpx

from toolstone.local import Function, Script, answer, serve
from toolstone.local.brain import Text

STREAM = {"model": "m", "input": "x", "stream": True}


def chunks_of(endpoint, body):
    """The chunks of an answer, as the server wrote them."""
    url = httpx.URL(endpoint.base_url)
    raw = json.dumps(body).encode()
    head = (
        f"POST /v1/responses HTTP/1.1\r\nHost: {url.host}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(raw)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port), timeout=10) as client:
        client.sendall(head.encode() + raw)
        whole = b"".join(iter(lambda: client.recv(65536), b""))
    rest = whole.partition(b"\r\n\r\n")[2]
    while size := int(rest.partition(b"\r\n")[0], 16):
        rest = rest.partition(b"\r\n")[2]
        yield rest[:size]
        rest = rest[size + 2 :]


def test_each_event_is_a_chunk_of_its_own():
    with serve(Script([answer("word " * 200, chunk=5)])) as endpoint:
        *events, done = chunks_of(endpoint, STREAM)

    assert done == b"data: [DONE]\n\n"
    assert len(events) == 200 + 8
    for number, chunk in enumerate(events):
        named, data = chunk.removesuffix(b"\n\n").split(b"\n")
        event = json.loads(data.removeprefix(b"data: "))
        assert named == f"event: {event['type']}".encode()
        assert event["sequence_number"] == number


def test_a_brain_that_never_waits_holds_up_nobody_and_stops_when_its_client_leaves():
    stopped = threading.Event()

    async def endless(turn):
        try:
            while True:
                yield Text("x")
        finally:
            stopped.set()

    with serve(Function(endless)) as endpoint:
        with httpx.stream("POST", f"{endpoint.base_url}/responses", json=STREAM) as reply:
            assert next(reply.iter_lines()) == "event: response.created"
            assert httpx.get(f"{endpoint.base_url}/models", timeout=10).status_code == 200
        assert stopped.wait(10)
