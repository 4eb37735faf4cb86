"""The assembler: a stream ends as the plain answer would, or says why not (block E)."""

import json
from itertools import pairwise

import pytest
import toolstone_wire_data as wire
from hypothesis import given
from hypothesis import strategies as st

from toolstone import limits
from toolstone.errors import (
    LimitError,
    ProtocolError,
    RateLimitError,
    ServerError,
    StatusError,
)
from toolstone.events import ArgumentsDelta, Noted, ReasoningDelta, RefusalDelta, TextDelta
from toolstone.items import parse_item
from toolstone.responses import Assembler, parse_response
from toolstone.usage import Usage
from toolstone.wire import SseDecoder


def assemble(events, *, chunks=None, named=True):
    """The response, and every delta."""
    decoder, assembler, deltas = SseDecoder(), Assembler(), []
    for chunk in chunks or [wire.encode(events, named=named)]:
        deltas += assembler.feed(decoder.feed(chunk))
    return assembler.end(), deltas


def plain(value):
    return parse_response(json.dumps(value).encode())


def same(streamed, whole):
    return (
        [item.raw for item in streamed.items] == [item.raw for item in whole.items]
        and (streamed.id, streamed.status, streamed.usage, streamed.model, streamed.reason)
        == (whole.id, whole.status, whole.usage, whole.model, whole.reason)
        and json.loads(streamed.received) == json.loads(whole.received)
    )


def said(deltas, kind, item=0):
    return "".join(delta.text for delta in deltas if type(delta) is kind and delta.item == item)


# ----------------------------------------------------------------------------- stream equals plain


@pytest.mark.parametrize("name", wire.RESPONSES)
@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_stream_ends_as_the_plain_answer(name, size):
    value = wire.RESPONSES[name]
    response, _ = assemble(wire.narrate(value, size=size))

    assert same(response, plain(value))
    assert response.notes == ()


CUTS = st.lists(st.integers(min_value=0), max_size=20)


@given(st.sampled_from(sorted(wire.RESPONSES)), CUTS, st.integers(min_value=1, max_value=9))
def test_a_stream_ends_as_the_plain_answer_in_any_pieces(name, places, size):
    value = wire.RESPONSES[name]
    data = wire.encode(wire.narrate(value, size=size), end=b"data: [DONE]\n\n")
    edges = [0, *sorted(place % len(data) for place in places), len(data)]
    chunks = [data[a:b] for a, b in pairwise(edges)]

    response, deltas = assemble(None, chunks=chunks)
    _, whole = assemble(None, chunks=[data])

    assert same(response, plain(value))
    assert deltas == whole


@pytest.mark.parametrize("name", wire.RESPONSES)
@pytest.mark.parametrize(
    "options",
    [
        {"numbers": False},
        {"numbers": False, "without": ("output_index", "content_index", "summary_index")},
        {"numbers": False, "without": ("output_index", "content_index", "item_id")},
        {"without": ("item_id",)},
        {"done": False},
    ],
    ids=["no numbers", "llama.cpp", "no places", "no ids", "no done"],
)
def test_servers_that_leave_things_out_are_understood(name, options):
    """Where parts have no index, what is said of several parts cannot be told apart: one part."""
    value = wire.RESPONSES[name]
    if "content_index" in options.get("without", ()) and name in ("parts", "parallel", "both"):
        value = wire.RESPONSES["text"]

    response, _ = assemble(wire.narrate(value, **options))

    assert same(response, plain(value))
    assert response.notes == ()


@pytest.mark.parametrize("end", [b"", b"data: [DONE]\n\n", b"event: done\ndata: [DONE]\n\n"])
def test_done_may_come_or_not(end):
    data = wire.encode(wire.narrate(wire.RESPONSES["text"]), end=end)
    response, _ = assemble(None, chunks=[b"data: [DONE]\n\n", data])

    assert response.text == "It is 21 °C in Paris. 😀"


def test_the_bytes_of_the_response_are_kept_as_they_came():
    inner = b'{ "id":"r",  "status":"completed", "output":[ ] }'
    for before, after in (
        (b'"sequence_number":1,', b""),
        (b"", b',"sequence_number":2'),
        (b"", b""),
    ):
        frame = (
            b'data: {"type":"response.completed",'
            + before
            + b'"response":'
            + inner
            + after
            + b"}\n\n"
        )
        assert assemble(None, chunks=[frame])[0].received == inner


def test_other_fields_of_the_terminal_event_do_no_harm():
    frame = b'data: {"type":"response.completed","response":{"id":"r","status":"completed","output":[]},"timings":{}}\n\n'
    response, _ = assemble(None, chunks=[frame])

    assert json.loads(response.received) == {"id": "r", "status": "completed", "output": []}


# ----------------------------------------------------------------------------------------- deltas


def test_deltas_say_what_and_where():
    _, deltas = assemble(wire.narrate(wire.RESPONSES["both"]))

    assert said(deltas, ReasoningDelta, 0) == "I think.More."
    assert said(deltas, TextDelta, 1) == wire.MESSAGE["content"][0]["text"]
    assert said(deltas, ArgumentsDelta, 2) == wire.CALL["arguments"]
    assert {d.name for d in deltas if type(d) is ArgumentsDelta} == {"weather"}
    assert all(d.summary for d in deltas if type(d) is ReasoningDelta)


def test_refusals_thoughts_and_free_input_have_their_deltas():
    _, parts = assemble(wire.narrate(wire.RESPONSES["parts"]))
    _, thoughts = assemble(wire.narrate(wire.RESPONSES["thoughts"]))
    _, custom = assemble(wire.narrate(wire.RESPONSES["custom"]))

    assert said(parts, RefusalDelta) == "not that"
    assert said(thoughts, ReasoningDelta) == "raw thoughts"
    assert not any(d.summary for d in thoughts if type(d) is ReasoningDelta)
    assert said(custom, ArgumentsDelta) == "select 1"


def test_both_spellings_of_thoughts_are_understood():
    events = wire.narrate(wire.RESPONSES["thoughts"])
    for event in events:
        event["type"] = event["type"].replace(".reasoning_text.", ".reasoning.")

    response, deltas = assemble(events)

    assert said(deltas, ReasoningDelta) == "raw thoughts"
    assert same(response, plain(wire.RESPONSES["thoughts"]))


def test_parts_without_text_are_counted_too():
    silent = [
        {"type": "output_text", "text": "", "annotations": []},
        {"type": "output_image", "image": "x"},
        {"type": "output_text", "text": "seen", "annotations": []},
    ]
    value = wire.response({**wire.MESSAGE, "content": silent})
    where = {"output_index": 0, "item_id": "msg_1", "content_index": 2}
    begun = [
        {"type": "response.content_part.added", **where, "content_index": n, "part": part}
        for n, part in enumerate(silent)
    ]
    told = wire.narrate({**value, "output": [{**wire.MESSAGE, "content": []}]}, numbers=False)
    delta = {"type": "response.output_text.delta", **where, "delta": "seen"}
    events = [*told[:3], *begun, delta, {"type": "response.completed", "response": value}]

    response, deltas = assemble(events)

    assert (response.text, said(deltas, TextDelta)) == ("seen", "seen")
    with pytest.raises(ProtocolError, match="part 2"):
        assemble([*told[:3], delta])


def test_many_calls_side_by_side_are_put_together_each_alone():
    calls = [
        {**wire.CALL, "id": f"fc_{n}", "call_id": f"c{n}", "arguments": f'{{"n": {n}}}' * 3}
        for n in range(32)
    ]
    told = wire.Narrator(wire.response(*calls), numbers=False)
    items = [list(told.item(n, call)) for n, call in enumerate(calls)]
    mixed = [event for step in zip(*items, strict=False) for event in step]
    done = [item[-1] for item in items if item[-1] not in mixed]

    response, deltas = assemble([*mixed, *done, *list(told.tell())[-1:]])

    assert [call.arguments for call in response.calls] == [call["arguments"] for call in calls]
    whole = min(len(item) for item in items)
    assert whole > 3
    assert all(said(deltas, ArgumentsDelta, n) for n in range(32))


def test_arguments_may_be_cut_anywhere_within_an_escape_or_a_pair():
    text = '{"a":"\\u00e9\\ud83d\\ude00😀"}'
    value = wire.response({**wire.CALL, "arguments": text})

    response, deltas = assemble(wire.narrate(value, size=1))

    assert said(deltas, ArgumentsDelta) == text
    assert response.calls[0].arguments == text


def test_halves_of_a_character_in_two_deltas_become_one():
    """Servers that cut by UTF-16 units send them as lone escapes."""
    events = [event for event in wire.narrate(wire.response(wire.MESSAGE)) if "delta" not in event]
    at = next(n for n, e in enumerate(events) if e["type"] == "response.output_text.done")
    where = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    halves = [
        {"type": "response.output_text.delta", **where, "delta": delta}
        for delta in ("a\ud83d", "\ude00b", "\ud83d", "x")
    ]
    for event in events:
        event.pop("sequence_number")
    frames = [
        b"data: " + json.dumps(event).encode() + b"\n\n"
        for event in [*events[:at], *halves, *events[at:]]
    ]

    _, deltas = assemble(None, chunks=frames)

    assert said(deltas, TextDelta) == "a😀b\ufffdx"


def test_half_a_character_whose_other_half_never_comes_is_in_no_other_item():
    first, second = ({**wire.MESSAGE, "id": ident, "content": []} for ident in ("m1", "m2"))
    events = [
        {"type": "response.output_item.added", "output_index": 0, "item": first},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "a\ud83d"},
        {"type": "response.output_item.done", "output_index": 0, "item": first},
        {"type": "response.output_item.added", "output_index": 1, "item": second},
        {"type": "response.output_text.delta", "output_index": 1, "delta": "b"},
        {"type": "response.completed", "response": wire.response(first, second)},
    ]
    frames = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]

    _, deltas = assemble(None, chunks=frames)

    assert [delta.text for delta in deltas] == ["a", "b"]


def test_a_call_may_arrive_whole_at_once_beside_an_empty_message_of_the_same_index():
    """transformers serve."""
    empty = {
        "type": "message",
        "id": "msg_0",
        "role": "assistant",
        "status": "completed",
        "content": [],
    }
    value = wire.response(empty, wire.CALL)
    events = [
        {"type": "response.output_item.added", "output_index": 0, "item": empty},
        {"type": "response.output_item.added", "output_index": 0, "item": wire.CALL},
        {"type": "response.output_item.done", "output_index": 0, "item": wire.CALL},
        {"type": "response.output_item.done", "output_index": 0, "item": empty},
        {"type": "response.completed", "response": {**value, "output": []}},
    ]

    response, _ = assemble(events)

    assert [item.raw for item in response.items] == [empty, wire.CALL]


def test_only_done_events_are_enough():
    value = wire.RESPONSES["parallel"]
    events = [e for e in wire.narrate(value, numbers=False) if e["type"].endswith("item.done")]
    end = {"type": "response.completed", "response": {"id": "resp_1", "status": "completed"}}

    response, _ = assemble([*events, end])

    assert [item.raw for item in response.items] == value["output"]


# ------------------------------------------------------------------------------ who overrides whom


def test_an_empty_output_in_the_terminal_response_erases_nothing():
    events = wire.narrate(wire.RESPONSES["parallel"])
    events[-1]["response"] = {**events[-1]["response"], "output": []}

    response, _ = assemble(events)

    assert [item.raw for item in response.items] == wire.RESPONSES["parallel"]["output"]


def test_reasoning_is_taken_from_its_own_event_and_messages_from_the_terminal_one():
    told = wire.RESPONSES["both"]
    other = {**wire.REASONING, "encrypted_content": "other bytes"}
    message = {**wire.MESSAGE, "phase": "commentary"}
    events = wire.narrate(told)
    events[-1]["response"] = {**told, "output": [other, message, wire.CALL]}

    response, _ = assemble(events)

    assert [item.raw for item in response.items] == [wire.REASONING, message, wire.CALL]


def test_a_mismatch_is_noted_and_the_last_word_counts():
    events = wire.narrate(wire.RESPONSES["text"])
    changed = json.loads(json.dumps(wire.MESSAGE))
    changed["content"][0]["text"] = "It is 22 °C."
    events[-1]["response"] = {**events[-1]["response"], "output": [changed]}

    response, _ = assemble(events)

    assert response.text == "It is 22 °C."
    assert [note.what for note in response.notes] == ["warning"]
    assert "22" not in response.notes[0].text


def test_deltas_that_do_not_add_up_are_noted():
    events = wire.narrate(wire.RESPONSES["call"], numbers=False)
    events.pop(next(n for n, e in enumerate(events) if e["type"].endswith("arguments.delta")))

    response, _ = assemble(events)

    assert response.calls[0].arguments == wire.CALL["arguments"]
    assert len(response.notes) == 1


# ---------------------------------------------------------------------------------------- numbers


def test_a_repeated_event_is_dropped_if_it_is_the_same():
    events = wire.narrate(wire.RESPONSES["text"])
    at = next(n for n, e in enumerate(events) if "delta" in e)
    _, once = assemble(events)

    response, twice = assemble([*events[: at + 1], *events[at:]])

    assert (twice, response.notes) == (once, ())


def test_a_repeated_number_with_other_content_is_an_error():
    events = wire.narrate(wire.RESPONSES["text"])
    at = next(n for n, e in enumerate(events) if "delta" in e)
    events.insert(at + 1, {**events[at], "delta": "other"})

    with pytest.raises(ProtocolError, match="out of order"):
        assemble(events)


def test_out_of_order_is_an_error():
    events = wire.narrate(wire.RESPONSES["text"])
    events[3], events[4] = events[4], events[3]

    with pytest.raises(ProtocolError):
        assemble(events)


def test_a_gap_is_an_error_unless_nothing_was_lost():
    events = wire.narrate(wire.RESPONSES["text"])
    at = next(n for n, e in enumerate(events) if "delta" in e)
    harmless = [*events[:at], *events[at + 1 :]]

    response, _ = assemble(harmless)
    assert any("were missing; nothing was lost" in note.text for note in response.notes)

    lost = [e for e in events if "item" not in e and "delta" not in e and "text" not in e]
    with pytest.raises(ProtocolError, match="missing"):
        assemble([e for e in lost if "part" not in e])


@pytest.mark.parametrize("number", ["3", 3.5, None, True, -1])
def test_numbers_that_are_none_prove_nothing(number):
    events = wire.narrate(wire.RESPONSES["text"])
    for event in events:
        event["sequence_number"] = number

    assert same(assemble(events)[0], plain(wire.RESPONSES["text"]))


def test_numbers_here_and_there_prove_nothing():
    """LiteLLM."""
    events = wire.narrate(wire.RESPONSES["text"])
    for n, event in enumerate(events):
        if n % 3:
            del event["sequence_number"]

    assert assemble(events)[0].notes == ()


# --------------------------------------------------------------------------------- strange streams


@pytest.mark.parametrize(
    "where",
    [
        {"output_index": 7},
        {"output_index": 7, "item_id": "nobody"},
        {"output_index": 0, "content_index": 9},
    ],
)
def test_a_delta_for_what_never_began_is_an_error(where):
    events = wire.narrate(wire.RESPONSES["text"], numbers=False)
    at = next(n for n, e in enumerate(events) if "delta" in e)
    stray = {"type": "response.output_text.delta", "delta": "x", **where}

    with pytest.raises(ProtocolError):
        assemble([*events[:at], stray, *events[at:]])


@pytest.mark.parametrize("delta", [None, 5, {"a": 1}, ["x"]])
def test_a_delta_that_is_no_text_is_an_error(delta):
    events = wire.narrate(wire.RESPONSES["text"])
    next(e for e in events if "delta" in e)["delta"] = delta

    with pytest.raises(ProtocolError, match="must be text"):
        assemble(events)


def test_unknown_events_pings_and_types_that_are_none_pass():
    events = wire.narrate(wire.RESPONSES["text"], numbers=False)
    strange = [
        {"type": "response.brand_new.thing", "x": 1},
        {"type": "keepalive"},
        {"type": "vendor:event", "delta": "no"},
        {"type": "response.output_text.annotation.added", "annotation": {}},
        {"no": "type"},
    ]

    response, deltas = assemble([*events[:3], *strange, *events[3:]])

    assert same(response, plain(wire.RESPONSES["text"]))
    assert said(deltas, TextDelta) == response.text


def test_the_json_says_what_an_event_is_and_the_name_only_where_it_does_not():
    events = wire.narrate(wire.RESPONSES["text"])
    frames = []
    for event in events:
        name = event["type"].encode()
        if len(frames) % 2:
            del event["type"]
        else:
            name = b"something.else"
        frames.append(b"event: %s\ndata: %s\n\n" % (name, json.dumps(event).encode()))

    response, deltas = assemble(None, chunks=frames)

    assert response.text == said(deltas, TextDelta) == "It is 21 °C in Paris. 😀"


def test_types_of_the_wrong_type_are_passed_over():
    events = wire.narrate(wire.RESPONSES["text"], numbers=False)
    response, _ = assemble([{"type": 7}, {"type": None}, *events])

    assert same(response, plain(wire.RESPONSES["text"]))


@pytest.mark.parametrize("data", [b"7", b'"text"', b"[1]", b"null", b"{", b"nonsense", b""])
def test_an_event_that_is_no_json_object_is_an_error(data):
    with pytest.raises(ProtocolError):
        assemble(None, chunks=[b"data: " + data + b"\n\n"])


@pytest.mark.parametrize("together", [True, False])
def test_what_follows_the_terminal_event_is_not_read_and_said_once(together):
    events = wire.narrate(wire.RESPONSES["text"])
    late = [{"type": "error", "message": "late"}, {"type": "response.failed", "response": {}}]
    chunks = [wire.encode(events), wire.encode(late, end=b"data: [DONE]\n\n")]

    response, _ = assemble(None, chunks=[b"".join(chunks)] if together else chunks)

    assert response.status == "completed"
    assert response.notes == (
        Noted("warning", "what came after the end of the response was not read (events: 2)"),
    )


def test_a_response_that_changes_its_id_is_an_error():
    events = wire.narrate(wire.RESPONSES["text"])
    events[-1]["response"] = {**events[-1]["response"], "id": "resp_other"}

    with pytest.raises(ProtocolError, match="changed its id"):
        assemble(events)


def test_created_may_be_missing_or_bare():
    events = wire.narrate(wire.RESPONSES["text"], numbers=False)
    assert same(assemble(events[2:])[0], plain(wire.RESPONSES["text"]))

    bare = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
    nothing = {"type": "response.in_progress", "response": None}
    assert same(assemble([bare, nothing, *events[2:]])[0], plain(wire.RESPONSES["text"]))


def test_the_terminal_event_says_the_status_where_the_response_does_not():
    end = {"id": "r", "output": []}
    for kind in ("completed", "incomplete", "cancelled"):
        response, _ = assemble([{"type": f"response.{kind}", "response": end}])
        assert response.status == kind
        stale = {**end, "status": "in_progress"}
        assert assemble([{"type": f"response.{kind}", "response": stale}])[0].status == kind


@pytest.mark.parametrize("broken", [None, "x", [], 7])
def test_a_terminal_event_without_a_response_is_an_error(broken):
    with pytest.raises(ProtocolError, match="instead of the response"):
        assemble([{"type": "response.completed", "response": broken}])


def test_an_item_that_is_no_object_is_an_error():
    end = {"id": "r", "status": "completed", "output": ["x"]}
    with pytest.raises(ProtocolError, match=r"output\[0\] is a str"):
        assemble([{"type": "response.completed", "response": end}])


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage(requests=1)),
        ({}, Usage(requests=1)),
        ({"input_tokens": -5, "output_tokens": 10**30}, Usage(0, 10**30, requests=1)),
        ({"input_tokens": "7", "output_tokens": None}, Usage(requests=1)),
        ("x", Usage(requests=1)),
    ],
)
def test_a_usage_of_any_kind_is_counted_or_not_but_does_not_break(usage, expected):
    end = {"id": "r", "status": "completed", "output": [], "usage": usage}
    assert assemble([{"type": "response.completed", "response": end}])[0].usage == expected


# ------------------------------------------------------------------------------------------ errors

ERRORS = {
    "flat": {"type": "error", "code": "server_error", "message": "broke", "param": None},
    "nested": {
        "type": "error",
        "error": {"type": "server_error", "code": None, "message": "broke"},
    },
    "no type": {"error": {"type": "server_error", "code": None, "message": "broke"}},
    "as text": {"error": "server_error: please try again"},
    "failed": {
        "type": "response.failed",
        "response": {
            "id": "resp_1",
            "status": "failed",
            "output": [],
            "error": {"code": "server_error", "message": "broke"},
        },
    },
}


@pytest.mark.parametrize("shape", ERRORS)
@pytest.mark.parametrize("after", [0, 5])
def test_an_error_of_any_shape_is_one_that_may_be_tried_again(shape, after):
    before = wire.narrate(wire.RESPONSES["text"], numbers=False)[:after]

    with pytest.raises(ServerError) as caught:
        assemble([*before, ERRORS[shape]])

    assert caught.value.retryable


def test_an_error_is_typed_by_its_code():
    limited = {"type": "error", "code": "rate_limit_exceeded", "message": "slow"}
    broke = {"type": "error", "code": "insufficient_quota", "message": "pay"}
    policy = {"type": "error", "code": "bio_policy", "message": "no"}

    with pytest.raises(RateLimitError) as caught:
        assemble([limited])
    assert caught.value.retryable
    with pytest.raises(RateLimitError) as caught:
        assemble([broke])
    assert not caught.value.retryable
    with pytest.raises(StatusError) as caught:
        assemble([policy])
    assert (caught.value.retryable, caught.value.code) == (False, "bio_policy")


def test_a_failed_response_carries_what_it_says_and_cost():
    failed = wire.response(
        wire.MESSAGE, status="failed", error={"code": "server_error", "message": "broke"}
    )
    with pytest.raises(ServerError) as caught:
        assemble(wire.narrate(failed))
    streamed = caught.value.partial
    with pytest.raises(ServerError) as caught:
        plain(failed)

    for partial in (streamed, caught.value.partial):
        assert (partial.status, partial.text) == ("failed", wire.MESSAGE["content"][0]["text"])
        assert partial.usage.input_tokens == 11


def test_a_stream_without_its_terminal_event_is_no_answer_wherever_it_ends():
    data = wire.encode(wire.narrate(wire.RESPONSES["both"]))
    last = data.rindex(b"event: ")
    for end in [*range(0, last, 97), last, len(data) - 1]:
        decoder, assembler = SseDecoder(), Assembler()
        assembler.feed(decoder.feed(data[:end]))
        with pytest.raises(ProtocolError, match="without its terminal event") as caught:
            assembler.end()
        assert caught.value.retryable
        assert caught.value.outcome == ("partial" if assembler.heard else "none")


def test_what_had_arrived_is_there_and_open_items_are_incomplete():
    events = wire.narrate(wire.RESPONSES["both"])
    at = next(n for n, e in enumerate(events) if e["type"].endswith("arguments.delta"))
    assembler = Assembler()
    assert assembler.partial() is None
    assembler.feed(SseDecoder().feed(wire.encode(events[: at + 1])))

    partial = assembler.partial()

    assert (partial.id, partial.status) == ("resp_1", "in_progress")
    assert partial.items[:2] == (parse_item(wire.REASONING), parse_item(wire.MESSAGE))
    assert (partial.items[2].status, partial.items[2].arguments) == ("incomplete", '{"ci')


def test_open_items_are_rebuilt_from_their_deltas():
    for name, at in (("text", 6), ("parts", 20), ("thoughts", 6), ("custom", 5)):
        assembler = Assembler()
        told = wire.encode(wire.narrate(wire.RESPONSES[name])[:at])
        deltas = assembler.feed(SseDecoder().feed(told))
        item = assembler.partial().items[-1]
        texts = [
            part.get("text", part.get("refusal", ""))
            for part in item.raw.get("content") or item.raw.get("summary") or ()
        ] or [item.raw.get("input", "")]
        assert "".join(texts) == "".join(delta.text for delta in deltas) != ""


# ------------------------------------------------------------------------------------------ limits


def test_events_are_counted(monkeypatch):
    monkeypatch.setattr(limits, "EVENTS_PER_RESPONSE", 10)
    ping = b"data: {}\n\n"
    assembler = Assembler()
    assembler.feed(SseDecoder().feed(ping * 10))
    with pytest.raises(LimitError, match="EVENTS_PER_RESPONSE"):
        assembler.feed(SseDecoder().feed(ping))


def test_what_is_said_is_counted(monkeypatch):
    monkeypatch.setattr(limits, "BODY_BYTES", 20)
    with pytest.raises(LimitError, match="BODY_BYTES"):
        assemble(wire.narrate(wire.RESPONSES["text"]))
    with pytest.raises(LimitError, match="BODY_BYTES"):
        assemble(wire.narrate(wire.RESPONSES["call"]))


# ---------------------------------------------------------------------------------- odds and ends


def test_a_whole_text_that_is_none_is_passed_over():
    events = wire.narrate(wire.RESPONSES["text"], numbers=False)
    for event in events:
        if event["type"].endswith("text.done"):
            event["text"] = None

    assert same(assemble(events)[0], plain(wire.RESPONSES["text"]))


def test_an_item_that_is_null_is_passed_over():
    events = wire.narrate(wire.RESPONSES["text"], numbers=False)
    nothing = {"type": "response.output_item.added", "output_index": 1, "item": None}

    assert same(assemble([*events[:2], nothing, *events[2:]])[0], plain(wire.RESPONSES["text"]))


def test_an_item_unlike_its_deltas_is_noted_and_counts():
    events = wire.narrate(wire.RESPONSES["text"], done=False)
    changed = json.loads(json.dumps(wire.MESSAGE))
    changed["content"][0]["text"] = "other"
    for event in events:
        if event["type"] == "response.output_item.done":
            event["item"] = changed
    events[-1]["response"] = {**events[-1]["response"], "output": []}

    response, _ = assemble(events)

    assert response.text == "other"
    assert len(response.notes) == 1


def test_reasoning_with_another_id_in_the_end_is_found_by_its_place():
    events = wire.narrate(wire.RESPONSES["both"])
    renamed = {**wire.REASONING, "id": "rs_other", "encrypted_content": "other"}
    events[-1]["response"] = {
        **events[-1]["response"],
        "output": [renamed, wire.MESSAGE, wire.CALL],
    }

    assert assemble(events)[0].items[0].raw == wire.REASONING


def test_an_item_only_the_end_knows_is_taken_from_there():
    events = wire.narrate(wire.RESPONSES["text"], numbers=False)
    events[-1]["response"] = wire.RESPONSES["vendor"]

    assert [item.raw for item in assemble(events)[0].items] == [wire.VENDOR, wire.MESSAGE]


def test_items_never_closed_are_incomplete_even_if_the_end_says_completed():
    told = wire.narrate(wire.RESPONSES["call"], numbers=False)
    events = [event for event in told if event["type"] != "response.output_item.done"]
    events[-1]["response"] = {**events[-1]["response"], "output": []}

    response, _ = assemble(events)

    assert response.calls[0].status == "incomplete"
    assert any("never closed" in note.text for note in response.notes)
