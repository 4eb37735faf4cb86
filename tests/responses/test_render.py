"""Requests as bytes: what was recorded goes back as it came, and only what is set is sent."""

import json

import pytest
import toolstone_wire_data as wire
from hypothesis import given
from hypothesis import strategies as st

from toolstone.errors import InputError
from toolstone.items import assistant, parse_item, user
from toolstone.ports import OutputFormat, Profile, Request, Settings, ToolSpec
from toolstone.responses import Renderer, parse_response

HELLO = (user("hi"),)
ADD = ToolSpec("add", "Adds.", {"type": "object", "properties": {}}, strict=True)
RAW = ToolSpec("raw", "", {"type": "object"}, strict=False)


def rendered(request=None, profile=None, **fields):
    renderer = Renderer("some-model", profile or Profile())
    return json.loads(renderer.render(request or Request(HELLO, **fields)))


# ----------------------------------------------------------------------------- what is always sent


def test_a_bare_request_sends_what_must_be_said_and_nothing_else():
    assert rendered() == {
        "input": [{"type": "message", "role": "user", "content": "hi"}],
        "model": "some-model",
        "stream": False,
        "store": False,
    }


def test_everything_that_is_set_is_sent():
    settings = Settings(
        temperature=0.0,
        top_p=1.0,
        max_output_tokens=100,
        tool_choice="required",
        parallel_tool_calls=False,
        effort="low",
        summary="auto",
        verbosity="high",
        service_tier="flex",
        store=True,
        include=["reasoning.encrypted_content"],
        truncation="auto",
        metadata={"a": "b"},
        safety_identifier="who",
        prompt_cache_key="key",
        background=False,
        conversation="conv_1",
        compact_threshold=1_000,
        top_logprobs=3,
        max_tool_calls=2,
        prompt_cache_options={"ttl": "30m"},
        extra={"vendor": {"x": 1}},
    )
    output = OutputFormat("Report", {"type": "object"}, strict=True, description="A report.")

    body = rendered(
        settings=settings,
        tools=(ADD, RAW),
        output=output,
        instructions="Be brief.",
        stream=True,
        previous="resp_0",
    )

    assert body == {
        "input": [{"type": "message", "role": "user", "content": "hi"}],
        "tools": [
            {
                "type": "function",
                "name": "add",
                "description": "Adds.",
                "parameters": {"type": "object", "properties": {}},
                "strict": True,
            },
            {"type": "function", "name": "raw", "parameters": {"type": "object"}, "strict": False},
        ],
        "model": "some-model",
        "stream": True,
        "store": True,
        "temperature": 0.0,
        "top_p": 1.0,
        "max_output_tokens": 100,
        "parallel_tool_calls": False,
        "service_tier": "flex",
        "include": ["reasoning.encrypted_content"],
        "truncation": "auto",
        "metadata": {"a": "b"},
        "safety_identifier": "who",
        "prompt_cache_key": "key",
        "background": False,
        "conversation": "conv_1",
        "context_management": [{"type": "compaction", "compact_threshold": 1_000}],
        "top_logprobs": 3,
        "max_tool_calls": 2,
        "prompt_cache_options": {"ttl": "30m"},
        "tool_choice": "required",
        "instructions": "Be brief.",
        "previous_response_id": "resp_0",
        "text": {
            "format": {
                "type": "json_schema",
                "name": "Report",
                "schema": {"type": "object"},
                "strict": True,
                "description": "A report.",
            },
            "verbosity": "high",
        },
        "reasoning": {"effort": "low", "summary": "auto"},
        "vendor": {"x": 1},
    }


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_choice_of_the_protocol_is_sent_as_it_is(choice):
    assert rendered(settings=Settings(tool_choice=choice))["tool_choice"] == choice


def test_any_other_choice_is_a_tools_name_and_an_object_is_an_object():
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": []}

    assert rendered(tool_choice="add")["tool_choice"] == {"type": "function", "name": "add"}
    assert rendered(tool_choice=allowed)["tool_choice"] == allowed
    assert (
        rendered(settings=Settings(tool_choice="none"), tool_choice="auto")["tool_choice"] == "auto"
    )


def test_state_at_the_server_implies_store_unless_that_is_said():
    assert rendered(settings=Settings(state="server"))["store"] is True
    assert rendered(settings=Settings(state="server", store=False))["store"] is False


@pytest.mark.parametrize(
    "settings", [Settings(background=True), Settings(conversation="conv_1")], ids=str
)
def test_what_the_service_works_on_it_must_keep(settings):
    assert rendered(settings=settings)["store"] is True


def test_some_json_is_asked_for_by_a_mode():
    settings = Settings(json_mode=True, verbosity="low")

    assert rendered(settings=settings)["text"] == {
        "format": {"type": "json_object"},
        "verbosity": "low",
    }


def test_a_tool_that_is_no_function_goes_as_it_was_given():
    raw = {"type": "custom", "name": "sql", "format": {"type": "text"}}
    tools = (ADD, ToolSpec("sql", "", {}, strict=False, raw=raw))

    assert rendered(tools=tools)["tools"][1] == raw


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(conversation="conv_1", state="server"), "leave state out"),
        (Settings(background=True, store=False), "leave store out"),
        (Settings(json_mode=True), "leave json_mode out"),
    ],
    ids=["conversation and state", "background and store", "JSON mode and a type"],
)
def test_settings_that_contradict_each_other_are_refused_here(settings, words):
    with pytest.raises(InputError, match=words):
        rendered(settings=settings, output=OutputFormat("Report", {}, strict=True))


def test_what_a_server_refuses_is_left_out():
    profile = Profile(refuses=frozenset({"store", "strict", "parallel_tool_calls"}))
    body = rendered(
        profile=profile, tools=(ADD,), settings=Settings(parallel_tool_calls=True, temperature=1)
    )

    assert "store" not in body
    assert "parallel_tool_calls" not in body
    assert "strict" not in body["tools"][0]
    assert body["temperature"] == 1


def test_extra_fields_have_the_last_word():
    extra = {"store": True, "model": "other", "input": "text", "tools": [{"type": "web_search"}]}
    renderer = Renderer("some-model", Profile())

    body = renderer.render(Request(HELLO, tools=(ADD,), settings=Settings(extra=extra)))

    assert json.loads(body, object_pairs_hook=list) == [
        ("model", "other"),
        ("stream", False),
        ("store", True),
        ("input", "text"),
        ("tools", [[("type", "web_search")]]),
    ]


def test_no_items_are_an_empty_list():
    assert rendered(Request(()))["input"] == []


# ---------------------------------------------------------------------------------- back as it came


@pytest.mark.parametrize("name", wire.RESPONSES)
def test_what_came_goes_back_as_it_came(name):
    value = wire.RESPONSES[name]
    response = parse_response(json.dumps(value).encode())

    back = rendered(Request(response.items))["input"]

    expected = [
        {key: part for key, part in item.items() if (item["type"], key) != ("reasoning", "content")}
        for item in value["output"]
    ]
    assert back == expected


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.floats(-1e300, 1e300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KNOWN = ["message", "function_call", "function_call_output", "custom_tool_call", "compaction"]
ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(KNOWN) | st.text(min_size=1).filter(lambda t: t != "reasoning")},
    optional={
        "id": st.text(),
        "status": st.text(),
        "content": JSON_VALUES,
        "anything": JSON_VALUES,
    },
).flatmap(
    lambda item: st.dictionaries(st.text(), JSON_VALUES, max_size=3).map(
        lambda more: {**more, **item}
    )
)


@given(st.lists(ITEMS, max_size=5))
def test_parsing_and_rendering_any_items_changes_nothing(items):
    body = json.dumps({"id": "r", "status": "completed", "output": items}).encode()

    assert rendered(Request(parse_response(body).items))["input"] == items


@given(st.lists(ITEMS, max_size=5))
def test_rendering_twice_gives_the_same_bytes(items):
    request = Request(tuple(parse_item(item) for item in items), tools=(ADD,))
    renderer = Renderer("m", Profile())

    assert renderer.render(request) == renderer.render(request)


# The exceptions, each by name.


def test_a_message_without_type_gets_one():
    body = b'{"id":"r","status":"completed","output":[{"role":"assistant","content":"x"}]}'
    back = rendered(Request(parse_response(body).items))["input"]

    assert back == [{"type": "message", "role": "assistant", "content": "x"}]


def test_raw_thoughts_stay_here_and_a_summary_is_always_there():
    thoughts = parse_item(wire.THOUGHTS)
    bare = parse_item({"type": "reasoning", "encrypted_content": "x"})
    null = parse_item({"type": "reasoning", "summary": [], "content": None})

    assert rendered(Request((thoughts, bare, null)))["input"] == [
        {"type": "reasoning", "id": "rs_2", "summary": []},
        {"type": "reasoning", "encrypted_content": "x", "summary": []},
        {"type": "reasoning", "summary": [], "content": None},
    ]
    assert thoughts.raw == wire.THOUGHTS


def test_ids_stay_here_where_the_server_does_not_keep_them():
    profile = Profile(keeps_item_ids=False)
    reference = parse_item({"type": "item_reference", "id": "msg_1"})
    items = (parse_item(wire.CALL), parse_item(wire.REASONING), reference, assistant("x"))

    back = rendered(Request(items), profile=profile)["input"]

    assert [item.get("id") for item in back] == [None, None, "msg_1", None]
    assert back[0] == {k: v for k, v in wire.CALL.items() if k != "id"}


# -------------------------------------------------------------------------------------- each once


def test_items_and_tools_are_rendered_once(monkeypatch):
    from toolstone.responses import bodies

    calls = []
    real = bodies.to_json
    monkeypatch.setattr(bodies, "to_json", lambda raw, **how: calls.append(raw) or real(raw, **how))
    renderer = Renderer("m", Profile())
    tools, history = (ADD, RAW), [user("hi"), parse_item(wire.THOUGHTS)]

    for _ in range(5):
        renderer.render(Request(tuple(history), tools=tools))
        history.append(assistant("more"))

    assert len(calls) == 5 + 2 + 1  # the rest of each body, each tool, the rewritten item


def test_what_is_kept_of_tools_and_items_is_bounded():
    renderer = Renderer("m", Profile(keeps_item_ids=False))
    for n in range(100):
        renderer.render(Request(tuple(user(f"{n} {k}") for k in range(60)), tools=(ADD, RAW)))

    assert len(renderer._tools) <= 64
    assert len(renderer._items) <= 4096


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    "request_",
    [
        Request(HELLO, instructions="\ud800"),
        Request(HELLO, settings=Settings(extra={"x": object()})),
        Request(HELLO, tools=(ToolSpec("t", "d", {"default": object()}, strict=False),)),
        Request((user("\ud800"),)),
        Request((parse_item({"type": "reasoning", "summary": ["\ud800"], "content": [1]}),)),
    ],
    ids=["instructions", "extra", "tool", "item", "reasoning"],
)
def test_what_json_cannot_say_is_an_input_error_without_the_content(request_):
    with pytest.raises(InputError, match="cannot be written as JSON") as caught:
        Renderer("m", Profile()).render(request_)

    assert "\ud800" not in str(caught.value)


def test_raw_thoughts_go_back_only_to_an_endpoint_that_wants_them():
    thought = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "hm"}],
    }
    for wants in (False, True):
        request = Request(items=(parse_item(thought),))
        body = rendered(request, Profile(replays_thoughts=wants))
        assert ("content" in body["input"][0]) is wants
