"""Stored facts that a run can be gone on with, and those that somebody has changed."""

import json

import pytest

from toolstone.errors import StorageError
from toolstone.events import decode_record
from toolstone.items import CallKey
from toolstone.runs.soundness import fold_stored
from toolstone.runs.state import fold

HI = {"type": "message", "role": "user", "content": "hi"}
BEGAN = {"type": "began", "input": [HI]}


def call(name, kind="function_call"):
    return {"type": kind, "call_id": name, "name": "f", "arguments": "{}"}


def answered(*items):
    return {"type": "answered", "response": "r", "status": "completed", "items": items}


def said(*items):
    return {"type": "said", "items": items, "why": "loop"}


def output(name):
    return {"type": "function_call_output", "call_id": name, "output": "1"}


def compacted(upto, kept, items=()):
    data = {"items": items, "upto": upto, "kept": kept}
    return {"type": "noted", "what": "compacted", "text": "", "data": data}


def returned(position):
    return {"type": "returned", "call": [0, position], "output": "1"}


def finished(outcome):
    return {"type": "finished", "outcome": outcome}


TEXT = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}


def records(facts):
    return [
        decode_record(json.dumps({"v": 1, "seq": n, "at": 1.5, "run": "r", **fact}))
        for n, fact in enumerate(facts)
    ]


SOUND = {
    "just begun": [BEGAN],
    "a call that is open": [BEGAN, answered(call("c"))],
    "two calls, of which one has returned": [BEGAN, answered(call("c"), call("d")), returned(1)],
    "calls that have returned": [BEGAN, answered(call("c"), call("d")), returned(1), returned(0)],
    "an answer": [BEGAN, answered(TEXT), finished("complete")],
    "complete with calls and no answer": [
        BEGAN,
        answered(call("c")),
        returned(0),
        finished("complete"),
    ],
    "stopped before anybody answered": [BEGAN, finished("stopped")],
    "a compaction of nothing": [BEGAN, compacted(0, 0)],
    "a compaction of all there is": [BEGAN, compacted(1, 1)],
    "a call of the input, answered there": [
        {"type": "began", "input": [HI, call("c"), output("c")]}
    ],
    "a call that was compacted, and its output that was not": [
        {"type": "began", "input": [HI, output("c")]},
        compacted(1, 1, [call("c")]),
    ],
    "facts of calls that nobody made": [
        BEGAN,
        {"type": "started", "calls": [[0, 0]]},
        {"type": "ruled", "call": [0, 1], "ruling": "approve"},
        returned(2),
    ],
    "facts of calls of an earlier response": [
        BEGAN,
        answered(call("c")),
        returned(0),
        answered(call("c")),
        {"type": "started", "calls": [[0, 0]]},
        returned(0),
    ],
    "a call without an id, which nothing can name": [
        {"type": "began", "input": [call(None, "computer_call"), HI]}
    ],
}


@pytest.mark.parametrize("facts", SOUND.values(), ids=SOUND)
def test_what_the_toolkit_writes_is_the_run_it_was(facts):
    run = fold_stored(records(facts), "s")
    alike = fold(records(facts), "s")

    assert run.session == "s"
    assert run.records == alike.records
    assert run.history == alike.history
    assert [one.key for one in run.open] == [one.key for one in alike.open]


def test_what_is_said_of_calls_that_are_not_open_changes_nothing():
    run = fold_stored(records(SOUND["facts of calls of an earlier response"]), "s")

    assert [(one.key, one.started, one.returned) for one in run.open] == [
        (CallKey(1, 0), False, None)
    ]
    assert fold_stored(records(SOUND["facts of calls that nobody made"]), "s").calls == []


MORE = "a compaction of more than there was"
UNSOUND = {
    "a compaction beyond the end": ([BEGAN, compacted(2, 0)], MORE),
    "more kept than there was": ([BEGAN, compacted(0, 2)], MORE),
    "a compaction before the beginning": ([BEGAN, compacted(-1, 0)], MORE),
    "a compaction to no place": ([BEGAN, compacted("1", 0)], MORE),
    "a compaction that keeps a truth": ([BEGAN, compacted(0, True)], MORE),  # noqa: FBT003  data
    "complete, with no answer": (
        [BEGAN, finished("complete")],
        "it is complete, and nobody has answered",
    ),
    "a call of the input, not answered": (
        [{"type": "began", "input": [call("c"), HI]}],
        "it has 1 calls without their output",
    ),
    "an output before its call": (
        [{"type": "began", "input": [output("c"), call("c")]}],
        "it has 1 calls without their output",
    ),
    "two calls, cut off by something said": (
        [BEGAN, answered(call("c"), call("d")), said(HI), BEGAN],
        "it has 2 calls without their output",
    ),
    "one call open, and another left behind": (
        [{"type": "began", "input": [call("b"), HI]}, answered(call("c"))],
        "it has 1 calls without their output",
    ),
    "items that are no list": (
        [BEGAN, compacted(0, 0, 7)],
        "a fact of another form than ours (TypeError)",
    ),
    "a compaction without its place": (
        [BEGAN, {"type": "noted", "what": "compacted", "text": "", "data": {"items": []}}],
        "a fact of another form than ours (KeyError)",
    ),
}


@pytest.mark.parametrize(("facts", "problem"), UNSOUND.values(), ids=UNSOUND)
def test_what_somebody_has_changed_is_refused_and_says_why(facts, problem):
    with pytest.raises(StorageError) as refused:
        fold_stored(records(facts), "s")

    assert str(refused.value) == (
        f"session 's' cannot be gone on with: {problem}. Its facts were changed from outside; "
        "restore the ledger from a copy, or begin another session"
    )
