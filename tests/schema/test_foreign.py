"""Schemas from elsewhere: what is refused before the first value, and what is bounded after."""

import re

import pytest

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.schema.arguments import ArgumentsProblem
from toolstone.schema.foreign import ForeignSchema, SafeSchema, UnsafeSchema
from toolstone.schema.linear import compile_pattern, pattern_problem


def schema(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def refusal(given, text):
    with pytest.raises(ArgumentsProblem) as caught:
        ForeignSchema("t", given).read(text)
    return str(caught.value).removeprefix("invalid arguments: ")


def doubling(levels):
    defs = {
        f"d{i}": {
            "properties": {"l": {"$ref": f"#/$defs/d{i + 1}"}, "r": {"$ref": f"#/$defs/d{i + 1}"}}
        }
        for i in range(levels)
    }
    return {**schema(a={"$ref": "#/$defs/d0"}), "$defs": {**defs, f"d{levels}": {"type": "string"}}}


def deep(levels):
    node = {"type": "string"}
    for _ in range(levels):
        node = {"type": "array", "items": node}
    return schema(a=node)


def test_what_fits_is_read():
    compiled = ForeignSchema("t", schema(a={"type": "string", "pattern": "^a+$"}))

    assert compiled.read('{"a":"aaa"}') == {"a": "aaa"}


@pytest.mark.parametrize(
    ("node", "sent", "says"),
    [
        ({"type": "integer"}, '"1"', "a: must be of type integer"),
        ({"type": ["integer", "null"]}, '"1"', "a: must be of type integer or null"),
        ({"enum": ["x", "y"]}, '"z"', 'a: must fit enum ["x","y"]'),
        ({"type": "string", "pattern": "^a+$"}, '"b"', 'a: must fit pattern "^a+$"'),
        ({"type": "array", "items": {"type": "integer"}}, '[1,"2"]', "a[1]: must be of type integer"),
        ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, "1", "a: fits 2 of the schemas in oneOf; it must fit exactly one"),
        ({"type": "object", "patternProperties": {"^x": {"type": "integer"}}}, '{"x1":"1"}', "a.x1: must be of type integer"),
        (schema(b={"type": "string"}), "{}", "a: b required, but missing"),
        (schema(b={"type": "string"}), '{"b":"","c":1}', "a.c: not expected; remove it"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_path_and_reason(node, sent, says):
    assert refusal(schema(a=node), f'{{"a":{sent}}}') == says


@pytest.mark.parametrize("keyword", ["minLength", "multipleOf", "maximum", "default"])
def test_a_number_that_json_has_not_is_no_part_of_a_schema(keyword):
    with pytest.raises(DefinitionError, match="its schema is not plain JSON data"):
        ForeignSchema("f", schema(a={keyword: float("inf")}))


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        (r"^[\d--9]$", "-90", "./"),  # a class and '-' make no range, whichever comes first
        (r"^[+--]$", "+,-", "*."),
        (r"^[\s-\d]$", " -7", "a"),
        (r"^[a-c-e]$", "abc-e", "d"),
    ],
)
def test_a_hyphen_in_a_set_means_what_ecmascript_says(pattern, inside, outside):
    found_in = compile_pattern(pattern).found_in

    assert [char for char in inside + outside if found_in(char)] == list(inside)


def test_a_repetition_too_large_to_lay_out_is_refused_by_its_limit():
    assert "more than 5000 states: limits.PATTERN_STATES" in (pattern_problem("a{99999}") or "")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the JSON is empty"),
        ("[]", "the JSON is an array; send an object"),
        ('{"a":NaN}', "the JSON is broken at line 1 column 6 (at a): NaN is not JSON"),
        (
            '{"a":"x","a":"y"}',
            "the JSON is broken at line 1 column 10 (at a): the key 'a' stands twice",
        ),
        ('{"a":"\\ud800"}', "a lone surrogate is not a character"),
    ],
)
def test_the_json_boundary_is_the_same_for_foreign_schemas(text, says):
    assert refusal(schema(a={"type": "string"}), text).startswith(says)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "t: its schema is a 'list'; give a dict"),
        ({"type": "object", "properties": 3}, "t: its schema is invalid at properties: it must be an object of schemas"),
        (schema(a={"type": "text"}), "t: its schema is invalid at a.type: it must be one of array, boolean"),
        (schema(a={"const": object()}), "t: its schema is not plain JSON data"),
        ({"type": "string"}, 't: the root of its schema must have "type": "object"'),
        (schema(a={"$ref": "http://127.0.0.1:9/x"}), "t: a: $ref must stay in the schema"),
        (schema(a={"$ref": "file:///etc/passwd"}), "t: a: $ref must stay in the schema"),
        (schema(a={"$ref": "other.json"}), "t: a: $ref must stay in the schema"),
        (schema(a={"$ref": "#/$defs/x"}), "t: a: $ref '#/$defs/x' leads nowhere"),
        (schema(a={"$dynamicRef": "#x"}), "t: a: $dynamicRef is not supported"),
        (schema(a={"$id": "http://x/", "type": "string"}), "t: a: $id inside a schema moves its references"),
        ({**schema(a={"$ref": "#/$defs/a"}), "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "t: $ref '#/$defs/"),
        ({**schema(a={"$ref": "#/$defs/a"}), "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}}}, "t: $ref '#/$defs/a' leads to itself"),
        (schema(a={"type": "string", "pattern": "(?=x)x"}), "t: a: pattern '(?=x)x' does not run on a linear engine"),
        (schema(a={"type": "string", "pattern": r"(a)\1"}), "t: a: pattern '(a)\\\\1' does not run on a linear engine"),
        (schema(a={"type": "object", "patternProperties": {"(?<!x)x": {}}}), "t: a: pattern '(?<!x)x' does not run"),
        (schema(a={"type": "string", "pattern": "a" * 1001}), "t: a: a pattern of 1001 characters"),
        (doubling(30), "t: its schema has more than 2000 nodes, references followed"),
        (schema(a={"anyOf": [{"type": "null"}] * 2001}), "t: its schema has more than 2000 nodes"),
        (schema(**{f"p{i}": {"type": "string"} for i in range(2001)}), "t: its schema has more than 2000 nodes"),
        (deep(limits.SCHEMA_DEPTH), "t: its schema is nested deeper than 32 levels"),
        (deep(200), "t: its schema is nested deeper than 32 levels"),
        (schema(a={"enum": ["x" * 300_000]}), "t: its schema has 300"),
    ],
)  # fmt: skip
def test_a_dangerous_schema_is_refused_at_once(given, says):
    with pytest.raises(DefinitionError) as caught:
        ForeignSchema("t", given)

    assert str(caught.value).startswith(says)


def test_at_the_limits_it_is_taken():
    ForeignSchema("t", deep(limits.SCHEMA_DEPTH - 2))
    ForeignSchema("t", schema(**{f"p{i}": {"type": "string"} for i in range(1990)}))


MOST = limits.SCHEMA_BYTES
TOO_DEEP = "its schema is nested deeper than 32 levels (limits.SCHEMA_DEPTH)"


def lists(levels):
    held = 0
    for _ in range(levels):
        held = [held]
    return held


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"const": "x" * (MOST - 12)}, None),
        ({"const": "x" * (MOST - 11)}, "its schema has 262145 bytes, at most 262144 are read (limits.SCHEMA_BYTES)"),
        ({"enum": [0] * (MOST // 2 - 4)}, "its schema has 262146 bytes, at most 262144 are read (limits.SCHEMA_BYTES)"),
        ({"enum": [0] * (MOST // 2 - 3)}, "its schema has 262148 bytes, at most 262144 are read (limits.SCHEMA_BYTES)"),
        ({"enum": [0] * (MOST // 2 - 2)}, "its schema has more than 262144 bytes (limits.SCHEMA_BYTES)"),
        ({"enum": [[]] * 50_000}, None),
        ({"const": lists(4 * limits.SCHEMA_DEPTH)}, None),
        ({"const": lists(4 * limits.SCHEMA_DEPTH + 1)}, TOO_DEEP),
        (deep(limits.SCHEMA_DEPTH), TOO_DEEP),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_schema_is_as_large_as_its_limits_and_no_larger(given, says):
    try:
        SafeSchema(given)
    except UnsafeSchema as problem:
        assert str(problem) == says
    else:
        assert says is None


@pytest.mark.parametrize(
    ("given", "says"), [(True, []), (False, ["the arguments: not expected; remove it"])]
)
def test_true_and_false_are_schemas_too(given, says):
    assert SafeSchema(given).problems([1]) == says
    compiled = ForeignSchema("t", {"type": "object", "properties": {"a": True, "b": False}})
    assert compiled.read('{"a":[1]}') == {"a": [1]}
    with pytest.raises(ArgumentsProblem, match=r"^invalid arguments: b: not expected; remove it$"):
        compiled.read('{"a":[1],"b":null}')


def test_every_problem_is_told_up_to_eight():
    integers = schema(a={"type": "array", "items": {"type": "integer"}})
    told = [f"a[{n}]: must be of type integer" for n in range(8)]

    assert refusal(integers, '{"a":["x","x"]}') == "; ".join(told[:2])
    assert refusal(integers, '{"a":[' + '"x",' * 20 + "1]}") == "; ".join(told)


def test_recursion_through_a_value_works():
    tree = {
        **schema(a={"$ref": "#/$defs/n"}),
        "$defs": {
            "n": {
                "type": "object",
                "properties": {"n": {"$ref": "#/$defs/n"}, "v": {"type": "integer"}},
            }
        },
    }
    compiled = ForeignSchema("t", tree)

    assert compiled.read('{"a":{"n":{"n":{"v":1}}}}') == {"a": {"n": {"n": {"v": 1}}}}
    assert refusal(tree, '{"a":{"n":{"n":{"v":"x"}}}}') == "a.n.n.v: must be of type integer"


def test_a_pattern_that_explodes_elsewhere_runs_in_linear_time():
    compiled = ForeignSchema("t", schema(a={"type": "string", "pattern": "^(a+)+$"}))

    with pytest.raises(ArgumentsProblem, match="must fit pattern"):  # backtracking would outlive us
        compiled.read('{"a":"' + "a" * 50_000 + '!"}')


def test_a_schema_that_needs_endless_steps_for_a_value_is_given_up():
    node = {
        "properties": {"x": {"anyOf": [{"$ref": "#/$defs/n"}, {"$ref": "#/$defs/n"}]}},
        "required": ["x"],
    }
    entangled = {**schema(a={"$ref": "#/$defs/n"}), "$defs": {"n": node}}
    value = '{"x":' * 60 + "{}" + "}" * 60

    assert (
        refusal(entangled, f'{{"a":{value}}}')
        == "too entangled to be checked in 20092 steps; send less"
    )


def test_the_schema_is_copied():
    given = schema(a={"type": "string"})
    compiled = ForeignSchema("t", given)
    given["properties"]["a"] = {"type": "integer"}

    assert compiled.read('{"a":"x"}') == {"a": "x"}


def test_odd_property_names_are_only_names():
    odd = schema(
        **{"__proto__": {"type": "integer"}, "": {"type": "integer"}, "a\x00b": {"type": "integer"}}
    )

    assert ForeignSchema("t", odd).read('{"__proto__":1,"":2,"a\\u0000b":3}') == {
        "__proto__": 1,
        "": 2,
        "a\x00b": 3,
    }
    assert re.search(
        r"a\\x00b: must be of type", refusal(odd, '{"__proto__":1,"":2,"a\\u0000b":"3"}')
    )


def test_a_cyclic_python_object_is_no_schema():
    cyclic: dict = {"type": "object"}
    cyclic["properties"] = {"a": cyclic}

    with pytest.raises(DefinitionError, match="t: its schema is nested deeper than 32 levels"):
        ForeignSchema("t", cyclic)
