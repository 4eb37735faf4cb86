"""What the texts beside this file are read into: five schemas, the same for every toolkit."""

from datetime import date
from typing import Final, Literal

from pydantic import BaseModel, Field

__all__ = ["SCHEMAS", "Contact", "Invoice", "Line", "Log", "Meeting", "Survey"]


class Line(BaseModel):
    """One line of an invoice."""

    description: str = Field(description="What was sold")
    quantity: int
    amount: float = Field(description="Price of the whole line")


class Invoice(BaseModel):
    """An invoice, bill or receipt."""

    number: str = Field(description="Invoice number")
    supplier: str = Field(description="Who sells")
    customer: str | None = Field(description="Who buys")
    issued: date
    due: date | None = Field(description="When it must be paid")
    total: float
    currency: Literal["EUR", "GBP", "USD"]
    lines: list[Line]


class Contact(BaseModel):
    """A person and where to reach them."""

    name: str = Field(description="Name of the person")
    street: str | None = Field(description="Street and house number")
    postcode: str | None
    city: str | None
    email: str | None
    phone: str | None


class Log(BaseModel):
    """A line of a log."""

    at: str = Field(description="Date and time as written")
    level: Literal["debug", "info", "warning", "error"]
    service: str = Field(description="Which program wrote it")
    user: str | None
    status: int | None = Field(description="HTTP status")
    duration_ms: int | None = Field(description="Milliseconds")


class Survey(BaseModel):
    """An answer to a survey about a product."""

    rating: int | None = Field(ge=1, le=5, description="Stars")
    recommend: bool | None
    mood: Literal["positive", "neutral", "negative"]
    product: str | None
    liked: list[str]
    disliked: list[str]


class Meeting(BaseModel):
    """An appointment."""

    title: str = Field(description="What it is about")
    day: date
    start: str | None = Field(description="Time of day, HH:MM")
    place: str | None
    people: list[str] = Field(description="Names of those who take part")


SCHEMAS: Final[dict[str, type[BaseModel]]] = {
    "invoice": Invoice,
    "contact": Contact,
    "log": Log,
    "survey": Survey,
    "meeting": Meeting,
}
