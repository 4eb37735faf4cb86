"""A server's habits: what becomes of a request before it is sent, and of its answer."""

import json

import pytest

from toolstone.items import FunctionCall, parse_item, user
from toolstone.ports import OutputFormat, Profile, Request, Response, Settings, ToolSpec
from toolstone.responses.quirks import fitted, honest
from toolstone.responses.render import Renderer
from toolstone.usage import Usage

ADD, SUB = (ToolSpec(name, "", {"type": "object"}, strict=False) for name in ("add", "sub"))
TOOLS = (ADD, SUB)
DEAF = Profile(name="deaf", ignores=frozenset({"tool_choice"}))


def asked(choice=None, tools=TOOLS, **settings):
    return Request(
        items=(user("hi"),), tools=tools, tool_choice=choice, settings=Settings(**settings)
    )


def allowed(mode, *names):
    tools = [{"type": "function", "name": name} for name in names]
    return {"type": "allowed_tools", "mode": mode, "tools": tools}


@pytest.mark.parametrize(
    ("choice", "tools", "left"),
    [
        ("add", (ADD,), "required"),
        ({"type": "function", "name": "sub"}, (SUB,), "required"),
        (allowed("auto", "add"), (ADD,), None),
        (allowed("required", "add", "sub"), TOOLS, "required"),
        ("none", (), None),
        ("required", TOOLS, "required"),
        ("auto", TOOLS, "auto"),
    ],
)
def test_a_choice_that_has_no_effect_is_said_by_what_is_offered(choice, tools, left):
    for request in (asked(choice), asked(tool_choice=choice)):
        found = fitted(request, DEAF)
        assert (found.tools, found.tool_choice or found.settings.tool_choice) == (tools, left)


def test_what_a_choice_leaves_is_the_same_object_each_time():
    assert fitted(asked("add"), DEAF).tools is fitted(asked("add"), DEAF).tools


@pytest.mark.parametrize("choice", ["ad", {"type": "web_search"}, None])
def test_a_choice_of_what_is_not_offered_is_left_to_the_server(choice):
    request = asked(choice)
    assert fitted(request, DEAF) is request


def test_other_servers_are_asked_as_it_was_said():
    request = asked("add")
    assert fitted(request, Profile()) is request


def answered(tokens, status="completed"):
    return Response("resp_1", status, (), Usage(output_tokens=tokens, requests=1))


def test_an_answer_as_long_as_the_cap_counts_as_cut_off_where_the_server_never_says_so():
    hiding = Profile(name="mute", hides_cuts=True)
    found = honest(answered(16), asked(max_output_tokens=16), hiding)
    assert (found.status, found.reason) == ("incomplete", "max_output_tokens")
    assert "mute says completed; the answer has 16 tokens" in found.notes[0].text


@pytest.mark.parametrize(
    ("tokens", "status", "most", "profile"),
    [
        (15, "completed", 16, Profile(hides_cuts=True)),
        (99, "completed", None, Profile(hides_cuts=True)),
        (16, "completed", 16, Profile()),
        (16, "incomplete", 16, Profile(hides_cuts=True)),
    ],
)
def test_any_other_answer_is_left_as_it_is(tokens, status, most, profile):
    response = answered(tokens, status)
    assert honest(response, asked(max_output_tokens=most), profile) is response


# ------------------------------------------------------------------------------ what goes back


def call(arguments):
    raw = {"type": "function_call", "call_id": "c", "name": "add", "arguments": arguments}
    return parse_item(raw)


def rendered(profile, *items, **fields):
    return json.loads(Renderer("m", profile).render(Request(items=items, **fields)))


@pytest.mark.parametrize("arguments", ['{"a":', "[1]", "", "null"])
def test_arguments_that_are_no_object_go_back_empty_to_servers_that_break_on_them(arguments):
    item = call(arguments)
    assert isinstance(item, FunctionCall)
    sent = rendered(Profile(reads_arguments=True), item)["input"][0]
    assert sent == {**item.raw, "arguments": "{}"}
    assert rendered(Profile(), item)["input"][0] == item.raw


def test_whole_arguments_go_back_as_they_came():
    item = call('{ "a":1 }')
    assert rendered(Profile(reads_arguments=True), item)["input"][0] == item.raw


def test_reasoning_without_thoughts_stays_here_where_the_server_wants_thoughts():
    bare = parse_item({"type": "reasoning", "id": "r", "summary": [], "encrypted_content": "x"})
    thought = {"type": "reasoning_text", "text": "so"}
    whole = parse_item({"type": "reasoning", "id": "r", "summary": [], "content": [thought]})
    sent = rendered(Profile(replays_thoughts=True), bare, whole)["input"]
    assert sent == [whole.raw]


def test_a_schema_goes_where_the_server_looks_for_it():
    output = OutputFormat("out", {"type": "object"}, strict=True, description="an answer")
    sent = rendered(
        Profile(schema_field="response_format"), output=output, settings=Settings(verbosity="low")
    )
    assert sent["text"] == {"verbosity": "low"}
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "out",
            "schema": {"type": "object"},
            "strict": True,
            "description": "an answer",
        },
    }
