import json
from dataclasses import dataclass
from typing import Annotated, Literal, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, field_validator

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.schema import OutputProblem, OutputType, strict_problems


class Item(BaseModel):
    name: str
    price: float = 1.0


class Report(BaseModel):
    """A report."""

    city: str
    items: list[Item] = []
    population: int | None = None


class Even(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def even(cls, n):
        if n % 2:
            raise ValueError("must be even")
        return n


@dataclass
class Point:
    x: int
    y: int = 0


class Movie(TypedDict):
    title: str


class Node(BaseModel):
    value: int
    next: "Node | None" = None


@pytest.mark.parametrize(
    ("annotation", "text", "value", "wrapped"),
    [
        (Report, '{"city":"Paris","items":[{"name":"a","price":null}],"population":null}', Report(city="Paris", items=[Item(name="a")]), False),
        (Point, '{"x":1,"y":null}', Point(1), False),
        (Movie, '{"title":"M"}', {"title": "M"}, False),
        (Node, '{"value":1,"next":{"value":2,"next":null}}', Node(value=1, next=Node(value=2)), False),
        (Item | Point, '{"value":{"x":1,"y":2}}', Point(1, 2), True),
        (list[Item], '{"value":[{"name":"a","price":2}]}', [Item(name="a", price=2.0)], True),
        (int, '{"value":3}', 3, True),
        (Literal["a", "b"], '{"value":"b"}', "b", True),
        (int | None, '{"value":null}', None, True),
        (dict[str, int], '{"a":1}', {"a": 1}, False),
        (Annotated[int, Field(le=5)], '{"value":5}', 5, True),
    ],
    ids=str,
)  # fmt: skip
def test_an_answer_is_read_as_its_type(annotation, text, value, wrapped):
    output = OutputType.of(annotation)

    assert output.read_with_notes(text) == (value, None)
    assert output.wrapped == wrapped
    schema = output.format.schema
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert output.strict == (strict_problems(schema) == [])
    assert output.strict == (annotation != dict[str, int])
    assert output.format.strict == output.tool.strict == output.strict
    assert output.tool.name == "final_answer"
    assert output.tool.parameters == schema
    assert json.dumps(schema, separators=(",", ":")) in output.instructions


def test_plain_text_has_no_schema():
    output = OutputType.of(str)

    assert (output.format, output.tool, output.instructions) == (None, None, "")
    assert output.read("anything {at} all") == "anything {at} all"


def test_the_format_is_named_for_the_type():
    assert OutputType.of(Report).format.name == "Report"
    assert OutputType.of(list[Report]).format.name == "output"


def test_an_output_type_stays_as_it_is():
    ready = OutputType.of(Report)

    assert OutputType.of(ready) is ready


def test_strict_can_be_demanded_and_declined():
    assert not OutputType.of(Report, strict=False).format.strict
    with pytest.raises(
        DefinitionError, match="output type output cannot be strict: the value: any keys"
    ):
        OutputType.of(dict[str, int], strict=True)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ('```json\n{"city":"P"}\n```', "took the JSON out of a code fence"),
        ('```\n{"city":"P"}\n```\n', "took the JSON out of a code fence"),
        ('Here you are:\n```json\n{"city":"P"}\n```\nAnything else?', "took the JSON out of a code fence"),
        ('{"city":"P"}}', "set aside 1 characters around the JSON"),
        ('{"city":"P"} Hope this helps!', "set aside 17 characters around the JSON"),
        ('The report is {"city":"P"}', "set aside 14 characters around the JSON"),
        ('\ufeff{"city":"P"}\n', None),
    ],
)  # fmt: skip
def test_junk_around_one_json_value_is_set_aside_and_said(text, note):
    assert OutputType.of(Report).read_with_notes(text) == (Report(city="P"), note)


def test_a_bare_value_is_taken_for_a_wrapped_one():
    assert OutputType.of(int).read_with_notes("42") == (
        42,
        "took the bare value for one under 'value'",
    )
    assert OutputType.of(list[int]).read_with_notes("Sure: [1, 2]") == (
        [1, 2],
        "set aside 6 characters around the JSON; took the bare value for one under 'value'",
    )


@pytest.mark.parametrize(
    ("annotation", "text", "problems"),
    [
        (Report, "", ("the JSON is empty; send {} if there is nothing to say",)),
        (Report, '{"city":1}', ("city: input should be a valid string (got an integer)",)),
        (Report, "{}", ("city: required, but missing",)),
        (Report, '{"city":"P","x":1}', ("x: not expected; remove it",)),
        (Report, '{"city":"P","items":[{"price":"1"}]}', ("items[0].name: required, but missing", "items[0].price: input should be a valid number (got a string of 1 characters)")),
        (Report, '{"city":"P","population":NaN}', ("the JSON is broken at line 1 column 26 (at population): NaN is not JSON",)),
        (Report, '{"city":"P"} {"city":"Q"}', ("the answer holds several JSON values; give one",)),
        (Report, '{"city":"P', ("the JSON is broken at line 1 column 11 (at city): the string does not end",)),
        (Report, "[" * 100_000, ("the JSON is broken at line 1 column 129: nested deeper than 128 levels",)),
        (Report, "null", ("the value: input should be an object (got null)",)),
        (Even, '{"n":3}', ("n: value error, must be even (got an integer)",)),
        (int, '{"value":"x"}', ("value: input should be a valid integer (got a string of 1 characters)",)),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_says_where_and_why(annotation, text, problems):
    with pytest.raises(OutputProblem) as caught:
        OutputType.of(annotation).read(text)

    assert caught.value.problems == problems


def test_the_answer_itself_is_not_in_the_message():
    with pytest.raises(OutputProblem) as caught:
        OutputType.of(Report).read('{"city":"s3cret", oops}')

    assert "s3cret" not in str(caught.value)


def test_what_fits_is_validated_once(monkeypatch):
    output = OutputType.of(list[Item])
    text = json.dumps({"value": [{"name": f"n{i}", "price": 1.5} for i in range(1000)]})
    monkeypatch.setattr(OutputType, "_read_closely", None)

    assert len(output.read(text)) == 1000


@given(st.text(alphabet='{}[]":,`\n json123cityP', max_size=60))
def test_any_text_is_read_or_refused_with_a_reason(text):
    try:
        OutputType.of(Report).read(text)
    except OutputProblem as problem:
        assert problem.problems


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_an_answer_is_read_up_to_its_limit(beyond, monkeypatch):
    monkeypatch.setattr(limits, "OUTPUT_CHARACTERS", 100)
    text = '["' + "x" * (96 + beyond) + '"]'
    reader = OutputType.of(list[str])

    if beyond < 1:
        assert len(reader.read(text)[0]) == 96 + beyond
        return
    with pytest.raises(OutputProblem, match=r"101 characters; at most 100 .*limits\.OUTPUT"):
        reader.read(text)


def test_an_answer_that_says_one_key_twice_is_refused_and_not_half_believed():
    output = OutputType.of(Point)

    with pytest.raises(OutputProblem, match=r"at x\): the key 'x' stands twice"):
        output.read('{"x":1,"x":2}')
