"""A request becomes the body of a chat completion; what cannot be said is refused before it goes."""

import json

import pytest
import toolstone_chat_data as wire

from toolstone.chat import CHAT_PROFILE, Renderer, parse_completion
from toolstone.chat.bounds import bounded
from toolstone.errors import InputError, Unsupported
from toolstone.items import FunctionCallOutput, assistant, developer, parse_item, user
from toolstone.ports import OutputFormat, Profile, Request, Settings, ToolSpec

WEATHER = ToolSpec("weather", "Of a city.", {"type": "object", "properties": {}}, strict=True)
SEARCH = ToolSpec("search", "", {"type": "object"}, strict=False)
SQL = {
    "type": "custom",
    "name": "sql",
    "description": "Asks the database.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"},
}
CUSTOM = ToolSpec("sql", "", {}, strict=False, raw=SQL)
OPENAI = Profile(name="openai", spelt={"allowed_tools": "allowed_tools"})


def call(call_id="c1", name="weather", arguments="{}", **more):
    raw = {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    return parse_item({**raw, "status": "completed", "id": "fc_1", **more})


def output(said="21", call_id="c1"):
    return FunctionCallOutput({"type": "function_call_output", "call_id": call_id, "output": said})


def thought(text="hm"):
    content = [{"type": "reasoning_text", "text": text}]
    return parse_item({"type": "reasoning", "summary": [], "content": content})


def rendered(request, profile=CHAT_PROFILE):
    body, notes = Renderer("m", bounded(profile)).render(request)
    return json.loads(body), notes


def body_of(*items, profile=CHAT_PROFILE, **request):
    return rendered(Request(items or (user("hi"),), **request), profile)[0]


def messages(*items, profile=CHAT_PROFILE):
    return body_of(*items, profile=profile)["messages"]


def settings(profile=CHAT_PROFILE, **values):
    body = body_of(settings=Settings(**values), profile=profile)
    return {key: value for key, value in body.items() if key not in ("messages", "model", "stream")}


# --------------------------------------------------------------------------------------- messages


def test_a_bare_request_says_no_more_than_it_must():
    assert body_of() == {
        "messages": [{"role": "user", "content": "hi"}],
        "model": "m",
        "stream": False,
    }


def test_a_whole_conversation():
    told = body_of(
        user("weather?"),
        thought(),
        assistant("Let me see."),
        call(),
        call("c2", "search", '{"q": 1}'),
        output(),
        output([{"type": "input_text", "text": "found"}], "c2"),
        developer("Be brief."),
        assistant("21 °C."),
        user("thanks"),
        instructions="You know the weather.",
    )["messages"]

    assert told == [
        {"role": "system", "content": "You know the weather."},
        {"role": "user", "content": "weather?"},
        {
            "role": "assistant",
            "content": "Let me see.",
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": "{}"},
                },
                {
                    "id": "c2",
                    "type": "function",
                    "function": {"name": "search", "arguments": '{"q": 1}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "21"},
        {"role": "tool", "tool_call_id": "c2", "content": "found"},
        {"role": "system", "content": "Be brief."},
        {"role": "assistant", "content": "21 °C."},
        {"role": "user", "content": "thanks"},
    ]


def test_a_call_alone_has_no_content():
    assert messages(call())[0]["content"] is None


def test_a_message_after_a_call_stands_in_the_same_turn():
    (turn, _) = messages(call(), assistant("There."), output())
    assert (turn["content"], len(turn["tool_calls"])) == ("There.", 1)


def test_a_refusal_goes_back_as_one():
    refused = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "refusal", "refusal": "no"}],
    }
    assert messages(parse_item(refused)) == [
        {"role": "assistant", "content": None, "refusal": "no"}
    ]


def test_several_texts_of_one_turn_stay_several():
    assert messages(assistant("one"), assistant("two"))[0]["content"] == [
        {"type": "text", "text": "one"},
        {"type": "text", "text": "two"},
    ]


def test_what_came_with_a_call_goes_back_with_it():
    raw = {"google": {"thought_signature": "abc"}}
    (turn,) = messages(call(extra_content=raw))
    assert turn["tool_calls"][0]["extra_content"] == raw
    assert set(turn["tool_calls"][0]) == {"id", "type", "function", "extra_content"}


def test_thoughts_go_back_only_where_the_profile_says_so():
    assert "reasoning_content" not in messages(thought(), call())[0]
    keeps = Profile(name="x", replays_thoughts=True)
    assert messages(thought(), call(), profile=keeps)[0]["reasoning_content"] == "hm"
    named = Profile(name="x", replays_thoughts=True, spelt={"reasoning_content": "reasoning"})
    assert messages(thought(), thought(), call(), profile=named)[0]["reasoning"] == "hm\nhm"


def test_thoughts_alone_are_no_message():
    assert messages(user("a"), thought(), user("b")) == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "b"},
    ]


def test_roles_are_spelt_as_the_profile_says():
    spelt = Profile(name="x", spelt={"developer": "developer"})
    assert messages(developer("x"), profile=spelt)[0]["role"] == "developer"
    spelt = Profile(name="x", spelt={"system": "developer"})
    told = body_of(developer("x"), instructions="y", profile=spelt)["messages"]
    assert [message["role"] for message in told] == ["developer", "developer"]


def test_arguments_that_are_no_json_are_mended_where_the_server_reads_them():
    reads = Profile(name="llama.cpp", reads_arguments=True)
    broken = call(arguments='{"ci')
    for profile, said in ((CHAT_PROFILE, '{"ci'), (reads, "{}")):
        (turn,) = messages(broken, profile=profile)
        assert turn["tool_calls"][0]["function"]["arguments"] == said


def test_images_files_and_sound_stand_in_user_messages():
    mark = {"mode": "explicit"}
    parts = [
        {"type": "input_text", "text": "see", "prompt_cache_breakpoint": mark},
        {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
        {"type": "input_file", "file_data": "data:text/plain;base64,AA", "filename": "a.txt"},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]
    assert messages(user(parts))[0]["content"] == [
        {"type": "text", "text": "see", "prompt_cache_breakpoint": mark},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
        {
            "type": "file",
            "file": {"file_data": "data:text/plain;base64,AA", "filename": "a.txt"},
        },
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]


@pytest.mark.parametrize("content", [[], None, 7])
def test_a_message_may_be_empty(content):
    said = parse_item({"type": "message", "role": "user", "content": content})
    assert messages(said) == [{"role": "user", "content": ""}]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_image", "file_id": "f"},
        {"type": "input_file", "file_url": "https://x.example/a.pdf"},
        {"type": "input_video", "video_url": "u"},
        {"type": "acme:thing"},
    ],
)
def test_a_part_that_cannot_be_said_is_refused(part):
    said = parse_item({"type": "message", "role": "user", "content": [part]})
    with pytest.raises(Unsupported, match="nothing was sent"):
        messages(said)


def test_an_image_in_a_tool_result_is_refused():
    with pytest.raises(Unsupported, match="in user messages alone"):
        messages(call(), output([{"type": "input_image", "image_url": "u"}]))


@pytest.mark.parametrize("kind", ["compaction", "item_reference", "computer_call", "acme:thing"])
def test_an_item_that_cannot_be_said_is_refused_and_not_lost(kind):
    with pytest.raises(Unsupported, match=f"item 1 .*{kind}.*new session"):
        messages(user("hi"), parse_item({"type": kind, "id": "x"}))


def test_what_a_servers_own_tools_did_is_left_out_and_noted_once():
    renderer = Renderer("m", bounded(CHAT_PROFILE))
    items = [user("news?"), parse_item({"type": "web_search_call", "id": "ws"}), assistant("none")]
    first, notes = renderer.render(Request(items))
    _, again = renderer.render(Request([*items, user("sure?")]))

    assert [m["role"] for m in json.loads(first)["messages"]] == ["user", "assistant"]
    assert [(n.what, n.data) for n in notes] == [("dropped_item", {"type": "web_search_call"})]
    assert again == ()


# ----------------------------------------------------------------------------- once, and spliced


def test_a_history_is_gone_through_once():
    seen = []

    class Counted(list):
        def __getitem__(self, index):
            found = super().__getitem__(index)
            seen.extend(found if isinstance(index, slice) else [])
            return found

    renderer, items = Renderer("m", bounded(CHAT_PROFILE)), Counted([user("0")])
    for turn in range(5):
        renderer.render(Request(items))
        items += [call(f"c{turn}"), output("1", f"c{turn}")]

    assert len(seen) == 9  # the first, and two more in each of four turns
    told = json.loads(renderer.render(Request(items))[0])["messages"]
    assert told == messages(*items)


def test_a_turn_that_goes_on_is_one_message_still():
    renderer, items = Renderer("m", bounded(CHAT_PROFILE)), [user("hi"), assistant("Let me")]
    renderer.render(Request(items))
    items += [call(), output()]

    assert json.loads(renderer.render(Request(items))[0])["messages"] == messages(*items)


def test_histories_that_begin_alike_do_not_mix():
    renderer, first = Renderer("m", bounded(CHAT_PROFILE)), user("hi")
    for rest in ([assistant("a"), user("b")], [assistant("c")], [], [user("d")]):
        items = [first, *rest]
        assert json.loads(renderer.render(Request(items))[0])["messages"] == messages(*items)


def test_many_histories_side_by_side_are_all_right():
    renderer = Renderer("m", bounded(CHAT_PROFILE))
    histories = [[user(str(n))] for n in range(40)]
    for _ in range(2):
        for history in histories:
            history.append(assistant("x"))
            told = json.loads(renderer.render(Request(history))[0])["messages"]
            assert told == messages(*history)


def test_an_item_that_is_refused_is_refused_again():
    renderer, items = Renderer("m", bounded(CHAT_PROFILE)), [user("a"), parse_item({"type": "x:y"})]
    for _ in range(2):
        with pytest.raises(Unsupported, match="item 1"):
            renderer.render(Request(items))
    assert json.loads(renderer.render(Request(items[:1]))[0])["messages"] == messages(items[0])


def test_what_was_refused_half_way_leaves_nothing_behind():
    parts = [{"type": "output_text", "text": "half"}, {"type": "acme:thing"}]
    odd = parse_item({"type": "message", "role": "assistant", "content": parts})
    renderer, first = Renderer("m", bounded(CHAT_PROFILE)), user("hi")
    with pytest.raises(Unsupported):
        renderer.render(Request([first, odd]))
    told = json.loads(renderer.render(Request([first, user("again")]))[0])["messages"]
    assert told == messages(first, user("again"))


def test_a_role_that_nobody_knows_is_refused():
    with pytest.raises(Unsupported, match=r"item 0 .*'critic'"):
        messages(parse_item({"type": "message", "role": "critic", "content": "boo"}))


@pytest.mark.parametrize(
    "name", sorted(set(wire.COMPLETIONS) - {"empty", "filtered", "cut", "cut call"})
)
def test_an_answer_goes_back_as_it_came(name):
    message = wire.COMPLETIONS[name]["choices"][0]["message"]
    items = parse_completion(json.dumps(wire.COMPLETIONS[name]).encode()).items
    keeps = Profile(name="x", replays_thoughts=True)
    (told,) = messages(*items, profile=keeps)

    expected = {key: value for key, value in message.items() if value and key != "annotations"}
    if isinstance(expected.get("content"), list):
        expected |= {"content": "one two", "reasoning_content": "hm"}
    if "reasoning" in expected:
        expected["reasoning_content"] = expected.pop("reasoning")
    assert {key: value for key, value in told.items() if value is not None} == expected


# ------------------------------------------------------------------------------------------ tools


def test_functions_stand_one_level_down_and_strict_is_said_where_it_is():
    assert body_of(tools=(WEATHER, SEARCH))["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "description": "Of a city.",
                "parameters": {"type": "object", "properties": {}},
                "strict": True,
            },
        },
        {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}},
    ]
    lenient = Profile(name="x", refuses=frozenset({"strict"}))
    assert "strict" not in body_of(tools=(WEATHER,), profile=lenient)["tools"][0]["function"]


@pytest.mark.parametrize("choice", ["auto", "none", "required"])
def test_a_mode_is_said_as_it_is(choice):
    assert body_of(tools=(WEATHER,), tool_choice=choice)["tool_choice"] == choice


@pytest.mark.parametrize(
    "choice",
    [
        "weather",
        {"type": "function", "name": "weather"},
        {"type": "function", "function": {"name": "weather"}},
    ],
)
def test_one_function_is_chosen_by_its_name(choice):
    body = body_of(tools=(WEATHER, SEARCH), tool_choice=choice)
    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert len(body["tools"]) == 2


@pytest.mark.parametrize(
    "choice", ["weather", {"type": "function", "function": {"name": "weather"}}]
)
def test_a_server_that_ignores_names_is_offered_that_tool_alone(choice):
    deaf = Profile(name="llama.cpp", ignores=frozenset({"tool_choice"}))
    body = body_of(tools=(WEATHER, SEARCH), tool_choice=choice, profile=deaf)
    assert body["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in body["tools"]] == ["weather"]


ALLOWED = {
    "type": "allowed_tools",
    "mode": "required",
    "tools": [{"type": "function", "name": "search"}],
}


def test_allowed_tools_are_those_offered():
    body = body_of(tools=(WEATHER, SEARCH), tool_choice=ALLOWED)
    assert body["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in body["tools"]] == ["search"]


def test_allowed_tools_are_said_where_the_server_knows_them():
    body = body_of(tools=(WEATHER, SEARCH), tool_choice=ALLOWED, profile=OPENAI)
    assert body["tool_choice"] == {
        "type": "allowed_tools",
        "allowed_tools": {
            "mode": "required",
            "tools": [{"type": "function", "function": {"name": "search"}}],
        },
    }
    assert len(body["tools"]) == 2


@pytest.mark.parametrize("names", [["nobody"], []])
def test_a_choice_among_tools_that_are_not_there_is_a_mistake(names):
    choice = {**ALLOWED, "tools": [{"type": "function", "name": name} for name in names]}
    with pytest.raises(InputError, match="tool_choice"):
        body_of(tools=(WEATHER,), tool_choice=choice)


def test_without_tools_nothing_is_said_of_calls():
    assert settings(tool_choice="auto", parallel_tool_calls=True) == {}


def test_a_choice_set_for_all_turns_gives_way_to_the_turns_own():
    body = body_of(tools=(WEATHER,), tool_choice="auto", settings=Settings(tool_choice="required"))
    assert body["tool_choice"] == "auto"


def test_a_custom_tool_is_said_where_the_server_knows_it():
    body = body_of(tools=(CUSTOM,), tool_choice="sql", profile=OPENAI)
    assert body["tools"] == [
        {
            "type": "custom",
            "custom": {
                "name": "sql",
                "description": "Asks the database.",
                "format": {
                    "type": "grammar",
                    "grammar": {"syntax": "lark", "definition": "start: /a/"},
                },
            },
        }
    ]
    assert body["tool_choice"] == {"type": "custom", "custom": {"name": "sql"}}


def test_a_custom_call_and_its_output_go_back():
    raw = {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "select 1"}
    out = {"type": "custom_tool_call_output", "call_id": "c", "output": "1"}
    assert messages(parse_item(raw), parse_item(out), profile=OPENAI) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]
    with pytest.raises(Unsupported):
        messages(parse_item(raw))


# --------------------------------------------------------------------------------------- settings


def test_settings_have_the_names_of_this_protocol():
    assert settings(
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=99,
        effort="low",
        verbosity="high",
        service_tier="flex",
        store=True,
        metadata={"a": "b"},
        safety_identifier="u",
        prompt_cache_key="k",
        prompt_cache_options={"mode": "explicit"},
        top_logprobs=2,
        truncation="disabled",
        state="local",
        max_tool_calls=3,
    ) == {
        "temperature": 0.5,
        "top_p": 0.9,
        "max_completion_tokens": 99,
        "reasoning_effort": "low",
        "verbosity": "high",
        "service_tier": "flex",
        "store": True,
        "metadata": {"a": "b"},
        "safety_identifier": "u",
        "prompt_cache_key": "k",
        "prompt_cache_options": {"mode": "explicit"},
        "top_logprobs": 2,
        "logprobs": True,
    }


def test_fields_are_spelt_and_left_out_as_the_profile_says():
    profile = Profile(
        name="x",
        spelt={"max_completion_tokens": "max_tokens"},
        refuses=frozenset({"service_tier", "stream_options"}),
    )
    assert settings(profile, max_output_tokens=99, service_tier="flex") == {"max_tokens": 99}
    assert "stream_options" not in body_of(stream=True, profile=profile)


def test_a_stream_says_its_usage():
    body = body_of(stream=True)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


def test_a_schema_and_json_mode():
    schema = {"type": "object"}
    wanted = OutputFormat("report", schema, strict=True, description="A report.")
    assert body_of(output=wanted)["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "report",
            "schema": schema,
            "strict": True,
            "description": "A report.",
        },
    }
    assert settings(json_mode=True) == {"response_format": {"type": "json_object"}}


def test_likelihoods_may_be_asked_for_as_in_responses():
    assert settings(include=["message.output_text.logprobs"]) == {"logprobs": True}


def test_your_own_fields_come_last_and_win():
    body = body_of(settings=Settings(extra={"seed": 7, "model": "other", "n_probs": 1}))
    assert (body["seed"], body["model"], body["n_probs"]) == (7, "other", 1)
    own = [{"role": "user", "content": "mine"}]
    body = body_of(tools=(WEATHER,), settings=Settings(extra={"messages": own}))
    assert (body["messages"], len(body["tools"])) == (own, 1)
    assert body_of(tools=(WEATHER,), settings=Settings(extra={"tools": []}))["tools"] == []


UNSAID = {
    "background": Request((), settings=Settings(background=True)),
    "taken": Request((), accepted="resp_1"),
    "server state": Request((), settings=Settings(state="server")),
    "previous": Request((), previous="resp_1"),
    "conversation": Request((), settings=Settings(conversation="conv_1")),
    "compaction": Request((), settings=Settings(compact_threshold=1000)),
    "summary": Request((), settings=Settings(summary="auto")),
    "truncation": Request((), settings=Settings(truncation="auto")),
    "include": Request((), settings=Settings(include=["file_search_call.results"])),
    "encrypted": Request((), settings=Settings(include=["reasoning.encrypted_content"])),
    "custom": Request((), tools=(CUSTOM,)),
    "search": Request((), tools=(ToolSpec("s", "", {}, strict=False, raw={"type": "web_search"}),)),
    "vendor": Request((), tools=(ToolSpec("s", "", {}, strict=False, raw={"type": "a:b"}),)),
    "choice": Request((), tools=(WEATHER,), tool_choice={"type": "mcp", "server_label": "x"}),
}


@pytest.mark.parametrize("name", UNSAID)
def test_what_cannot_be_said_is_refused_before_it_is_sent(name):
    with pytest.raises(Unsupported, match=r"nothing was sent.*\. \S+"):
        rendered(UNSAID[name])


@pytest.mark.parametrize("said", ["x\ud800", object()])
def test_what_json_cannot_say_is_a_mistake(said):
    with pytest.raises(InputError, match="cannot be written as JSON"):
        body_of(settings=Settings(extra={"a": said}))
    with pytest.raises(InputError, match="cannot be written as JSON"):
        messages(
            parse_item({"type": "message", "role": "user", "content": str(said)[:1] + "\ud800"})
        )
