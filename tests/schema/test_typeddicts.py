"""`typing.TypedDict` works on every Python, wherever it stands in an annotation."""

from typing import Annotated, Literal, NotRequired, Optional, Required, TypedDict

import pytest
import typing_extensions

from toolstone.schema.fragment import describe
from toolstone.schema.typeddicts import modern


class Point(TypedDict):
    """A point."""

    x: int
    y: NotRequired[int]


class Loose(Point, total=False):
    z: int
    must: Required[str]


class New(typing_extensions.TypedDict):
    a: int


@pytest.mark.parametrize(
    "annotation",
    [Point, list[Point], dict[str, Point], Point | None, Optional[Point], Annotated[Point, "meta"], tuple[Point, int]],  # noqa: UP045
    ids=str,
)  # fmt: skip
def test_it_is_described_wherever_it_stands(annotation):
    found = describe(annotation)

    assert "'x': {'type': 'integer'}" in str([found.schema, found.defs])


def test_required_and_total_are_kept():
    assert describe(Loose).schema["required"] == ["x", "must"]
    assert list(describe(Loose).schema["properties"]) == ["x", "y", "z", "must"]
    assert describe(Point).schema["description"] == "A point."


@pytest.mark.parametrize(
    "annotation", [int, New, list[int], Literal["a"], list[New] | None], ids=str
)
def test_what_needs_no_change_is_the_same(annotation):
    assert modern(annotation) is annotation
