"""Types and JSON Schemas as what documents are read into."""

import json

import pytest
from pydantic import BaseModel

from toolstone.errors import DefinitionError
from toolstone.extract.shape import Shape, output_of_schema, quoted
from toolstone.schema.output import OutputProblem

INVOICE = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "An invoice!",
    "type": "object",
    "properties": {
        "number": {"type": "string"},
        "due": {"type": "string", "format": "date"},
        "paid": {"type": ["boolean", "null"]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "required": ["number", "lines"],
    "$defs": {
        "line": {
            "type": "object",
            "properties": {"item": {"type": "string"}, "kind": {"enum": ["food", "other"]}},
            "required": ["item"],
        }
    },
}


def read(schema, value):
    return output_of_schema(schema).read(json.dumps(value))


def test_a_schema_is_made_strict_where_that_keeps_its_meaning():
    output = output_of_schema(INVOICE)
    schema = output.format.schema
    assert output.strict
    assert output.format.name == "An_invoice"
    assert "$schema" not in schema
    assert schema["required"] == ["number", "due", "paid", "lines"]
    assert schema["properties"]["due"] == {"type": ["string", "null"], "format": "date"}
    assert schema["$defs"]["line"]["additionalProperties"] is False


def test_a_null_that_stands_for_a_field_left_out_is_left_out_again():
    value = {"number": "7", "due": None, "paid": None, "lines": [{"item": "tea", "kind": None}]}
    assert read(INVOICE, value) == {"number": "7", "paid": None, "lines": [{"item": "tea"}]}


def test_an_answer_that_does_not_fit_says_where():
    with pytest.raises(OutputProblem) as caught:
        read(INVOICE, {"number": 7, "lines": [{"item": "tea", "kind": "odd"}]})
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "number",
        "lines[0].kind",
    ]


def test_a_missing_field_is_told_of_what_it_is_missing_in():
    with pytest.raises(OutputProblem, match="number"):
        read(INVOICE, {"lines": []})


def test_an_answer_is_found_among_prose_and_fences():
    assert output_of_schema(INVOICE).read('Here: ```json\n{"number": "7", "lines": []}\n```') == {
        "number": "7",
        "lines": [],
    }


LOOSE = [
    {"type": "object", "additionalProperties": {"type": "string"}},
    {"type": "object", "properties": {"a": {"type": "string"}}, "patternProperties": {"^x": {}}},
    {"type": "object", "properties": {"a": {"oneOf": [{"type": "string"}, {"type": "integer"}]}}},
    {"type": "object", "properties": {"a": {"$ref": "#/properties/b"}, "b": {"type": "string"}}},
]


@pytest.mark.parametrize("schema", LOOSE, ids=lambda one: str(sorted(one)))
def test_what_strict_mode_cannot_say_is_sent_as_it_is_and_checked_here(schema):
    output = output_of_schema(schema)
    assert not output.strict
    assert output.reasons
    assert output.format.schema == schema
    assert output.read('{"a": "b"}') == {"a": "b"}
    with pytest.raises(OutputProblem):
        output.read('{"a": {"b": 1}}')


def test_definitions_may_be_called_as_they_were_before_2019():
    schema = json.loads(json.dumps(INVOICE).replace("$defs", "definitions"))
    assert output_of_schema(schema).format.schema == output_of_schema(INVOICE).format.schema


def test_a_recursive_schema_is_read():
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
        },
        "$defs": {
            "part": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
                },
            }
        },
    }
    value = {"name": "a", "parts": [{"name": "b", "parts": [{"name": None, "parts": []}]}]}
    assert read(schema, value)["parts"][0]["parts"] == [{"parts": []}]


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "array"}, "root must have"),
        ({}, "root must have"),
        ({"type": "object", "properties": {"a": {"type": "nonsense"}}}, "JSON Schema 'output'"),
        ({"type": "object", "properties": {"a": {"$ref": "https://example.com/x"}}}, "JSON Schema"),
    ],
)
def test_a_schema_that_cannot_be_is_refused_at_once(schema, why):
    with pytest.raises(DefinitionError, match=why):
        Shape.of(schema)


def test_plain_text_is_nothing_to_be_read_into():
    with pytest.raises(DefinitionError, match="plain text has no fields"):
        Shape.of(str)


def test_a_schema_given_is_not_changed():
    before = json.dumps(INVOICE)
    Shape.of(INVOICE)
    quoted(Shape.of(INVOICE))
    assert json.dumps(INVOICE) == before


class Line(BaseModel):
    item: str


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (Line, {"item": "tea"}),
        (list[Line], [{"item": "tea"}]),
        (INVOICE, {"number": "7", "lines": []}),
    ],
    ids=["model", "list", "schema"],
)
def test_quotes_stand_beside_the_value(given, value):
    output = quoted(Shape.of(given))
    quotes = [{"path": "item", "quote": "some tea"}]
    said = output.read(json.dumps({"value": value, "evidence": quotes}))
    found = said if isinstance(said, dict) else {"value": said.value}
    assert json.loads(json.dumps(found["value"], default=lambda one: one.model_dump())) == value
    assert output.strict
    assert list(output.format.schema["properties"]) == ["value", "evidence"]


def test_quotes_beside_a_schema_whose_references_would_be_lost_are_refused():
    with pytest.raises(DefinitionError, match="evidence='quotes'"):
        quoted(Shape.of(LOOSE[3]))
