"""What schemas are made of, and what structured answers are read as; the same for every column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, create_model

if TYPE_CHECKING:
    from collections.abc import Callable


class Source(BaseModel):
    """Where a result is from."""

    url: str
    rank: int
    trusted: bool


class Author(BaseModel):
    """Who wrote it."""

    name: str
    age: int


class Item(BaseModel):
    """One result."""

    title: str
    score: float
    tags: list[str]
    source: Source
    authors: list[Author]


class Found(BaseModel):
    """Everything found."""

    results: list[Item]


def functions(count: int = 200, models: int = 20) -> list[Callable[..., Any]]:
    """Documented functions with nested models, made anew each time it is called."""
    shapes = [_shape(number) for number in range(models)]
    return [_function(number, shapes[number % models]) for number in range(count)]


def _shape(number: int) -> Any:
    inner: Any = create_model(
        f"Place{number}",
        street=(str, Field(description="Street and number")),
        city=(str, ...),
        zip=(str | None, None),
    )
    return create_model(
        f"Order{number}",
        customer=(str, Field(description="Who ordered")),
        amount=(float, Field(ge=0, description="In euros")),
        tags=(list[str], []),
        places=(list[inner], ...),
    )


def _function(number: int, shape: Any) -> Callable[..., Any]:
    def handle(order: Any, places: Any, urgent: bool, note: str | None) -> str:
        return f"{order} {places} {urgent} {note}"

    handle.__name__ = handle.__qualname__ = f"handle_{number}"
    handle.__annotations__ = {
        "order": shape,
        "places": list[shape],
        "urgent": bool,
        "note": str | None,
        "return": str,
    }
    handle.__doc__ = f"""Handle order number {number}.

    Args:
        order: What was ordered.
        places: Where it goes.
        urgent: Whether it is to be sent at once.
        note: What else is to be known.
    """
    return handle
