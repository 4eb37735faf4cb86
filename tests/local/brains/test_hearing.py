"""Events of another endpoint become pieces: ids and all, in the order the items began."""

import pytest

from toolstone.local.brain import (
    Annotate,
    Arguments,
    Call,
    Custom,
    Decline,
    End,
    Input,
    Item,
    Message,
    Reasoning,
    Settle,
    Summary,
    Text,
    Thought,
)
from toolstone.local.brains.hearing import Hearing

MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "content": [],
    "phase": "commentary",
}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
CUSTOM = {"type": "custom_tool_call", "id": "ct_1", "call_id": "c2", "name": "g", "input": "x"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}
SEARCH = {"type": "web_search_call", "id": "ws_1", "status": "completed"}


def added(item, index):
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(item, index):
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def delta(kind, text, index, **more):
    return {"type": f"response.{kind}.delta", "output_index": index, "delta": text, **more}


def heard(*events):
    hearing = Hearing()
    return hearing, [piece for event in events for piece in hearing.take(event)]


def test_each_kind_of_item_is_opened_with_its_ids_and_closed_as_it_is():
    sealed = {**THOUGHT, "encrypted_content": "blob"}
    note = {"type": "url_citation"}
    _, told = heard(
        {"type": "response.created", "response": {}},
        added(THOUGHT, 0),
        delta("reasoning_summary_text", "S", 0, summary_index=1),
        delta("reasoning_text", "T", 0),
        delta("reasoning", "U", 0),
        done(sealed, 0),
        added(MESSAGE, 1),
        delta("output_text", "hi", 1, logprobs=[{"token": "hi"}]),
        {"type": "response.output_text.annotation.added", "output_index": 1, "annotation": note},
        delta("refusal", "no", 1),
        done(MESSAGE, 1),
        added(CALL, 2),
        delta("function_call_arguments", "{}", 2),
        done(CALL, 2),
        added(CUSTOM, 3),
        delta("custom_tool_call_input", "x", 3),
        done(CUSTOM, 3),
        added(SEARCH, 4),
        {"type": "response.web_search_call.searching", "output_index": 4},
        done(SEARCH, 4),
    )
    assert told == [
        Reasoning("rs_1"),
        Summary("S", 1),
        Thought("T"),
        Thought("U"),
        Settle(sealed),
        Message("commentary", "msg_1"),
        Text("hi", [{"token": "hi"}]),
        Annotate(note),
        Decline("no"),
        Settle(MESSAGE),
        Call("f", "c1", "fc_1"),
        Arguments("{}"),
        Settle(CALL),
        Custom("g", "c2", "ct_1"),
        Input("x"),
        Settle(CUSTOM),
        Item(SEARCH),
    ]


def test_items_that_arrive_interleaved_are_told_one_after_another():
    other = {**CALL, "id": "fc_2", "call_id": "c9"}
    hearing, told = heard(
        added(CALL, 0),
        added(other, 1),
        delta("function_call_arguments", "{", 1),
        delta("function_call_arguments", "{}", 0),
        done(other, 1),
    )
    assert told == [Call("f", "c1", "fc_1"), Arguments("{}")]
    assert list(hearing.take(done(CALL, 0))) == [
        Settle(CALL),
        Call("f", "c9", "fc_2"),
        Arguments("{"),
        Settle(other),
    ]


@pytest.mark.parametrize("ids", [True, False])
def test_a_server_that_tells_no_indexes_is_understood_by_its_ids_or_by_the_last_item(ids):
    named = {"item_id": "msg_1"} if ids else {}
    _, told = heard(
        {"type": "response.output_item.added", "item": MESSAGE},
        {"type": "response.output_text.delta", "delta": "hi", **named},
        {"type": "response.output_item.done", "item": MESSAGE},
    )
    assert told == [Message("commentary", "msg_1"), Text("hi"), Settle(MESSAGE)]


def test_what_was_never_opened_or_is_over_is_told_whole_or_not_at_all():
    _, told = heard(
        delta("function_call_arguments", "{}", 0),
        done(CALL, 0),
        delta("function_call_arguments", "{}", 0),
        added({"type": "function_call"}, 1),
        {"type": "response.output_item.done", "output_index": 1, "item": None},
    )
    assert told == [Item(CALL)]


def test_the_whole_response_tells_what_the_events_left_out():
    hearing, _ = heard(added(SEARCH, 0), done(SEARCH, 0), added(MESSAGE, 1))
    said = {"status": "completed", "output": [SEARCH, MESSAGE, CALL]}
    assert list(hearing.finish(said)) == [
        Settle(MESSAGE),
        Call("f", "c1", "fc_1"),
        Arguments("{}"),
        Settle(CALL),
        End(),
    ]
