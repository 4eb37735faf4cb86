"""What the schema admits the tool accepts; what the tool refuses is refused with a path."""

import datetime as dt
import enum
import json
import re
import uuid
from dataclasses import make_dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field, create_model, field_validator
from typing_extensions import TypedDict

from toolstone.errors import DefinitionError
from toolstone.schema.arguments import ArgumentsProblem, describe_arguments
from toolstone.schema.lint import strict_problems
from toolstone.schema.signature import REQUIRED, Parameter


def described(strict="auto", texts=None, **parameters):
    read = [
        Parameter(name, *(kind if isinstance(kind, tuple) else (kind,)))
        for name, kind in parameters.items()
    ]
    return describe_arguments("f", read, texts or {}, strict)


def refusal(arguments, text):
    with pytest.raises(ArgumentsProblem) as caught:
        arguments.read(text)
    return str(caught.value)


class Inner(BaseModel):
    n: int
    tags: list[str] = []


@pytest.mark.parametrize(
    ("annotation", "sent", "says"),
    [
        (int, '"1"', "a: input should be a valid integer (got a string of 1 characters)"),
        (int, "true", "a: input should be a valid integer (got a boolean)"),
        (int, "1.5", "a: input should be a valid integer (got a number)"),
        (int, "1.0", "a: input should be a valid integer (got a number)"),
        (int, "null", "a: input should be a valid integer (got null)"),
        (float, '"1"', "a: input should be a valid number (got a string of 1 characters)"),
        (bool, "1", "a: input should be a valid boolean (got an integer)"),
        (str, "1", "a: input should be a valid string (got an integer)"),
        (Literal["x", "y"], '"z"', "a: input should be 'x' or 'y' (got a string of 1 characters)"),
        (Inner, '{"n":1,"tags":[1]}', "a.tags[0]: input should be a valid string (got an integer)"),
        (Inner, '{"n":1,"tags":[],"x":1}', "a.x: not expected; remove it"),
        (Inner, '{"tags":[]}', "a.n: required, but missing"),
        (Inner, "[]", "a: input should be an object (got an array of 0)"),
        (list[Inner], '[{"n":1},{"n":null}]', "a[1].n: input should be a valid integer (got null)"),
        (int | str, "[]", "a: input should be a valid integer or input should be a valid string"),
        (dt.date, '"soon"', "a: input should be a valid date"),
        (Annotated[int, Field(le=5)], "6", "a: input should be less than or equal to 5 (got an integer)"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused_with_path_and_reason(annotation, sent, says):
    said = refusal(described(a=annotation), f'{{"a":{sent}}}')

    assert said.startswith("invalid arguments: ")
    assert says in said.replace(" (got an array of 0)", "") or says in said


@pytest.mark.parametrize(
    ("annotation", "sent", "read"),
    [
        (float, "1", 1.0),
        (float, "-0.0", -0.0),
        (int, str(2**53 + 1), 2**53 + 1),
        (Decimal, '"1.10"', Decimal("1.10")),
        (Decimal, "1.1", Decimal("1.1")),
        (dt.date, '"2026-11-21"', dt.date(2026, 11, 21)),
        (dt.datetime, '"2026-11-21T10:00:00Z"', dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC)),
        (dt.timedelta, '"PT90S"', dt.timedelta(seconds=90)),
        (uuid.UUID, '"12345678-1234-5678-1234-567812345678"', uuid.UUID("12345678-1234-5678-1234-567812345678")),
        (bytes, '"abc"', b"abc"),
        (set[int], "[1,2,1]", {1, 2}),
        (tuple[int, int], "[1,2]", (1, 2)),
    ],
)  # fmt: skip
def test_json_says_python_values_in_its_own_way(annotation, sent, read):
    assert described(a=annotation).read(f'{{"a":{sent}}}') == {"a": read}


def test_several_problems_are_told_in_one_sentence():
    said = refusal(described(a=int, b=str), '{"b":1,"c":2}')

    assert said == (
        "invalid arguments: a: required, but missing; "
        "b: input should be a valid string (got an integer); c: not expected; remove it"
    )


def test_no_more_than_eight_problems_are_told():
    said = refusal(described(a=list[int]), '{"a":[' + '"x",' * 20 + '"x"]}')

    assert said.endswith("; and 13 more")


def test_the_value_and_odd_names_are_not_echoed():
    said = refusal(described(a=int), '{"a":"s3cret","b\\n\\u0000":1}')

    assert "s3cret" not in said
    assert "b\\n\\x00: not expected" in said


@pytest.mark.parametrize("name", ["model_config", "schema", "json", "copy", "self_", "__init__", "validate", "fields", "class_"])  # fmt: skip
def test_parameters_may_be_named_like_pydantic_attributes(name):
    found = described(**{name: int})

    assert found.read(f'{{"{name}":1}}') == {name: 1}
    assert list(found.schema["properties"]) == [name]


def test_keys_must_match_exactly():
    found = described(city=str)

    assert "city: required, but missing" in refusal(found, '{"City":"x"}')
    assert "city: required, but missing" in refusal(found, '{"city\\u0000":"x"}')


def test_no_parameters_is_an_empty_object():
    found = described()

    assert found.schema == {"type": "object", "properties": {}, "required": [], "additionalProperties": False}  # fmt: skip
    assert found.strict
    assert found.read("{}") == {}


@pytest.mark.parametrize("default", [object(), {1, object()}, float("nan"), float("inf"), print])
def test_a_default_json_cannot_say_is_refused_at_definition(default):
    with pytest.raises(
        DefinitionError, match=r"f: parameter 'a' has a default of type .* use None"
    ):
        described(a=(Any, default))


def test_defaults_are_shown_where_the_schema_is_not_strict():
    found = described("auto", a=(dict[str, int], {}), when=(dt.date, dt.date(2026, 1, 1)))

    assert found.schema["properties"]["a"]["default"] == {}
    assert found.schema["properties"]["when"]["default"] == "2026-01-01"
    assert found.schema["required"] == []


def test_a_schema_too_large_to_send_is_refused():
    kind = Literal[tuple(f"{i:0100}" for i in range(3000))]

    with pytest.raises(DefinitionError, match=r"its schema has .* bytes, at most 262144 are sent"):
        described(a=kind)


# ------------------------------------------------------------------ properties over types and values


class Colour(enum.Enum):
    RED = "red"
    BLUE = 2


names = st.from_regex(re.compile(r"[a-z][a-z_]{0,6}", re.ASCII), fullmatch=True).filter(
    lambda name: not name.startswith("model_") and name not in {"as", "is", "in", "if", "or", "for", "not", "and", "def", "del", "from", "try", "with", "else", "elif", "pass", "global", "class", "while", "yield", "async", "await", "raise", "break", "lambda", "return", "assert", "except", "import", "finally", "continue", "nonlocal", "copy", "json", "dict", "schema", "validate", "construct", "fields"}
)  # fmt: skip
scalars = st.sampled_from(
    [str, int, float, bool, Colour, Literal["a", "b"], Literal[1, "a"], dt.date, uuid.UUID, Annotated[int, Field(ge=0, le=9)], Annotated[str, Field(min_length=1, max_length=3)]]
)  # fmt: skip
_numbers = iter(range(10**9))


@st.composite
def composites(draw, inner):
    fields = draw(st.dictionaries(names, inner, min_size=1, max_size=3))
    optional = {name for name in fields if draw(st.booleans())}
    name = f"T{next(_numbers)}"
    match draw(st.sampled_from(["model", "dataclass", "typed dict"])):
        case "model":
            return create_model(
                name, **{f: (t, None if f in optional else ...) for f, t in fields.items()}
            )
        case "dataclass":
            ordered = sorted(fields, key=lambda f: f in optional)
            made = [(f, fields[f], None) if f in optional else (f, fields[f]) for f in ordered]
            return make_dataclass(name, made, kw_only=True)
        case _:
            return TypedDict(name, fields, total=not optional)


types = st.recursive(
    scalars,
    lambda inner: st.one_of(
        inner.map(lambda t: t | None if isinstance(t, type) else t),
        inner.map(lambda t: list[t]),
        inner.map(lambda t: dict[str, t]),
        st.tuples(inner, inner).map(lambda pair: tuple[pair]),
        composites(inner),
    ),
    max_leaves=5,
)


def instances(schema, defs):
    """Values that a schema admits."""
    if "$ref" in schema:
        return st.deferred(lambda: instances(defs[schema["$ref"].removeprefix("#/$defs/")], defs))
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([instances(one, defs) for one in schema["anyOf"]])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_of_type(kind, schema, defs) for kind in kinds])


def _of_type(kind, schema, defs):  # noqa: PLR0911  a table
    match kind:
        case "null":
            return st.none()
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(schema.get("minimum"), schema.get("maximum"))
        case "number":
            return st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
        case "string":
            formats = {"date": st.dates().map(str), "uuid": st.uuids().map(str)}
            # strict mode leaves lengths to us, and says them in words: keep to them
            return formats.get(schema.get("format"), st.text(min_size=1, max_size=3))
        case "array" if "prefixItems" in schema:
            return st.tuples(*[instances(one, defs) for one in schema["prefixItems"]]).map(list)
        case "array":
            least, most = schema.get("minItems", 0), schema.get("maxItems", 3)
            return st.lists(instances(schema["items"], defs), min_size=least, max_size=most)
        case _:
            properties = schema.get("properties", {})
            needed = schema.get("required", ())
            if "properties" not in schema:
                return st.dictionaries(st.text(max_size=3), instances(schema["additionalProperties"], defs), max_size=2)  # fmt: skip
            return st.fixed_dictionaries(
                {n: instances(s, defs) for n, s in properties.items() if n in needed},
                optional={n: instances(s, defs) for n, s in properties.items() if n not in needed},
            )


@st.composite
def signatures(draw):
    fields = draw(st.dictionaries(names, types, max_size=3))
    return [Parameter(n, t, None if draw(st.booleans()) else REQUIRED) for n, t in fields.items()]


quietly = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


@quietly
@given(signatures(), st.sampled_from(["auto", False]), st.data())
def test_what_the_schema_admits_the_tool_accepts(parameters, strict, data):
    found = describe_arguments("f", parameters, {}, strict)
    schema = found.schema
    Draft202012Validator.check_schema(schema)
    assert found.strict == (strict == "auto" and not strict_problems(schema))

    value = data.draw(
        instances({k: v for k, v in schema.items() if k != "$defs"}, schema.get("$defs", {}))
    )
    Draft202012Validator(schema).validate(value)
    read = found.read(json.dumps(value))

    assert read.keys() <= {p.name for p in parameters}
    assert read.keys() >= {p.name for p in parameters if p.default is REQUIRED}


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip


@quietly
@given(signatures(), st.data())
def test_what_the_tool_refuses_is_refused_with_a_path_into_what_was_sent(parameters, data):
    found = describe_arguments("f", parameters, {})
    known = st.sampled_from([p.name for p in parameters]) if parameters else names
    value = data.draw(st.dictionaries(known | names, ANYTHING, max_size=3))
    try:
        found.read(json.dumps(value))
    except ArgumentsProblem as problem:
        told = str(problem).removeprefix("invalid arguments: ").split("; ")
        paths = [one.split(": ")[0] for one in told if ": " in one]
        roots = {re.split(r"[.\[]", path)[0] for path in paths}
        assert paths
        assert roots <= {*value, *(p.name for p in parameters)}
    else:
        assert {p.name for p in parameters if p.default is REQUIRED} <= set(value)
        assert set(value) <= {p.name for p in parameters}


def test_a_field_as_default_is_refused_with_the_spelling_that_works():
    with pytest.raises(
        DefinitionError, match=r"write a: Annotated\[TYPE, Field\(...\)\] = DEFAULT"
    ):
        described(a=(int, Field(ge=1)))


class Breaks(BaseModel):
    n: int

    @field_validator("n")
    @classmethod
    def breaks(cls, n):
        return {}["s3cret"]


def test_a_validator_that_breaks_is_told_by_its_exception():
    assert refusal(described(a=Breaks), '{"a":{"n":1}}') == (
        "invalid arguments: the value could not be checked: its validator raised KeyError"
    )


def test_metadata_that_cannot_be_hashed_is_described_anew_each_time():
    found = described(a=Annotated[int, {"not": "hashable"}])

    assert found.read('{"a":1}') == {"a": 1}


def test_null_for_a_nested_field_without_default_is_told_as_it_was():
    class Both(BaseModel):
        needed: int
        spare: int = 1

    assert refusal(described(a=Both), '{"a":{"needed":null,"spare":null}}') == (
        "invalid arguments: a.needed: input should be a valid integer (got null)"
    )
