import pytest

from toolstone.schema.lint import measure, strict_problems

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


def test_recursion_counts_once():
    totals = measure({k: v for k, v in GOOD.items() if k != "$defs"}, GOOD["$defs"])

    assert (totals.properties, totals.depth, totals.characters) == (2, 1, 3)
