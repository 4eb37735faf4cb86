"""The endpoint speaks the protocol as the real service does, streamed and not."""

import json
import threading
from pathlib import Path

import httpx
import pytest

from toolstone.errors import ConfigError
from toolstone.local import (
    Function,
    Script,
    answer,
    call,
    empty,
    error,
    failed,
    incomplete,
    item,
    refusal,
    serve,
)
from toolstone.local.brain import Arguments, End, Text, Usage

KEYS = [
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "incomplete_details",
    "model",
    "previous_response_id",
    "instructions",
    "output",
    "error",
    "tools",
    "tool_choice",
    "truncation",
    "parallel_tool_calls",
    "text",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "temperature",
    "reasoning",
    "usage",
    "max_output_tokens",
    "max_tool_calls",
    "store",
    "background",
    "service_tier",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
]

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def tool(name, **fields):
    return {"type": "function", "name": name, "parameters": CITY, "strict": True, **fields}


def post(endpoint, **body):
    body = {"model": "m", "input": "hello", **body}
    return httpx.post(f"{endpoint.base_url}/responses", json=body, timeout=5)


def events_of(reply):
    assert reply.headers["content-type"].startswith("text/event-stream")
    frames = reply.text.split("\n\n")
    assert frames[-2:] == ["data: [DONE]", ""]
    events = []
    for frame in frames[:-2]:
        first, second = frame.split("\n")
        event = json.loads(second.removeprefix("data: "))
        assert first == f"event: {event['type']}"
        events.append(event)
    return events


def test_a_response_has_every_key_of_the_protocol_and_echoes_the_settings():
    with serve(Script(["hi"])) as endpoint:
        response = post(endpoint, temperature=0.5, tools=[{"type": "function", "name": "f"}]).json()

    assert sorted(response) == sorted(KEYS)
    assert response["status"] == "completed"
    assert response["temperature"] == 0.5
    assert response["tools"] == [
        {"type": "function", "name": "f", "description": None, "parameters": None, "strict": False}
    ]
    [message] = response["output"]
    assert message["content"][0]["text"] == "hi"
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_parallel_calls_stream_in_the_order_of_the_protocol():
    with serve(
        Script([[call("weather", city="Paris"), call("population", city="Paris")]])
    ) as endpoint:
        events = events_of(post(endpoint, stream=True, tools=[tool("weather"), tool("population")]))

    one = [
        "response.output_item.added",
        *["response.function_call_arguments.delta"] * 2,
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]
    assert [event["type"] for event in events] == [
        "response.created",
        "response.in_progress",
        *one,
        *one,
        "response.completed",
    ]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [e["output_index"] for e in events if "output_index" in e] == [0] * 5 + [1] * 5
    done = [event for event in events if event["type"].endswith("arguments.done")]
    assert [json.loads(event["arguments"]) for event in done] == [{"city": "Paris"}] * 2


def test_text_streams_as_deltas_that_add_up_and_keep_their_ids():
    with serve(Script([answer("one two three four", chunk=5)])) as endpoint:
        events = events_of(post(endpoint, stream=True))

    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    assert [event["delta"] for event in deltas] == ["one t", "wo th", "ree f", "our"]
    assert {event["content_index"] for event in deltas} == {0}
    [item_id] = {event["item_id"] for event in events if "item_id" in event}
    final = events[-1]["response"]["output"][0]
    assert final["id"] == item_id
    assert final["content"][0]["text"] == "one two three four"
    added = next(event for event in events if event["type"] == "response.output_item.added")
    assert added["item"]["content"] == []
    assert events[0]["response"]["output"] == []


@pytest.mark.parametrize(
    ("said", "status", "check"),
    [
        (
            refusal("no"),
            "completed",
            lambda r: r["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}],
        ),
        (empty(), "completed", lambda r: r["output"] == []),
        (
            incomplete("half"),
            "incomplete",
            lambda r: (
                r["incomplete_details"] == {"reason": "max_output_tokens"}
                and r["output"][0]["status"] == "incomplete"
            ),
        ),
        (
            incomplete(call("f", a=1)),
            "incomplete",
            lambda r: r["output"][0]["status"] == "incomplete",
        ),
        (
            failed(code="server_error", message="broke"),
            "failed",
            lambda r: r["error"] == {"code": "server_error", "message": "broke"},
        ),
        (
            {"a": 1},
            "completed",
            lambda r: json.loads(r["output"][0]["content"][0]["text"]) == {"a": 1},
        ),
        (
            item(type="acme:note", text="x"),
            "completed",
            lambda r: r["output"][0]["type"] == "acme:note",
        ),
        (
            answer("x", usage=Usage(7, 3, 2, 1)),
            "completed",
            lambda r: (
                r["usage"]
                == {
                    "input_tokens": 7,
                    "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
                    "output_tokens": 3,
                    "output_tokens_details": {"reasoning_tokens": 1},
                    "total_tokens": 10,
                }
            ),
        ),
    ],
)
def test_every_outcome_is_the_same_streamed_and_plain(said, status, check):
    with serve(Script([said])) as endpoint:
        plain = post(endpoint).json()
        events = events_of(post(endpoint, stream=True))

    streamed = events[-1]["response"]
    assert events[-1]["type"] == f"response.{status}"
    assert plain["status"] == streamed["status"] == status
    assert check(plain)
    assert check(streamed)
    assert (plain["completed_at"] is None) == (status != "completed")


def test_an_http_error_comes_as_json_also_for_a_stream():
    script = Script([error(429, "rate_limit_exceeded", "slow down", headers={"retry-after": "2"})])
    with serve(script) as endpoint:
        reply = post(endpoint, stream=True)

    assert reply.status_code == 429
    assert reply.headers["retry-after"] == "2"
    assert reply.json() == {
        "error": {
            "message": "slow down",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }


def test_a_script_can_answer_bytes_that_are_no_json():
    with serve(Script([error(502, body=b"<html>")])) as endpoint:
        reply = post(endpoint)

    assert (reply.status_code, reply.content) == (502, b"<html>")


PAIR = [
    {"type": "message", "role": "user", "content": "hi"},
    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c1", "output": "1"},
]
STRICT = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": [],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "invalid_type"),
        ({"input": None}, "input", "missing_required_parameter"),
        ({"input": [{"role": "wizard", "content": "x"}]}, "input[0].role", "invalid_value"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_smell"}]}]},
            "input[0].content[0].type",
            "invalid_value",
        ),
        ({"input": [{"type": "spell"}]}, "input[0].type", "invalid_value"),
        ({"input": PAIR[:2]}, "input", "invalid_value"),
        ({"input": [PAIR[0], PAIR[2]]}, "input", "invalid_value"),
        ({"input": [*PAIR, PAIR[2]]}, "input", "invalid_value"),
        ({"input": [PAIR[0], PAIR[1], PAIR[1], PAIR[2], PAIR[2]]}, "input", "invalid_value"),
        ({"input": [{"type": "reasoning"}]}, "input[0].summary", "missing_required_parameter"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].id", "invalid_value"),
        ({"wisdom": 1}, "wisdom", "unknown_parameter"),
        ({"max_output_tokens": 15}, "max_output_tokens", "integer_below_min_value"),
        ({"temperature": 3}, "temperature", "decimal_above_max_value"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"background": True, "store": False}, "store", "invalid_value"),
        ({"tool_choice": "maybe"}, "tool_choice", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "invalid_value"),
        (
            {"tools": [tool("f")], "tool_choice": {"type": "function", "name": "g"}},
            "tool_choice.name",
            "invalid_value",
        ),
        ({"tools": [tool("f"), tool("f")]}, "tools[1].name", "invalid_value"),
        ({"tools": [tool("no good")]}, "tools[0].name", "invalid_value"),
        (
            {"tools": [tool("f", parameters=STRICT)]},
            "tools[0].parameters",
            "invalid_function_parameters",
        ),
        (
            {"tools": [tool("f", parameters={"type": "array"})]},
            "tools[0].parameters",
            "invalid_function_parameters",
        ),
        (
            {
                "text": {
                    "format": {"type": "json_schema", "name": "x", "schema": STRICT, "strict": True}
                }
            },
            "text.format.schema",
            "invalid_json_schema",
        ),
        (
            {"text": {"format": {"type": "json_schema", "name": "x"}}},
            "text.format.schema",
            "missing_required_parameter",
        ),
        ({"text": {"format": {"type": "json_object"}}}, "input", "invalid_value"),
        (
            {"previous_response_id": "resp_none"},
            "previous_response_id",
            "previous_response_not_found",
        ),
    ],
)
def test_a_bad_request_is_told_which_field_is_at_fault(change, param, code):
    with serve(Script(["hi"])) as endpoint:
        reply = post(endpoint, **change)

    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == (400, param, code)
    assert error["type"] == "invalid_request_error"
    assert error["message"]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"model":NaN}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"[" * 100_000, "application/json", 400),
        (b'{"model":"m","input":"x","temperature":1e999}', "application/json", 400),
        (b'{"model":"m","input":%b}' % (b"[" * 700 + b"]" * 700), "application/json", 400),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(content, kind, status):
    with serve(Script(["hi"])) as endpoint:
        url = f"{endpoint.base_url}/responses"
        reply = httpx.post(url, content=content, headers={"content-type": kind})

    assert reply.status_code == status
    assert reply.json()["error"]["type"] == "invalid_request_error"


def test_no_content_of_the_request_stands_in_an_error():
    secret = "hunter2-hunter2"
    with serve(Script(["hi"])) as endpoint:
        replies = [
            post(
                endpoint,
                input=[{"role": "user", "content": [{"type": "input_text", "text": [secret]}]}],
            ),
            post(endpoint, instructions=[secret]),
            post(endpoint, metadata={"a": {"b": secret}}),
        ]

    assert [reply.status_code for reply in replies] == [400] * 3
    assert all(secret not in reply.text for reply in replies)


def test_call_ids_may_start_anew_once_they_are_answered():
    with serve(Script(["a", "b", "c"], by="conversation")) as endpoint:
        reply = post(endpoint, input=[*PAIR, *PAIR[1:]])

    assert reply.json()["output"][0]["content"][0]["text"] == "c"


def test_a_second_output_of_a_call_is_told_from_one_without_a_call():
    with serve(Script(["a"])) as endpoint:
        replies = [post(endpoint, input=items) for items in ([*PAIR, PAIR[-1]], PAIR[2:])]

    assert [reply.status_code for reply in replies] == [400, 400]
    twice, alone = (reply.json()["error"]["message"] for reply in replies)
    assert "already has an output" in twice
    assert "No tool call found" in alone


def test_a_stored_response_can_be_gone_on_from_and_an_unstored_one_cannot():
    script = Script([call("f", city="Rome"), "done"])
    with serve(script) as endpoint:
        first = post(endpoint, tools=[tool("f")]).json()
        call_id = first["output"][0]["call_id"]
        outputs = [{"type": "function_call_output", "call_id": call_id, "output": "1"}]
        second = post(endpoint, input=outputs, previous_response_id=first["id"], store=False)
        third = post(endpoint, previous_response_id=second.json()["id"])
        referred = post(
            endpoint, input=[{"type": "item_reference", "id": first["output"][0]["id"]}, *outputs]
        )

    assert second.json()["output"][0]["content"][0]["text"] == "done"
    assert [item["type"] for item in script.turns[1].items] == [
        "message",
        "function_call",
        "function_call_output",
    ]
    assert third.json()["error"]["code"] == "previous_response_not_found"
    assert referred.status_code == 200


def test_the_choice_among_tools_reaches_the_brain_resolved():
    seen = []
    tools = [tool("a"), tool("b"), tool("c")]
    allowed = {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [{"type": "function", "name": "c"}, {"type": "function", "name": "a"}],
    }
    with serve(Function(lambda turn: seen.append(turn.choice) or "x")) as endpoint:
        for choice in ("auto", "none", "required", {"type": "function", "name": "b"}, allowed):
            assert post(endpoint, tools=tools, tool_choice=choice).status_code == 200

    assert [(choice.mode, choice.names) for choice in seen] == [
        ("auto", ("a", "b", "c")),
        ("none", ()),
        ("required", ("a", "b", "c")),
        ("required", ("b",)),
        ("required", ("a", "c")),
    ]


class Broken:
    """Brains that break the rules of the port."""

    models = ("broken",)

    def __init__(self, *pieces, error=None):
        self.pieces, self.error, self.closed = pieces, error, False

    async def answer(self, turn):
        for piece in self.pieces:
            yield piece
        if self.error:
            raise self.error

    async def close(self):
        self.closed = True


@pytest.mark.parametrize(
    "brain",
    [
        Broken(Text("half")),
        Broken(Text("half"), Arguments("{}")),
        Broken(Text("half"), error=KeyError("secret")),
    ],
)
def test_a_brain_that_breaks_in_the_middle_fails_the_response_and_the_stream_still_ends(
    brain, caplog
):
    with serve(brain) as endpoint:
        plain = post(endpoint, model="broken").json()
        events = events_of(post(endpoint, model="broken", stream=True))

    assert plain["status"] == "failed"
    assert events[-1]["type"] == "response.failed"
    assert "secret" not in json.dumps([plain, events])
    assert brain.closed


def test_a_brain_with_names_refuses_other_models_and_lists_its_own():
    with serve(Broken(End())) as endpoint:
        reply = post(endpoint, model="gpt-5")
        listed = httpx.get(f"{endpoint.base_url}/models").json()

    assert (reply.status_code, reply.json()["error"]["code"]) == (404, "model_not_found")
    assert [model["id"] for model in listed["data"]] == ["broken"]


def test_an_unknown_route_has_the_same_envelope():
    with serve(Script([])) as endpoint:
        replies = [httpx.get(f"{endpoint.base_url}/responses"), httpx.get(f"{endpoint.base_url}/x")]

    assert [reply.status_code for reply in replies] == [405, 404]
    assert all(reply.json()["error"]["type"] == "invalid_request_error" for reply in replies)


def test_only_loopback_is_served_and_only_under_its_own_name():
    with pytest.raises(ConfigError, match="not a loopback"), serve(Script([]), host="0.0.0.0"):
        pass
    with serve(Script([])) as endpoint:
        reply = httpx.get(f"{endpoint.base_url}/models", headers={"host": "evil.example"})
    assert reply.status_code == 400


def test_a_port_in_use_is_a_config_error():
    with serve(Script([])) as endpoint:
        port = httpx.URL(endpoint.base_url).port
        taken = rf"127\.0\.0\.1:{port}: port {port} is taken; choose another, or 0"
        with pytest.raises(ConfigError, match=taken), serve(Script([]), port=port):
            pass


@pytest.mark.parametrize("port", [-1, 65536, 99999])
def test_a_port_that_cannot_be_is_a_config_error(port):
    with pytest.raises(ConfigError, match=f"no port {port}; give 1 to 65535, or 0"):
        with serve(Script([]), port=port):
            pass


def test_nothing_is_left_behind_when_the_endpoint_stops():
    threads = set(threading.enumerate())
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        with serve(Script(["hi"])) as endpoint:
            assert post(endpoint).status_code == 200

    assert set(threading.enumerate()) == threads
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 1
