"""Items in the making: which one an event means."""

import pytest

from toolstone.errors import ProtocolError
from toolstone.responses.decode import decode, mend
from toolstone.responses.slots import Slots, essence


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
