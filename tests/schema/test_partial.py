import json
import time
from itertools import pairwise
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from toolstone.schema import OutputType
from toolstone.schema.partial import PartialReader


class Item(BaseModel):
    name: str
    price: float


class Report(BaseModel):
    city: str
    population: int
    items: list[Item] = []
    mood: Literal["good", "goodish"] = "good"
    sunny: bool | None = None


def read(annotation, *pieces):
    """What each piece made visible: data and what is done."""
    reader = PartialReader(OutputType.of(annotation))
    return [(p.data, p.done) if (p := reader.feed(piece)) else None for piece in pieces]


def test_a_number_appears_when_it_is_closed():
    assert read(Report, '{"city":"P","population":21', "0000", "0", ",") == [
        ({"city": "P"}, {"city"}),
        None,
        None,
        ({"city": "P", "population": 2100000}, {"city", "population"}),
    ]


def test_text_grows_and_is_done_when_it_ends():
    assert read(Report, '{"ci', 'ty":"Pa', "r", 'is"') == [
        ({}, set()),
        ({"city": "Pa"}, set()),
        ({"city": "Par"}, set()),
        ({"city": "Paris"}, {"city"}),
    ]


def test_one_of_a_set_of_texts_appears_whole():
    assert read(Report, '{"mood":"good', "ish", '"', "}") == [
        ({}, set()),
        None,
        ({"mood": "goodish"}, {"mood"}),
        ({"mood": "goodish"}, {"mood"}),
    ]


def test_true_false_and_null_appear_whole():
    assert read(Report, '{"sunny":tr', "ue", ',"x":nul', "l}")[1::2] == [
        None,
        ({"sunny": True, "x": None}, {"sunny", "x"}),
    ]


def test_paths_of_what_is_done_lead_into_lists():
    pieces = ['{"items":[{"name":"a",', '"price":1}', ',{"name":"b']
    found = read(Report, *pieces)

    assert found[0][1] == {"items.0.name"}
    assert found[1] == (
        {"items": [{"name": "a", "price": 1}]},
        {"items.0.name", "items.0.price", "items.0"},
    )
    assert found[2][0] == {"items": [{"name": "a", "price": 1}, {"name": "b"}]}


def test_fields_are_attributes_and_none_while_absent():
    reader = PartialReader(OutputType.of(Report))
    partial = reader.feed('{"city":"P"')

    assert (partial.city, partial.population, partial.whole) == ("P", None, False)
    assert reader.feed("}").whole
    with pytest.raises(AttributeError, match="the answer has no field 'nothing'"):
        partial.nothing  # noqa: B018  the access is the point


def test_an_earlier_partial_does_not_change():
    reader = PartialReader(OutputType.of(Report))
    first = reader.feed('{"city":"P","items":[{"name":"a"')
    before = json.dumps(first.data), first.done
    reader.feed(',"price":1},{"name":"b","price":2}],"population":1}')

    assert (json.dumps(first.data), first.done) == before


@pytest.mark.parametrize(
    ("annotation", "text", "data", "done"),
    [
        (list[Item], '{"value":[{"name":"a","price":1}]}', [{"name": "a", "price": 1}], {"0", "0.name", "0.price"}),
        (int, '{"value":42}', 42, set()),
        (Item | Report, '{"value":{"name":"a","price":1}}', {"name": "a", "price": 1}, {"name", "price"}),
        (Report, 'Sure!\n```json\n{"city":"P"}\n```', {"city": "P"}, {"city"}),
    ],
)  # fmt: skip
def test_wrapped_and_fenced_answers_are_seen_as_what_they_hold(annotation, text, data, done):
    found = [one for one in read(annotation, *text) if one]

    assert found[-1] == (data, done)


def test_plain_text_grows():
    assert read(str, "a", "", "b") == [("a", set()), None, ("ab", set())]


@pytest.mark.parametrize(
    "piece", ["\\u00e9", "\\ud83d\\ude00", '\\n\\"\\\\\\/', "\\ud83d", "\\udc00", "\\ud83dx"]
)
def test_escapes_are_read_wherever_they_are_cut(piece):
    text = f'{{"city":"a{piece}b"}}'
    whole = read(Report, text)[-1]

    for cut in range(len(text)):
        reader = PartialReader(OutputType.of(Report))
        last = [p for p in (reader.feed(text[:cut]), reader.feed(text[cut:])) if p][-1]
        assert (last.data, last.done) == whole


def test_what_is_no_json_ends_the_reading_quietly():
    assert read(Report, '{"city":"P"', " oops", ',"population":1}') == [
        ({"city": "P"}, {"city"}),
        None,
        None,
    ]
    assert read(Report, "[" * 500 + '{"a":' * 500) is not None


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def chopped(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@given(st.dictionaries(st.text(max_size=5), JSONS, max_size=5), st.booleans(), st.data())
def test_however_it_is_cut_it_ends_as_the_whole(value, ascii_only, data):
    text = json.dumps(value, ensure_ascii=ascii_only)
    reader = PartialReader(OutputType.of(dict[str, int]))
    last = [p for piece in chopped(text, data) if (p := reader.feed(piece))][-1]

    assert last.whole
    assert last.data == value


def leads_to(earlier, later):
    """Whether data may have grown from earlier to later: scalars equal, text a prefix."""
    if isinstance(earlier, str):
        return isinstance(later, str) and later.startswith(earlier)
    if isinstance(earlier, dict):
        return isinstance(later, dict) and all(
            k in later and leads_to(v, later[k]) for k, v in earlier.items()
        )
    if isinstance(earlier, list):
        return (
            isinstance(later, list)
            and len(earlier) <= len(later)
            and all(map(leads_to, earlier, later))
        )
    return type(earlier) is type(later) and earlier == later


REPORTS = st.builds(
    dict,
    city=st.text(),
    population=st.integers(),
    items=st.lists(st.fixed_dictionaries({"name": st.text(), "price": st.floats(allow_nan=False, allow_infinity=False)}), max_size=3),
    mood=st.sampled_from(["good", "goodish"]),
    sunny=st.none() | st.booleans(),
)  # fmt: skip


@given(REPORTS, st.data())
def test_no_partial_ever_shows_what_is_not_in_the_whole(value, data):
    reader = PartialReader(OutputType.of(Report))
    seen = [p for piece in chopped(json.dumps(value), data) if (p := reader.feed(piece))]

    for partial in seen:
        assert leads_to(partial.data, value)
        assert partial.data.get("mood") in {None, value["mood"]}
        for path in partial.done:
            found, right = partial.data, value
            for part in path.split("."):
                key = int(part) if isinstance(found, list) else part
                found, right = found[key], right[key]
            assert found == right
    assert all(a.done <= b.done for a, b in pairwise(seen))


@given(st.lists(st.text(alphabet='{}[]",:\\u0d8 ntfe+-.19', max_size=12), max_size=6))
def test_no_text_makes_it_raise(pieces):
    reader = PartialReader(OutputType.of(Report))
    for piece in ['{"city":', *pieces]:
        reader.feed(piece)


def test_the_work_grows_with_the_text_and_not_with_its_square():
    def cost(n):
        text = json.dumps({"city": "x", "items": [{"name": f"n{i}", "price": i} for i in range(n)]})
        reader = PartialReader(OutputType.of(Report))
        started = time.process_time()
        for at in range(0, len(text), 8):
            reader.feed(text[at : at + 8])
        return time.process_time() - started

    small, large = min(cost(200) for _ in range(3)), min(cost(1600) for _ in range(3))

    assert large < 8 * small * 4  # eight times the text; the square would be eight times more
