"""A schema becomes a grammar of our own, or an error that names the keyword."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone.local.brains.llama.grammar import (
    InexpressibleError,
    bounds,
    json_grammar,
    literal,
    resolve,
)
from toolstone.local.brains.llama.ranges import integer_range


def as_pattern(expression):
    """A range expression, as the regular expression that it is but for quotes and spaces."""
    return re.compile(expression.replace('"', "").replace(" ", ""))


@given(st.integers(-3000, 3000), st.integers(-3000, 3000), st.integers(-4000, 4000))
def test_a_range_admits_exactly_the_numbers_between_its_bounds(least, most, number):
    expression = integer_range(least, most)
    if least > most:
        assert expression is None
    else:
        admitted = as_pattern(f"({expression})").fullmatch(str(number)) is not None
        assert admitted == (least <= number <= most)


def test_a_range_may_be_open_at_either_end():
    assert as_pattern(f"({integer_range(5, None)})").fullmatch("4") is None
    assert as_pattern(f"({integer_range(5, None)})").fullmatch("123456")
    assert as_pattern(f"({integer_range(None, -5)})").fullmatch("-5")
    assert as_pattern(f"({integer_range(None, -5)})").fullmatch("5") is None


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"minimum": 1, "maximum": 5}, (1, 5)),
        ({"exclusiveMinimum": 0, "exclusiveMaximum": 10}, (1, 9)),
        ({"minimum": 0.5, "maximum": 2.5}, (1, 2)),
        ({}, (None, None)),
    ],
)
def test_bounds_are_the_whole_numbers_inside(schema, expected):
    assert bounds(schema) == expected


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"type": "string", "pattern": "^a"}, "pattern"),
        ({"type": "integer", "multipleOf": 3}, "multipleOf"),
        ({"type": "object", "properties": {"a": {"not": {}}}, "required": ["a"]}, "not"),
        ({"allOf": [{"type": "string"}, {"minLength": 2}]}, "allOf"),
        ({"type": "whale"}, "type"),
        ({"$ref": "#/$defs/missing"}, "$ref"),
        (
            {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "minItems": 2},
            "uniqueItems",
        ),
        ({"type": "integer", "minimum": 3, "maximum": 2}, "minimum"),
        ({"type": "object", "required": ["a"]}, "required"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "$ref"),
    ],
)
def test_what_a_grammar_cannot_say_is_named(schema, keyword):
    with pytest.raises(InexpressibleError) as told:
        json_grammar(schema)
    assert told.value.keyword == keyword


def test_what_need_not_be_said_is_left_out():
    grammar = json_grammar(
        {
            "type": "object",
            "properties": {
                "kept": {"anyOf": [{"type": "string", "pattern": "x"}, {"type": "null"}]},
                "dropped": {"type": "string", "pattern": "x"},
            },
            "required": ["kept"],
        }
    )
    assert "kept" in grammar
    assert "dropped" not in grammar


def test_a_recursive_schema_ends():
    tree = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "children": {"type": "array", "items": {"$ref": "#"}},
        },
        "required": ["name", "children"],
    }
    assert json_grammar(tree).count("children") <= 4


def test_references_are_followed_with_what_stands_beside_them():
    root = {"$defs": {"a/b": {"type": "string"}}}
    assert resolve({"$ref": "#/$defs/a~1b", "description": "x"}, root) == {
        "type": "string",
        "description": "x",
    }


def test_a_literal_is_quoted():
    assert literal('a"b\\c\n') == '"a\\"b\\\\c\\n"'
