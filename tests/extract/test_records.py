"""Documents and records as JSON, and back."""

import dataclasses
import json
from datetime import date
from decimal import Decimal
from typing import TypedDict

import pytest
from pydantic import BaseModel, Field

from toolstone.errors import (
    FailedError,
    InputError,
    OutputError,
    RefusedError,
    TruncatedError,
)
from toolstone.extract import Document, Evidence, Failure, Record
from toolstone.usage import Usage


class Line(BaseModel):
    item: str
    amount: Decimal


class Invoice(BaseModel):
    number: str = Field(alias="invoiceNumber")
    due: date | None = None
    lines: list[Line] = []


@dataclasses.dataclass
class Point:
    x: int
    y: int | None = None


class Named(TypedDict):
    name: str


VALUES = [
    (
        Invoice(invoiceNumber="7", due=date(2026, 12, 1), lines=[Line(item="tea", amount="2.50")]),
        Invoice,
    ),
    (Point(1), Point),
    ({"name": "Ada"}, Named),
    ([Point(1, 2), Point(3)], list[Point]),
    ({"free": [1, None]}, {"type": "object"}),
]


@pytest.mark.parametrize(("value", "kind"), VALUES, ids=lambda part: type(part).__name__)
def test_a_record_is_the_same_after_a_way_through_json(value, kind):
    record = Record(
        "a",
        value,
        evidence=(Evidence("lines[0].item", "tea", 3, 6), Evidence("due", "")),
        usage=Usage(10, 5, 4, 3, 2, 1),
        attempts=2,
        same_as="b",
        warnings=("due: no majority",),
    )
    row = json.loads(json.dumps(record.as_row()))
    assert Record.from_row(row, kind) == record


def test_a_failed_record_is_the_same_after_a_way_through_json():
    error = Failure("validation", "due: required, but missing", ("due",), retryable=True)
    row = json.loads(json.dumps(Record("a", error=error).as_row()))
    assert Record.from_row(row, Invoice) == Record("a", error=error)
    assert not Record("a", error=error).ok


def test_every_key_of_a_row_is_always_there():
    assert set(Record("a", Point(1)).as_row()) == set(Record("a", error=Failure("x", "y")).as_row())


def test_a_row_has_the_names_of_the_schema():
    assert Record("a", VALUES[0][0]).as_row()["value"] == {
        "invoiceNumber": "7",
        "due": "2026-12-01",
        "lines": [{"item": "tea", "amount": "2.50"}],
    }


def test_a_row_of_a_type_that_was_changed_says_where_and_not_what():
    row = Record("a", {"x": "secret", "y": None}).as_row()
    with pytest.raises(InputError, match="does not fit the type any more, at x") as caught:
        Record.from_row(row, Point)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "row",
    [{}, {"id": "a"}, {**Record("a", Point(1)).as_row(), "evidence": [{"path": 1, "odd": 2}]}],
)
def test_what_is_no_row_is_an_error_that_says_so(row):
    with pytest.raises(InputError, match="no kept record"):
        Record.from_row(row, Point)


def test_a_text_is_named_by_its_digest():
    assert Document.of("one").id == Document.of("one").id != Document.of("two").id
    assert len(Document.of("one").id) == 16


def test_content_is_not_in_the_repr_of_anything():
    said = [
        Document("a", "secret"),
        Evidence("due", "secret", 0, 6),
        Record("a", "secret", evidence=(Evidence("due", "secret"),)),
    ]
    assert "secret" not in repr(said)


def test_evidence_is_grounded_where_it_has_a_place():
    assert Evidence("due", "May", 0, 3).grounded
    assert not Evidence("due", "May").grounded


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (RefusedError("declined. Go on with resume('x')"), Failure("refused", "declined")),
        (TruncatedError("cut off"), Failure("truncated", "cut off")),
        (FailedError("no answer"), Failure("model", "no answer")),
        (InputError("no text"), Failure("validation", "no text")),
        (
            OutputError(
                "did not fit",
                problems=[
                    "lines[0].due: missing",
                    "due: a",
                    "due: b",
                    "the value: c",
                    "and 3 more",
                ],
            ),
            Failure("validation", "did not fit", ("lines[0].due", "due")),
        ),
    ],
    ids=lambda part: type(part).__name__,
)
def test_a_failure_says_the_kind_and_the_fields(error, failure):
    assert Failure.of(error) == failure


def test_what_may_succeed_when_asked_again_is_retryable():
    error = FailedError("the network")
    error.kind, error.retryable = "transport", True
    assert Failure.of(error) == Failure("transport", "the network", retryable=True)
