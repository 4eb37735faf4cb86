"""Streams as real servers sent them, on 2026-11-22: each leaves out or adds something of its own."""

from pathlib import Path

import pytest

from toolstone.events import ArgumentsDelta, TextDelta
from toolstone.items import FunctionCall, Message
from toolstone.responses.stream import Assembler
from toolstone.wire import SseDecoder

RECORDED = Path(__file__).parent / "recorded"
DISORDER = "the terminal response does not say what the events said; it counts"


def heard(name, size=1 << 20):
    data = (RECORDED / f"{name}.sse").read_bytes()
    assembler, decoder = Assembler(), SseDecoder()
    deltas = []
    for start in range(0, len(data), size):
        deltas += assembler.feed(decoder.feed(data[start : start + size]))
    return assembler.end(), deltas, data


def told(response):
    """What was said, without ids."""
    return [
        (item.name, item.arguments) if type(item) is FunctionCall else item.text
        for item in response.items
    ]


CALL = ("multiply", '{"a": 3, "b": 4}')
CUT = "Hello! I'm here"


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("name", "status", "items"),
    [
        ("llama_cpp_call", "completed", [CALL]),
        ("llama_cpp_cut", "completed", [CUT]),
        ("litellm_calls", "completed", None),
        ("litellm_cut", "incomplete", [CUT]),
        ("transformers_call", "completed", ["", CALL]),
        ("transformers_cut", "completed", [CUT]),
    ],
)
def test_a_recorded_stream_is_understood_in_any_pieces(name, status, items, size):
    response, _, _ = heard(name, size)
    assert response.status == status
    assert response.usage.output_tokens > 0
    if items is not None:
        assert told(response) == items


def test_llama_cpp_sends_neither_indexes_nor_numbers_nor_the_end_of_arguments():
    response, deltas, data = heard("llama_cpp_call")
    for missing in (b"output_index", b"content_index", b"sequence_number", b"arguments.done"):
        assert missing not in data
    assert b"output_tokens_details" not in data and b"[DONE]" not in data
    assert "".join(d.text for d in deltas if type(d) is ArgumentsDelta) == CALL[1]
    assert response.notes == ()


def test_litellm_names_no_events_and_numbers_few():
    response, deltas, data = heard("litellm_calls")
    assert b"event:" not in data and b"[DONE]" in data
    assert 0 < data.count(b"sequence_number") < data.count(b"data:")
    calls = [item for item in response.items if type(item) is FunctionCall]
    assert len(calls) == len({call.call_id for call in calls}) == 2
    said = {}
    for delta in deltas:
        if type(delta) is ArgumentsDelta:
            said[delta.item] = said.get(delta.item, "") + delta.text
    assert list(said.values()) == [call.arguments for call in calls]


def test_transformers_sends_a_call_whole_and_an_empty_message_with_its_index():
    response, deltas, data = heard("transformers_call")
    assert data.count(b'"output_index":1') > 3 and b"arguments.delta" not in data
    assert [type(item) for item in response.items] == [Message, FunctionCall]
    assert deltas == []
    assert [note.text for note in response.notes] == [DISORDER]


@pytest.mark.parametrize("name", ["llama_cpp_cut", "litellm_cut", "transformers_cut"])
def test_text_is_told_as_it_comes(name):
    _, deltas, _ = heard(name)
    assert "".join(d.text for d in deltas if type(d) is TextDelta) == CUT
