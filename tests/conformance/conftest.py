"""What the conformance tests share: the Open Responses schema, and the rules no schema can say."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import httpx
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from openai.types.responses import Response as SdkResponse
from openai.types.responses import ResponseStreamEvent
from websockets.sync.client import connect

from toolstone.local import Script, call, serve

DOCUMENT = Path(__file__).parent.parent / "data" / "open_responses" / "2026-04-24.openapi.json"
MODEL = "smollm2"  # the name the small model has; a script answers to any
SDK_EVENTS = {
    get_args(model.model_fields["type"].annotation)[0]: model
    for model in get_args(get_args(ResponseStreamEvent)[0])
}
TERMINAL = {"response.completed", "response.incomplete", "response.failed"}


class Schema:
    """The released Open Responses document: what a value of this name must be."""

    def __init__(self):
        self._components = json.loads(DOCUMENT.read_text())["components"]
        self._validators = {}
        schemas = self._components["schemas"]
        self.events = {
            kind: name
            for name, schema in schemas.items()
            if name.endswith("StreamingEvent")
            for kind in schema["properties"]["type"]["enum"]
        }

    def faults(self, name, value):
        """Say what is wrong, one line a fault: where, and what; nothing if all is well."""
        if name not in self._validators:
            wrapped = {"$ref": f"#/components/schemas/{name}", "components": self._components}
            self._validators[name] = Draft202012Validator(wrapped)
        found = self._validators[name].iter_errors(value)
        return [line for error in found for line in self._lines(error)]

    def check(self, name, value):
        """Fail the test if the value is not what the name says."""
        assert self.faults(name, value) == []

    def _lines(self, error: ValidationError) -> Iterator[str]:
        within = self._branch(error)
        if not within:
            path = ".".join(str(step) for step in error.absolute_path) or "(root)"
            yield f"{path}: {error.message[:200]}"
        for inner in within:
            yield from self._lines(inner)

    def _branch(self, error):
        """Of a union, the faults of the branch whose `type` the value bears."""
        kind = error.instance.get("type") if isinstance(error.instance, dict) else None
        for index, branch in enumerate(error.validator_value if error.context else ()):
            if kind in self._types(branch):
                return [inner for inner in error.context if inner.schema_path[0] == index]
        return []

    def _types(self, branch):
        if "$ref" in branch:
            return self._types(self._components["schemas"][branch["$ref"].rpartition("/")[2]])
        inner = [kind for each in branch.get("allOf", ()) for kind in self._types(each)]
        inner += [kind for each in branch.get("oneOf", ()) for kind in self._types(each)]
        return inner + list(branch.get("properties", {}).get("type", {}).get("enum", ()))


class Wire:
    """A client that only speaks HTTP, and judges whatever comes back.

    What is not portable has items that only OpenAI knows: its own library judges them.
    """

    def __init__(self, schema, base_url, *, portable=True):
        self.schema = schema
        self.base_url = base_url
        self.portable = portable
        self._http = httpx.Client(base_url=base_url, timeout=60)

    def close(self):
        self._http.close()

    def send(self, method, path, status=200, **sent):
        """Send a request and give the JSON that comes back with this status."""
        reply = self._http.request(method, path, **sent)
        assert reply.status_code == status, reply.text
        assert reply.headers["content-type"] == "application/json"
        return reply.json()

    def create(self, **body):
        """Create a response and judge it."""
        return self.judged(self.send("POST", "/responses", json={"model": MODEL, **body}))

    def judged(self, response):
        """Judge a response as the schema, the rules and the official library see it."""
        if self.portable:
            self.schema.check("ResponseResource", response)
        SdkResponse.model_validate(with_schema(response))
        usage = response["usage"]
        if usage is not None:
            assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
            details = usage["output_tokens_details"]["reasoning_tokens"]
            assert 0 <= details <= usage["output_tokens"]
        assert (response["completed_at"] is not None) == (response["status"] == "completed")
        assert (response["error"] is not None) == (response["status"] == "failed")
        assert (response["incomplete_details"] is not None) == (response["status"] == "incomplete")
        return response

    def stream(self, method="POST", path="/responses", first=0, **body):
        """Create a response, streamed; judge every event and their order, and give them all."""
        sent = {"json": {"model": MODEL, "stream": True, **body}} if method == "POST" else {}
        with self._http.stream(method, path, **sent) as reply:
            assert reply.status_code == 200, reply.read()
            assert reply.headers["content-type"].startswith("text/event-stream")
            events = unframed(reply.read())
        for event in events:
            self.judge_event(event)
        if first == 0:
            follow(events)
        assert [event["sequence_number"] for event in events] == list(
            range(first, first + len(events))
        )
        return events

    @contextmanager
    def socket(self):
        """Open a WebSocket."""
        address = f"{self.base_url}/responses".replace("http", "ws", 1)
        with connect(address, close_timeout=5) as connection:
            yield Socket(self, connection)

    def judge_event(self, event):
        """Judge one event by the schema, if it knows the type, and by the official library."""
        judges = [self.schema.events.get(event["type"]), SDK_EVENTS.get(event["type"])]
        assert judges != [None, None], f"nobody knows the event {event['type']!r}"
        name, model = judges
        if name is not None and self.portable:
            self.schema.check(name, event)
        if model is not None:
            told = {"response": with_schema(event["response"])} if "response" in event else {}
            model.model_validate({**event, **told})
        if event["type"] in TERMINAL:
            self.judged(event["response"])


def with_schema(response):
    """Put a schema where the specification admits nothing but null, and the library no null."""
    text = response["text"]
    if text["format"]["type"] != "json_schema":
        return response
    return {**response, "text": {**text, "format": {**text["format"], "schema": {}}}}


def unframed(raw):
    """Take a stream apart: `event:` equals the type, LF ends lines, `[DONE]` ends it."""
    assert b"\r" not in raw
    *frames, done, rest = raw.decode().split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    events = []
    for frame in frames:
        named, data = frame.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert named == f"event: {event['type']}"
        events.append(event)
    return events


def follow(events):
    """Follow a stream as a client does and check that it adds up to its last response."""
    kinds = [event["type"] for event in events]
    assert kinds[0] == "response.created"
    assert kinds[1] in ("response.in_progress", "response.queued")
    assert [kind in TERMINAL for kind in kinds].index(True) == len(kinds) - 1
    assert len({e["response"]["id"] for e in events if "response" in e}) == 1
    items = {}
    for event in events:
        if "output_index" in event:
            _follow_item(items, event)
    done = [item["done"] for _, item in sorted(items.items())]
    assert done == events[-1]["response"]["output"]


def _follow_item(items, event):
    index, kind = event["output_index"], event["type"]
    if kind == "response.output_item.added":
        assert index == len(items), "an index was left out or used twice"
        items[index] = {"id": event["item"]["id"], "texts": {}}
        return
    item = items[index]
    assert "done" not in item, f"{kind} after the item was done"
    if kind == "response.output_item.done":
        assert event["item"]["id"] == item["id"]
        assert event["item"].get("status") != "in_progress"
        item["done"] = event["item"]
        return
    assert event["item_id"] == item["id"]
    part = (event.get("content_index"), event.get("summary_index"))
    if kind.endswith(".delta"):
        place = (kind.removesuffix(".delta"), part)
        item["texts"][place] = item["texts"].get(place, "") + event["delta"]
    elif kind.endswith(".done") and "_part." not in kind:
        whole = next(event[key] for key in WHOLE if key in event)
        assert item["texts"].get((kind.removesuffix(".done"), part), "") == whole


WHOLE = ("text", "refusal", "arguments", "input", "code")


@pytest.fixture(scope="session")
def schema():
    return Schema()


class Socket:
    """A WebSocket on which turns are taken and judged."""

    def __init__(self, wire, connection):
        self._wire = wire
        self._connection = connection

    def turn(self, message):
        """Send a message and give the events up to the end of its turn."""
        message = {"model": MODEL, **message}
        if self._wire.portable:
            self._wire.schema.check("WebSocketResponseCreateEvent", message)
        self._connection.send(json.dumps(message))
        events = []
        while not events or events[-1]["type"] not in {"error", *TERMINAL}:
            events.append(json.loads(self._connection.recv(timeout=60)))
        if events[-1]["type"] == "error":
            self._wire.schema.check("WebSocketErrorEvent", events[-1])
            return events
        for event in events:
            self._wire.judge_event(event)
        follow(events)
        return events


@pytest.fixture
def talk(served):
    """Open a WebSocket to each brain in turn: `with talk() as socket`."""

    return served.socket


@pytest.fixture
def wire(schema):
    """Give a client of an address: `wire(base_url)`."""
    opened = []

    def opener(base_url, *, portable=True):
        opened.append(Wire(schema, base_url, portable=portable))
        return opened[-1]

    yield opener
    for client in opened:
        client.close()


class Polite:
    """Two scripts in one brain: a call when tools are offered and not yet answered, else text."""

    models = ()

    def __init__(self):
        self.calls = Script([call("get_weather", location="San Francisco, CA"), "It is mild."])
        self.words = Script(["Hello there, friend."])

    def answer(self, turn):
        return (self.calls if turn.choice.names else self.words).answer(turn)

    async def close(self):
        await self.calls.close()


@pytest.fixture(scope="session")
def polite():
    with serve(Polite()) as endpoint:
        yield endpoint.base_url


@pytest.fixture(scope="session")
def llama():
    from toolstone.local.brains.llama import Llama

    with serve(Llama()) as endpoint:
        yield endpoint.base_url


@pytest.fixture(params=["script", pytest.param("llama", marks=pytest.mark.llama)])
def served(request, wire):
    """A client of each brain in turn."""
    name = {"script": "polite"}.get(request.param, request.param)
    return wire(request.getfixturevalue(name))
