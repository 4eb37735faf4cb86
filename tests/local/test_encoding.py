"""JSON as bytes: the same value comes back, whatever JSON can hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone.local.encoding import encode

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@given(VALUES)
def test_what_is_encoded_comes_back(value):
    assert json.loads(encode(value)) == value


@pytest.mark.parametrize(
    "value", ["\ud800", {"a": ["\udfff x"]}, '\u2028\x7f\x00\\ " 日本 🙂', 2**80]
)
def test_text_that_no_utf_8_can_say_comes_back_too(value):
    assert json.loads(encode(value)) == value


def test_what_is_nested_deeper_than_the_quick_way_goes_comes_back_too():
    value = []
    for _ in range(600):
        value = [value]

    assert json.loads(encode(value)) == value


def test_it_is_compact_and_says_letters_as_they_are():
    assert encode({"a": ["é", 1.5]}) == '{"a":["é",1.5]}'.encode()
