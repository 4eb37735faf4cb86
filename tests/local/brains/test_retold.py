"""Whatever was said comes out of the endpoint as it was, told in deltas or whole."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from toolstone.local.brain import Item
from toolstone.local.brains.retold import retell, retell_end
from toolstone.local.narrate import Narration
from toolstone.local.response import render_response
from toolstone.responses.stream import Assembler

TEXT = st.text(max_size=30)
ODD = st.dictionaries(
    st.sampled_from(["deep", "more"]), st.none() | st.integers() | TEXT, max_size=2
)


def made(kind, **fields):
    """Items of a kind; each may hold fields that we do not know."""
    fixed = {"type": st.just(kind), "id": st.uuids().map(lambda i: f"it_{i.hex}")}
    return st.builds(
        lambda known, odd: {**odd, **known}, st.fixed_dictionaries(fixed | fields), ODD
    )


def parts(kind, key="text"):
    return st.builds(lambda text, odd: {**odd, "type": kind, key: text}, TEXT, ODD)


MESSAGE = made(
    "message",
    role=st.just("assistant"),
    status=st.just("completed"),
    content=st.lists(parts("output_text") | parts("refusal", "refusal") | ODD, max_size=3),
)
CALL = made("function_call", call_id=TEXT, name=TEXT, arguments=TEXT)
CUSTOM = made("custom_tool_call", call_id=TEXT, name=TEXT, input=TEXT)
REASONING = made(
    "reasoning",
    summary=st.lists(parts("summary_text"), max_size=2),
    content=st.lists(parts("reasoning_text"), max_size=2),
    encrypted_content=st.none() | TEXT,
)
OTHER = made("vendor:thing")
RESPONSE = st.fixed_dictionaries(
    {
        "status": st.just("completed"),
        "output": st.lists(MESSAGE | CALL | CUSTOM | REASONING | OTHER, max_size=4),
    }
)


def narrated(pieces):
    """What an endpoint says for these pieces: its events, and the response they add up to."""
    numbers = itertools.count()
    response = render_response({"model": "m"}, response_id="resp_1", now=0)
    narration = Narration(response, new_id=lambda kind: f"{kind}_{next(numbers)}", clock=lambda: 0)
    events = narration.start()
    for piece in pieces:
        events += narration.tell(piece)
    return events, narration.response


@given(RESPONSE)
def test_the_items_are_those_that_were_recorded_whatever_they_hold(response):
    whole = [*map(Item, response["output"]), retell_end(response)]
    for pieces in (retell(response), whole):
        _, said = narrated(pieces)
        assert said["output"] == response["output"]


@given(RESPONSE)
def test_our_own_client_reads_the_same_from_the_events(response):
    events, _ = narrated(retell(response))
    assembler = Assembler()
    assembler.feed([(e["type"].encode(), to_json(e), b"") for e in events])
    read = assembler.end()
    assert [item.raw for item in read.items] == response["output"]
    assert [note.text for note in read.notes] == []
