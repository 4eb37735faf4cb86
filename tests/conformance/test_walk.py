"""All operations are walked, and every object and event that comes back is judged."""

import httpx
import pytest

from toolstone.local import (
    Script,
    answer,
    call,
    custom,
    empty,
    failed,
    incomplete,
    item,
    message,
    refusal,
    serve,
    thought,
)

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "name": name, "parameters": CITY, "strict": True}
    for name in ("weather", "population")
]
FORMAT = {"type": "json_schema", "name": "city", "schema": CITY, "strict": True}
CITED = [{"type": "url_citation", "start_index": 0, "end_index": 2, "url": "https://a.example", "title": "A"}]  # fmt: skip

ANSWERS = {
    "text": (answer("one two three four five", chunk=3), {}),
    "no text": ("", {}),
    "other scripts": (answer('þæö 日本語 🙂 \u2028 \\ " \n end', chunk=1), {}),
    "one call": (call("weather", city="Paris"), {"tools": TOOLS}),
    "parallel calls": (
        [call("weather", city="Paris"), call("population", city="Rome")],
        {"tools": TOOLS, "parallel_tool_calls": True},
    ),
    "a call without arguments": (call("weather"), {"tools": TOOLS}),
    "words before a call": (
        [message("Let me look.", phase="commentary"), call("weather", city="Paris")],
        {"tools": TOOLS, "tool_choice": "required"},
    ),
    "a named choice": (
        call("weather", city="Paris"),
        {"tools": TOOLS, "tool_choice": {"type": "function", "name": "weather"}},
    ),
    "allowed tools": (
        call("weather", city="Paris"),
        {
            "tools": TOOLS,
            "tool_choice": {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "function", "name": "weather"}],
            },
        },
    ),
    "structured": ({"city": "Paris"}, {"text": {"format": FORMAT, "verbosity": "low"}}),
    "refusal": (refusal("I would rather not."), {}),
    "phases": ([message("Hm.", phase="commentary"), message("Four.", phase="final_answer")], {}),
    "citation": (message("See A.", annotations=CITED), {}),
    "likelihoods": (
        message("so so", logprob=-0.5),
        {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
    ),
    "summarised thoughts": (
        [thought(summary=["First,", "then."]), "done"],
        {"reasoning": {"effort": "low", "summary": "auto"}},
    ),
    "raw thoughts": ([thought("Let me think."), "done"], {}),
    "sealed thoughts": (
        [thought("Secret.", summary=["Short."]), "done"],
        {"include": ["reasoning.encrypted_content"], "store": False},
    ),
    "compacted by the server": (
        "done",
        {
            "input": [
                {"type": "message", "role": role, "content": "long " * 400}
                for role in ("user", "assistant", "user")
            ],
            "context_management": [{"type": "compaction", "compact_threshold": 1000}],
        },
    ),
    "nothing": (empty(), {}),
    "incomplete text": (incomplete("half a sen"), {"max_output_tokens": 16}),
    "incomplete call": (incomplete(call("weather", city="P")), {"tools": TOOLS}),
    "filtered": (incomplete("x", reason="content_filter"), {}),
    "failed": (failed("half", code="rate_limit_exceeded", message="slow down"), {}),
    "settings": (
        "hi",
        {
            "instructions": "Be brief.",
            "temperature": 0.5,
            "top_p": 0.9,
            "truncation": "auto",
            "metadata": {"a": "b"},
            "max_output_tokens": 99,
            "max_tool_calls": 3,
            "service_tier": "flex",
            "safety_identifier": "u",
            "prompt_cache_key": "k",
        },
    ),
}
THEIRS = {
    "json mode": ({"a": 1}, {"text": {"format": {"type": "json_object"}}, "input": "as json"}),
    "custom call": (
        custom("sql", "SELECT 1"),
        {"tools": [{"type": "custom", "name": "sql", "format": {"type": "text"}}]},
    ),
    "a hosted tool's item": (
        item(
            type="web_search_call",
            status="completed",
            action={"type": "search", "query": "x", "queries": ["x"]},
        ),
        {"tools": [{"type": "web_search"}]},
    ),
}
"""What OpenAI has and Open Responses does not: judged by the official library alone."""


def bare(response):
    """What a response says, without what differs from one to the next."""
    kept = {key: response[key] for key in ("status", "error", "incomplete_details", "usage")}
    output = [{k: v for k, v in each.items() if k not in UNSTEADY} for each in response["output"]]
    return {**kept, "output": output}


UNSTEADY = ("id", "call_id", "encrypted_content")


@pytest.mark.parametrize("name", [*ANSWERS, *THEIRS])
def test_whatever_is_said_is_well_formed_and_the_same_on_every_way(name, wire):
    said, asked = {**ANSWERS, **THEIRS}[name]
    body = {"input": "hello", **asked}
    ways = [at_once, streamed, over_a_socket]
    if body.get("store") is not False:
        ways += [in_background, streamed_in_background]
    with serve(Script([said] * len(ways), by="sequence")) as endpoint:
        client = wire(endpoint.base_url, portable=name in ANSWERS)
        first, *rest = [way(client, body) for way in ways]

    assert [bare(response) for response in rest] == [bare(first)] * len(rest)


def at_once(client, body):
    return client.create(**body)


def streamed(client, body):
    return client.stream(**body)[-1]["response"]


def over_a_socket(client, body):
    with client.socket() as socket:
        return socket.turn({"type": "response.create", **body})[-1]["response"]


def in_background(client, body):
    response = client.create(background=True, **body)
    assert response["status"] in ("queued", "in_progress")
    asked = {"include[]": body.get("include", [])}
    while response["status"] in ("queued", "in_progress"):
        response = client.judged(client.send("GET", f"/responses/{response['id']}", params=asked))
    return response


def streamed_in_background(client, body):
    events = client.stream(background=True, **body)
    path = f"/responses/{events[0]['response']['id']}"
    for after in (-1, 0, len(events) // 2, len(events) - 2):
        resumed = client.stream(
            "GET", f"{path}?stream=true&starting_after={after}", first=after + 1
        )
        assert resumed == events[after + 1 :]
    asked = {"include[]": body.get("include", [])}
    assert client.send("GET", path, params=asked) == events[-1]["response"]
    return events[-1]["response"]


def test_the_round_of_calls_and_outputs_goes_over_http_and_is_read_back(wire):
    script = Script([[call("weather", city="Paris"), call("population", city="Paris")], "done"])
    with serve(script) as endpoint:
        client = wire(endpoint.base_url)
        first = client.create(input="Report on Paris", tools=TOOLS)
        outputs = [
            {"type": "function_call_output", "call_id": made["call_id"], "output": text}
            for made, text in zip(
                first["output"],
                ("14.5", [{"type": "input_text", "text": "2 million"}]),
                strict=True,
            )
        ]
        second = client.create(input=outputs, previous_response_id=first["id"], tools=TOOLS)
        listed = client.send("GET", f"/responses/{second['id']}/input_items?order=asc")
        replayed = client.create(
            input=[{"type": "message", "role": "user", "content": "Report"}, *first["output"], *outputs],
            tools=TOOLS,
            store=False,
        )  # fmt: skip
        read = client.judged(client.send("GET", f"/responses/{second['id']}"))
        deleted = client.send("DELETE", f"/responses/{second['id']}")
        gone = client.send("GET", f"/responses/{second['id']}", 404)

    assert read == second
    assert [each["type"] for each in listed["data"]] == [
        "message",
        *["function_call"] * 2,
        *["function_call_output"] * 2,
    ]
    for each in listed["data"]:
        client.schema.check("ItemField", each)
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (
        listed["data"][0]["id"],
        listed["data"][-1]["id"],
        False,
    )
    assert bare(replayed)["output"] == bare(second)["output"]
    assert deleted == {"id": second["id"], "object": "response", "deleted": True}
    assert gone["error"]["message"]


def test_what_is_compacted_is_well_formed_and_can_be_gone_on_from(wire):
    said = [
        {"type": "message", "role": "user", "content": "Report on Paris"},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "mild"},
        {"type": "message", "role": "assistant", "content": "It is mild."},
    ]
    with serve(Script(["one", "two"], by="sequence")) as endpoint:
        client = wire(endpoint.base_url)
        compacted = client.send("POST", "/responses/compact", json={"model": "m", "input": said})
        client.schema.check("CompactResource", compacted)
        after = client.create(input=[*compacted["output"], {"role": "user", "content": "And?"}])

    assert [each["type"] for each in compacted["output"]] == ["message", "compaction"]
    assert after["status"] == "completed"


def test_tokens_models_and_conversations_are_told_as_the_official_library_reads_them(wire):
    with serve(Script(["hi"])) as endpoint:
        client = wire(endpoint.base_url)
        counted = client.send("POST", "/responses/input_tokens", json={"model": "m", "input": "x"})
        models = client.send("GET", "/models")
        made = client.send("POST", "/conversations", json={"metadata": {"a": "b"}})
        path = f"/conversations/{made['id']}"
        first = client.create(input="hello", conversation=made["id"])
        items = client.send("GET", f"{path}/items?order=asc")
        one = client.send("GET", f"{path}/items/{items['data'][0]['id']}")
        deleted = client.send("DELETE", path)
        client.send("GET", path, 404)

    assert counted["object"] == "response.input_tokens"
    assert counted["input_tokens"] > 0
    assert models["object"] == "list"
    assert (made["object"], made["metadata"]) == ("conversation", {"a": "b"})
    assert [each["role"] for each in items["data"]] == ["user", "assistant"]
    assert one == items["data"][0]
    assert items["data"][1] == first["output"][0]
    assert deleted == {"id": made["id"], "object": "conversation.deleted", "deleted": True}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "code"),
    [
        ("POST", "/responses", {"input": "x"}, 400, "invalid_request_error", "missing_required_parameter"),
        ("POST", "/responses", {"model": "m", "input": 4}, 400, "invalid_request_error", "invalid_type"),
        ("POST", "/responses", {"model": "m", "input": "x", "y": 1}, 400, "invalid_request_error", "unknown_parameter"),
        ("POST", "/responses", {"model": "m", "input": "x", "previous_response_id": "r"}, 400, "invalid_request_error", "previous_response_not_found"),
        ("POST", "/responses", {"model": "m", "input": "x", "stream": True}, 429, "rate_limit_error", "slow_down"),
        ("POST", "/responses/compact", {"input": "x"}, 400, "invalid_request_error", "missing_required_parameter"),
        ("GET", "/responses/resp_x", None, 404, "invalid_request_error", None),
        ("DELETE", "/responses/resp_x", None, 404, "invalid_request_error", None),
        ("POST", "/responses/resp_x/cancel", None, 404, "invalid_request_error", None),
        ("GET", "/responses/resp_x/input_items", None, 404, "invalid_request_error", None),
        ("GET", "/conversations/conv_x", None, 404, "invalid_request_error", None),
        ("PUT", "/responses", None, 405, "invalid_request_error", None),
        ("GET", "/nowhere", None, 404, "invalid_request_error", None),
    ],
)  # fmt: skip
def test_every_error_has_one_envelope_and_an_id(method, path, body, status, kind, code):
    from toolstone.local import error

    with serve(Script([error(429, "slow_down")])) as endpoint:
        reply = httpx.request(method, f"{endpoint.base_url}{path}", json=body)

    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"].startswith("req_")
    assert reply.json().keys() == {"error"}
    told = reply.json()["error"]
    assert told.keys() == {"message", "type", "param", "code"}
    assert (told["type"], told["code"]) == (kind, code)
    assert told["message"]
