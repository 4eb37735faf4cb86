import inspect
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from toolstone import limits
from toolstone.schema.strictjson import JSONProblem, check_object, clean_name, find_problem


def refusal(text):
    with pytest.raises(JSONProblem) as caught:
        check_object(text)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        ' {"a": 1} \n',
        '{"a":[1,2.5,-0.0,1e5,true,false,null,"x\\u00e9\\n"]}',
        '{"a":{"a":{"a":1}},"A":1}',
        '{"é":"ü"}',
        '{"\\ud83d\\ude00":"\\ud83d\\ude00"}',
        '{"a":' + "1" * limits.INTEGER_DIGITS + "}",
        '{"a":"' + "1" * 1000 + 'e999"}',
        '{"":1,"\\u0000":2}',
        '{"a":' + "[" * (limits.JSON_DEPTH - 1) + "]" * (limits.JSON_DEPTH - 1) + "}",
    ],
)
def test_one_whole_object_passes(text):
    assert check_object(text) == text.encode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the JSON is empty; send {} if there is nothing to say"),
        ("  ", "the JSON is empty; send {} if there is nothing to say"),
        ("null", "the JSON is null; send an object"),
        ("[]", "the JSON is an array; send an object"),
        ("3", "the JSON is a number; send an object"),
        ("true", "the JSON is a boolean; send an object"),
        ('"{}"', "the JSON is a string; send an object"),
        ('{"a":NaN}', "the JSON is broken at line 1 column 6 (at a): NaN is not JSON"),
        (
            '{"a":[1,-Infinity]}',
            "the JSON is broken at line 1 column 9 (at a[1]): -Infinity is not JSON",
        ),
        ('{"a":None}', "the JSON is broken at line 1 column 6 (at a): None is not JSON"),
        ('{"a":1,"a":2}', "the JSON is broken at line 1 column 8 (at a): the key 'a' stands twice"),
        (
            '{"x":{"a":1,"\\u0061":2}}',
            "the JSON is broken at line 1 column 13 (at x.a): the key 'a' stands twice",
        ),
        (
            "{} }",
            "the JSON is broken at line 1 column 4: 1 more character ('}') after the end of the JSON",
        ),
        (
            '{"a":1',
            "the JSON is broken at line 1 column 7 (at a): expected a comma or the end of the object, got the end of the text",
        ),
        (
            '{"a":',
            "the JSON is broken at line 1 column 6 (at a): expected a value, got the end of the text",
        ),
        (
            '{"a"',
            "the JSON is broken at line 1 column 5 (at a): expected a colon after the key, got the end of the text",
        ),
        ('{"a":"Par', "the JSON is broken at line 1 column 10 (at a): the string does not end"),
        (
            "{a:1}",
            "the JSON is broken at line 1 column 2: expected a key in double quotes, got 4 more characters ('a')",
        ),
        (
            "{'a':1}",
            'the JSON is broken at line 1 column 2: expected a key in double quotes, got 6 more characters ("\'")',
        ),
        (
            '{"a":1,}',
            "the JSON is broken at line 1 column 8 (at a): expected a key in double quotes, got 1 more character ('}')",
        ),
        (
            '{"a":01}',
            "the JSON is broken at line 1 column 6 (at a): a number that is not written as JSON writes it",
        ),
        (
            '{"a":1.}',
            "the JSON is broken at line 1 column 6 (at a): a number that is not written as JSON writes it",
        ),
        (
            '{"a":"\\x"}',
            "the JSON is broken at line 1 column 7 (at a): an escape that JSON does not know",
        ),
        (
            '{"a":"\t"}',
            "the JSON is broken at line 1 column 7 (at a): a control character in a string must be escaped",
        ),
        (
            '{"a":1e400}',
            "the JSON is broken at line 1 column 6 (at a): a number too large for a float",
        ),
        (
            '{"a":"\ud800"}',
            "the JSON is broken at line 1 column 6 (at a): a lone surrogate is not a character",
        ),
        (
            '{\n "a": 1,\n "b": x\n}',
            "the JSON is broken at line 3 column 7 (at b): expected a value, got 3 more characters ('x')",
        ),
        (
            "\ufeff{}",
            "the JSON is broken at line 1 column 1: expected a value, got 3 more characters ('\\ufeff')",
        ),
    ],
)
def test_anything_else_is_refused_with_place_and_reason(text, says):
    assert refusal(text) == says


def test_lone_surrogate_escapes_are_found():
    assert find_problem('{"a":"\\ud800"}') == (
        "the JSON is broken at line 1 column 6 (at a): a lone surrogate is not a character"
    )


@pytest.mark.parametrize("size", [limits.ARGUMENTS_BYTES - 1, limits.ARGUMENTS_BYTES])
def test_arguments_up_to_the_limit_are_read(size):
    text = '{"a":"' + "x" * (size - 8) + '"}'

    assert len(check_object(text)) == size


def test_longer_arguments_are_refused():
    text = '{"a":"' + "x" * (limits.ARGUMENTS_BYTES - 7) + '"}'

    assert (
        refusal(text)
        == f"the JSON has {limits.ARGUMENTS_BYTES + 1} bytes, at most {limits.ARGUMENTS_BYTES} are read"
    )


def test_an_integer_may_not_have_too_many_digits():
    assert refusal('{"a":' + "1" * (limits.INTEGER_DIGITS + 1) + "}").endswith(
        "a number of 401 digits, at most 400 are read"
    )
    assert refusal('{"a":' + "1" * 5_000 + "}").endswith("at most 400 are read")


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"b":'])
@pytest.mark.parametrize("depth", [limits.JSON_DEPTH, 5_000, 100_000])
def test_depth_is_limited_and_never_a_recursion_error(opening, depth):
    text = '{"a":' + opening * depth
    before = sys.getrecursionlimit()

    started = time.process_time()
    said = refusal(text)

    assert said.endswith("nested deeper than 128 levels")
    assert sys.getrecursionlimit() == before
    assert time.process_time() - started < 5  # linear; the quick reader's own depth is bounded


def test_a_nested_text_is_read_where_hardly_any_stack_is_left():
    text = '{"a":' + "[" * (limits.JSON_DEPTH - 1) + "]" * (limits.JSON_DEPTH - 1) + "}"

    def read_below(calls):
        return read_below(calls - 1) if calls else check_object(text)

    left = sys.getrecursionlimit() - len(inspect.stack(0))
    assert read_below(left - 100) == text.encode()


def test_names_from_outside_are_made_harmless():
    assert clean_name("city") == "city"
    assert clean_name("a\nb\x00") == "a\\nb\\x00"
    assert clean_name("x" * 100) == "x" * 64 + "... (100 characters)"


JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSONS))
def test_what_a_json_writer_writes_is_read(data):
    raw = to_json(data)

    assert check_object(raw.decode()) == raw
    assert find_problem(raw.decode()) is None
    assert from_json(raw) == data


@given(st.dictionaries(st.text(max_size=3), JSONS), st.data())
def test_a_cut_object_is_always_refused_by_both_readers(data, draw):
    text = to_json(data).decode()
    cut = text[: draw.draw(st.integers(0, len(text) - 1))]

    assert find_problem(cut) is not None
    refusal(cut)


@given(st.text(alphabet='{}[]",:\\u0d8 \nntfaNIe+-.19', max_size=30))
def test_both_readers_agree_about_any_text(text):
    problem = find_problem(text)
    try:
        check_object(text)
    except JSONProblem as caught:
        assert str(caught) == problem
    else:
        assert problem is None or "surrogate" in problem  # pydantic's reader refuses that one


def test_many_brackets_are_not_deep():
    text = '{"a":[' + ",".join('{"b":"[[{{","c":"\\""}' for _ in range(500)) + "]}"

    assert check_object(text) == text.encode()
    assert find_problem(text, root=None) is None
