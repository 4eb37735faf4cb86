"""A schema that leaves the strict subset is told where, as the service tells it."""

import pytest

from toolstone.local.strictness import first_offence


def closed(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def nested(depth):
    schema = {"type": "string"}
    for _ in range(depth):
        schema = closed(a=schema)
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        closed(a={"type": ["string", "null"], "enum": ["x", None]}),
        closed(a={"anyOf": [closed(b={"type": "integer", "minimum": 0}), {"type": "null"}]}),
        closed(a={"type": "array", "items": {"type": "string", "format": "date"}, "minItems": 1}),
        {**closed(a={"$ref": "#/$defs/A"}), "$defs": {"A": closed(again={"$ref": "#"})}},
        nested(10),
    ],
)
def test_what_the_subset_has_is_let_pass(schema):
    assert first_offence(schema) is None


@pytest.mark.parametrize(
    ("schema", "offence"),
    [
        ({"anyOf": [closed()]}, "the root may not be 'anyOf'"),
        (closed(a=True), "#/properties/a is a bool; every schema must be an object"),
        (closed(a={"not": {}}), "#/properties/a uses 'not', which is not permitted"),
        (closed(a={"$ref": "#", "title": "x"}), "#/properties/a has keywords beside '$ref'"),
        (closed(a={"type": "object"}), "#/properties/a needs 'additionalProperties': false"),
        ({**closed(a={}), "required": []}, "# must list 'a' in 'required'"),
        ({**closed(), "required": ["a"]}, "# requires 'a', which is no property"),
        (
            closed(a={"items": {"oneOf": []}}),
            "#/properties/a/items uses 'oneOf', which is not permitted",
        ),
        (
            closed(a={"anyOf": [{"allOf": []}]}),
            "#/properties/a/anyOf/0 uses 'allOf', which is not permitted",
        ),
        ({**closed(), "$defs": {"A": 1}}, "#/$defs/A is a int; every schema must be an object"),
    ],
)
def test_what_leaves_the_subset_is_named_with_its_place(schema, offence):
    assert first_offence(schema) == offence


def test_a_format_it_does_not_know_is_named_with_those_it_knows():
    assert "has the format 'uri'" in first_offence(closed(a={"type": "string", "format": "uri"}))


def test_a_schema_may_not_be_nested_without_end():
    assert "deeper than 10 levels" in first_offence(nested(11))
