"""The decoder of server-sent events against the rules, however the bytes are cut."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone import limits
from toolstone.errors import LimitError, ProtocolError
from toolstone.wire import SseDecoder

M = ""  # the name of an event that says none

# What goes in, and the events (name, data, last id) that come out. Restated from the WHATWG's
# examples, the platform tests for EventSource, LaunchDarkly's contract tests, and our own.
VECTORS = {
    # The examples of the standard.
    "spec: three lines of data": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [(M, "YHOO\n+2\n10", "")]),
    "spec: comment, id, empty id, space": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [(M, "first event", "1"), (M, "second event", ""), (M, " third event", "")],
    ),
    "spec: empty data, two empty lines, cut": (b"data\n\ndata\ndata\n\ndata:", [(M, "", ""), (M, "\n", "")]),
    "spec: one space or none": (b"data:test\n\ndata: test\n\n", [(M, "test", ""), (M, "test", "")]),
    "spec: add and remove": (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        [("add", "73857293", ""), ("remove", "2153", ""), ("add", "113411", "")],
    ),
    # Byte order marks.
    "bom: stripped once": (b"\xef\xbb\xbfdata:1\n\n\xef\xbb\xbfdata:2\n\ndata:3\n\n", [(M, "1", ""), (M, "3", "")]),
    "bom: two at the start": (b"\xef\xbb\xbf\xef\xbb\xbfdata:1\n\ndata:2\n\n", [(M, "2", "")]),
    "bom: alone": (b"\xef\xbb\xbf", []),
    "bom: in data": (b"data:\xef\xbb\xbfx\n\n", [(M, "\ufeffx", "")]),
    "bom: before a fast event": (b"\xef\xbb\xbfevent: a\ndata: 1\n\n", [("a", "1", "")]),
    # Line ends.
    "ends: lf": (b"data: a\ndata: b\n\n", [(M, "a\nb", "")]),
    "ends: cr": (b"data: a\rdata: b\r\r", [(M, "a\nb", "")]),
    "ends: crlf": (b"data: a\r\ndata: b\r\n\r\n", [(M, "a\nb", "")]),
    "ends: crlf, named": (b"event: x\r\ndata: a\r\n\r\nevent: y\r\ndata: b\r\n\r\n", [("x", "a", ""), ("y", "b", "")]),
    "ends: mixed in one event": (b"data:1\r\ndata:2\rdata:3\ndata:4\n\r\n", [(M, "1\n2\n3\n4", "")]),
    "ends: cr then lf is one": (b"data: a\r\n\ndata: b\r\n\r", [(M, "a", ""), (M, "b", "")]),
    "ends: lf then cr is two": (b"data: a\n\rdata: b\n\r", [(M, "a", ""), (M, "b", "")]),
    "ends: cr cr is two": (b"data: a\r\rdata: b\r\r", [(M, "a", ""), (M, "b", "")]),
    "ends: many empty lines": (b"\n\n\r\r\n\ndata: a\n\n\n\n\r\n\n", [(M, "a", "")]),
    "ends: three lf": (b"data: a\n\n\ndata: b\n\n\n", [(M, "a", ""), (M, "b", "")]),
    "ends: a last cr": (b"data: a\n\r", [(M, "a", "")]),
    "ends: nothing at the end": (b"data: a\n", []),
    "ends: an unfinished line": (b"data: a\n\ndata: b", [(M, "a", "")]),
    "ends: no line end at all": (b"data: a", []),
    "ends: nothing": (b"", []),
    # Comments.
    "comment: alone": (b": hello\n\n", []),
    "comment: colon only": (b":\n\n:\n:\n\n", []),
    "comment: among data": (b"data: a\n: b\ndata: c\n\n", [(M, "a\nc", "")]),
    "comment: with data in it": (b":data: a\n\n", []),
    "comment: long": (b":" + b"x" * 70_000 + b"\ndata: a\n\n", [(M, "a", "")]),
    "comment: many without an empty line": (b": ping\n" * 10_000 + b"data: a\n\n", [(M, "a", "")]),
    "comment: before a named event": (b": x\nevent: a\ndata: 1\n\n", [("a", "1", "")]),
    "comment: crlf keep-alive": (b":\r\n\r\ndata: 1\r\n\r\n", [(M, "1", "")]),
    # data.
    "data: field without colon": (b"data\ndata: x\n\n", [(M, "\nx", "")]),
    "data: empty": (b"data:\n\n", [(M, "", "")]),
    "data: empty with space": (b"data: \n\n", [(M, "", "")]),
    "data: two spaces": (b"data:  x\n\n", [(M, " x", "")]),
    "data: tab is kept": (b"data:\tx\n\n", [(M, "\tx", "")]),
    "data: trailing space is kept": (b"data: x \n\n", [(M, "x ", "")]),
    "data: colons": (b"data: a:b: c\n\n", [(M, "a:b: c", "")]),
    "data: json": (b'data: {"a": "b: c"}\n\n', [(M, '{"a": "b: c"}', "")]),
    "data: json in lines": (b'data: {\ndata: "a": 1\ndata: }\n\n', [(M, '{\n"a": 1\n}', "")]),
    "data: done": (b"data: [DONE]\n\n", [(M, "[DONE]", "")]),
    "data: looks like a field": (b"data: event: x\n\n", [(M, "event: x", "")]),
    "data: nul is kept": (b"data: a\0b\n\n", [(M, "a\0b", "")]),
    "data: utf-8": ("data: ok…\ndata: ünï\n\n".encode(), [(M, "ok…\nünï", "")]),
    "data: astral": ("data: 😀\n\n".encode(), [(M, "😀", "")]),
    "data: other line breaks": (
        "data: a\u2028b\u2029c\u0085d\x0be\x0cf\n\n".encode(),
        [(M, "a\u2028b\u2029c\u0085d\x0be\x0cf", "")],
    ),
    "data: large": (b"data: " + b"x" * 200_000 + b"\n\n", [(M, "x" * 200_000, "")]),
    "data: large, named": (b"event: a\ndata: " + b"x" * 200_000 + b"\n\n", [("a", "x" * 200_000, "")]),
    "data: many lines": (b"data: x\n" * 10_000 + b"\n", [(M, "\n".join(["x"] * 10_000), "")]),
    # event.
    "event: named": (b"event: a\ndata: 1\n\n", [("a", "1", "")]),
    "event: after the data": (b"data: 1\nevent: a\n\n", [("a", "1", "")]),
    "event: the last counts": (b"event: a\nevent: b\ndata: 1\n\n", [("b", "1", "")]),
    "event: without data": (b"event: a\n\ndata: 1\n\n", [(M, "1", "")]),
    "event: reset after each": (b"event: a\ndata: 1\n\ndata: 2\n\n", [("a", "1", ""), (M, "2", "")]),
    "event: empty": (b"event:\ndata: 1\n\nevent\ndata: 2\n\n", [(M, "1", ""), (M, "2", "")]),
    "event: emptied": (b"event: a\nevent:\ndata: 1\n\n", [(M, "1", "")]),
    "event: space kept": (b"event:  a\ndata: 1\n\nevent:b \ndata: 1\n\n", [(" a", "1", ""), ("b ", "1", "")]),
    "event: two data": (b"event: a\ndata: 1\ndata: 2\n\n", [("a", "1\n2", "")]),
    "event: no space before data": (b"event: a\ndata:1\n\n", [("a", "1", "")]),
    "event: then a comment": (b"event: a\ndata: 1\n: c\n\n", [("a", "1", "")]),
    "event: dots": (b"event: response.output_text.delta\ndata: {}\n\n", [("response.output_text.delta", "{}", "")]),
    "event: data twice inside": (b"event: a\ndata: x\ndata: y\n\nevent: b\ndata: z\n\n", [("a", "x\ny", ""), ("b", "z", "")]),
    # id.
    "id: stays": (b"id: 1\ndata: a\n\ndata: b\n\n", [(M, "a", "1"), (M, "b", "1")]),
    "id: stays for fast events": (b"id: 1\n\nevent: x\ndata: a\n\n", [("x", "a", "1")]),
    "id: between": (b"event: x\nid: 7\ndata: a\n\nevent: y\ndata: b\n\n", [("x", "a", "7"), ("y", "b", "7")]),
    "id: with nul is ignored": (b"id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n", [(M, "a", "1"), (M, "b", "1")]),
    "id: emptied": (b"id: 1\ndata: a\n\nid:\ndata: b\n\n", [(M, "a", "1"), (M, "b", "")]),
    "id: without data": (b"id: 1\n\ndata: a\n\n", [(M, "a", "1")]),
    "id: utf-8": ("id: …\ndata: a\n\n".encode(), [(M, "a", "…")]),
    # Other fields.
    "field: unknown": (b"x: y\nfoo\ndata: a\n\n", [(M, "a", "")]),
    "field: case matters": (b"Data: a\nDATA: b\ndata: c\n\n", [(M, "c", "")]),
    "field: leading space": (b" data: a\ndata: b\n\n", [(M, "b", "")]),
    "field: space before the colon": (b"data : a\ndata: b\n\n", [(M, "b", "")]),
    "field: parsing": (
        b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
        [(M, "\0\n 2\n1\n3\n\n4", "")],
    ),
    "field: empty name": (b": a\n:\ndata: b\n\n", [(M, "b", "")]),
    "retry: alone": (b"retry: 3000\n\n", []),
    "retry: among": (b"retry: 3000\ndata: a\n\n", [(M, "a", "")]),
}  # fmt: skip


def decode(chunks, **options):
    decoder = SseDecoder(**options)
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [tuple(part.decode() for part in event) for event in found]


def cuts(data):
    """Every way to cut in two (of what is long, the ends), and byte by byte (of what is short)."""
    places = range(len(data) + 1)
    if len(data) > 2000:
        places = [*places[:8], *places[-8:]]
    yield from ((data[:n], data[n:]) for n in places)
    if len(data) <= 2000:
        yield [data[n : n + 1] for n in range(len(data))]
    yield [data[n : n + 1000] for n in range(0, len(data), 1000)]


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "slow"])
@pytest.mark.parametrize("name", VECTORS)
def test_a_vector_gives_its_events_however_it_is_cut(name, fast):
    data, expected = VECTORS[name]

    assert decode([data], fast=fast) == expected
    for chunks in cuts(data):
        assert decode(chunks, fast=fast) == expected


def test_there_are_as_many_vectors_as_were_promised():
    assert len(VECTORS) >= 75


LINES = st.sampled_from(
    [b"data: x", b"data:", b"data", b"event: a", b"event: b", b"event:", b"id: 1", b"id: \0", b": c",
     b"", b"", b"retry: 5", b"\xef\xbb\xbfdata: y", "data: ü😀".encode(), b"x", b"event: a\ndata: {}\n",
     b'event: n\r\ndata: {"a": 1}\r\n', b"data: [DONE]\n"]
)  # fmt: skip
ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=30).map(
    lambda pairs: b"".join(line + end for line, end in pairs)
)


def cut(data, places):
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(STREAMS, st.lists(st.integers(min_value=0), max_size=12))
def test_fast_and_slow_agree_on_any_stream_in_any_pieces(data, places):
    assert decode(cut(data, places)) == decode([data], fast=False)


@given(
    st.text(alphabet="data: event\n\r\0:x", max_size=60).map(str.encode),
    st.lists(st.integers(min_value=0), max_size=8),
)
def test_fast_and_slow_agree_on_noise(data, places):
    assert decode(cut(data, places)) == decode([data], fast=False)


@given(st.lists(st.dictionaries(st.text(), st.text(), max_size=3), max_size=8), st.data())
def test_json_comes_out_as_it_went_in(values, draw):
    data = b"".join(
        b"event: e\ndata: "
        + json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        + b"\n\n"
        for value in values
    )
    chunks = cut(data, draw.draw(st.lists(st.integers(min_value=0), max_size=8)))

    found = [json.loads(part) for _, part, _ in decode(chunks)]

    assert found == [
        json.loads(json.dumps(v, ensure_ascii=False).encode("utf-8", "replace")) for v in values
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"retry: 3000\n\n", 3000),
        (b"retry:03000\n\n", 3000),
        (b"retry: " + b"9" * 5000 + b"\n\n", 10**18 - 1),  # for ever is long enough
        (b"retry: 1000x\n\n", None),
        (b"retry: -1\n\n", None),
        (b"retry:\n\n", None),
        (b"retry\n\n", None),
        ("retry: \uff13\n\n".encode(), None),
    ],
)
def test_retry_is_digits_or_nothing(data, expected):
    decoder = SseDecoder()
    decoder.feed(data)

    assert decoder.retry == expected


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (b"data: a\xff\n\n", 7),
        (b"data: \xc3(\n\n", 6),
        (b": \xed\xa0\x80\n\n", 2),
        ("data: ü\n\n".encode() + b"data: \x80\n\n", 16),
    ],
    ids=["ff", "cut", "surrogate", "later"],
)
def test_what_is_not_utf8_is_told_with_its_place_however_it_is_cut(data, offset):
    for chunks in cuts(data):
        with pytest.raises(ProtocolError) as caught:
            decode(chunks)
        assert str(caught.value) == (
            f"the stream is not UTF-8 at byte {offset}; nothing of this event was used"
        )
        assert (caught.value.phase, caught.value.outcome) == ("stream", "partial")


def test_before_anything_came_nothing_is_known_and_then_the_last_of_each():
    decoder = SseDecoder()
    assert (decoder.last_id, decoder.retry) == (b"", None)
    decoder.feed(b"id: 1\nretry: 2\n\nid: 3\n\n: c\n\n")

    assert (decoder.last_id, decoder.retry) == (b"3", 2)


def test_the_limit_is_that_of_the_package_unless_another_is_given(monkeypatch):
    monkeypatch.setattr(limits, "EVENT_BYTES", 20)
    data = b"data: " + b"x" * 15 + b"\n\n"

    with pytest.raises(LimitError, match="longer than 20 bytes"):
        decode([data])
    assert decode([data], limit=21) == [("", "x" * 15, "")]


SHAPES = [
    "data: %s",
    "data:%s",
    "event: a\ndata: %s",
    "data: %s\ndata: y",
    "id: 1\ndata: %s",
    ": %s",
]


def outcome(chunks, **options):
    try:
        return decode(chunks, **options)
    except LimitError as error:
        return (str(error), error.phase, error.outcome)


TOO_LONG = (
    "a line or event of the stream is longer than 100 bytes (limits.EVENT_BYTES)",
    "stream",
    "partial",
)


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "slow"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_line_as_long_as_the_limit_passes_and_a_longer_one_does_not(shape, fast):
    longest = max(len(line) for line in shape.split("\n")) - len("%s")
    for over in (-1, 0, 1):
        text = "x" * (100 - longest + over)
        data = (shape % text + "\n\nevent: b\ndata: z\n\n").encode()
        for chunks in cuts(data):
            found = outcome(chunks, limit=100, fast=fast)
            assert found == (TOO_LONG if over > 0 else decode([data], fast=False))


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "slow"])
def test_data_as_long_as_the_limit_passes_and_longer_data_does_not(fast):
    for size, fits in ((49, True), (50, True), (51, False)):
        data = b"data:%s\ndata:%s\n\n" % (b"x" * 49, b"x" * size)
        for chunks in cuts(data):
            found = outcome(chunks, limit=100, fast=fast)
            assert found == (decode([data], fast=False) if fits else TOO_LONG)


@given(
    st.text(alphabet="data: event\n:x", max_size=60).map(str.encode),
    st.lists(st.integers(min_value=0), max_size=8),
    st.integers(min_value=0, max_value=12),
)
def test_what_is_too_long_is_so_however_it_is_cut(data, places, limit):
    assert outcome(cut(data, places), limit=limit) == outcome([data], limit=limit, fast=False)


def test_data_in_many_lines_is_counted_together():
    with pytest.raises(LimitError):
        decode([b"data: xxxxxxxxx\n"] * 200 + [b"\n"], limit=1000)


def test_a_line_that_never_ends_is_stopped_at_the_limit():
    decoder = SseDecoder(limit=100_000)
    with pytest.raises(LimitError):
        for _ in range(20):
            decoder.feed(b"x" * 10_000)
    assert len(decoder._buffer) <= 120_000


@pytest.mark.parametrize("noise", [b"\n", b": ping\n", b": ping\n\n", b"id: 1\n"])
def test_endless_noise_needs_no_memory(noise):
    decoder = SseDecoder()
    for _ in range(20):
        assert decoder.feed(noise * 10_000) == []

    assert len(decoder._buffer) <= 2**17
    assert decoder._data == []


def test_a_long_line_in_single_bytes_costs_linear_time():
    """Ten times the bytes: ten times the work, counted in bytes searched."""
    decoder = SseDecoder()
    decoder.feed(b"data: " + b"x" * 100_000)
    for _ in range(20_000):
        decoder.feed(b"x")

    assert decoder._searched == len(decoder._buffer)
    assert decoder.feed(b"\n\n")[0][1] == b"x" * 120_000
