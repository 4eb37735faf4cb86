"""Items in the making: which one an event means."""

import pytest

from toolstone import limits
from toolstone.errors import LimitError, ProtocolError
from toolstone.responses.decode import decode, mend
from toolstone.responses.slots import Slots, agree, essence


def item(ident, kind="message"):
    return {"type": kind, "id": ident}


def test_the_same_item_begun_again_is_the_same_item():
    slots = Slots()
    first = slots.begin(item("a"), 0)

    assert slots.begin({**item("a"), "more": 1}, 0) is first
    assert (len(slots), first.item["more"]) == (1, 1)


def test_items_are_found_by_index_even_if_ids_repeat():
    slots = Slots()
    made = [slots.begin(item("same"), n) for n in range(3)]

    assert [slots.find(n, "same") for n in range(3)] == made


def test_items_are_found_by_id_if_indexes_repeat():
    slots = Slots()
    a, b = slots.begin(item("a"), 0), slots.begin(item("b"), 0)

    assert (slots.find(0, "a"), slots.find(0, "b")) == (a, b)
    assert slots.find(0, "unknown") is b


def test_an_index_counts_where_the_id_is_unknown():
    slots = Slots()
    a = slots.begin(item("a"), 0)

    assert slots.find(0, "changed") is a


def test_without_either_the_last_open_item_is_meant():
    slots = Slots()
    slots.begin(item("a"), None)
    b = slots.begin(item("b"), None)
    assert slots.find(None, None) is b
    slots.close(item("b"), None)
    assert slots.find(None, None).item["id"] == "a"
    slots.close(item("a"), None)
    with pytest.raises(ProtocolError, match="never began"):
        slots.find(None, None)


@pytest.mark.parametrize("index", [True, -1, "0", 0.0])
def test_an_index_that_is_none_counts_as_absent(index):
    slots = Slots()
    a = slots.begin(item("a"), index)

    assert a.index is None
    assert slots.find(index, "a") is a


def test_items_come_in_the_order_of_their_indexes_or_as_they_arrived():
    slots = Slots()
    for ident, index in (("b", 1), ("a", 0)):
        slots.begin(item(ident), index)
    assert [slot.item["id"] for slot in slots] == ["a", "b"]
    slots.begin(item("c"), None)
    assert [slot.item["id"] for slot in slots] == ["b", "a", "c"]


def test_once_an_index_was_repeated_ids_count_to_the_end():
    slots = Slots()
    a = slots.begin(item("a"), 0)
    for ident, index in (("b", 0), ("c", 1)):
        slots.begin(item(ident), index)

    assert slots.find(0, "a") is a


@pytest.mark.parametrize("ident", [None, "", 7, ["x"], {"x": 1}])
def test_an_item_whose_id_is_none_is_the_last_that_was_begun(ident):
    slots = Slots()
    slots.begin(item("a"), None)
    odd = slots.begin(item(ident), None)
    slots.begin(item("c"), None)
    slots.close(item("c"), None)

    assert slots.find(None, ident) is odd
    assert [slot.position for slot in slots] == [0, 1, 2]


def test_an_end_is_of_the_item_at_its_index_even_if_ids_repeat():
    slots = Slots()
    made = [slots.begin(item("same"), n) for n in range(3)]

    assert slots.close({**item("same"), "more": 1}, 1) == (made[1], None)
    assert [slot.closed for slot in slots] == [False, True, False]


def test_an_item_that_only_ended_stands_at_its_index():
    slots = Slots()
    slot, before = slots.close(item("b"), 1)
    slots.close(item("a"), 0)

    assert (slot.position, slot.closed, before) == (1, True, None)
    assert [slot.rebuilt() for slot in slots] == [item("a"), item("b")]


def test_an_end_hands_back_what_the_deltas_had_said():
    slots = Slots()
    slots.begin(item("a", "function_call"), 0).part("arguments", 0).append("{}")
    slot, before = slots.close(item("a", "function_call"), 0)

    assert before == {**item("a", "function_call"), "status": "incomplete", "arguments": "{}"}
    assert slot.rebuilt() == item("a", "function_call")


def test_what_was_said_of_an_open_item_is_put_in_its_place():
    slot = Slots().begin(item("a"), 0)
    said = [("refusal", 1, "no"), ("text", 0, "ye"), ("text", 0, "s"), ("thought", 2, "hm")]
    for kind, index, text in [*said, ("summary", 0, "one"), ("summary", 1, "two")]:
        slot.begun = 3
        slot.part(kind, index).append(text)

    assert slot.rebuilt() == {
        **item("a"),
        "status": "incomplete",
        "content": [
            {"type": "output_text", "annotations": [], "text": "yes"},
            {"type": "refusal", "refusal": "no"},
            {"type": "reasoning_text", "text": "hm"},
        ],
        "summary": [
            {"type": "summary_text", "text": "one"},
            {"type": "summary_text", "text": "two"},
        ],
    }


@pytest.mark.parametrize(
    ("kind", "shown"), [("text", "\ufffd"), ("arguments", r"\ud83d"), ("input", r"\ud83d")]
)
def test_half_a_character_stays_known_where_a_tool_would_be_given_it(kind, shown):
    slot = Slots().begin(item("a"), 0)
    slot.part(kind, 0).append("\ud83d")

    assert slot.said(kind) == shown


@pytest.mark.parametrize(
    ("said", "begun", "index"), [((), 0, 0), (("text",), 0, 1), (("text", "summary"), 1, 2), ((), 3, 3)]
)  # fmt: skip
def test_a_part_may_be_the_next_one_and_none_further_along(said, begun, index):
    slot = Slots().begin(item("a"), 4)
    slot.begun = max(slot.begun, begun)
    for kind in said:
        slot.part(kind, 0)

    with pytest.raises(ProtocolError) as caught:
        slot.part("refusal", index + 1)
    assert str(caught.value) == (
        f"the stream speaks of part {index + 1} of item 4, which has {index} parts"
    )
    assert caught.value.phase == "stream"
    assert slot.part("refusal", index) == []


@pytest.mark.parametrize(
    ("index", "told"), [(2, "item 2"), (None, "an item"), (-1, "an item"), ("x", "an item")]
)
def test_an_event_of_an_item_that_never_began_is_refused(index, told):
    slots = Slots()
    slots.close(item("a"), None)

    with pytest.raises(ProtocolError) as caught:
        slots.find(index, "b")
    assert str(caught.value) == f"the stream goes on about {told} that it never began (1 were)"
    assert caught.value.phase == "stream"


def test_what_is_said_may_be_as_long_as_the_limit(monkeypatch):
    monkeypatch.setattr(limits, "BODY_BYTES", 10)
    slots = Slots()
    slots.grew(4)
    slots.grew(6)

    with pytest.raises(LimitError) as caught:
        slots.grew(1)
    assert str(caught.value) == (
        "the streamed response has more than 10 characters (limits.BODY_BYTES)"
    )
    assert caught.value.phase == "stream"


@pytest.mark.parametrize(
    "change",
    [
        {"content": [{"text": "x", "refusal": "n"}]},
        {"summary": [{"text": "t"}]},
        {"summary": [{"text": "s"}, {"text": "more"}]},
        {"arguments": "[]"},
        {"input": "other"},
    ],
)
def test_other_words_are_another_telling(change):
    told = {
        "content": [{"text": "x", "refusal": "r"}],
        "summary": [{"text": "s"}],
        "arguments": "{}",
        "input": "i",
    }

    assert agree(told, {**told, "type": "other", "call_id": "other", "name": "other"})
    assert not agree(told, {**told, **change})


@pytest.mark.parametrize("name", ["type", "call_id", "name", "arguments", "input"])
def test_each_of_these_is_essential(name):
    assert essence({name: "x"}) != essence({name: "y"})


def test_essence_leaves_out_what_does_not_matter():
    said = {**item("a"), "content": [{"type": "output_text", "text": "x", "annotations": []}]}

    assert essence(said) == essence({**said, "id": "b", "status": "completed"})
    assert essence(said) != essence({**said, "content": [{"text": "y"}]})
    assert essence({"content": "odd", "summary": [7]}) == essence({})


def test_halves_of_characters_are_mended():
    assert mend("a\ud83d\ude00b") == "a😀b"
    assert mend("a\ud83d") == "a\ufffd"
    assert mend("a\ud83d", keep_halves=True) == r"a\ud83d"
    assert mend("ü") == "ü"


def test_odd_json_is_decoded_or_told():
    assert decode(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    assert decode(b'{"a": "\\ud83d"}') == {"a": "\ufffd"}
    assert decode(b'{"a": "\\ud83d"}', phase="stream") == {"a": "\ud83d"}  # its other half may come
    assert decode(b'{"arguments": ["\\ud83d"], "b": [{"arguments": "\\ud83d"}]}') == {
        "arguments": ["\ufffd"],
        "b": [{"arguments": r"\ud83d"}],
    }
    for odd in (b'{"a": "\\ud83d"', b'\xef\xbb\xbf{"a"', b"\xef\xbb\xbf\xff"):
        with pytest.raises(ProtocolError):
            decode(odd)
