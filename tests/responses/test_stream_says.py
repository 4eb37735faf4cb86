"""What the assembler says of a stream: its response, its notes and its errors, to the letter."""

import json

import pytest
import toolstone_wire_data as wire

from toolstone import limits
from toolstone.errors import LimitError, ProtocolError, RateLimitError, ServerError, StatusError
from toolstone.events import ArgumentsDelta, Noted, ReasoningDelta, RefusalDelta, TextDelta
from toolstone.responses import Assembler
from toolstone.responses.failures import Row
from toolstone.wire import SseDecoder

MIXED = "the response changed its id within one stream: two answers are mixed up"
SUMS = "item 0: the deltas do not add up to what {} says"
EMPTY = {**wire.MESSAGE, "content": []}


def feed(events, **options):
    """The assembler after these events, and its deltas."""
    assembler = Assembler(**options)
    return assembler, assembler.feed(SseDecoder().feed(wire.encode(events)))


def refused(events, error=ProtocolError, **options):
    with pytest.raises(error) as caught:
        feed(events, **options)
    return caught.value


def begun(index=0, ident="msg_1", **fields):
    item = {**EMPTY, "id": ident, **fields}
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def ended(item, index=0):
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def text(delta, **where):
    return {"type": "response.output_text.delta", "delta": delta, **where}


def completed(*output, **fields):
    return {"type": "response.completed", "response": wire.response(*output, **fields)}


def numbered(*events):
    return [{**event, "sequence_number": number} for number, event in events]


def notes(events):
    response = feed(events)[0].end()
    assert {note.what for note in response.notes} <= {"warning"}
    return [note.text for note in response.notes]


# ------------------------------------------------------------------------------------ the response


def test_the_response_holds_what_was_sent_and_who_answered():
    told, response = {"sent": b"{}", "endpoint": "https://x.example"}, wire.RESPONSES["text"]
    whole = feed(wire.narrate(response), **told)[0].end()
    part = feed([*wire.narrate(response)[:3], text("a", output_index=0)], **told)[0].partial()

    for one in (whole, part):
        assert (one.sent, one.endpoint, one.model) == (
            b"{}",
            "https://x.example",
            "some-model-2026",
        )
    assert json.loads(whole.received) == response
    assert (part.id, part.status, part.text, part.notes) == ("resp_1", "in_progress", "a", ())


def test_a_response_of_an_assembler_that_was_told_nothing_says_so():
    response = feed([completed()])[0].end()

    assert (response.sent, response.endpoint) == (b"", "")


def test_an_end_of_one_kind_may_hold_a_response_of_another():
    assert feed([completed(status="incomplete")])[0].end().status == "incomplete"


def test_what_was_noted_is_in_what_had_arrived():
    done = {"type": "response.output_text.done", "output_index": 0, "text": "b"}
    assembler, _ = feed([begun(), text("a", output_index=0), done])

    assert assembler.partial().notes == (
        Noted("warning", SUMS.format("response.output_text.done")),
    )
    assert assembler.partial().text == "b"


def test_id_and_last_number_are_known_once_they_were_told():
    assembler = Assembler()
    assert (assembler.id, assembler.last_number, assembler.headers) == ("", None, {})
    for event, known in (
        ({"type": "response.queued", "response": {"id": 7}}, ("", None)),
        ({"type": "response.in_progress", "response": {"id": "r", "model": 7}}, ("r", None)),
        ({"type": "response.odd", "sequence_number": 4}, ("r", 4)),
        ({"type": "response.odd", "sequence_number": 5}, ("r", 5)),
    ):
        assembler.feed(SseDecoder().feed(wire.encode([event])))
        assert (assembler.id, assembler.last_number) == known
    assert assembler.partial().model == ""


def test_the_id_that_the_end_leaves_out_was_told_before():
    head = {"type": "response.created", "response": {"id": "r"}}
    end = {"type": "response.completed", "response": {"output": [], "status": "completed"}}

    assert feed([head, end])[0].end().id == "r"


def test_the_id_of_the_first_telling_counts_though_others_leave_it_out():
    head = {"type": "response.created", "response": {"id": "r"}}
    bare = {"type": "response.in_progress", "response": {"status": "in_progress"}}
    other = {"type": "response.completed", "response": {"id": "other", "output": []}}

    error = refused([head, bare, other])
    assert (str(error), error.phase) == (MIXED, "stream")


def test_every_event_that_means_something_is_heard():
    events = wire.narrate(wire.RESPONSES["text"], size=1)
    pings = [{"type": "ping"}, {"type": "keepalive"}, {}]

    assert feed([*pings, *events[:-1], *pings])[0].heard == len(events) - 1


def test_a_word_that_all_is_done_ends_nothing():
    done = (b"", b"[DONE]", b"")
    told = SseDecoder().feed(wire.encode(wire.narrate(wire.RESPONSES["text"])))
    assembler = Assembler()
    assembler.feed([done, *told[:4], done, *told[4:], done])

    assert assembler.end().notes == ()


def test_null_is_no_item_of_the_end():
    events = wire.narrate(wire.RESPONSES["text"])
    events[-1]["response"] = {**events[-1]["response"], "output": [None, wire.MESSAGE]}

    assert [item.raw for item in feed(events)[0].end().items] == [wire.MESSAGE]
    assert notes(events) == []


def test_what_has_no_type_is_no_item():
    events = [ended({"id": "x", "content": []}), ended(wire.MESSAGE, 1), completed()]

    assert [item.raw for item in feed(events)[0].end().items] == [wire.MESSAGE]


@pytest.mark.parametrize(
    ("closed", "given", "kept"),
    [
        ([(0, wire.VENDOR)], {**wire.VENDOR, "payload": "other"}, wire.VENDOR),
        ([(0, wire.VENDOR)], {"type": "acme:thing", "id": "else"}, wire.VENDOR),
        ([(0, wire.VENDOR)], {"type": "acme:thing"}, wire.VENDOR),
        ([(0, wire.VENDOR)], {"type": "acme:other", "id": "else"}, None),
        ([(1, wire.VENDOR)], {"type": "acme:thing", "id": "else"}, None),
        ([(0, {**wire.VENDOR, "id": "a"}), (1, wire.VENDOR)], {**wire.VENDOR, "more": 1}, wire.VENDOR),
        ([(0, wire.CALL)], {**wire.CALL, "name": "other"}, None),
        ([(0, {"id": "y", "type": "message", "content": []})], {"id": "y", "content": [{"type": "output_text", "text": "t"}]}, None),
    ],
)  # fmt: skip
def test_an_item_of_no_common_kind_is_kept_as_its_own_event_told_it(closed, given, kept):
    events = [*(ended(item, index) for index, item in closed), completed(given)]

    assert feed(events)[0].end().items[0].raw == (given if kept is None else kept)


def test_an_item_that_was_never_closed_is_told_by_the_end():
    begins = {**begun(), "item": {**wire.VENDOR, "payload": None}}

    assert feed([begins, completed(wire.VENDOR)])[0].end().items[0].raw == wire.VENDOR


# ------------------------------------------------------------------------------------------ deltas


def test_text_without_a_place_is_of_the_item_begun_last():
    """Servers that send neither index nor id, and no end of an item before the next."""
    events = [begun(None, "a"), text("a"), text("b"), begun(None, "b"), text("c"), text("d")]
    assembler, deltas = feed(events)

    assert [(delta.text, delta.item) for delta in deltas] == [
        ("a", 0), ("b", 0), ("c", 1), ("d", 1)
    ]  # fmt: skip
    assert [item.text for item in assembler.partial().items] == ["ab", "cd"]


@pytest.mark.parametrize("named", [("output_index", "item_id"), ("output_index",), ("item_id",)])
def test_the_text_of_two_parts_and_two_items_is_told_apart(named):
    places = [(0, "a", 0), (0, "a", 1), (1, "b", 0), (0, "a", 0), (0, "a", 0), (1, "b", 0)]
    told = []
    for n, (index, ident, part) in enumerate(places):
        where = {"output_index": index, "item_id": ident}
        told.append(text(str(n), content_index=part, **{name: where[name] for name in named}))
    assembler, deltas = feed([begun(0, "a"), begun(1, "b"), *told])

    assert deltas == [TextDelta(str(n), index) for n, (index, _, _) in enumerate(places)]
    assert [[part["text"] for part in item.parts] for item in assembler.partial().items] == [
        ["034", "1"], ["25"]
    ]  # fmt: skip


@pytest.mark.parametrize("where", [{"output_index": 0}, {"item_id": "a"}])
def test_an_event_is_of_the_item_that_its_index_or_id_names(where):
    announced = {"type": "response.content_part.added", "content_index": 0, **where}
    next_part = text("b", content_index=1, **where)
    whole = {"type": "response.output_text.done", "text": "whole", **where}
    items = [begun(0, "a"), begun(1, "b")]

    assembler, deltas = feed([*items, announced, next_part, whole])

    assert deltas == [TextDelta("b", 0)]
    assert [item.text for item in assembler.partial().items] == ["wholeb", ""]
    assert "part 2 of item 0, which has 1 parts" in str(
        refused([*items, announced, {**next_part, "content_index": 2}])
    )


def test_text_is_told_apart_from_a_refusal_at_its_own_place():
    refusal = {"type": "response.refusal.delta", "output_index": 0, "delta": "no"}
    assembler, deltas = feed([begun(), refusal, text("yes", output_index=0), refusal])

    assert deltas == [RefusalDelta("no", 0), TextDelta("yes", 0), RefusalDelta("no", 0)]
    assert assembler.partial().text == "yes"


def test_text_may_go_on_after_its_item_was_closed_and_begun_again():
    events = [begun(0, "a"), text("a", output_index=0), ended({**EMPTY, "id": "a"})]
    _, deltas = feed([*events, begun(0, "b"), text("b", output_index=0, item_id="b")])

    assert deltas == [TextDelta("a", 0), TextDelta("b", 0)]


@pytest.mark.parametrize("index", [None, "1", -1, True, 1.0])
def test_a_part_whose_index_is_none_is_the_first(index):
    where = {"output_index": 0, "content_index": index}
    assembler, _ = feed([begun(), text("a", output_index=0, content_index=0), text("b", **where)])

    assert assembler.partial().text == "ab"


def test_each_kind_of_delta_says_its_text_and_item():
    spoken = [
        ("refusal.delta", RefusalDelta("x", 3)),
        ("reasoning_text.delta", ReasoningDelta("x", 3)),
        ("reasoning.delta", ReasoningDelta("x", 3)),
        ("reasoning_summary_text.delta", ReasoningDelta("x", 3, summary=True)),
        ("output_text.delta", TextDelta("x", 3)),
        ("function_call_arguments.delta", ArgumentsDelta("x", 3, "f")),
        ("custom_tool_call_input.delta", ArgumentsDelta("x", 3, "f")),
    ]
    for kind, delta in spoken:
        event = {"type": f"response.{kind}", "output_index": 3, "delta": "x"}
        assert feed([begun(3, name="f"), event])[1] == [delta]
    assert feed([begun(3, name=7), event])[1] == [ArgumentsDelta("x", 3, "")]


def test_a_delta_without_text_is_none():
    assert feed([begun(), text("", output_index=0)])[1] == []


def test_halves_of_characters_are_kept_apart_by_part_and_mended_in_whole_texts():
    high, low = "\ud83d", "\ude00"
    where = [{"output_index": 0, "content_index": n} for n in (0, 1)]
    events = [
        begun(),
        text(f"a{high}", **where[0]),
        text(f"b{high}", **where[1]),
        text(f"{low}c", **where[0]),
        text(low, **where[1]),
        text(low, **where[1]),
        {"type": "response.output_text.done", **where[0], "text": f"a{high}{low}c"},
        {"type": "response.content_part.done", **where[0], "part": {"text": high}},
        {"type": "response.output_text.done", **where[1], "text": f"b{high}"},
    ]
    assembler, deltas = halved(*events)

    assert [delta.text for delta in deltas] == ["a", "b", "😀c", "😀", "\ufffd"]
    assert [part["text"] for part in assembler.partial().items[0].parts] == ["a😀c", "b\ufffd"]
    assert [note.text for note in assembler.partial().notes] == [
        SUMS.format("response.output_text.done")
    ]


def halved(*events):
    """What comes of events with halves of characters, which are escaped on the wire."""
    assembler = Assembler()
    frames = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    return assembler, assembler.feed(SseDecoder().feed(frames))


@pytest.mark.parametrize("whole", ["\U00010000", "😀", "\U0010ffff"])
def test_the_first_and_the_last_of_the_halves_are_joined_too(whole):
    high, low = (
        whole.encode("utf-16-be")[n : n + 2].decode("utf-16-be", "surrogatepass") for n in (0, 2)
    )
    _, deltas = halved(begun(), text(high, output_index=0), text(low, output_index=0))

    assert deltas == [TextDelta(whole, 0)]


def test_half_a_character_in_arguments_stays_known():
    begins = {**begun(), "item": {**wire.CALL, "arguments": ""}}
    kind = "response.function_call_arguments.done"
    assembler, _ = halved(begins, {"type": kind, "output_index": 0, "arguments": "\ud83d"})

    assert assembler.partial().items[0].arguments == r"\ud83d"


def test_events_with_half_a_character_are_numbered_like_all():
    delta = text("\ud83d", output_index=0)
    assembler, _ = halved(*numbered((0, begun()), (1, delta), (1, delta), (2, delta)))

    assert assembler.last_number == 2
    with pytest.raises(ProtocolError, match="number 1 came where 3 should"):
        assembler.feed([(b"", json.dumps({**delta, "sequence_number": 1}).encode(), b"")])


# ------------------------------------------------------------------------------------------- notes


def test_what_does_not_add_up_is_noted_once_and_by_its_place():
    where = {"output_index": 0, "item_id": "fc_1"}
    begins = {**begun(), "item": {**wire.CALL, "arguments": ""}}
    said = {"type": "response.function_call_arguments.delta", **where, "delta": "{}"}
    whole = {"type": "response.function_call_arguments.done", **where, "arguments": "[]"}
    end = completed(wire.CALL)

    assert notes([begins, said, whole, ended(wire.CALL), end]) == [
        SUMS.format("response.function_call_arguments.done"),
        SUMS.format("the item"),
    ]
    assert notes([begins, whole, ended({**wire.CALL, "arguments": "[]"}), end]) == [
        "the terminal response does not say what the events said; it counts"
    ]
    assert notes([begins, ended(wire.CALL), end]) == []


def test_what_other_kinds_of_items_say_is_not_compared():
    begins = {**begun(), "item": {**wire.CUSTOM, "input": ""}}
    said = {"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": "x"}

    assert notes([begins, said, ended(wire.CUSTOM), completed(wire.CUSTOM)]) == []


def test_items_never_closed_are_noted_where_the_end_has_none():
    open_ = [begun(), text("a", output_index=0)]

    assert notes([*open_, completed()]) == [
        "items were never closed, and the terminal response has none"
    ]
    assert notes([*open_, completed(wire.MESSAGE)]) == []
    assert notes([ended(wire.MESSAGE), *open_, completed(wire.MESSAGE)]) == [
        "the terminal response does not say what the events said; it counts"
    ]


def test_a_gap_that_lost_nothing_is_noted_with_its_numbers():
    assert notes(numbered((0, begun()), (4, ended(wire.MESSAGE)), (5, completed(wire.MESSAGE)))) == [
        "events 1 to 3 of the stream were missing; nothing was lost"
    ]  # fmt: skip


@pytest.mark.parametrize("output", [(), (wire.CALL,)])
def test_a_gap_is_refused_where_the_end_cannot_vouch_for_the_rest(output):
    error = refused(numbered((0, begun()), (4, ended(wire.MESSAGE)), (5, completed(*output))))

    assert error.phase == "stream"
    assert str(error) == (
        "events 1 to 3 of the stream are missing, and the terminal response "
        "does not agree with the rest"
    )


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (text(None), "response.output_text.delta: delta is a NoneType; it must be text"),
        (text(7, output_index=0), "response.output_text.delta: delta is a int; it must be text"),
        (
            {"type": "response.refusal.delta", "delta": 7},
            "response.refusal.delta: delta is a int; it must be text",
        ),
        (
            {"type": "response.incomplete", "response": []},
            "response.incomplete carries a list instead of the response",
        ),
    ],
)
def test_an_event_that_cannot_be_is_refused(event, told):
    for before in ([begun()], [begun(), text("a", output_index=0)]):
        error = refused([*before, event])
        assert (str(error), error.phase) == (told, "stream")


def test_an_event_that_is_no_object_is_told_with_its_kind_and_its_beginning():
    data = b"[%s]" % (b"1," * 1000 + b"1")
    with pytest.raises(ProtocolError) as caught:
        Assembler().feed([(b"", data, b"")])

    assert str(caught.value) == "an event of the stream is a JSON list, not an object"
    assert (caught.value.phase, caught.value.body) == ("stream", data[:1024])


@pytest.mark.parametrize("data", [b"{", b'{"x": NaN}', b'{"x": -Infinity}'])
def test_an_event_that_is_no_json_is_told_as_part_of_the_stream(data):
    with pytest.raises(ProtocolError, match="is not JSON") as caught:
        Assembler().feed([(b"", data, b"")])

    assert caught.value.phase == "stream"


def test_an_end_without_its_event_says_how_far_it_came():
    for events, outcome in (([], "none"), ([{"type": "ping"}], "none"), ([begun()], "partial")):
        assembler, _ = feed(events)
        with pytest.raises(ProtocolError) as caught:
            assembler.end()
        assert str(caught.value) == (
            f"the stream ended without its terminal event, after {len(events)} events and "
            f"{len(events) if outcome == 'partial' else 0} items; the answer is not whole"
        )
        assert (caught.value.phase, caught.value.outcome, caught.value.retryable) == (
            "stream",
            outcome,
            True,
        )


SAID = {"code": "odd_word", "message": "no kestrel here"}
TABLE = (Row(RateLimitError, retryable=True, words=frozenset({"odd_word"})),)


@pytest.mark.parametrize(
    ("event", "phase"),
    [
        ({"type": "error", **SAID}, "stream"),
        ({"error": SAID}, "stream"),
        ({"type": "response.failed", "response": wire.response(error=SAID)}, "response"),
    ],
)
def test_an_error_is_read_by_the_table_and_tells_the_request_but_no_secret(event, phase):
    event["padding"] = "x" * 2000
    known = {"headers": {"x-request-id": "req_1"}, "secrets": ["Bearer kestrel"], "table": TABLE}
    error = refused([event], RateLimitError, **known)

    assert str(error) == (
        "the service failed (odd_word): no [redacted] here. Request id req_1"
    )  # fmt: skip
    assert (error.phase, error.request_id) == (phase, "req_1")
    assert type(refused([event], StatusError)) is StatusError


def test_an_error_event_is_kept_to_its_beginning():
    event = {"type": "error", "code": "server_error", "message": "x" * 2000}
    error = refused([event], ServerError)

    assert error.body == json.dumps(event).encode()[:1024]


def test_an_error_beside_a_type_of_ours_is_none():
    assembler, _ = feed([{"type": "response.odd", "error": {"message": "m"}}, completed()])

    assert assembler.end().status == "completed"


# ------------------------------------------------------------------------------------------ limits


def test_a_stream_may_have_as_many_events_as_the_limit(monkeypatch):
    monkeypatch.setattr(limits, "EVENTS_PER_RESPONSE", 3)
    assembler = Assembler()
    ping = SseDecoder().feed(b"data: {}\n\n")
    assembler.feed(ping * 2)
    assembler.feed(ping)

    with pytest.raises(LimitError) as caught:
        assembler.feed(ping)
    assert str(caught.value) == (
        "the stream has more than 3 events (limits.EVENTS_PER_RESPONSE)"
    )  # fmt: skip
    assert caught.value.phase == "stream"


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_a_response_may_say_as_much_as_the_limit(size, monkeypatch):
    events = wire.narrate(wire.RESPONSES["text"], size=size)
    said = len(wire.MESSAGE["content"][0]["text"])

    monkeypatch.setattr(limits, "BODY_BYTES", said)
    assert feed(events)[0].end().status == "completed"
    monkeypatch.setattr(limits, "BODY_BYTES", said - 1)
    refused(events, LimitError)
