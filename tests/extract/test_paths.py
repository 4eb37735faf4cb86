"""Places in JSON data."""

import pytest

from toolstone.extract.paths import Field, Leaf, leaves, spell, steps_of, value_at, with_null_at

DATA = {"due": "May", "lines": [{"amount": 1}, {"amount": None}], "odd.name": True}


@pytest.mark.parametrize("steps", [("due",), ("lines", 1, "amount"), ("lines", 0), ()])
def test_a_place_is_the_same_after_it_was_spelled(steps):
    assert steps_of(spell(steps), DATA) == steps


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("lines[2].amount", ("lines",)),
        ("due.month", ("due",)),
        ("nothing", ()),
        ("", ()),
        ("lines[x]", ("lines",)),
    ],
)
def test_of_a_place_that_is_not_there_as_much_as_there_is(path, steps):
    assert steps_of(path, DATA) == steps


def test_what_stands_at_a_place():
    assert value_at(DATA, ("lines", 0, "amount")) == 1


def test_nulls_are_put_in_a_copy():
    found = with_null_at(DATA, [("due",), ("lines", 0, "amount")])
    assert found == {"due": None, "lines": [{"amount": None}, {"amount": None}], "odd.name": True}
    assert DATA["due"] == "May"
    assert with_null_at(DATA, [()]) is None


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "city": {"type": ["string", "null"]},
        "kind": {"anyOf": [{"$ref": "#/$defs/kind"}, {"type": "null"}]},
        "ok": {"type": "boolean"},
        "parts": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": {"type": ["integer", "null"]}},
        },
    },
}
DEFS = {"kind": {"enum": ["a", "b"]}}


def test_every_value_is_told_with_what_the_schema_says_of_it():
    data = {
        "name": "Ada",
        "city": "London",
        "kind": "a",
        "ok": True,
        "parts": [{"x": 1}],
        "more": 2,
        "none": None,
    }
    assert list(leaves(data, Field([SCHEMA], DEFS))) == [
        Leaf(("name",), "Ada", nullable=False, closed=False),
        Leaf(("city",), "London", nullable=True, closed=False),
        Leaf(("kind",), "a", nullable=True, closed=True),
        Leaf(("ok",), value=True, nullable=False, closed=True),
        Leaf(("parts", 0, "x"), 1, nullable=True, closed=False),
        Leaf(("more",), 2, nullable=False, closed=False),
    ]


def test_a_schema_that_goes_round_in_a_circle_ends():
    defs = {
        "a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "string"}, {"$ref": "#/$defs/b"}]},
        "b": {"allOf": [{"$ref": "#/$defs/a"}]},
    }
    assert list(leaves("x", Field([{"$ref": "#/$defs/a"}], defs))) == [
        Leaf((), "x", nullable=False, closed=False)
    ]
