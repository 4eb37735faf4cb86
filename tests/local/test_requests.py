"""Requests are judged as the service judges them: tools, choices, parts, pairs and bounds."""

import httpx
import pytest

from toolstone.local import Script, serve
from toolstone.local.brain import End, Text

FUNCTION = {"type": "function", "name": "f"}
CUSTOM = {"type": "custom", "name": "run"}
SEARCH = {"type": "web_search"}
MCP = {"type": "mcp", "server_label": "docs", "server_url": "https://mcp.example"}
USER = {"role": "user", "content": "hi"}


def post(endpoint, path="", **body):
    body = {"model": "m", "input": "hello", **body}
    return httpx.post(f"{endpoint.base_url}/responses{path}", json=body, timeout=5)


def part(**fields):
    return [{"role": "user", "content": [fields]}]


def custom_call(**fields):
    return {"type": "custom_tool_call", "call_id": "c1", "name": "run", "input": "ls", **fields}


def custom_output(**fields):
    return {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok", **fields}


@pytest.fixture(scope="module")
def endpoint():
    with serve(Script(["hi"] * 50, by="sequence")) as served:
        yield served


@pytest.fixture
def plain(says):
    """An endpoint whose brain runs no tools itself."""
    with serve(says(Text("hi"), End())) as served:
        yield served


@pytest.mark.parametrize(
    "change",
    [
        {"tools": [CUSTOM], "tool_choice": {"type": "custom", "name": "run"}},
        {
            "tools": [
                {
                    **CUSTOM,
                    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"},
                }
            ]
        },
        {"input": [USER, custom_call(), custom_output()]},
        {
            "input": [
                USER,
                custom_call(),
                custom_output(output=[{"type": "input_text", "text": "x"}]),
            ]
        },
        {"input": part(type="input_image", image_url="https://example.com/a.png", detail="low")},
        {"input": part(type="input_image", image_url="data:image/png;base64,AAAA")},
        {"input": part(type="input_file", file_data="data:text/plain;base64,AAAA", filename="a")},
        {"input": part(type="input_file", file_url="https://example.com/a.pdf")},
        {"text": {"verbosity": "low"}},
        {"service_tier": "flex"},
        {"service_tier": "fast"},
        {"prompt_cache_options": {"mode": "explicit", "ttl": "30m"}},
        {"prompt_cache_key": "k", "safety_identifier": "s", "user": "u"},
        {"max_tool_calls": 3},
        {"truncation": "auto"},
        {"include": ["reasoning.encrypted_content"]},
        {"reasoning": {"effort": "high", "summary": "detailed"}},
        {"input": [USER, {"type": "mcp_approval_response", "approval_request_id": "a"}]},
        {"input": [USER, {"type": "acme:thing", "anything": 1}]},
    ],
)
def test_what_the_service_takes_is_taken(plain, change):
    assert post(plain, **change).json()["status"] == "completed"


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"tools": [FUNCTION, {**CUSTOM, "name": "f"}]}, "tools[1].name", "invalid_value"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name", "missing_required_parameter"),
        (
            {
                "tools": [
                    {**CUSTOM, "format": {"type": "grammar", "syntax": "peg", "definition": ""}}
                ]
            },
            "tools[0].format.syntax",
            "invalid_value",
        ),
        ({"tools": [{"type": "telepathy"}]}, "tools[0].type", "invalid_value"),
        ({"tools": [SEARCH]}, "tools[0].type", "invalid_value"),
        ({"tools": [FUNCTION, MCP]}, "tools[1].type", "invalid_value"),
        (
            {"tools": [FUNCTION], "tool_choice": {"type": "custom", "name": "f"}},
            "tool_choice.name",
            "invalid_value",
        ),
        (
            {"tools": [FUNCTION], "tool_choice": {"type": "web_search"}},
            "tool_choice.type",
            "invalid_value",
        ),
        (
            {
                "tools": [FUNCTION],
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g"}],
                },
            },
            "tool_choice.tools[1].name",
            "invalid_value",
        ),
        (
            {
                "tools": [FUNCTION],
                "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []},
            },
            "tool_choice.tools",
            "array_below_min_length",
        ),
        ({"input": [USER, custom_call()]}, "input", "invalid_value"),
        ({"input": [USER, custom_output()]}, "input", "invalid_value"),
        (
            {"input": [USER, custom_call(), custom_output(type="function_call_output")]},
            "input",
            "invalid_value",
        ),
        (
            {"input": [USER, {"type": "shell_call", "call_id": "c1", "action": {}}]},
            "input",
            "invalid_value",
        ),
        (
            {"input": part(type="input_image")},
            "input[0].content[0].image_url",
            "missing_required_parameter",
        ),
        (
            {"input": part(type="input_image", image_url="ftp://x")},
            "input[0].content[0].image_url",
            "invalid_value",
        ),
        (
            {"input": part(type="input_file", filename="a")},
            "input[0].content[0].file_data",
            "missing_required_parameter",
        ),
        (
            {"input": part(type="input_file", file_id="file_1")},
            "input[0].content[0].file_id",
            "invalid_value",
        ),
        (
            {"metadata": {f"k{n}": "v" for n in range(17)}},
            "metadata",
            "object_above_max_properties",
        ),
        ({"metadata": {"k": "v" * 513}}, "metadata.k", "string_above_max_length"),
        ({"safety_identifier": "s" * 65}, "safety_identifier", "string_above_max_length"),
        (
            {"tools": [{**FUNCTION, "name": f"f{n}"} for n in range(129)]},
            "tools",
            "array_above_max_length",
        ),
        ({"top_p": 2}, "top_p", "decimal_above_max_value"),
        ({"top_logprobs": 21}, "top_logprobs", "integer_above_max_value"),
        ({"max_tool_calls": 0}, "max_tool_calls", "integer_below_min_value"),
        ({"service_tier": "golden"}, "service_tier", "invalid_value"),
        ({"stream_options": {"speed": 1}}, "stream_options.speed", "unknown_parameter"),
        ({"context_management": []}, "context_management", "array_below_min_length"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "unsupported_parameter"),
        ({"moderation": {"model": "x"}}, "moderation", "unsupported_parameter"),
        (
            {"conversation": "conv_1", "previous_response_id": "resp_1"},
            "previous_response_id",
            "mutually_exclusive_parameters",
        ),
        (
            {"input": [{"type": "compaction_trigger"}, USER]},
            "input[0].type",
            "invalid_value",
        ),
        (
            {"input": [{"type": "compaction", "encrypted_content": "theirs"}, USER]},
            "input[0].encrypted_content",
            "invalid_encrypted_content",
        ),
    ],
)
def test_what_the_service_refuses_is_refused_by_its_path(plain, change, param, code):
    reply = post(plain, **change)

    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == (400, param, code)


def test_a_tool_of_the_service_is_refused_with_what_to_do_instead(plain):
    message = post(plain, tools=[SEARCH]).json()["error"]["message"]

    assert "'web_search'" in message
    assert "offer a function" in message


def test_a_brain_that_runs_some_tools_has_those_let_pass(says):
    class Searches(says):
        hosted = ("web_search",)

    with serve(Searches(Text("found"), End())) as endpoint:
        taken = post(endpoint, tools=[SEARCH], tool_choice={"type": "web_search"})
        forced = post(endpoint, tools=[SEARCH], tool_choice="required")
        refused = post(endpoint, tools=[MCP])

    assert taken.json()["tools"] == [SEARCH]
    assert forced.status_code == 200
    assert refused.json()["error"]["param"] == "tools[0].type"


@pytest.mark.parametrize(
    "choice",
    [
        "auto",
        "none",
        "required",
        {"type": "mcp", "server_label": "docs"},
        {"type": "mcp", "server_label": "docs", "name": "search"},
        {"type": "web_search"},
        {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "mcp", "server_label": "docs"}, {"type": "function", "name": "f"}],
        },
    ],
)
def test_a_script_lets_every_tool_and_choice_pass(endpoint, choice):
    reply = post(endpoint, tools=[FUNCTION, SEARCH, MCP], tool_choice=choice)

    assert reply.json()["tool_choice"] == choice


def test_custom_tools_reach_the_brain_beside_functions(says):
    brain = says(Text("hi"), End())
    with serve(brain) as endpoint:
        post(endpoint, tools=[FUNCTION, CUSTOM])
        post(endpoint, tools=[FUNCTION, CUSTOM], tool_choice={"type": "custom", "name": "run"})

    first, second = brain.turns
    assert (first.choice.names, first.custom_tools) == (("f", "run"), [CUSTOM])
    assert [tool["name"] for tool in first.tools] == ["f"]
    assert (second.choice.mode, second.choice.names, second.tools) == ("required", ("run",), [])


def test_what_open_responses_does_not_know_is_echoed_only_when_sent(endpoint):
    sent = {"user": "u", "prompt_cache_options": {"mode": "implicit"}}
    given = post(endpoint, **sent).json()

    assert {key: given[key] for key in sent} == sent
    assert "user" not in post(endpoint).json()


def test_a_model_is_described_by_its_name(endpoint, says):
    class Named(says):
        models = ("org/small",)

    with serve(Named(End())) as named:
        known = httpx.get(f"{named.base_url}/models/org/small")
        unknown = httpx.get(f"{named.base_url}/models/large")

    assert known.json()["id"] == "org/small"
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    assert httpx.get(f"{endpoint.base_url}/models/anything").json()["id"] == "anything"
