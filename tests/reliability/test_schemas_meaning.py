"""Z10: a schema keeps its meaning as a Python type, as the schema of that, and beside jsonschema."""

import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ConfigDict, Field, create_model

from toolstone import Tool, tool
from toolstone.schema.foreign import SafeSchema, UnsafeSchema
from toolstone.tools import ArgumentsProblem

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 12)
    | st.sampled_from([0.5, 1.5, -2.25, 1e-9])
    | st.sampled_from(["", "a", "b", "ab", "é", "x1", "abcd"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "c", "x1"]), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ["a", "b", "c"]


def numbers(kind, python):
    limits = st.fixed_dictionaries(
        {}, optional={"minimum": st.integers(-2, 4), "exclusiveMaximum": st.integers(3, 9)}
    )
    names = {"minimum": "ge", "exclusiveMaximum": "lt"}
    return limits.map(
        lambda said: (
            {"type": kind, **said},
            Annotated[python, Field(**{names[key]: value for key, value in said.items()})],
        )
    )


def texts():
    limits = st.fixed_dictionaries(
        {},
        optional={
            "minLength": st.integers(0, 2),
            "maxLength": st.integers(2, 4),
            "pattern": st.sampled_from(["^a", "b$", "^[a-z]+$", "x1|é"]),
        },
    )
    names = {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"}
    return limits.map(
        lambda said: (
            {"type": "string", **said},
            Annotated[str, Field(**{names[key]: value for key, value in said.items()})],
        )
    )


def choices():
    listed = st.lists(st.sampled_from(["a", "b", 1, 2, "ab"]), min_size=1, unique=True)
    return listed.map(lambda said: ({"enum": said}, Literal[tuple(said)]))


def lists(inner):
    return st.tuples(inner, st.integers(0, 2), st.integers(2, 3)).map(
        lambda said: (
            {"type": "array", "items": said[0][0], "minItems": said[1], "maxItems": said[2]},
            Annotated[list[said[0][1]], Field(min_length=said[1], max_length=said[2])],
        )
    )


def nullables(inner):
    return inner.map(lambda said: ({"anyOf": [said[0], {"type": "null"}]}, said[1] | None))


def objects(inner):
    members = st.dictionaries(st.sampled_from(NAMES), st.tuples(inner, st.booleans()), max_size=3)
    return st.tuples(members, st.booleans()).map(lambda said: model(*said))


def model(members, closed):
    schema = {
        "type": "object",
        "properties": {name: said[0] for name, (said, _) in members.items()},
        "required": [name for name, (_, required) in members.items() if required],
        **({"additionalProperties": False} if closed else {}),
    }
    fields = {
        name: (said[1], ... if required else Field(default_factory=lambda: None))
        for name, (said, required) in members.items()
    }
    config = ConfigDict(extra="forbid" if closed else "ignore")
    return schema, create_model("M", __config__=config, **fields)


PAIRS = st.recursive(
    numbers("integer", int) | numbers("number", float) | texts() | choices()
    | st.just(({"type": "boolean"}, bool)),
    lambda inner: lists(inner) | nullables(inner) | objects(inner),
    max_leaves=4,
)  # fmt: skip


def reads(made, value):
    try:
        made.read(json.dumps({"v": value}))
    except ArgumentsProblem:
        return False
    return True


def holds_null(value):
    """Null stands for what is left out, whatever a schema says (docs/tools.md)."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(holds_null(one) for one in inner)


@settings(max_examples=60)
@given(PAIRS, st.lists(VALUES, min_size=8, max_size=8))
def test_z10_a_schema_its_type_and_the_types_schema_take_the_same_values(pair, values):
    schema, annotation = pair

    def take(v) -> None:
        """Take."""

    take.__annotations__["v"] = annotation
    made = Tool.of(tool(strict=False)(take))
    emitted, written = SafeSchema(made.spec.parameters), SafeSchema(schema)
    for value in values:
        wanted = written.problems(value) == []
        assert (emitted.problems({"v": value}) == []) == wanted, (schema, value)
        if wanted or not holds_null(value):
            assert reads(made, value) == wanted, (schema, value)


# ------------------------------------------------------------------------ beside another validator

SMALL = st.sampled_from([0, 1, 2, 3])
LEAVES = st.one_of(
    st.booleans(),
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer", "number", "object", "array", "null", "boolean"])}),
    st.fixed_dictionaries({"type": st.lists(st.sampled_from(["string", "integer", "null", "array"]), min_size=1, max_size=2, unique=True)}),
    st.fixed_dictionaries({"enum": st.lists(VALUES, max_size=3)}),
    st.fixed_dictionaries({"const": VALUES}),
    st.fixed_dictionaries({"minimum": SMALL, "multipleOf": st.sampled_from([0.5, 1, 2, 3])}),
    st.fixed_dictionaries({"minLength": SMALL, "pattern": st.sampled_from(["a", "^x", "b$", "[^a]"])}),
    st.fixed_dictionaries({"required": st.lists(st.sampled_from(NAMES), unique=True), "maxProperties": SMALL}),
    st.fixed_dictionaries({"uniqueItems": st.booleans(), "maxItems": SMALL}),
    st.fixed_dictionaries({"dependentRequired": st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), unique=True), max_size=2)}),
)  # fmt: skip


def combined(inner):
    some = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)
    by_pattern = st.dictionaries(st.sampled_from(["^a", "1$", "b|c"]), inner, max_size=2)
    return st.fixed_dictionaries(
        {},
        optional={
            "allOf": some, "anyOf": some, "oneOf": some, "not": inner,
            "if": inner, "then": inner, "else": inner,
            "properties": named, "patternProperties": by_pattern, "additionalProperties": inner,
            "propertyNames": inner, "dependentSchemas": named,
            "prefixItems": some, "items": inner, "contains": inner, "minContains": SMALL, "maxContains": SMALL,
            "unevaluatedProperties": inner, "unevaluatedItems": inner,
        },
    )  # fmt: skip


SCHEMAS = st.recursive(LEAVES, combined, max_leaves=6)


@settings(max_examples=120)
@given(SCHEMAS, st.lists(VALUES, min_size=6, max_size=6))
@example({"uniqueItems": True}, [[1, True], [{"a": 0}, {"a": False}]])
def test_z10_another_validator_says_the_same_of_the_same_values(schema, values):
    try:
        ours = SafeSchema(schema)
    except UnsafeSchema as problem:
        pytest.fail(str(problem))
    theirs = Draft202012Validator(schema)
    for value in values:
        assert (ours.problems(value) == []) == theirs.is_valid(value), value


def test_z10_a_recursive_type_and_its_schema_take_the_same_values():
    tree: Any = create_model(
        "Tree", __config__=ConfigDict(extra="forbid"), v=(int, ...), kids=("list[Tree]", [])
    )
    tree.model_rebuild(_types_namespace={"Tree": tree})

    def take(v) -> None:
        """Take."""

    take.__annotations__["v"] = tree
    made = Tool.of(take)
    emitted = SafeSchema(made.spec.parameters)
    for value, fits in [
        ({"v": 1, "kids": [{"v": 2, "kids": []}]}, True),
        ({"v": 1, "kids": [{"v": "2", "kids": []}]}, False),
        ({"v": 1, "kids": [{"v": 2, "kids": [{}]}]}, False),
        ({"v": 1, "kids": [{"v": 2, "kids": [], "x": 1}]}, False),
    ]:
        assert (reads(made, value), emitted.problems({"v": value}) == []) == (fits, fits), value
