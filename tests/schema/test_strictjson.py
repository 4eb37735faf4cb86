import inspect
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from toolstone import limits
from toolstone.schema import strictjson
from toolstone.schema.naming import clean_name
from toolstone.schema.strictjson import JSONProblem, check_object, find_problem


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


@pytest.mark.parametrize(
    ("text", "most", "says"),
    [
        ("{}", 2, None),
        ("{} ", 2, "the JSON has 3 bytes, at most 2 are read"),
        ('{"é":1}', 7, "the JSON has 8 bytes, at most 7 are read"),
        ('"\ud800"', 4, "the JSON has 5 bytes, at most 4 are read"),
        ('{"a":1', 3, "the JSON has 6 bytes, at most 3 are read"),
    ],
)
def test_no_more_is_read_than_is_allowed(text, most, says):
    assert find_problem(text, most) == says
    if says is None:
        assert check_object(text, most) == text.encode()
        return
    with pytest.raises(JSONProblem) as caught:
        check_object(text + " " * 200, most)
    assert str(caught.value).endswith(f"at most {most} are read")


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("-1e400", "a number too large for a float"),
        ("1e-400", "a number too small for a float"),
        ("-0.1E-400", "a number too small for a float"),
        ("0e-400", None),
        ("0.0e999", None),
        ("-0.00", None),
        ("1e308", None),
        ("1e-308", None),
        ("-" + "9" * 400, None),
        ("-" + "9" * 401, "a number of 402 digits, at most 400 are read"),
        ("9" * 308 + ".5", None),
        ("+1", "expected a value, got 5 more characters ('+')"),
        ("1a", "a number that is not written as JSON writes it"),
        (".5", "expected a value, got 5 more characters ('.')"),
        ("+Infinity", "+Infinity is not JSON"),
        ("undefined", "undefined is not JSON"),
    ],
)
def test_a_number_fits_or_is_refused(number, says):
    text = f'{{"a":[{number}]}} '
    told = says and f"the JSON is broken at line 1 column 7 (at a[0]): {says}"

    assert find_problem(text) == told
    if told is None:
        assert check_object(text) == text.encode()


@pytest.mark.parametrize("kind", ["object", "array", "string", "number", "boolean", "null"])
def test_one_kind_of_value_may_be_asked_for_or_any(kind):
    texts = {"object": "{}", "array": "[1]", "string": '"x"', "number": "-1.5", "boolean": "true", "null": "null"}  # fmt: skip
    named = {name: "null" if name == "null" else f"a{'n' * (name[0] in 'ao')} {name}" for name in texts}  # fmt: skip

    for name, text in texts.items():
        wrong = f"the JSON is {named[name]}; send {named[kind]}"
        assert find_problem(text, root=kind) == (None if name == kind else wrong)
        assert find_problem(text, root=None) is None
        assert find_problem(f"{text}]", root=None) is not None


def test_too_deep_a_text_is_told_where_and_without_its_long_path():
    text = "[" * (limits.JSON_DEPTH + 1)

    assert find_problem(text, root=None) == (
        "the JSON is broken at line 1 column 129: nested deeper than 128 levels"
    )
    assert find_problem("[" * 128 + "]" * 128, root=None) is None
    assert find_problem("[" * 129 + "]" * 129, root=None) is not None


def test_a_path_is_told_up_to_its_thirty_second_step():
    text = '{"a b":[{"c":' + "[" * 40 + "x"
    where = "a b[0].c" + "[0]" * 29

    assert find_problem(text) == (
        f"the JSON is broken at line 1 column 54 (at {where}): expected a value, got 1 more "
        "character ('x')"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}\n}", "line 2 column 1: 1 more character ('}') after the end of the JSON"),
        ('{"a":[1 2]}', "line 1 column 9 (at a[0]): expected a comma or the end of the array, got 3 more characters ('2')"),
        ('{"a":[1,]}', "line 1 column 9 (at a[1]): expected a value, got 2 more characters (']')"),
        ('{"a":{b:1}}', "line 1 column 7 (at a): expected a key in double quotes, got 5 more characters ('b')"),
        ('{"a" 1}', "line 1 column 6 (at a): expected a colon after the key, got 2 more characters ('1')"),
        ('{"a":"\\', "line 1 column 7 (at a): an escape that JSON does not know"),
        ('{"a":{"b":1},"c":[{}],"d":}', "line 1 column 27 (at d): expected a value, got 1 more character ('}')"),
        ('{"a\\n":1,"a\\n":2}', "line 1 column 10 (at a\\n): the key 'a\\\\n' stands twice"),
    ],
)  # fmt: skip
def test_where_a_text_breaks_is_told_to_the_character(text, says):
    assert find_problem(text) == f"the JSON is broken at {says}"


def test_names_from_outside_are_made_harmless():
    assert clean_name("city") == "city"
    assert clean_name("a\nb\x00") == "a\\nb\\x00"
    assert clean_name(" " * 64) == " " * 64
    assert clean_name("é" * 5, most=4) == "\\xe9" * 4 + "... (5 characters)"
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


def nested(depth, inside="1"):
    """Objects and arrays by turns, so deep altogether."""
    opening = ['{"a":' if level % 2 == 0 else "[" for level in range(depth)]
    closing = ["}" if level % 2 == 0 else "]" for level in reversed(range(depth))]
    return "".join(opening) + inside + "".join(closing)


@pytest.mark.parametrize("inside", ["1", '"]}[{"', '"\\"["', '"\\\\"', "[],{},[{}]", '"", "", "["'])
def test_a_long_text_may_be_as_deep_as_the_limit_and_no_deeper(inside):
    own = 2 if inside.startswith("[]") else 0
    most = limits.JSON_DEPTH - own
    if own or "," in inside:  # several values: in an array of their own
        inside, most = f"[{inside}]", most - 1
    wide = f'{{"wide":[{"[],{}," * 100}1],"deep":%s}}'

    assert check_object(wide % nested(most - 1, inside))
    with pytest.raises(JSONProblem, match="nested deeper than 128 levels"):
        check_object(wide % nested(most, inside))


@pytest.mark.parametrize(
    "number", ["1e400", "-1E-400", "1e+999", "9" * 301, "123456789e000", "0.1E0400"]
)
def test_in_a_long_text_a_number_that_may_be_too_big_is_looked_at_closely(number):
    text = f'{{"words":"{"word " * 50}","number":{number}}}'
    problem = find_problem(text)

    assert (problem is None) == (number in {"123456789e000", "9" * 301})
    if problem is None:
        assert check_object(text) == text.encode()
    else:
        with pytest.raises(JSONProblem) as caught:
            check_object(text)
        assert str(caught.value) == problem


def test_what_only_looks_like_a_big_number_within_strings_is_read_quickly(monkeypatch):
    monkeypatch.setattr(strictjson, "_look_closely", lambda *_: pytest.fail("not quickly"))
    escaped = "\\\\" * 20 + '\\"e000'
    text = f'{{"id":"5e123abc-E999","digits":"{"7" * 400}","more":"{escaped}"}}'

    assert check_object(text) == text.encode()
