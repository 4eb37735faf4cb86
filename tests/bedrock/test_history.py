"""What is sent of what is stored: calls told apart, reasoning and extras left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone import limits
from toolstone.bedrock.history import Sender
from toolstone.items import parse_item, user


def call(ident, name="f", **fields):
    return parse_item(
        {"type": "function_call", "call_id": ident, "name": name, "arguments": "{}", **fields}
    )


def output(ident, text="x"):
    return parse_item({"type": "function_call_output", "call_id": ident, "output": text})


def reasoning(blob, **fields):
    return parse_item({"type": "reasoning", "summary": [], "encrypted_content": blob, **fields})


def ids(items):
    return [item.raw.get("call_id") for item in items if "call_id" in item.raw]


def test_a_history_without_repeats_is_sent_as_the_very_same_sequence():
    history = [user("hi"), call("call_0"), call("call_1"), output("call_0"), output("call_1")]
    assert Sender(replays=True).prepare(history) is history


def test_a_repeated_id_gets_a_name_of_its_own_and_its_output_with_it():
    history = [
        *[call("call_0"), call("call_1"), output("call_0"), output("call_1")],
        *[call("call_0"), call("call_1"), output("call_1"), output("call_0")],
        *[call("call_0"), output("call_0")],
    ]
    assert ids(Sender(replays=True).prepare(history)) == [
        *["call_0", "call_1", "call_0", "call_1"],
        *["call_0_r2", "call_1_r2", "call_1_r2", "call_0_r2"],
        *["call_0_r3", "call_0_r3"],
    ]


def test_what_is_stored_stays_as_it_was_and_what_is_sent_is_made_once():
    history = [call("call_0"), output("call_0"), call("call_0"), output("call_0")]
    sender = Sender(replays=True)
    first, second = sender.prepare(history), sender.prepare(history)
    assert ids(history) == ["call_0"] * 4
    assert [a is b for a, b in zip(first, second, strict=True)] == [True] * 4


def test_a_longer_history_sends_its_beginning_unchanged():
    history = [call("call_0"), output("call_0"), call("call_0"), output("call_0")]
    longer = [*history, call("call_0"), output("call_0")]
    sender = Sender(replays=True)
    assert ids(sender.prepare(longer))[:4] == ids(sender.prepare(history))


def test_an_output_whose_call_the_service_holds_keeps_its_id():
    history = [output("call_0"), output("call_1")]
    assert Sender(replays=True).prepare(history) is history


def test_other_kinds_of_calls_are_told_apart_too():
    custom = parse_item({"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "x"})
    answer = parse_item({"type": "custom_tool_call_output", "call_id": "c", "output": "y"})
    assert ids(Sender(replays=True).prepare([custom, answer, custom, answer])) == [
        *["c", "c", "c_r2", "c_r2"]
    ]


def test_a_name_that_is_taken_is_not_given_again():
    history = [call("c"), output("c"), call("c_r2"), output("c_r2"), call("c"), output("c")]
    assert ids(Sender(replays=True).prepare(history))[-2:] == ["c_r3", "c_r3"]
    later = [call("c"), output("c"), call("c"), output("c"), call("c_r2"), output("c_r2")]
    assert ids(Sender(replays=True).prepare(later))[-2:] == ["c_r2_r2", "c_r2_r2"]


ROUNDS = st.lists(
    st.lists(st.text("ab_r2", min_size=1, max_size=limits.CALL_ID_CHARACTERS), unique=True),
    max_size=6,
)


@given(ROUNDS)
def test_any_history_is_legal_once_sent(rounds):
    history = [item for names in rounds for item in (*map(call, names), *map(output, names))]
    sent = Sender(replays=True).prepare(history)
    calls = [item.raw["call_id"] for item in sent if item.type == "function_call"]
    outputs = [item.raw["call_id"] for item in sent if item.type == "function_call_output"]
    assert len(set(calls)) == len(calls)
    assert outputs == calls
    assert all(1 <= len(name) <= limits.CALL_ID_CHARACTERS for name in calls)


def test_a_long_id_is_cut_to_what_the_wire_can_carry():
    long = "x" * limits.CALL_ID_CHARACTERS
    sent = ids(Sender(replays=True).prepare([call(long), output(long), call(long), output(long)]))
    assert len(set(sent)) == 2
    assert {len(name) for name in sent} == {limits.CALL_ID_CHARACTERS}


def test_reasoning_goes_back_only_if_it_is_encrypted_and_wanted():
    blob, bare = reasoning("gAAAA"), parse_item({"type": "reasoning", "id": "rs", "summary": []})
    history = [user("hi"), blob, bare, call("c"), output("c")]
    assert [i.type for i in Sender(replays=True).prepare(history)].count("reasoning") == 1
    assert [i.type for i in Sender(replays=False).prepare(history)].count("reasoning") == 0


@pytest.mark.parametrize(
    ("raw", "bare"),
    [
        (
            {
                "type": "message",
                "id": "m",
                "role": "assistant",
                "status": "completed",
                "content": [
                    {"type": "output_text", "text": "x", "annotations": [], "logprobs": []}
                ],
            },
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "x"}],
            },
        ),
        (
            {
                "type": "function_call",
                "id": "fc",
                "call_id": "c",
                "name": "f",
                "arguments": "{}",
                "status": "completed",
                "vendor": 1,
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ),
        ({"type": "acme:thing", "x": 1}, {"type": "acme:thing", "x": 1}),
        (
            {"type": "message", "role": "user", "content": [{"type": "input_image", "x": 1}]},
            {"type": "message", "role": "user", "content": [{"type": "input_image", "x": 1}]},
        ),
    ],
)
def test_bare_items_have_their_documented_fields_alone(raw, bare):
    [sent] = Sender(replays=True).prepare([parse_item(raw)], plain=True)
    assert sent.raw == bare


def test_what_was_made_is_kept_within_bounds(monkeypatch):
    monkeypatch.setattr("toolstone.bedrock.history._KEPT", 2)
    history = [item for _ in range(9) for item in (call("c"), output("c"))]
    sender = Sender(replays=True)
    for n in range(9):
        assert len(set(ids(sender.prepare([user(f"run {n}"), *history])))) == 9
    assert len(sender._known) <= 2


def test_histories_with_one_beginning_do_not_disturb_each_other():
    begun = [user("hi"), call("c"), output("c")]
    left, right = [*begun, call("c", "left"), output("c")], [*begun, call("d"), output("d")]
    sender = Sender(replays=True)
    for _ in range(3):
        assert ids(sender.prepare(left)) == ["c", "c", "c_r2", "c_r2"]
        assert ids(sender.prepare(right)) == ["c", "c", "d", "d"]
        assert ids(sender.prepare(begun)) == ["c", "c"]


def test_nothing_of_nothing_is_nothing():
    assert Sender(replays=True).prepare(()) == ()
