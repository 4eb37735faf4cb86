"""A stream gives the response that a plain answer gives, however it is cut; without an end, none."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import toolstone_chat_data as wire
from hypothesis import given
from hypothesis import strategies as st

from toolstone import limits
from toolstone.chat import Assembler, parse_completion
from toolstone.errors import (
    LimitError,
    ProtocolError,
    RateLimitError,
    ServerError,
)
from toolstone.events import ArgumentsDelta, ReasoningDelta, RefusalDelta, TextDelta
from toolstone.wire import SseDecoder

DATA = Path(__file__).parent.parent / "data" / "chat"


def plain(value):
    return replace(parse_completion(json.dumps(value).encode()), received=b"")


def streamed(data, cuts=()):
    """The response of a stream that arrives in these pieces, and its deltas."""
    decoder, assembler, deltas = SseDecoder(), Assembler(), []
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        deltas += assembler.feed(decoder.feed(data[start:end]))
    return replace(assembler.end(), received=b""), deltas


def fed(*chunks, done=True):
    return streamed(wire.encode(chunks, done=done))


def chunk(delta, finish=None, **more):
    return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


def called(*deltas, finish="tool_calls"):
    """The calls of a stream with these deltas of calls."""
    chunks = [chunk({"tool_calls": [delta]}) for delta in deltas]
    response, _ = fed(*chunks, chunk({}, finish))
    return [(c.call_id, c.name, c.arguments) for c in response.calls]


# -------------------------------------------------------------------------------- stream = plain

HABITS = {
    "as OpenAI": {},
    "usage in the last chunk": {"usage": False},
    "calls without index": {"index": False},
    "whole calls": {"whole": True},
    "whole calls without index": {"whole": True, "index": False},
    "ids and names repeated": {"repeat": True},
    "in big pieces": {"size": 1000},
    "letter by letter": {"size": 1},
}


@pytest.mark.parametrize("habit", HABITS)
@pytest.mark.parametrize("name", wire.COMPLETIONS)
def test_a_stream_is_what_the_plain_answer_is(name, habit):
    value = wire.COMPLETIONS[name]
    response, deltas = streamed(wire.encode(wire.narrate(value, **HABITS[habit])))

    assert response == plain(value)
    said = "".join(delta.text for delta in deltas if type(delta) is TextDelta)
    assert said == response.text


@pytest.mark.parametrize("name", wire.COMPLETIONS)
def test_a_stream_without_done_is_whole_once_it_has_ended(name):
    value = wire.COMPLETIONS[name]
    assert streamed(wire.encode(wire.narrate(value), done=False))[0] == plain(value)


@given(st.data())
def test_every_chunking_agrees(data):
    name = data.draw(st.sampled_from(sorted(wire.COMPLETIONS)))
    encoded = wire.encode(wire.narrate(wire.COMPLETIONS[name], size=data.draw(st.integers(1, 9))))
    cuts = data.draw(st.lists(st.integers(0, len(encoded)), max_size=8))

    assert streamed(encoded, cuts) == streamed(encoded)


def test_what_was_received_is_the_completion_it_adds_up_to():
    value = wire.COMPLETIONS["parallel"]
    assembler = Assembler(sent=b"sent")
    assembler.feed(SseDecoder().feed(wire.encode(wire.narrate(value))))

    assert json.loads(assembler.response.received) == value
    assert assembler.response.sent == b"sent"


def test_llama_cpp_streams_a_call_and_text():
    call, deltas = streamed((DATA / "llama_cpp_call.sse").read_bytes())
    text, _ = streamed((DATA / "llama_cpp_text.sse").read_bytes())

    assert [(c.name, c.arguments) for c in call.calls] == [("multiply", '{"a": 3, "b": 4}')]
    assert {type(delta) for delta in deltas} == {ArgumentsDelta}
    assert (text.status, text.reason, text.usage.output_tokens) == (
        "incomplete",
        "max_output_tokens",
        8,
    )


# ------------------------------------------------------------------------------- thoughts in a tag

TAGGED = {
    "<reasoning>hm</reasoning>It is.": ("hm", "It is."),
    "<reasoning>h</reasoning><reasoning>m</reasoning>It is.": ("hm", "It is."),
    "\n<reasoning>hm</reasoning>\n\nIt is.": ("hm", "\n\nIt is."),
    "<reasoning>h<m</r></reasoning>It": ("h<m</r>", "It"),
    "<reasoning>cut": ("cut", ""),
    "<reasoning></reasoning>It": ("", "It"),
    "It is <reasoning>text</reasoning>.": ("", "It is <reasoning>text</reasoning>."),
    "<reason": ("", "<reason"),
    "<reasons>x": ("", "<reasons>x"),
    " \n": ("", " \n"),
}


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("said", TAGGED)
def test_thoughts_in_a_tag_before_the_text_are_thoughts(said, size):
    value = wire.completion(content=said)
    whole = parse_completion(json.dumps(value).encode(), tag="reasoning")
    assembler = Assembler(tag="reasoning")
    deltas = assembler.feed(SseDecoder().feed(wire.encode(wire.narrate(value, size=size))))

    assert assembler.end().items == whole.items
    thoughts = "".join(item.text for item in whole.items if item.type == "reasoning")
    assert (thoughts, whole.text) == TAGGED[said]
    assert "".join(d.text for d in deltas if type(d) is ReasoningDelta) == thoughts
    assert "".join(d.text for d in deltas if type(d) is TextDelta) == whole.text


def test_gpt_oss_on_bedrock_streams_a_pair_of_tags_for_each_piece():
    pieces = [
        "",
        "<reasoning>The user asks</reasoning>",
        "<reasoning> for it.</reasoning>",
        "It",
        " is.",
    ]
    told = [chunk({"content": piece}) for piece in pieces] + [chunk({"content": None}, "stop")]
    assembler = Assembler(tag="reasoning")
    deltas = assembler.feed(SseDecoder().feed(wire.encode(told)))

    assert deltas == [
        ReasoningDelta("The user asks", 0),
        ReasoningDelta(" for it.", 0),
        TextDelta("It", 1),
        TextDelta(" is.", 1),
    ]


def test_without_a_tag_in_the_profile_all_is_text():
    value = wire.completion(content="<reasoning>hm</reasoning>It is.")
    assert plain(value).text == streamed(wire.encode(wire.narrate(value)))[0].text
    assert plain(value).text.startswith("<reasoning>")


# ----------------------------------------------------------------------------------------- deltas


def test_deltas_say_what_they_are_and_where():
    value = wire.completion(
        "tool_calls",
        reasoning_content="hm",
        content="see",
        refusal="no",
        tool_calls=[wire.function(arguments="{}"), wire.function("g", "[]", "call_2")],
    )
    _, deltas = streamed(wire.encode(wire.narrate(value)))

    assert deltas == [
        ReasoningDelta("hm", 0),
        TextDelta("see", 1),
        RefusalDelta("no", 1),
        ArgumentsDelta("{}", 2, "weather"),
        ArgumentsDelta("[]", 3, "g"),
    ]


def test_half_a_character_waits_for_its_other_half():
    halves = [
        b'{"choices":[{"index":0,"delta":{"content":"%s"}}]}' % h for h in (rb"\ud83d", rb"\ude00!")
    ]
    data = b"".join(b"data: %s\n\n" % one for one in halves)
    response, deltas = streamed(data + wire.encode([chunk({}, "stop")]))

    assert response.text == "😀!"
    assert deltas == [TextDelta("😀!", 0)]


def test_half_a_character_left_in_arguments_is_kept_for_the_schema_to_refuse():
    data = rb'data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"\ud83d"}}]},"finish_reason":"stop"}]}'
    response, _ = streamed(data + b"\n\n")

    assert response.calls[0].arguments == r"\ud83d"


# --------------------------------------------------------------------------- whose call it is


def test_calls_are_told_apart_by_their_index_whatever_their_order():
    assert called(
        {"index": 1, "id": "b", "function": {"name": "g", "arguments": "{"}},
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "["}},
        {"index": 1, "function": {"arguments": "}"}},
        {"index": 0, "function": {"arguments": "]"}},
    ) == [("a", "f", "[]"), ("b", "g", "{}")]


def test_two_whole_calls_under_one_index_are_two():
    assert called(
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}},
        {"index": 0, "id": "b", "function": {"name": "f", "arguments": "[]"}},
    ) == [("a", "f", "{}"), ("b", "f", "[]")]


def test_an_id_made_anew_for_each_delta_makes_no_new_call():
    assert called(
        {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{"}},
        {"index": 0, "id": "b", "function": {"arguments": "}"}},
    ) == [("a", "f", "{}")]


def test_without_index_and_id_a_name_begins_a_call():
    assert called(
        {"function": {"name": "f", "arguments": "{"}},
        {"function": {"arguments": "}"}},
        {"function": {"name": "f", "arguments": "{}"}},
    ) == [("call_c_0", "f", "{}"), ("call_c_1", "f", "{}")]


def test_without_index_an_id_says_whose_it_is():
    assert called(
        {"id": "a", "function": {"name": "f", "arguments": "{"}},
        {"id": "b", "function": {"name": "g", "arguments": "["}},
        {"id": "a", "function": {"arguments": "}"}},
        {"id": "b", "function": {"arguments": "]"}},
    ) == [("a", "f", "{}"), ("b", "g", "[]")]


def test_a_name_in_pieces_is_joined():
    assert called(
        {"index": 0, "id": "a", "function": {"name": "get_"}},
        {"index": 0, "function": {"name": "weather"}},
        {"index": 0, "function": {"arguments": "{}"}},
    ) == [("a", "get_weather", "{}")]


def test_arguments_that_come_as_an_object_are_whole():
    assert called({"index": 0, "id": "a", "function": {"name": "f", "arguments": {"a": 1}}}) == [
        ("a", "f", '{"a":1}')
    ]


def test_the_oldest_form_of_a_call_streams_too():
    response, _ = fed(
        chunk({"function_call": {"name": "f", "arguments": ""}}),
        chunk({"function_call": {"arguments": "{}"}}),
        chunk({}, "function_call"),
    )
    assert [(c.name, c.arguments) for c in response.calls] == [("f", "{}")]


def test_tool_calls_that_are_no_list_are_refused():
    with pytest.raises(ProtocolError, match="not a list"):
        fed(chunk({"tool_calls": {"id": "a"}}))


# ---------------------------------------------------------------------------------------- the end


def test_a_stream_without_an_end_is_no_answer():
    with pytest.raises(ProtocolError, match="finish_reason, after 1 events") as caught:
        fed(chunk({"content": "It is"}), done=False)
    assert (caught.value.outcome, caught.value.phase) == ("partial", "stream")
    with pytest.raises(ProtocolError) as caught:
        streamed(b"")
    assert caught.value.outcome == "none"


def test_done_is_no_end():
    with pytest.raises(ProtocolError, match="finish_reason"):
        fed(chunk({"content": "It is"}))


def test_what_had_arrived_can_be_asked_for():
    assembler = Assembler(sent=b"sent")
    assert assembler.partial() is None
    chunks = [chunk({"content": "It is"}, model="m"), chunk({"tool_calls": [wire.function()]})]
    assembler.feed(SseDecoder().feed(wire.encode(chunks, done=False)))
    partial = assembler.partial()

    assert (partial.id, partial.status, partial.text, partial.model) == (
        "c",
        "in_progress",
        "It is",
        "m",
    )
    assert [item.status for item in partial.items] == ["completed", "incomplete"]
    assert partial.sent == b"sent"


def test_the_usage_after_the_end_ends_the_stream():
    assembler = Assembler()
    usage = {"choices": [], "usage": wire.USAGE}
    ended = [chunk({"content": "x"}), chunk({}, "stop")]
    assembler.feed(SseDecoder().feed(wire.encode(ended, done=False)))
    assert assembler.response is None
    assembler.feed(SseDecoder().feed(wire.encode([usage, chunk({"content": "late"})])))

    assert assembler.response.text == "x"
    assert assembler.end() is assembler.response
    assert assembler.response.usage.input_tokens == 11


def test_usage_that_comes_all_the_time_ends_nothing():
    each = {"usage": {"prompt_tokens": 5, "completion_tokens": 1}}
    response, _ = fed(chunk({"content": "a"}, **each), chunk({"content": "b"}, "stop", **each))
    assert (response.text, response.usage.input_tokens) == ("ab", 5)


def test_a_lost_call_is_no_answer_when_streamed_either():
    with pytest.raises(ProtocolError, match="there is no call"):
        fed(chunk({"content": "x"}, "tool_calls"))


# ------------------------------------------------------------------------------- errors and noise


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"error": {"code": "rate_limit_exceeded", "message": "slow down"}}\n\n',
        b'event: error\ndata: {"code": "rate_limit_exceeded", "message": "slow down"}\n\n',
        b'data: {"object": "error", "code": "rate_limit_exceeded", "message": "slow down"}\n\n',
    ],
)
def test_an_error_in_the_stream_is_that_error(data):
    with pytest.raises(RateLimitError, match="slow down") as caught:
        streamed(wire.encode([chunk({"content": "x"})], done=False) + data)
    assert caught.value.phase == "stream"


def test_an_error_in_a_choice_is_one_too():
    broken = {
        "choices": [
            {
                "delta": {},
                "finish_reason": "error",
                "error": {"message": "broke", "code": "server_error"},
            }
        ]
    }
    with pytest.raises(ServerError, match="broke"):
        fed(chunk({"content": "x"}), broken)


def test_noise_is_passed_over():
    response, deltas = fed(
        {"ping": 1},
        {"choices": [], "prompt_filter_results": []},
        {"choices": None},
        {"choices": [7, {"index": 1, "delta": {"content": "another choice"}}]},
        chunk(None),
        chunk({"content": None, "tool_calls": None}),
        chunk({"content": "x"}),
        chunk({}, "stop"),
    )
    assert (response.text, deltas) == ("x", [TextDelta("x", 0)])


def test_silence_is_counted_from_what_means_something():
    assembler = Assembler()
    assembler.feed(SseDecoder().feed(b': ping\n\ndata: {"ping": 1}\n\n'))
    assert assembler.heard == 0
    assembler.feed(SseDecoder().feed(wire.encode([chunk({})], done=False)))
    assert assembler.heard == 1


def test_a_message_instead_of_a_delta_is_read():
    response, _ = fed({"choices": [{"message": {"content": "whole"}, "finish_reason": "stop"}]})
    assert response.text == "whole"


@pytest.mark.parametrize("data", [b"data: [1]\n\n", b"data: 7\n\n", b"data: oops\n\n"])
def test_an_event_that_is_no_object_is_refused(data):
    with pytest.raises(ProtocolError):
        streamed(data)


def test_there_is_a_most_of_events_and_characters(monkeypatch):
    monkeypatch.setattr(limits, "EVENTS_PER_RESPONSE", 2)
    with pytest.raises(LimitError, match="EVENTS_PER_RESPONSE"):
        fed(*[chunk({"content": "x"})] * 3)
    monkeypatch.setattr(limits, "BODY_BYTES", 2)
    with pytest.raises(LimitError, match="BODY_BYTES"):
        fed(chunk({"content": "xyz"}, "stop"))
