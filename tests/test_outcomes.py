"""The table of outcomes, row by row: judged purely, and through the agent, streamed and plain."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from toolstone import (
    Agent,
    DroppedError,
    EmptyError,
    FailedError,
    RefusedError,
    Responses,
    RunCancelled,
    TruncatedError,
)
from toolstone.items import parse_item
from toolstone.outcomes import CLIENT_CALLS, answers, asks, judge, unanswered
from toolstone.wire import HttpReply, Retry


def message(*parts):
    return {"type": "message", "id": "m", "role": "assistant", "content": list(parts)}


TEXT = message({"type": "output_text", "text": "hi", "annotations": []})
NO_TEXT = message({"type": "output_text", "text": "", "annotations": []})
REFUSAL = message({"type": "refusal", "refusal": "no"})
BOTH = message({"type": "refusal", "refusal": "no"}, {"type": "output_text", "text": "hi"})
THOUGHT = {"type": "reasoning", "id": "r", "summary": []}
CALL = {
    "type": "function_call",
    "id": "f",
    "call_id": "call_0",
    "name": "add",
    "arguments": "{}",
    "status": "completed",
}
SEARCH = {"type": "web_search_call", "id": "w", "status": "completed"}
SHELL = {"type": "shell_call", "id": "s", "call_id": "call_1", "action": {"commands": []}}
CLIENT_SEARCH = {"type": "tool_search_call", "id": "t", "call_id": "c", "execution": "client"}
SHELL_OUTPUT = {"type": "shell_call_output", "id": "o", "call_id": "call_1", "output": []}
HOSTED_SHELL = {**SHELL, "environment": {"type": "container_reference", "container_id": "x"}}
IMAGE = {"type": "image_generation_call", "id": "i", "status": "completed", "result": "aGk="}
SERVER_SEARCH = {**CLIENT_SEARCH, "execution": "server"}

ROWS = [
    ("completed", None, [TEXT], "complete"),
    ("completed", None, [THOUGHT, TEXT], "complete"),
    ("completed", None, [SEARCH, TEXT], "complete"),
    ("completed", None, [SERVER_SEARCH, TEXT], "complete"),
    ("completed", None, [BOTH], "complete"),
    ("completed", None, [CALL], "calls"),
    ("completed", None, [TEXT, CALL], "calls"),
    ("completed", None, [SEARCH, CALL], "calls"),
    ("completed", None, [SHELL], "calls"),
    ("completed", None, [CLIENT_SEARCH], "calls"),
    ("completed", None, [SHELL, SHELL_OUTPUT], "empty"),
    ("completed", None, [HOSTED_SHELL], "empty"),
    ("completed", None, [IMAGE], "complete"),
    ("completed", None, [{**IMAGE, "result": None}], "empty"),
    ("completed", None, [REFUSAL], "refused"),
    ("completed", None, [], "empty"),
    ("completed", None, [NO_TEXT], "empty"),
    ("completed", None, [THOUGHT], "empty"),
    ("completed", None, [SEARCH], "empty"),
    ("incomplete", "max_output_tokens", [TEXT], "truncated"),
    ("incomplete", "max_output_tokens", [CALL], "truncated"),
    ("incomplete", "max_output_tokens", [], "truncated"),
    ("incomplete", "a_new_reason", [TEXT], "truncated"),
    ("incomplete", None, [TEXT], "truncated"),
    ("incomplete", "content_filter", [TEXT], "refused"),
    ("failed", None, [TEXT], "failed"),
    ("failed", None, [], "failed"),
    ("cancelled", None, [TEXT], "cancelled"),
    ("queued", None, [], "dropped"),
    ("in_progress", None, [TEXT], "dropped"),
    ("a_new_status", None, [TEXT], "failed"),
]
RAISES = {
    "refused": RefusedError,
    "empty": EmptyError,
    "truncated": TruncatedError,
    "failed": FailedError,
    "cancelled": RunCancelled,
    "dropped": (DroppedError, FailedError),
}


@pytest.mark.parametrize(("status", "reason", "items", "verdict"), ROWS)
def test_a_response_is_judged_by_the_table(status, reason, items, verdict):
    assert judge(status, reason, [parse_item(item) for item in items]) == verdict


@pytest.mark.parametrize("kind", sorted(CLIENT_CALLS))
def test_what_only_a_client_can_answer_is_a_call(kind):
    assert judge("completed", None, [parse_item({"type": kind})]) == "calls"


LOCAL = {"type": "local_shell_call", "id": "l", "call_id": "c"}
ASKED = {"type": "mcp_approval_request", "id": "m"}


@pytest.mark.parametrize(
    ("item", "asked", "answered"),
    [
        (CALL, "call_0", None),
        ({"type": "function_call_output", "call_id": "call_0", "output": ""}, None, "call_0"),
        (TEXT, None, None),
        (SHELL, "call_1", None),
        (SHELL_OUTPUT, None, "call_1"),
        ({**SHELL_OUTPUT, "call_id": 7}, None, None),
        ({**SHELL_OUTPUT, "call_id": None}, None, None),
        ({**SHELL, "call_id": 7}, None, None),
        (LOCAL, "c", None),
        ({"type": "local_shell_call_output", "id": "c"}, None, "c"),
        ({"type": "local_shell_call_output", "id": "o", "call_id": "c"}, None, "c"),
        (ASKED, "m", None),
        ({**ASKED, "call_id": "c"}, "m", None),
        ({"type": "mcp_approval_response", "id": "n", "approval_request_id": "m"}, None, "m"),
        (SEARCH, None, None),
    ],
)
def test_an_answer_names_the_call_by_the_id_that_the_call_asks_for(item, asked, answered):
    parsed = parse_item(item)

    assert (asks(parsed), answers(parsed)) == (asked, answered)


@pytest.mark.parametrize(
    ("items", "left"),
    [
        ([CALL, TEXT], [0]),
        ([CALL, SEARCH], [0]),
        ([CALL, {"type": "function_call_output", "call_id": "call_0", "output": ""}], []),
        ([CALL, SHELL, SHELL_OUTPUT], [0]),
        ([SHELL, {**SHELL, "call_id": ["call_1"]}, SHELL_OUTPUT], [1]),
        ([{**SHELL, "environment": {"type": "local"}}, HOSTED_SHELL], [0]),
    ],
)
def test_what_has_its_answer_beside_it_or_needs_none_is_not_left_to_the_client(items, left):
    parsed = [parse_item(item) for item in items]

    assert unanswered(parsed) == [parsed[n] for n in left]


@dataclass
class Canned:
    """A transport that answers every request with one response, streamed or plain."""

    response: dict
    asked: int = 0

    async def send(self, request):
        self.asked += 1
        body = json.dumps(self.response).encode()
        return HttpReply(200, {"content-type": "application/json"}, body)

    @asynccontextmanager
    async def stream(self, request):
        self.asked += 1
        yield Canned.Stream(self.response)

    async def aclose(self):
        pass

    class Stream:
        def __init__(self, response):
            self.response = response
            self.status = 200
            self.headers = {"content-type": "text/event-stream"}

        @property
        def chunks(self):
            return self.read()

        async def read(self):
            for n, event in enumerate(events(self.response)):
                data = json.dumps({"sequence_number": n, **event})
                yield f"event: {event['type']}\ndata: {data}\n\n".encode()


def events(response):
    """The events that lead to a response (responses-api.md §11.2)."""
    begun = {**response, "status": "in_progress", "output": []}
    yield {"type": "response.created", "response": begun}
    for n, item in enumerate(response["output"]):
        yield {"type": "response.output_item.added", "output_index": n, "item": item}
        yield {"type": "response.output_item.done", "output_index": n, "item": item}
    kind = {"completed": "completed", "incomplete": "incomplete"}.get(response["status"], "failed")
    yield {"type": f"response.{kind}", "response": response}


def add() -> int:
    """Add nothing."""
    return 0


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("status", "reason", "items", "verdict"), ROWS)
async def test_a_run_ends_as_the_table_says(status, reason, items, verdict, streamed):
    if streamed and status == "cancelled":
        return  # no event says so: responses-api.md §11.3 knows no response.cancelled
    details = None if reason is None else {"reason": reason}
    response = {
        "id": "resp_1",
        "object": "response",
        "status": status,
        "output": items,
        "incomplete_details": details,
        "error": {"code": "server_error", "message": "broke"} if status == "failed" else None,
        "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2},
    }
    transport = Canned(response)
    model = Responses(
        base_url="http://127.0.0.1:9/v1", model="m", transport=transport, retry=Retry(attempts=1)
    )
    agent = Agent(model, tools=[add])
    work = run(agent, streamed=streamed)
    if verdict == "complete":
        assert (await work).output == ("" if items == [IMAGE] else "hi")
    elif verdict == "calls" and CALL not in items:
        result = await work
        assert (result.outcome, result.waiting[0].state) == ("waiting", "deferred")
    elif verdict == "calls":
        with pytest.raises(Exception, match="same calls") as caught:
            await work
        assert caught.value.outcome == "stopped"
    else:
        with pytest.raises(RAISES[verdict]):
            await work
        assert transport.asked == (2 if verdict == "empty" else 1)


async def run(agent, *, streamed):
    if not streamed:
        return await agent.run("go")
    async with agent.stream("go") as stream:
        return await stream.result()
