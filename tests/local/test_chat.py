"""The older protocol over a brain: the official `openai` SDK and plain HTTP find what they expect."""

import json

import httpx
import openai
import pytest
from pydantic import BaseModel

from toolstone.local import Script, call, serve
from toolstone.local.brain import (
    Arguments,
    Call,
    Custom,
    Decline,
    End,
    Input,
    Item,
    Reasoning,
    RefusalError,
    Text,
    Thought,
    Usage,
)


class Report(BaseModel):
    city: str
    temp_c: float


def function(name):
    parameters = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "function": {"name": name, "strict": True, "parameters": parameters},
    }


TOOLS = [function("weather"), function("population")]
SAY = [{"role": "user", "content": "Report on Paris"}]
SQL = {"type": "custom", "custom": {"name": "sql"}}


class Brain:
    """Says these pieces, and remembers the turn."""

    models = ()
    hosted = ("*",)

    def __init__(self, *pieces):
        self.pieces, self.turn = pieces, None

    async def answer(self, turn):
        self.turn = turn
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def close(self):
        pass


@pytest.fixture
def client():
    script = Script(
        [
            [call("weather", city="Paris"), call("population", city="Paris")],
            {"city": "Paris", "temp_c": 14.5},
        ]
    )
    with (
        serve(script) as endpoint,
        openai.OpenAI(base_url=endpoint.base_url, api_key="none", max_retries=0) as client,
    ):
        yield client


def asked(brain, **body):
    """What a brain's endpoint answers to a body, and how."""
    with serve(brain) as endpoint:
        url = f"{endpoint.base_url}/chat/completions"
        return httpx.post(url, json={"model": "m", "messages": SAY, **body}, timeout=10)


def chunks(reply):
    frames = [line.removeprefix("data: ") for line in reply.text.split("\n\n") if line]
    return [json.loads(frame) for frame in frames if frame != "[DONE]"], frames[-1]


def went_on(message):
    """The conversation after the tools were called."""
    outputs = [
        {"role": "tool", "tool_call_id": one.id, "content": "1"} for one in message.tool_calls
    ]
    return [*SAY, message.model_dump(exclude_none=True, exclude={"parsed"}), *outputs]


# -------------------------------------------------------------------------------- the official SDK


def test_create_makes_parallel_calls_and_the_conversation_goes_on(client):
    first = client.chat.completions.create(model="m", messages=SAY, tools=TOOLS)
    choice = first.choices[0]
    second = client.chat.completions.create(
        model="m", messages=went_on(choice.message), tools=TOOLS
    )

    assert choice.finish_reason == "tool_calls"
    assert [(c.function.name, c.function.arguments) for c in choice.message.tool_calls] == [
        ("weather", '{"city": "Paris"}'),
        ("population", '{"city": "Paris"}'),
    ]
    assert second.choices[0].message.content == '{"city": "Paris", "temp_c": 14.5}'
    assert second.choices[0].finish_reason == "stop"
    assert second.usage.total_tokens == second.usage.prompt_tokens + second.usage.completion_tokens


def test_parse_gives_the_typed_answer(client):
    first = client.chat.completions.create(model="m", messages=SAY, tools=TOOLS)
    parsed = client.chat.completions.parse(
        model="m",
        messages=went_on(first.choices[0].message),
        tools=TOOLS,
        response_format=Report,
    )

    assert parsed.choices[0].message.parsed == Report(city="Paris", temp_c=14.5)


def test_a_stream_has_chunks_and_usage(client):
    told = list(
        client.chat.completions.create(
            model="m",
            messages=SAY,
            tools=TOOLS,
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    assert told[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in told[-2:-1]] == ["tool_calls"]
    assert (told[-1].choices, told[-1].usage.prompt_tokens > 0) == ([], True)


def test_the_stream_helper_follows_calls_and_text(client):
    with client.chat.completions.stream(model="m", messages=SAY, tools=TOOLS) as stream:
        first = stream.get_final_completion().choices[0].message
    with client.chat.completions.stream(
        model="m", messages=went_on(first), tools=TOOLS, response_format=Report
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion().choices[0].message

    assert [c.function.name for c in first.tool_calls] == ["weather", "population"]
    assert "content.delta" in kinds
    assert final.parsed == Report(city="Paris", temp_c=14.5)


async def test_the_async_client_streams_and_parses():
    script = Script(["Warm.", {"city": "Paris", "temp_c": 14.5}], by="sequence")
    with serve(script) as endpoint:
        async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key="none") as client:
            create = client.chat.completions.create
            said = ""
            async for chunk in await create(model="m", messages=SAY, stream=True):
                said += chunk.choices[0].delta.content or ""
            parsed = await client.chat.completions.parse(
                model="m", messages=SAY, response_format=Report
            )

    assert said == "Warm."
    assert parsed.choices[0].message.parsed == Report(city="Paris", temp_c=14.5)


def test_a_bad_request_is_the_sdks_own_error(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="m", messages=SAY, tool_choice="required")

    assert refused.value.param == "tool_choice"


# ----------------------------------------------------------------------------- what the brain is asked


def test_the_brain_is_asked_as_by_responses():
    brain = Brain(Text("ok"), End())
    image = {"url": "data:image/png;base64,AA", "detail": "low"}
    messages = [
        {"role": "system", "content": "be brief"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": image},
                {"type": "file", "file": {"file_data": "data:text/plain;base64,AA"}},
            ],
        },
        {
            "role": "assistant",
            "content": "let me",
            "reasoning_content": "hm",
            "refusal": "no",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": "{}"},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "21"}]},
    ]
    schema = {"name": "r", "schema": {"type": "object"}, "strict": False}
    reply = asked(
        brain,
        messages=messages,
        tools=TOOLS,
        tool_choice={
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "auto",
                "tools": [{"type": "function", "function": {"name": "weather"}}],
            },
        },
        response_format={"type": "json_schema", "json_schema": schema},
        max_tokens=99,
        reasoning_effort="low",
        verbosity="low",
        seed=7,
        parallel_tool_calls=False,
    )

    assert reply.status_code == 200, reply.text
    turn = brain.turn
    assert [item["type"] for item in turn.items] == [
        "message",
        "message",
        "reasoning",
        "message",
        "function_call",
        "function_call_output",
    ]
    assert turn.items[1]["content"][1:] == [
        {"type": "input_image", "image_url": image["url"], "detail": "low"},
        {"type": "input_file", "file_data": "data:text/plain;base64,AA"},
    ]
    assert [part["type"] for part in turn.items[3]["content"]] == ["output_text", "refusal"]
    assert [tool["name"] for tool in turn.tools] == ["weather"]
    assert (turn.format["type"], turn.max_output_tokens, turn.parallel) == (
        "json_schema",
        99,
        False,
    )
    assert turn.body["reasoning"] == {"effort": "low"}


def test_a_custom_tool_is_called_and_answered():
    brain = Brain(Custom("sql"), Input("select"), Input(" 1"), End())
    grammar = {"syntax": "lark", "definition": "start: /a/"}
    tool = {
        "type": "custom",
        "custom": {"name": "sql", "format": {"type": "grammar", "grammar": grammar}},
    }
    chosen = {"type": "custom", "custom": {"name": "sql"}}
    (made,) = asked(brain, tools=[tool], tool_choice=chosen).json()["choices"][0]["message"][
        "tool_calls"
    ]

    assert (made["type"], made["custom"]) == ("custom", {"name": "sql", "input": "select 1"})
    assert brain.turn.custom_tools[0]["format"] == {"type": "grammar", **grammar}


# -------------------------------------------------------------------------------- what it answers

ANSWERS = {
    "text": [Text("It is "), Text("21 °C")],
    "thoughts": [Reasoning(), Thought("hm"), Thought("m"), Text("12")],
    "refusal": [Decline("I will"), Decline(" not")],
    "calls": [
        Text("see"),
        Call("weather", "c1"),
        Arguments("{"),
        Arguments("}"),
        Call("population", "c2"),
        Arguments("{}"),
    ],
    "whole": [
        Item({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}),
        Item(
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "all at once"}],
            }
        ),
        Item(
            {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"a": 1}'}
        ),
        Item({"type": "web_search_call", "status": "completed"}),
    ],
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_stream_adds_up_to_the_plain_answer(name):
    pieces = [*ANSWERS[name], End(Usage(5, 3, cached_tokens=2, reasoning_tokens=1))]
    plain = asked(Brain(*pieces), tools=TOOLS).json()["choices"][0]
    told, last = chunks(asked(Brain(*pieces), tools=TOOLS, stream=True))
    message = {"calls": {}}
    for chunk in told:
        (choice,) = chunk["choices"]
        for key, value in choice["delta"].items():
            if key == "tool_calls":
                (one,) = value
                known = message["calls"].setdefault(one["index"], one)
                if known is not one:
                    known["function"]["arguments"] += one["function"]["arguments"]
            elif isinstance(value, str) and key != "role":
                message[key] = message.get(key, "") + value
    calls = [{k: v for k, v in one.items() if k != "index"} for one in message["calls"].values()]

    assert last == "[DONE]"
    assert choice["finish_reason"] == plain["finish_reason"]
    assert calls == plain["message"].get("tool_calls", [])
    for field in ("content", "refusal", "reasoning_content"):
        assert (message.get(field) or None) == plain["message"].get(field)


def test_usage_and_tier_are_told():
    reply = asked(Brain(Text("x"), End(Usage(5, 3, cached_tokens=2, reasoning_tokens=1)))).json()

    assert reply["object"] == "chat.completion"
    assert reply["usage"]["prompt_tokens"] == 5
    assert reply["usage"]["prompt_tokens_details"]["cached_tokens"] == 2
    assert reply["usage"]["completion_tokens_details"] == {"reasoning_tokens": 1}
    assert reply["service_tier"] == "default"


@pytest.mark.parametrize(
    ("reason", "finish"), [("max_output_tokens", "length"), ("content_filter", "content_filter")]
)
def test_a_cut_says_why(reason, finish):
    end = End(status="incomplete", reason=reason)
    assert asked(Brain(Text("It"), end)).json()["choices"][0]["finish_reason"] == finish


def test_a_brain_that_breaks_is_an_error_streamed_or_not():
    broken = RefusalError(500, "server_error", "it broke")
    plain = asked(Brain(Text("It"), broken))
    told, last = chunks(asked(Brain(Text("It"), broken), stream=True))

    assert (plain.status_code, plain.json()["error"]["message"]) == (500, "it broke")
    assert told[-1]["error"] == {
        "type": "server_error",
        "param": None,
        "code": "server_error",
        "message": "it broke",
    }
    assert last != "[DONE]"


def test_a_brain_that_refuses_is_an_http_error():
    refused = RefusalError(429, "rate_limit_exceeded", "slow down", headers={"retry-after": "3"})
    reply = asked(Brain(refused), stream=True)

    assert (reply.status_code, reply.headers["retry-after"]) == (429, "3")


# ---------------------------------------------------------------------------------------- refusals

CALLED = {
    "role": "assistant",
    "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    ],
}
ANSWERED = {"role": "tool", "tool_call_id": "c1", "content": "1"}
WRONG = {
    "no messages": ({"messages": []}, "messages"),
    "unknown field": ({"frobnicate": 1}, "frobnicate"),
    "stop": ({"stop": ["x"]}, "stop"),
    "functions": ({"functions": []}, "functions"),
    "several": ({"n": 2}, "n"),
    "stored": ({"store": True}, "store"),
    "role": ({"messages": [{"role": "critic", "content": "x"}]}, "messages[0].role"),
    "content": ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    "part": (
        {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
        "messages[0].content[0]",
    ),
    "image in a tool message": (
        {
            "messages": [
                *SAY,
                CALLED,
                {**ANSWERED, "content": [{"type": "image_url", "image_url": {"url": "u"}}]},
            ]
        },
        "messages[2].content[0].type",
    ),
    "unanswered": ({"messages": [*SAY, CALLED]}, "messages[2]"),
    "answered late": ({"messages": [CALLED, *SAY, ANSWERED]}, "messages[1]"),
    "answered twice": (
        {"messages": [CALLED, ANSWERED, ANSWERED]},
        "messages[2].tool_call_id",
    ),
    "flat tool": ({"tools": [{"type": "function", "name": "x"}]}, "tools[0].function"),
    "twice": ({"tools": [TOOLS[0], TOOLS[0]]}, "tools[1].function.name"),
    "flat choice": (
        {"tools": TOOLS, "tool_choice": {"type": "function", "name": "weather"}},
        "tool_choice.function",
    ),
    "schema": (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"type": "array"}},
            }
        },
        "response_format.json_schema.schema",
    ),
    "json": ({"response_format": {"type": "json_object"}}, "messages"),
    "tokens": ({"max_tokens": 3}, "max_completion_tokens"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_request_is_told_where_it_is_wrong(name):
    body, param = WRONG[name]
    reply = asked(Brain(Text("x"), End()), **body)

    assert reply.status_code == 400
    error = reply.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert "text.format" not in error["message"]


def test_an_unknown_model_is_not_found():
    brain = Brain()
    brain.models = ("other",)
    reply = asked(brain)

    assert (reply.status_code, reply.json()["error"]["param"]) == (404, "model")
