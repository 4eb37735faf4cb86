"""What is described the short way is what pydantic says, without filler."""

import datetime as dt
import enum
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional, TypedDict

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from toolstone.errors import DefinitionError
from toolstone.schema import fragment
from toolstone.schema.fragment import describe


class Item(BaseModel):
    """One thing for sale.

    Attributes:
        name: What it is called.
        price: What it costs.
    """

    name: str
    price: float = Field(default=1.0, description="In euros.")


class Old(TypedDict):
    """An old one.

    Attributes:
        a: An a.
    """

    a: int


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Told(enum.Enum):
    """How it went.

    Attributes:
        GOOD: Well.
    """

    GOOD = "good"
    BAD = "bad"


@pytest.mark.parametrize(
    "annotation",
    [str, int, float, bool, str | None, Optional[int], list[str], list[list[int | None]], list[str] | None],  # noqa: UP045
)  # fmt: skip
def test_everyday_types_are_described_as_pydantic_would(annotation, monkeypatch):
    short = fragment._describe(annotation)
    monkeypatch.setattr(fragment, "_everyday", lambda _annotation: None)
    full = fragment._describe(annotation)

    assert short.schema == full.schema
    assert short.tight == full.tight
    assert (short.defs, short.nullable) == (full.defs, full.nullable)


def test_docstrings_of_models_are_read_as_docstrings():
    assert describe(Item).schema == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": "What it is called."},
            "price": {"type": "number", "description": "In euros.", "default": 1.0},
        },
        "required": ["name"],
        "description": "One thing for sale.",
    }
    assert describe(Old).schema["properties"] == {"a": {"type": "integer", "description": "An a."}}
    assert describe(Old).schema["description"] == "An old one."


def test_nothing_is_said_that_nobody_wrote():
    class Bare(BaseModel):
        snake_case: int

    assert describe(Bare).schema["properties"] == {"snake_case": {"type": "integer"}}
    assert "title" not in describe(Bare).schema
    assert describe(Mood).schema == {"enum": ["good", "bad"], "type": "string"}
    assert describe(Annotated[Mood, Field(description="How.")]).schema["description"] == "How."


def test_an_enum_says_its_summary():
    class Both(BaseModel):
        before: Told
        after: Told

    assert describe(Told).schema["description"] == "How it went."
    assert describe(Both).defs["Told"]["description"] == "How it went."


def test_a_title_of_your_own_stays():
    kind = Annotated[int, Field(title="Year of birth")]

    assert describe(kind).schema == {"type": "integer", "title": "Year of birth"}


def test_what_pydantic_cannot_describe_is_refused():
    class Opaque: ...

    with pytest.raises(DefinitionError, match=r"the type .*Opaque cannot be described to a model"):
        describe(Opaque)


def test_a_function_type_cannot_be_described():
    from collections.abc import Callable

    with pytest.raises(DefinitionError, match="cannot be described to a model"):
        describe(Callable[[int], int])


class Leaf(BaseModel):
    n: int = 1


class Tree(BaseModel):
    leaf: Leaf
    leaves: dict[str, Leaf] = {}
    children: list["Tree"] = []
    mood: Mood = Mood.GOOD
    when: dt.date | None = None
    either: Annotated[int | str, Field(description="Either.")] = 1
    pair: tuple[int, Leaf]


@dataclass
class Flat:
    a: int
    leaf: Leaf = field(default_factory=Leaf)


def bare(node):
    """Without what we say otherwise: titles."""
    if isinstance(node, list):
        return [bare(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {key: bare(one) for key, one in node.items() if key != "title" or isinstance(one, dict)}


@pytest.mark.parametrize(
    "annotation",
    [Leaf, Tree, Flat, list[Tree], Tree | Leaf, dict[str, Flat], Mood, tuple[Leaf, Leaf], dt.timedelta, bytes, Literal["a", 1], set[int], Any],
    ids=str,
)  # fmt: skip
def test_everything_else_is_what_pydantic_says_but_for_titles(annotation):
    said = bare(TypeAdapter(annotation).json_schema())
    found = fragment._describe(annotation)

    assert {**found.schema, **({"$defs": found.defs} if found.defs else {})} == said


def test_two_types_of_one_name_in_one_type_are_kept_apart():
    def another():
        class Leaf(BaseModel):
            other: str

        return Leaf

    found = describe(tuple[list[Leaf], list[another()]])

    assert found.defs == {
        "Leaf": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}},
        "Leaf_2": {
            "type": "object",
            "properties": {"other": {"type": "string"}},
            "required": ["other"],
        },
    }
