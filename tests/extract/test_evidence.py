"""What stands behind the values of an answer."""

from datetime import date
from typing import Literal

from pydantic import BaseModel

from toolstone.extract import Evidence
from toolstone.extract.evidence import Quotes, grounds_of
from toolstone.extract.records import as_json
from toolstone.extract.shape import Shape

TEXT = "Invoice 7 of Ada, due 1 December 2026.\n- tea 2.50\n- coffee 2.50\nTotal 5.00"


class Line(BaseModel):
    item: str
    amount: float


class Invoice(BaseModel):
    number: str
    due: date | None = None
    city: str | None = None
    kind: Literal["sale", "refund"] | None = None
    paid: bool | None = None
    lines: list[Line] = []


SHAPE = Shape.of(Invoice)
VALUE = Invoice(
    number="7",
    due=date(2026, 12, 1),
    kind="sale",
    paid=True,
    lines=[Line(item="tea", amount=2.5), Line(item="coffee", amount=2.5)],
)


def grounds(value, quotes=None, text=TEXT):
    said = None
    if quotes is not None:
        said = Quotes()
        said.add(as_json(value), [{"path": p, "quote": q} for p, q in quotes], 0)
    return grounds_of(text, as_json(value), SHAPE, said)


def found(value, quotes=None):
    return {
        one.path: one.quote if one.grounded else None for one in grounds(value, quotes).evidence
    }


def test_each_value_has_its_place_and_a_choice_has_one_only_if_it_stands_there():
    assert found(VALUE) == {
        "number": "7",
        "due": "1 December 2026",
        "lines[0].item": "tea",
        "lines[0].amount": "2.50",
        "lines[1].item": "coffee",
        "lines[1].amount": "2.50",
    }


def test_every_place_is_one_in_the_text():
    assert all(TEXT[one.start : one.end] == one.quote for one in grounds(VALUE).evidence)


def test_of_equal_values_each_is_found_beside_its_neighbours():
    places = {one.path: one.start for one in grounds(VALUE).evidence}
    assert places["lines[0].amount"] == TEXT.index("2.50")
    assert places["lines[1].amount"] == TEXT.rindex("2.50")


def test_a_value_that_stands_nowhere_is_told_and_may_be_null_where_its_field_may():
    guessed = Invoice(number="8", city="Paris", kind="refund", paid=False)
    result = grounds(guessed)
    assert result.evidence == (Evidence("number", ""), Evidence("city", ""))
    assert result.airy == (("city",),)
    assert result.warnings == ()


def test_a_quote_is_the_evidence_of_the_value_it_is_for():
    quotes = [("due", "due 1 December 2026"), ("lines[1]", "coffee 2.50")]
    assert found(VALUE, quotes) == {
        "number": "7",
        "due": "due 1 December 2026",
        "lines[0].item": "tea",
        "lines[0].amount": "2.50",
        "lines[1].item": "coffee 2.50",
        "lines[1].amount": "coffee 2.50",
    }


def test_an_invented_quote_is_caught():
    guessed = Invoice(number="7", city="Paris")
    result = grounds(guessed, [("city", "sent to Paris, France"), ("number", "our number 7")])
    assert Evidence("city", "sent to Paris, France") in result.evidence
    assert Evidence("number", "7", 8, 9) in result.evidence
    assert result.airy == (("city",),)
    assert result.warnings == (
        "number: its quote does not stand in the document",
        "city: its quote does not stand in the document",
    )


def test_a_quote_that_does_not_hold_its_number_is_caught():
    value = Invoice(number="7", lines=[Line(item="tea", amount=3)])
    result = grounds(value, [("lines[0].amount", "tea 2.50")])
    assert result.warnings == (
        "lines[0].amount: its quote stands in the document and does not say it",
    )


def test_a_quote_of_a_path_that_is_not_there_is_nothing():
    assert found(Invoice(number="7"), [("nothing", "Ada"), ("", "Ada")]) == {"number": "7"}


def test_quotes_follow_their_values_when_lists_are_joined():
    said, text = Quotes(), "part one: tea 1\npart two: tea 2"
    said.add(
        {"number": "a", "lines": [{"item": "tea", "amount": 1}]},
        [{"path": "lines[0].amount", "quote": "tea 1"}],
        0,
    )
    said.add(
        {"number": None, "lines": [{"item": "tea", "amount": 2}]},
        [{"path": "lines[0].amount", "quote": "tea 2"}],
        16,
    )
    whole = Invoice(number="one", lines=[Line(item="tea", amount=1), Line(item="tea", amount=2)])
    result = grounds_of(text, as_json(whole), SHAPE, said)
    assert [one.quote for one in result.evidence] == ["one", "tea", "tea 1", "tea", "tea 2"]
    assert [one.start for one in result.evidence if one.path.endswith("item")] == [10, 26]
