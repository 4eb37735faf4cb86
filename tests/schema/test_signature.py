from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, NewType, Self

import pytest

from toolstone.errors import DefinitionError
from toolstone.schema.signature import REQUIRED, UnknownNameError, name_of, read_signature
from toolstone.tools import ToolContext

if TYPE_CHECKING:
    from decimal import Decimal

City = NewType("City", str)


def types(function):
    return {p.name: p.annotation for p in read_signature(function).parameters}


def plain(city: str, year: int | None = None, *, exact: bool = False) -> int: ...


class Shop:
    def sell(self, item: str, other: Self | None = None) -> str: ...

    @classmethod
    def open(cls, where: City) -> str: ...

    @staticmethod
    def count(what: list[str]) -> int: ...

    async def __call__(self, n: int) -> int: ...


def test_a_function_is_read_in_order_with_its_types_and_defaults():
    found = read_signature(plain)

    assert [(p.name, p.annotation, p.default) for p in found.parameters] == [
        ("city", str, REQUIRED),
        ("year", int | None, None),
        ("exact", bool, False),
    ]
    assert not found.waits
    assert found.context is None


def test_what_is_bound_is_not_asked_for():
    assert types(Shop().sell) == {"item": str, "other": Shop | None}
    assert types(Shop.open) == {"where": City}
    assert types(Shop.count) == {"what": list[str]}
    assert types(functools.partial(plain, "Paris")) == {"year": int | None, "exact": bool}
    assert types(functools.partial(plain, exact=True)) == {"city": str, "year": int | None}


def test_a_callable_object_is_named_and_read_by_its_call():
    assert types(Shop()) == {"n": int}
    assert name_of(Shop()) == "Shop"
    assert read_signature(Shop()).waits


def test_a_wrapped_function_is_read_through_the_wrapper():
    @functools.wraps(plain)
    def wrapper(*args, **kwargs):
        return plain(*args, **kwargs)

    assert types(wrapper) == {"city": str, "year": int | None, "exact": bool}
    assert name_of(wrapper) == "plain"


def test_local_classes_and_closures_are_found():
    class Local:
        pass

    def takes(one: Local, more: list[Local]) -> str: ...

    assert types(takes) == {"one": Local, "more": list[Local]}


def test_an_annotation_keeps_its_metadata():
    def takes(one: Annotated[int, "meta"]) -> str: ...

    assert types(takes) == {"one": Annotated[int, "meta"]}


def test_the_context_is_injected_wherever_it_stands():
    def generic(a: int, context: ToolContext[dict[str, int]], b: int) -> str: ...
    def bare(context: ToolContext) -> str: ...
    def perhaps(context: ToolContext[Any] | None = None) -> str: ...

    assert read_signature(generic).context == "context"
    assert types(generic) == {"a": int, "b": int}
    assert read_signature(bare).context == "context"
    assert read_signature(perhaps).context == "context"


def test_two_contexts_are_one_too_many():
    def twice(a: ToolContext[None], b: ToolContext[None]) -> str: ...

    with pytest.raises(DefinitionError, match="'a' and 'b' are both the context"):
        read_signature(twice)


def stars(*cities: str) -> str: ...
def keywords(**cities: str) -> str: ...
def positional(city: str, /) -> str: ...
def untyped(city) -> str: ...
def yields(city: str):
    yield city


async def yields_later(city: str):
    yield city


def unknown(amount: Decimal) -> str: ...


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (stars, r"stars: parameter '\*cities' has no name .* list\[str\]"),
        (keywords, r"keywords: parameter '\*\*cities' has no names .* one dict"),
        (positional, "positional: parameter 'city' is positional-only.*remove the '/'"),
        (untyped, "untyped: parameter 'city' has no type; annotate it"),
        (yields, "yields yields; return one value"),
        (yields_later, "yields_later yields"),
        (unknown, "unknown: the type name 'Decimal' is not known.*TYPE_CHECKING"),
        (Shop.sell, r"Shop.sell: parameter 'self' has no type.*instance\.method"),
        (Shop, "Shop is a class; give a function"),
        ("text", "a 'str' cannot be called"),
        (lambda city: city, "parameter 'city' has no type"),
        (dict.fromkeys, "fromkeys"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_by_name_with_the_mend(function, says):
    with pytest.raises(DefinitionError, match=says):
        read_signature(function)


def test_a_name_that_may_come_later_is_told_apart():
    with pytest.raises(UnknownNameError):
        read_signature(unknown)


def test_an_annotation_that_is_no_type_is_refused():
    def odd(city: "not a type"):  # noqa: F722  the point of it
        ...

    with pytest.raises(DefinitionError, match="odd: an annotation is not a type"):
        read_signature(odd)


class Chain:
    def join(
        self,
        many: list[Self],
        told: Annotated[Self, "meta"],
        named: dict[str, Self | None],
    ) -> Self: ...


def test_self_is_the_class_wherever_it_stands():
    assert types(Chain().join) == {
        "many": list[Chain],
        "told": Annotated[Chain, "meta"],
        "named": dict[str, Chain | None],
    }
