"""What the schema admits the tool accepts; what the tool refuses is refused with a path."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, create_model, field_validator

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.schema.arguments import ArgumentsProblem, describe_arguments
from toolstone.schema.signature import Parameter


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


def test_defaults_are_shown_where_the_schema_is_not_strict():
    found = described("auto", a=(dict[str, int], {}), when=(dt.date, dt.date(2026, 1, 1)))

    assert found.schema["properties"]["a"]["default"] == {}
    assert found.schema["properties"]["when"]["default"] == "2026-01-01"
    assert found.schema["required"] == []


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


@pytest.mark.parametrize("strict", [True, False])
def test_arguments_that_fit_are_looked_at_once(strict):
    seen = []

    class Watched(BaseModel):
        model_config = ConfigDict(extra="forbid" if strict else "ignore")
        n: int

        @field_validator("n")
        @classmethod
        def note(cls, n):
            seen.append(n)
            return n

    found = described(strict, a=Watched)

    assert found.read('{"a":{"n":1}}' if strict else '{"a":{"n":1,"more":2}}')["a"].n == 1
    assert seen == [1]


def test_what_is_no_json_object_is_told_by_the_boundary():
    assert (
        refusal(described(a=int), "[]") == "invalid arguments: the JSON is an array; send an object"
    )


@pytest.mark.parametrize("strict", [True, False])
def test_null_and_absence_stand_for_the_default_and_other_values_for_themselves(strict):
    found = described(strict, a=(int, 5), b=(str | None, None))

    assert found.read('{"a":null,"b":null}') == {"b": None}
    assert found.read('{"a":0,"b":""}') == {"a": 0, "b": ""}
    assert found.read("{}") == {}


def test_a_null_that_is_a_value_is_kept():
    assert described(a=(int | None, 5)).read('{"a":null}') == {"a": None}


def test_a_null_inside_stands_for_the_default_there():
    assert described(a=Inner).read('{"a":{"n":1,"tags":null}}') == {"a": Inner(n=1)}


ITEM = {"properties": {"x": {"type": "integer"}}, "required": ["x"], "type": "object"}
CLOSED = {"additionalProperties": False}
NULL = {"type": "null"}
TEXTS = {"a": "The a.", "b": "The b.", "c": "The c."}


class Item(BaseModel):
    x: int


def test_a_strict_schema_requires_all_and_says_the_defaults_in_words():
    parameters = {"a": Annotated[str, Field(min_length=1)], "b": (int, 5), "c": (Item | None, None)}
    found = described("auto", TEXTS, **parameters)

    assert (found.strict, found.schema) == (
        True,
        {
            "type": "object",
            "properties": {
                "a": {"type": "string", "description": "The a. At least 1 characters."},
                "b": {"type": ["integer", "null"], "description": "The b. Null means 5."},
                "c": {"anyOf": [{**ITEM, **CLOSED}, NULL], "description": "The c."},
            },
            "required": ["a", "b", "c"],
            **CLOSED,
        },
    )
    assert found.reasons == (
        "a: length is checked here, not by the service",
        "b: null stands for the default",
        "c: required, since null is its default",
    )


def test_a_schema_that_is_not_strict_shows_the_defaults():
    parameters = {"a": Annotated[str, Field(min_length=1)], "b": (int, 5), "c": (Item | None, None)}
    more = {"d": (int, None), "e": (int | None, 3), "f": Item}
    found = described(False, TEXTS, **parameters, **more)  # noqa: FBT003  as the wish is written

    assert (found.strict, found.reasons) == (False, ("strict=False was asked for",))
    assert found.schema == {
        "type": "object",
        "properties": {
            "a": {"type": "string", "minLength": 1, "description": "The a."},
            "b": {"type": "integer", "description": "The b.", "default": 5},
            "c": {"anyOf": [ITEM, NULL], "description": "The c.", "default": None},
            "d": {"type": "integer"},
            "e": {"anyOf": [{"type": "integer"}, NULL], "default": 3},
            "f": ITEM,
        },
        "required": ["a", "f"],
        **CLOSED,
    }


def test_what_stands_in_the_way_of_strict_is_told_with_its_parameter():
    parameters = {"a": dict[str, int], "b": (int | None, 3)}
    reasons = (
        "a: any keys are allowed, and strict mode has no free dicts",
        "b: null is a value of its own, so it cannot stand for the default (3)",
    )

    assert described(**parameters).reasons == reasons
    with pytest.raises(DefinitionError) as caught:
        described(True, **parameters)  # noqa: FBT003  as the wish is written
    assert str(caught.value) == (
        f'f cannot be strict: {"; ".join(reasons)}; change the type, or give strict="auto" or False'
    )


def node(name, **fields):
    """A model that holds itself, so that it is a definition."""
    needed = {field: (kind, ...) for field, kind in fields.items()}
    made = create_model(name, next=(f"{name} | None", None), **needed)
    made.model_rebuild(_types_namespace={name: made})
    return made


def shape(found, name):
    root = found.schema["properties"][name]
    return found.schema["$defs"][root["$ref"].removeprefix("#/$defs/")]["properties"]


def test_types_of_one_name_stand_side_by_side():
    first, second, third = node("Node", x=int), node("Node", y=str), node("Node", z=bool)
    found = described(a=first, b=second, c=third, d=first)

    assert [name for letter in "abcd" for name in shape(found, letter) if name != "next"] == ["x", "y", "z", "x"]  # fmt: skip
    assert [found.schema["properties"][letter] for letter in "abcd"] == [
        {"$ref": f"#/$defs/{name}"} for name in ("Node", "Node_2", "Node_3", "Node")
    ]
    assert found.schema["$defs"]["Node_3"]["properties"]["next"]["anyOf"][0] == {"$ref": "#/$defs/Node_3"}  # fmt: skip
    read = found.read('{"a":{"x":1,"next":{"x":2}},"b":{"y":"s"},"c":{"z":true},"d":{"x":3}}')
    assert (read["a"].next.x, read["b"].y, read["c"].z, read["d"].x) == (2, "s", True, 3)


def test_a_new_name_is_not_one_that_the_type_itself_uses():
    inner = node("Node_2", w=float)
    found = described(a=node("Node", x=int), b=node("Node", other=inner))

    assert set(shape(found, "b")) == {"next", "other"}
    assert shape(found, "b")["other"] == {"$ref": "#/$defs/Node_2"}


def test_what_a_docstring_says_of_a_type_with_a_definition_stands_beside_it():
    tree = node("Node", x=int)

    assert described("auto", TEXTS, a=tree).schema["properties"]["a"] == {
        "anyOf": [{"$ref": "#/$defs/Node"}],
        "description": "The a.",
    }


def test_the_limits_of_strict_mode_count_over_all_parameters():
    long = Literal[tuple(f"{n:0300}" for n in range(200))]
    more = Literal[tuple(f"x{n:0300}" for n in range(200))]
    found = described(a=long, bc=more)

    assert found.reasons == (
        "the schema has 120203 characters of names and values, strict mode allows 120000",
    )
    many = {f"p{n}": Literal[tuple(range(n * 300, n * 300 + 300))] for n in range(4)}
    assert described(**many).reasons == (
        "the schema has 1200 enum values, strict mode allows 1000",
    )


def test_a_parameter_is_a_level_of_nesting_and_a_property():
    lists = int
    for _ in range(limits.STRICT_DEPTH - 1):
        lists = list[lists]

    assert described(a=lists, b=int).strict
    assert described(a=list[lists], b=int).reasons == (
        "the schema has 11 levels of nesting, strict mode allows 10",
    )
    wide = create_model("Wide", **{f"p{n}": (int, ...) for n in range(999)})
    five = {f"p{n}": wide for n in range(5)}
    assert described(**five).strict
    assert described(**five, more=int).reasons == (
        "the schema has 5001 properties, strict mode allows 5000",
    )


@pytest.mark.parametrize(("size", "fits"), [(limits.SCHEMA_BYTES, True), (limits.SCHEMA_BYTES + 1, False)])  # fmt: skip
def test_a_schema_is_sent_up_to_its_limit(size, fits):
    around = len('{"type":"object","properties":{"a":{"type":"integer","description":""}},"required":["a"],"additionalProperties":false}')  # fmt: skip
    texts = {"a": "x" * (size - around)}
    if fits:
        assert (
            described("auto", texts, a=int).schema["properties"]["a"]["description"] == texts["a"]
        )
        return
    with pytest.raises(DefinitionError) as caught:
        described("auto", texts, a=int)
    assert str(caught.value) == (
        f"f: its schema has {size} bytes, at most 262144 are sent; make the types smaller "
        "(limits.SCHEMA_BYTES)"
    )


@pytest.mark.parametrize("default", [object(), {1, object()}, float("nan"), float("inf"), print])
def test_a_default_json_cannot_say_is_refused_at_definition(default):
    with pytest.raises(DefinitionError) as caught:
        described(a=(Any, default))

    assert str(caught.value) == (
        f"f: parameter 'a' has a default of type {type(default).__name__!r} that JSON cannot say; "
        "use None as the default and put the value in inside the function"
    )


def test_a_field_as_default_is_refused_with_the_spelling_that_works():
    with pytest.raises(DefinitionError) as caught:
        described(a=(int, Field(ge=1)))

    assert str(caught.value) == (
        "f: parameter 'a' has a Field(...) as its default; write a: Annotated[TYPE, Field(...)] = "
        "DEFAULT"
    )


def test_a_type_that_cannot_be_described_is_told_with_its_parameter():
    with pytest.raises(DefinitionError, match=r"^f: parameter 'a': the type ") as caught:
        described(a=print)

    assert isinstance(caught.value.__cause__, DefinitionError)
