"""Arguments of any types and values: what the schema admits the tool accepts, and the other way."""

import datetime as dt
import enum
import json
import re
import uuid
from dataclasses import make_dataclass
from typing import Annotated, Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import Field, create_model
from typing_extensions import TypedDict

from toolstone.schema.arguments import ArgumentsProblem, describe_arguments
from toolstone.schema.lint import strict_problems
from toolstone.schema.signature import REQUIRED, Parameter


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
