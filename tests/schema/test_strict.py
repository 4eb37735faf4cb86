"""The decision table of strict mode, one row a type; and what comes back when it is undone."""

import datetime as dt
import enum
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NewType,
    NotRequired,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, RootModel

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.schema.arguments import describe_arguments
from toolstone.schema.fragment import describe
from toolstone.schema.lint import strict_problems
from toolstone.schema.signature import REQUIRED, Parameter

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Box(BaseModel, Generic[T]):
    content: T


class Free(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class Ambiguous(BaseModel):
    a: int | None = 5


class Factory(BaseModel):
    a: list[int] = Field(default_factory=list)
    b: list[int] | None = Field(default_factory=list)


class LookAround(BaseModel):
    model_config = ConfigDict(regex_engine="python-re")
    a: Annotated[str, Field(pattern=r"^(?!x)\w+$")]


@dataclass
class Point:
    x: int
    y: int = 0
    tags: list[str] = field(default_factory=list)


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Doubtful(TypedDict):
    year: NotRequired[int | None]


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]
City = NewType("City", str)


def arguments(annotation, default=REQUIRED, strict="auto"):
    return describe_arguments("f", [Parameter("a", annotation, default)], {}, strict)


STRICT = [
    str, int, float, bool, None, str | None, Optional[int], int | str, Union[int, str, None],  # noqa: UP007, UP045  spelled both ways
    Literal["x", "y"], Literal[1, "x", None], Colour, Level, City,  # noqa: PYI061
    list[int], list[str | None], set[int], frozenset[str], tuple[int, int], tuple[int, ...],
    dt.date, dt.datetime, dt.time, dt.timedelta, uuid.UUID, Decimal, bytes, Path,
    Point, Movie, Cat, Pet, list[Pet], Cat | Dog, Node, Box[int], Box[list[Node]], RootModel[list[int]],
    Annotated[int, Field(ge=1, le=5)], Annotated[str, Field(min_length=2, max_length=4)],
    Annotated[str, Field(pattern="^a+$")], Annotated[list[int], Field(min_length=1)],
]  # fmt: skip

LOOSE = [
    (dict, "a: any keys are allowed"),
    (dict[str, int], "a: any keys are allowed"),
    (list[dict[str, str]], "a[]: any keys are allowed"),
    (Any, "a: any value is allowed"),
    (list[Any], "a[]: any value is allowed"),
    (list, "a[]: any value is allowed"),
    (tuple[int, str], "a: a tuple with a type for each place (prefixItems)"),
    (Free, "a: any keys are allowed"),
    (Box[Free], "type Free: any keys are allowed"),
    (Ambiguous, "a.a: null is a value of its own, so it cannot stand for the default (5)"),
    (Factory, "a.b: null is a value of its own, so it cannot stand for the default (absence)"),
    (Doubtful, "a.year: null is a value of its own"),
    (LookAround, r"a.a: pattern '^(?!x)\\w+$' does not run on a linear engine"),
]


@pytest.mark.parametrize("annotation", STRICT, ids=str)
def test_these_types_are_strict(annotation):
    found = arguments(annotation)

    assert found.strict, found.reasons
    assert strict_problems(found.schema) == []
    Draft202012Validator.check_schema(found.schema)


@pytest.mark.parametrize("annotation", STRICT, ids=str)
def test_these_types_are_strict_with_a_default_too(annotation):
    found = arguments(annotation, None)

    assert found.strict, found.reasons
    assert strict_problems(found.schema) == []
    assert found.read("{}") in ({}, {"a": None})
    assert found.read('{"a":null}') in ({}, {"a": None})


@pytest.mark.parametrize(("annotation", "reason"), LOOSE, ids=str)
def test_these_types_are_not_strict_and_say_why(annotation, reason):
    found = arguments(annotation)

    assert not found.strict
    assert found.reasons[0].startswith(reason)
    assert strict_problems(found.schema)
    Draft202012Validator.check_schema(found.schema)
    with pytest.raises(DefinitionError, match="f cannot be strict: "):
        arguments(annotation, strict=True)


def test_a_schema_that_is_not_strict_stays_as_python_means_it():
    found = arguments(Ambiguous)

    assert found.schema["properties"]["a"] == {
        "type": "object",
        "properties": {"a": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": 5}},
    }


def test_strict_may_be_declined():
    found = arguments(str, strict=False)

    assert not found.strict
    assert found.reasons == ("strict=False was asked for",)


@pytest.mark.parametrize(
    ("annotation", "default", "schema"),
    [
        (str, "C", {"type": ["string", "null"], "description": 'Null means "C".'}),
        (int, 0, {"type": ["integer", "null"], "description": "Null means 0."}),
        (int, None, {"type": ["integer", "null"]}),
        (int | None, None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (list[int], [], {"anyOf": [{"type": "array", "items": {"type": "integer"}}, {"type": "null"}], "description": "Null means []."}),
        (Literal["a", "b"], "a", {"anyOf": [{"enum": ["a", "b"], "type": "string"}, {"type": "null"}], "description": 'Null means "a".'}),
        (int | str, "x" * 99, {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]}),
    ],
)  # fmt: skip
def test_optional_becomes_nullable_and_required(annotation, default, schema):
    found = arguments(annotation, default)

    assert found.schema == {
        "type": "object",
        "properties": {"a": schema},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert found.strict


def test_a_parameter_whose_null_has_two_readings_is_not_strict():
    found = arguments(int | None, 5)

    assert not found.strict
    assert found.reasons == (
        "a: null is a value of its own, so it cannot stand for the default (5)",
    )
    assert found.read('{"a":null}') == {"a": None}
    assert found.read("{}") == {}


@pytest.mark.parametrize(
    ("annotation", "sent", "read"),
    [
        (Cat, {"kind": "cat", "lives": None}, Cat(kind="cat")),
        (Cat, {"kind": "cat"}, Cat(kind="cat")),
        (Point, {"x": 1, "y": None, "tags": None}, Point(1)),
        (Movie, {"title": "M", "year": None}, {"title": "M"}),
        (Pet, {"kind": "cat", "lives": None}, Cat(kind="cat")),
        (Cat | Dog, {"kind": "cat", "lives": None}, Cat(kind="cat")),
        (Node, {"value": 1, "children": [{"value": 2, "children": None}]}, Node(value=1, children=[Node(value=2)])),
        (list[Cat], [{"kind": "cat", "lives": 1}, {"kind": "cat", "lives": None}], [Cat(kind="cat", lives=1), Cat(kind="cat")]),
        (Ambiguous, {"a": None}, Ambiguous(a=None)),
        (Ambiguous, {}, Ambiguous(a=5)),
    ],
)  # fmt: skip
def test_null_comes_back_as_the_python_default_at_any_depth(annotation, sent, read):
    import json

    assert arguments(annotation).read(json.dumps({"a": sent})) == {"a": read}


def test_what_strict_cannot_say_is_said_in_words():
    found = arguments(Annotated[str, Field(min_length=2, max_length=4, description="A code.")])

    assert found.schema["properties"]["a"] == {
        "type": "string",
        "description": "A code. 2 to 4 characters.",
    }
    assert found.reasons == ("a: length is checked here, not by the service",)


def test_words_of_the_docstring_keep_the_hints():
    found = describe_arguments(
        "f",
        [Parameter("a", Annotated[str, Field(max_length=4, description="A code.")])],
        {"a": "The code."},
    )

    assert found.schema["properties"]["a"]["description"] == "The code. At most 4 characters."


def test_a_discriminated_union_is_said_with_any_of():
    found = arguments(Pet)

    assert [set(one) for one in found.schema["properties"]["a"]["anyOf"]] == [{"$ref"}, {"$ref"}]
    assert "a: a discriminated union, said with anyOf" in found.reasons


def test_two_types_of_one_name_are_kept_apart():
    def one():
        class Item(BaseModel):
            a: int
            more: list["Item"] = []

        Item.model_rebuild(_types_namespace={"Item": Item})
        return Item

    def other():
        class Item(BaseModel):
            b: str
            more: list["Item"] = []

        Item.model_rebuild(_types_namespace={"Item": Item})
        return Item

    first, second = one(), other()
    found = describe_arguments("f", [Parameter("x", first), Parameter("y", second)], {})

    assert set(found.schema["$defs"]) == {"Item", "Item_2"}
    assert strict_problems(found.schema) == []
    assert found.read('{"x":{"a":1,"more":[]},"y":{"b":"","more":[]}}') == {
        "x": first(a=1),
        "y": second(b=""),
    }


def wide(n, start=0):
    fields = {f"f{i}": (int, ...) for i in range(start, start + n)}
    from pydantic import create_model

    return create_model(f"Wide{n}", **fields)


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (wide(limits.STRICT_PROPERTIES), "the schema has 5001 properties, strict mode allows 5000"),
        (Literal[tuple(range(limits.STRICT_ENUM_VALUES + 1))], "the schema has 1001 enum values"),
        (Literal[tuple(f"{i:060}" for i in range(251))], "a: an enum of 251 values with 15060 characters"),
        (Annotated[str, Field(pattern="a" * (limits.PATTERN_CHARACTERS + 1))], "a: a pattern of 1001 characters"),
    ],
    ids=["properties", "enum", "long enum", "pattern"],
)  # fmt: skip
def test_size_limits_are_obstacles(annotation, reason):
    found = arguments(annotation)

    assert not found.strict
    assert any(one.startswith(reason) for one in found.reasons), found.reasons


def test_at_the_limit_is_still_strict():
    assert arguments(wide(limits.STRICT_PROPERTIES - 1)).strict
    assert arguments(Literal[tuple(range(limits.STRICT_ENUM_VALUES))]).strict


def nested(levels):
    kind: Any = int
    for _ in range(levels):
        kind = list[kind]
    return kind


def test_ten_levels_are_strict_and_eleven_are_not():
    assert arguments(nested(limits.STRICT_DEPTH - 1)).strict
    found = arguments(nested(limits.STRICT_DEPTH))
    assert found.reasons == ("the schema has 11 levels of nesting, strict mode allows 10",)


def test_an_annotation_is_described_once():
    assert describe(list[Node]) is describe(list[Node])
    assert describe(int | str).schema != describe(str | int).schema
