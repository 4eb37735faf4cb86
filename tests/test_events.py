"""Facts as they are stored: plain JSON, versioned, read back as they were."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone.errors import StorageError
from toolstone.events import (
    Accepted,
    Answered,
    Asked,
    Began,
    Finished,
    Noted,
    Record,
    Returned,
    Ruled,
    Said,
    Started,
    decode_record,
    encode_record,
)
from toolstone.items import CallKey, parse_item
from toolstone.usage import Usage

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
count = st.integers(0, 10**12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
raw_items = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "function_call", "reasoning", "vendor:thing"])},
    optional={"id": text, "$type": json_values, "content": json_values, "__class__": text},
)
items = st.lists(raw_items.map(parse_item), max_size=3).map(tuple)
keys = st.builds(CallKey, st.integers(0, 999), st.integers(0, 999))
usages = st.builds(Usage, count, count, count, count, count, count)
outputs = text | st.lists(st.dictionaries(text, json_values, max_size=2), max_size=2)
objects = st.dictionaries(text, json_values, max_size=3)
outcomes = st.sampled_from(["complete", "stopped", "failed", "dropped", "cancelled"])

facts = st.one_of(
    st.builds(Began, items, text, objects, st.booleans()),
    st.builds(Said, items, st.sampled_from(["output", "loop", "empty"])),
    st.builds(Asked, count, count, count),
    st.builds(Accepted, text),
    st.builds(
        Answered,
        *(text, text, items, usages, text, st.none() | text, st.none() | objects),
        *(st.none() | text, text),
    ),
    st.builds(Started, st.lists(keys, max_size=3).map(tuple)),
    st.builds(Returned, keys, outputs, st.booleans(), st.just("ran"), st.none() | usages),
    st.builds(Ruled, keys, st.sampled_from(["approve", "deny", "again"]), outputs),
    st.builds(Noted, text, text, st.none() | usages, objects),
    st.builds(Finished, outcomes, text),
)
records = st.builds(Record, count, st.floats(0, 1e10), text, facts)


@given(records)
def test_a_record_is_read_back_as_it_was_written(record):
    assert decode_record(encode_record(record)) == record


@given(records)
def test_what_is_stored_is_plain_json_in_one_line_with_a_version(record):
    line = encode_record(record)
    data = json.loads(line)
    assert b"\n" not in line
    assert (data["v"], data["seq"], data["type"]) == (1, record.seq, record.fact.type)
    assert "Record" not in data
    assert not {"__module__", "py/object"} & set(data)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"v": "1"}',
        b'{"v": 2, "seq": 0, "at": 0, "run": "r", "type": "asked", "number": 1}',
        b'{"v": 1, "seq": "0", "at": 0, "run": "r", "type": "asked", "number": 1}',
        b'{"v": 1, "seq": 0, "at": 0, "run": "r", "type": "os.system"}',
        b'{"v": 1, "seq": 0, "at": 0, "run": "r", "type": "returned", "call": ["x", 0]}',
        b'{"v": 1, "seq": 0, "at": 0, "run": "r", "type": "answered", "response": "r"}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_record_is_refused_with_a_storage_error(line):
    with pytest.raises(StorageError):
        decode_record(line)


@given(st.binary(max_size=200))
def test_no_bytes_crash_the_reader(line):
    with suppress(StorageError):
        decode_record(line)


def test_an_unknown_field_of_a_later_minor_change_is_passed_over():
    line = b'{"v":1,"seq":0,"at":0,"run":"r","type":"asked","number":1,"new":true}'
    assert decode_record(line).fact == Asked(1)


def test_text_that_is_no_unicode_is_refused_when_it_is_written():
    with pytest.raises(StorageError, match="Unicode"):
        encode_record(Record(0, 0.0, "r", Finished("failed", "\ud800")))
