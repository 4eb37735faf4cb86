"""One answer of several parts, or of several passes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from toolstone.extract.merging import merged, partial_schema, same, voted
from toolstone.schema import OutputType, strict_problems

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
)


# ------------------------------------------------------------------------------------------ parts


def test_a_scalar_is_what_the_first_part_says_that_says_anything():
    assert merged([{"due": None}, {"due": "May"}, {"due": None}, {"due": "May"}]) == (
        {"due": "May"},
        (),
    )


def test_parts_that_disagree_are_warned_of_without_what_they_say():
    value, warnings = merged([{"a": {"due": "May"}}, {"a": None}, {"a": {"due": "June"}}])
    assert value == {"a": {"due": "May"}}
    assert warnings == ("a.due: parts 1 and 3 disagree; kept what part 1 says",)


def test_objects_are_merged_field_by_field():
    parts = [
        {"who": {"name": "Ada", "city": None}},
        {"who": {"name": None, "city": "London"}},
        {"who": None},
    ]
    assert merged(parts) == ({"who": {"name": "Ada", "city": "London"}}, ())


def test_lists_come_one_after_another_without_what_the_overlap_repeats():
    assert merged([{"items": [1, 2]}, {"items": [2, 3]}, {"items": []}]) == (
        {"items": [1, 2, 3]},
        (),
    )
    assert merged([[{"n": 1, "m": 2}], [{"m": 2, "n": 1.0}]]) == ([{"n": 1, "m": 2}], ())


def test_two_equal_items_of_one_part_stay_two():
    assert merged([["tea", "tea"], ["tea"]])[0] == ["tea", "tea"]
    assert merged([["tea"], ["tea", "tea"]])[0] == ["tea", "tea"]


def test_nothing_said_anywhere_is_null():
    assert merged([None, None]) == (None, ())
    assert merged([{"a": None}, {}]) == ({"a": None}, ())


def test_one_part_that_says_another_kind_of_thing_is_a_conflict_or_left_out():
    assert merged([{"a": 1}, {"a": "1"}])[1] == (
        "a: parts 1 and 2 disagree; kept what part 1 says",
    )
    assert merged([{"a": [1]}, {"a": {"b": 1}}]) == ({"a": [1]}, ())


@given(JSON)
def test_a_part_beside_itself_and_beside_nothing_is_itself(value):
    assert merged([value, value]) == merged([value])
    assert merged([None, value]) == (value if value is not None else None, ())


# ----------------------------------------------------------------------------------------- passes


def test_a_field_is_what_most_passes_say():
    said = [{"a": 1, "b": "x"}, {"a": 2, "b": "x"}, {"a": 1, "b": None}]
    assert voted(said) == ({"a": 1, "b": "x"}, ())


def test_null_has_a_vote_too():
    assert voted([{"a": None}, {"a": 5}, {"a": None}]) == ({"a": None}, ())


def test_without_a_majority_the_earliest_of_the_most_frequent_is_kept_with_a_warning():
    assert voted([{"a": 1}, {"a": 2}, {"a": 3}]) == ({"a": 1}, ("a: no majority among 3 passes",))
    assert voted([1, 2, 2, 3, 4])[0] == 2


def test_lists_of_the_most_frequent_length_are_voted_on_place_by_place():
    said = [
        [{"n": 1}, {"n": 2}],
        [{"n": 1}],
        [{"n": 1}, {"n": 3}],
        [{"n": 9}, {"n": 3}],
        [{"n": 1}, {"n": 3}],
    ]
    assert voted(said) == ([{"n": 1}, {"n": 3}], ())


def test_lists_of_all_lengths_are_warned_of():
    assert voted([[1], [1, 2], [1, 2, 3]]) == (
        [1],
        ("the value: no majority for how many there are",),
    )


def test_a_field_that_most_leave_out_is_left_out():
    assert voted([{"a": 1}, {}, {}]) == ({}, ())
    assert voted([{"a": 1}, {"a": 1}, {}]) == ({"a": 1}, ())


@given(JSON)
def test_passes_that_agree_are_what_they_say(value):
    assert voted([value, value, value]) == (value, ())


@given(JSON, JSON)
def test_two_of_three_are_a_majority_for_whole_scalars(value, other):
    if not isinstance(value, dict | list):
        assert voted([value, other, value])[0] == value


@given(JSON, JSON)
def test_texts_are_the_same_for_equal_values_alone(one, other):
    assert (same(one) == same(other)) == _equal(one, other)


def _equal(one, other):
    """Equality of JSON: a boolean is no number."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[k], other[k]) for k in one)
    return one == other


# ------------------------------------------------------------------------------------ partial schema


class Who(BaseModel):
    name: str
    boss: "Who | None" = None


class Deal(BaseModel):
    buyer: Who
    seller: Who | None
    kind: str
    goods: list[Who]


def test_every_field_outside_of_lists_may_be_null_in_a_part():
    schema = OutputType.of(Deal).format.schema
    part = partial_schema(schema)
    assert part["properties"]["kind"] == {"type": ["string", "null"]}
    assert part["properties"]["goods"] == {"type": "array", "items": {"$ref": "#/$defs/Who"}}
    assert part["properties"]["buyer"] == {
        "anyOf": [{"$ref": "#/$defs/Who_part"}, {"type": "null"}]
    }
    assert {"$ref": "#/$defs/Who_part"} in part["properties"]["seller"]["anyOf"]
    assert part["$defs"]["Who"] == schema["$defs"]["Who"]
    assert part["$defs"]["Who_part"]["properties"]["name"] == {"type": ["string", "null"]}
    assert {"$ref": "#/$defs/Who_part"} in part["$defs"]["Who_part"]["properties"]["boss"]["anyOf"]


def test_a_partial_schema_stays_in_the_strict_subset():
    schema = OutputType.of(Deal).format.schema
    assert strict_problems(schema) == strict_problems(partial_schema(schema)) == []


def test_a_list_that_may_not_be_empty_may_be_in_a_part():
    schema = {"type": "object", "properties": {"a": {"type": "array", "minItems": 1, "items": {}}}}
    assert partial_schema(schema)["properties"]["a"] == {"type": "array", "items": {}}


@pytest.mark.parametrize("field", [True, {"type": ["string", "null"]}, {}])
def test_what_admits_null_already_stays_as_it_is(field):
    schema = {"type": "object", "properties": {"a": field}}
    assert partial_schema(schema) == schema
