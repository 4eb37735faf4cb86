import pytest

from toolstone import limits
from toolstone.schema.lint import Totals, fragment_problems, measure, strict_problems

GOOD = {
    "type": "object",
    "properties": {"a": {"type": "string", "description": "x"}, "b": {"$ref": "#/$defs/B"}},
    "required": ["a", "b"],
    "additionalProperties": False,
    "$defs": {"B": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}},
}


def with_a(node):
    return {**GOOD, "properties": {**GOOD["properties"], "a": node}}


def test_a_schema_in_the_subset_has_no_problems():
    assert strict_problems(GOOD) == []


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "array", "items": {"type": "string"}}, "the root: must be an object"),
        ({**GOOD, "anyOf": [GOOD]}, "the root: must not be anyOf"),
        ({**GOOD, "additionalProperties": True}, "the value: any keys are allowed, and strict mode has no free dicts"),
        ({**GOOD, "required": ["a"]}, "the value: not required: b; strict mode requires every property"),
        ({**GOOD, "required": ["a", "b", "c"]}, "the value: required but not a property: c"),
        (with_a({}), "a: any value is allowed; strict mode needs a type"),
        (with_a({"description": "x"}), "a: no type is given"),
        (with_a({"type": "text"}), "a: type 'text' is not a JSON type"),
        (with_a({"type": "string", "minLength": 1}), "a: keyword 'minLength' is outside the strict subset"),
        (with_a({"type": "string", "format": "uri"}), "a: format 'uri' is outside the strict subset"),
        (with_a({"type": "string", "pattern": "(?=a)"}), "a: pattern '(?=a)' does not run on a linear engine"),
        (with_a({"type": "array"}), "a: an array whose items have no type"),
        (with_a({"type": "array", "items": {"oneOf": []}}), "a[]: keyword 'oneOf' is outside the strict subset"),
        (with_a({"anyOf": [{"type": "object"}]}), "a: any keys are allowed"),
        (with_a({"$ref": "#/$defs/C"}), "a: $ref '#/$defs/C' leads nowhere in this schema"),
        (with_a({"$ref": "#/$defs/B", "description": "x"}), "a: $ref must stand alone"),
        ({**GOOD, "$defs": {"B": {"type": "string", "maxLength": 1}}}, "type B: keyword 'maxLength'"),
    ],
)  # fmt: skip
def test_every_step_outside_is_named_with_its_path(schema, problem):
    found = strict_problems(schema)

    assert any(one.startswith(problem) for one in found), found


FREE = "any keys are allowed, and strict mode has no free dicts"
ANY = "any value is allowed; strict mode needs a type"
CLOSED = {"additionalProperties": False}
ITEMLESS = "an array whose items have no type"


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ({"enum": ["x"]}, []),
        ({"const": 1}, []),
        ({"type": ["string", "null"]}, []),
        ({"type": ["text", "null"]}, ["type 'text' is not a JSON type"]),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"type": ["array", "null"]}, [ITEMLESS]),
        ({"type": "array", "prefixItems": [{"type": "null"}]}, ["a tuple with a type for each place (prefixItems) is outside the strict subset"]),
        ({"type": "object"}, [FREE]),
        ({"type": ["object", "null"]}, [FREE]),
        ({"type": "object", "additionalProperties": True}, [FREE]),
        ({"type": "object", **CLOSED}, []),
        ({"type": "object", **CLOSED, "required": ["x", "y"]}, ["required but not a property: x, y"]),
        ({"type": "object", "properties": {}}, [FREE]),
        ({"type": "object", "properties": {}, "additionalProperties": {}}, [FREE, ANY]),
        ({"type": "object", "properties": {}, "additionalProperties": {"type": "null"}}, [FREE]),
        ({"type": "object", "properties": {"x": {"type": "null"}, "y": {"type": "null"}}, **CLOSED}, ["not required: x, y; strict mode requires every property"]),
        ({"type": "array", "items": {}}, [("a[]", ANY)]),
        ({"type": "string", "pattern": "^a+$", "format": "uuid"}, []),
    ],
)  # fmt: skip
def test_what_is_said_of_a_node_is_all_that_is_wrong_with_it(node, says):
    told = [one if isinstance(one, tuple) else ("a", one) for one in says]

    assert strict_problems(with_a(node)) == [f"{at}: {said}" for at, said in told]


def test_a_definition_may_refer_to_another():
    defs = {"A": {"anyOf": [{"$ref": "#/$defs/B"}, {"$ref": "#/$defs/C"}]}, "B": {"type": "null"}}

    assert fragment_problems({"$ref": "#/$defs/A"}, defs) == [
        "type A: $ref '#/$defs/C' leads nowhere in this schema"
    ]


def test_the_root_itself_has_no_name():
    assert fragment_problems({"type": "array", "items": {}}, {}) == [f"[]: {ANY}"]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["x" * 61] * 250, []),
        (["x" * 50] * 300, []),
        ([*["x" * 50] * 300, None, 7], []),
        ([*["x" * 50] * 299, "x" * 51], ["a: an enum of 300 values with 15001 characters; strict mode allows 15000"]),
    ],
)  # fmt: skip
def test_a_long_enum_may_hold_so_many_characters_and_no_more(values, says):
    assert strict_problems(with_a({"enum": values})) == says


STRING = {"type": "string"}


def nested(levels):
    node = STRING
    for _ in range(levels):
        node = {"type": "array", "items": node}
    return node


@pytest.mark.parametrize(
    ("root", "defs", "totals"),
    [
        (STRING, {}, Totals()),
        (True, {}, Totals()),
        ({"enum": ["ab", 12.5], "const": "c"}, {}, Totals(0, 2, 7)),
        ({"anyOf": [{"enum": ["ab"]}, {"const": None}, {"enum": ["c", "d"]}]}, {}, Totals(0, 3, 8)),
        ({"enum": ["a"], "properties": {"bc": {"properties": {"def": STRING}}, "g": {"const": 1}}}, {}, Totals(3, 1, 8, 2)),
        ({"properties": {"a": {"properties": {"b": STRING}}}, "const": "cd"}, {}, Totals(2, 0, 4, 2)),
        ({"properties": {"a": nested(2), "b": nested(1)}}, {}, Totals(2, 0, 2, 3)),
        ({"items": {"properties": {"a": STRING}}, "type": "array"}, {}, Totals(1, 0, 1, 2)),
        ({"additionalProperties": {"properties": {"a": STRING}}}, {}, Totals(1, 0, 1, 1)),
        ({"prefixItems": [nested(1), STRING]}, {}, Totals(0, 0, 0, 2)),
        *(({keyword: [nested(1), nested(2), STRING]}, {}, Totals(0, 0, 0, 2)) for keyword in ("anyOf", "oneOf", "allOf")),
        ({"items": STRING, "anyOf": [nested(2)]}, {}, Totals(0, 0, 0, 3)),
        ({"prefixItems": [STRING], "additionalProperties": nested(1)}, {}, Totals(0, 0, 0, 2)),
        (nested(1), {"Unused": {"properties": {"ab": STRING}}}, Totals(1, 0, 8, 1)),
        ({"items": {"$ref": "#/$defs/D"}}, {"D": nested(3)}, Totals(0, 0, 1, 4)),
        ({"$ref": "#/$defs/N"}, {"N": {"properties": {"n": {"$ref": "#/$defs/N"}}}}, Totals(1, 0, 2, 1)),
        ({"anyOf": [{"$ref": "#/$defs/N"}, {"$ref": "#/$defs/N"}]}, {"N": {"enum": ["a"]}}, Totals(0, 1, 2)),
        ({k: v for k, v in GOOD.items() if k != "$defs"}, GOOD["$defs"], Totals(2, 0, 3, 1)),
    ],
)  # fmt: skip
def test_sizes_are_counted_once_each_and_recursion_once(root, defs, totals):
    assert measure(root, defs) == totals


@pytest.mark.parametrize(
    ("totals", "says"),
    [
        (Totals(5_000, 1_000, 120_000, 10), []),
        (Totals(properties=5_001), ["the schema has 5001 properties, strict mode allows 5000"]),
        (Totals(enum_values=1_001), ["the schema has 1001 enum values, strict mode allows 1000"]),
        (Totals(characters=120_001), ["the schema has 120001 characters of names and values, strict mode allows 120000"]),
        (Totals(depth=11), ["the schema has 11 levels of nesting, strict mode allows 10"]),
    ],
)  # fmt: skip
def test_up_to_its_limits_a_schema_is_strict(totals, says):
    assert totals.problems() == says


def test_the_size_of_a_whole_schema_is_told_of_its_root():
    assert strict_problems(with_a(nested(limits.STRICT_DEPTH))) == [
        "the schema has 11 levels of nesting, strict mode allows 10"
    ]
