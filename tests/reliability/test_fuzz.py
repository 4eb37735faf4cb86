"""The fuzzed boundaries: their corpus once more, each under Hypothesis, and what was found."""

import contextlib
import json

import pytest
from campaigns._fuzz.targets import TARGETS, feed, kept
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolstone import Agent, Tool
from toolstone._secrets import Secret
from toolstone.errors import DefinitionError, ServiceError, StorageError
from toolstone.events import decode_record
from toolstone.items import parse_item
from toolstone.outcomes import judge
from toolstone.responses.failures import failure, read_error
from toolstone.responses.stream import Assembler
from toolstone.testing import Scripted
from toolstone.wire import SseDecoder

EXAMPLES = {"cli": 25, "ledger": 100, "schema": 150}
"""Of each target so many, else 200: what one costs is very different."""


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    """What loads at first use is not counted against the first input."""
    for target in TARGETS.values():
        target.run(b"")


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_of_a_target_holds_once_more(name):
    inputs = [path.read_bytes() for path in kept(name)]

    assert 4 <= len(inputs) <= 40
    for data in inputs:
        feed(TARGETS[name], data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_holds_under_hypothesis(name):
    words = TARGETS[name].words
    pieces = st.binary(max_size=24) | st.sampled_from(words) if words else st.binary(max_size=24)

    @settings(
        max_examples=EXAMPLES.get(name, 200),
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(pieces, max_size=12))
    def holds(found):
        feed(TARGETS[name], b"".join(found))

    holds()


def test_the_corpus_is_small():
    sizes = [path.stat().st_size for name in TARGETS for path in kept(name)]

    assert sum(sizes) < 200_000


def test_a_target_that_does_not_hold_is_found(monkeypatch):
    """The alarm has a test button: a decoder that eats a byte, a reader that takes anything."""
    whole = SseDecoder.feed
    monkeypatch.setattr(SseDecoder, "feed", lambda self, chunk: whole(self, chunk[:-1]))
    with pytest.raises(AssertionError, match="instead of"):
        feed(TARGETS["sse"], b"\0\0\0data: x\n\n")
    monkeypatch.setattr("campaigns._fuzz.data.check_object", lambda text: text.encode())
    with pytest.raises(AssertionError, match="the two readers disagree"):
        feed(TARGETS["arguments"], b'\0\0\0{"a": NaN}')


# ------------------------------------------------------------------------------- what was found


def test_references_that_fork_at_each_step_are_checked_in_linear_time():
    """They took 2^n steps to be looked through for circles: 5 s for 18 levels."""
    levels = 24  # more than any schema may have; what refuses it must not be what counts
    defs = {}
    for n in reversed(range(levels)):
        both = [{"$ref": f"#/$defs/{side}{n + 1}"} for side in "ab"] if n + 1 < levels else [{}]
        defs |= {f"{side}{n}": {"allOf": both} for side in "ab"}
    schema = {"type": "object", "allOf": [{"$ref": "#/$defs/a0"}], "$defs": defs}

    with pytest.raises(DefinitionError, match=r"schemas are applied inside|more than 2000 nodes"):
        Tool.from_schema("forked", schema)


@pytest.mark.parametrize("at", ["1" + "0" * 400, "NaN", "-1e300", "Infinity"])
def test_a_stored_time_without_bounds_is_refused(at):
    """OverflowError, or a time that is none."""
    line = f'{{"v":1,"seq":0,"at":{at},"run":"r","type":"finished","outcome":"stopped"}}'
    with pytest.raises(StorageError):
        decode_record(line)


@pytest.mark.parametrize("kind", [{}, [], 1, None, True])
def test_an_item_of_a_stream_whose_type_is_no_text_is_carried_along(kind):
    """TypeError: unhashable type."""
    item = {"type": kind, "id": "i", "content": []}
    events = [
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.output_text.delta", "output_index": 0, "delta": "x"},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {
            "type": "response.completed",
            "response": {"id": "r", "status": "completed", "output": [item]},
        },
    ]
    assembler = Assembler()
    assembler.feed([(b"", json.dumps(event).encode(), b"") for event in events])

    assert [one.raw for one in assembler.end().items] == [item]


@pytest.mark.parametrize("call_id", [[], {}, 1, None])
def test_a_call_whose_id_is_no_text_waits_for_somebody(call_id):
    """TypeError: unhashable type."""
    item = parse_item({"type": "computer_call", "call_id": call_id, "action": {}})

    assert judge("completed", None, [item]) == "calls"


BEGAN = {"type": "began", "input": [{"type": "message", "role": "user", "content": "hi"}]}
CALLED = {
    "type": "answered",
    "response": "r",
    "status": "completed",
    "items": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}],
}
CHANGED = {
    "a compaction of something else": [
        BEGAN,
        {"type": "noted", "what": "compacted", "text": "", "data": {"items": 0}},
    ],
    "a compaction of more than there is": [
        BEGAN,
        {
            "type": "noted",
            "what": "compacted",
            "text": "",
            "data": {"items": [], "upto": 9, "kept": 0},
        },
    ],
    "complete without an answer": [BEGAN, {"type": "finished", "outcome": "complete"}],
    "something said between a call and its output": [
        BEGAN,
        CALLED,
        {"type": "said", "items": [{"role": "user", "content": "x"}], "why": "loop"},
        BEGAN,
    ],
}


class Changed:
    """A ledger that somebody else has written."""

    def __init__(self, facts):
        lines = [
            json.dumps({"v": 1, "seq": n, "at": 1.5, "run": "r", **fact})
            for n, fact in enumerate(facts)
        ]
        self.records = [decode_record(line) for line in lines]

    async def load(self, _session, /):
        return self.records

    async def append(self, _session, _records, /):
        raise AssertionError("nothing may be added to it")


@pytest.mark.parametrize("facts", CHANGED.values(), ids=CHANGED)
async def test_a_session_that_was_changed_from_outside_is_refused_before_anything_is_sent(facts):
    """IndexError, KeyError, TypeError; or a call was sent without its output."""
    model = Scripted("never")
    agent = Agent(model, ledger=Changed(facts))
    for door in (agent.resume("s"), agent.run("more", session="s")):
        with pytest.raises(StorageError, match="cannot be gone on with"):
            await door

    assert model.requests == []


def test_a_request_id_that_echoes_the_key_is_not_shown():
    """It stood in the message, and in `request_id`."""
    key = Secret("sk-echoed-0123456789abcdef")
    error = failure(read_error("no"), status=400, headers={"x-request-id": str(key)})

    assert str(key) not in str(error) + str(error.request_id) + repr(vars(error))
    with contextlib.suppress(ServiceError):
        raise error


def test_a_time_to_wait_with_a_separator_after_it_is_read():
    """ValueError: `str.strip` takes off more than `float` does."""
    error = failure(read_error("no"), status=429, headers={"retry-after": "99\x1e"})

    assert error.retry_after == 99.0
