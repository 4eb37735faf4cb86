"""Where values stand in a text."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone.extract.grounding import Source
from toolstone.extract.paths import Field, leaves


def quote(text, value):
    """What is found of a value first, as it stands in the text; None if nothing is."""
    spans = Source(text).places(value)
    return text[slice(*spans[0])] if spans else None


FOUND = [
    # to the letter
    ("Order from Ada Lovelace, London", "Ada Lovelace", "Ada Lovelace"),
    ("No. 7, not 17", "7", "7"),
    ("write to ada@example.com.", "ada@example.com", "ada@example.com"),
    # case, spaces, line ends, accents, punctuation
    ("ORDER FROM ADA\n   LOVELACE", "Ada Lovelace", "ADA\n   LOVELACE"),
    ("Caf\u00e9 de Flore", "Cafe de Flore", "Caf\u00e9 de Flore"),
    ("the inter-\nnational office", "international", "inter-\nnational"),
    ("O\u2019Brien & Sons", "O'Brien & Sons", "O\u2019Brien & Sons"),
    (
        "IBAN DE89 3704 0044 0532 0130 00 please",
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
    ),
    ("call (030) 555-01 23", "0305550123", "030) 555-01 23"),
    ("Stra\u00dfe 5", "STRASSE 5", "Stra\u00dfe 5"),
    ("\u6771\u4eac\u90fd\u6e2f\u533a\u306b\u3042\u308b", "\u6e2f\u533a", "\u6e2f\u533a"),
    # a long word inside a compound
    ("die Rechnungsnummer", "Rechnung", "Rechnung"),
    # numbers
    ("total: 1,234.50 EUR", 1234.5, "1,234.50"),
    ("Summe: 1.234,50 EUR", 1234.5, "1.234,50"),
    ("somme: 1\u202f234,50 EUR", 1234.5, "1\u202f234,50"),
    ("CHF 1'234.50", 1234.5, "1'234.50"),
    ("1,00,000 rupees", 100000, "1,00,000"),
    ("12 boxes", 12, "12"),
    ("EUR99.50 is due", 99.5, "99.50"),
    ("refund of -5", -5, "-5"),
    ("refund of (5)", -5, "5"),
    ("pages 10-15", 15, "15"),
    ("VAT 19 %", 0.19, "19 %"),
    ("VAT 19%", 19, "19%"),
    ("about 1.5 million people", 1500000, "1.5 million"),
    ("a $25k budget", 25000, "25k"),
    ("three cats", 3, "three"),
    ("weighs 7kg", 7, "7kg"[:1]),
    ("price 99.50", "99.5", "99.50"),
    ("size 1e3 or 1000", 1e3, "1000"),
    # dates
    ("due on 1 December 2026", "2026-12-01", "1 December 2026"),
    ("due on December 1st, 2026.", "2026-12-01", "December 1st, 2026"),
    ("due on Dec. 1, 2026", "2026-12-01", "Dec. 1, 2026"),
    ("f\u00e4llig am 1. Dezember 2026", "2026-12-01", "1. Dezember 2026"),
    ("le 3 f\u00e9vrier 2026", "2026-02-03", "3 f\u00e9vrier 2026"),
    ("den 3. J\u00e4nner 2026", "2026-01-03", "3. J\u00e4nner 2026"),
    ("le 3 juil. 2026", "2026-07-03", "3 juil. 2026"),
    ("on Sept 3, 2026", "2026-09-03", "Sept 3, 2026"),
    ("el 3 de enero de 2026", "2026-01-03", "3 de enero de 2026"),
    ("3. M\u00e4rz 2026", "2026-03-03", "3. M\u00e4rz 2026"),
    ("on 31/12/2026", "2026-12-31", "31/12/2026"),
    ("on 12/31/26", "2026-12-31", "12/31/26"),
    ("am 31.12.2026", "2026-12-31", "31.12.2026"),
    ("2026/12/31", "2026-12-31", "2026/12/31"),
    ("20261231-report", "2026-12-31", "20261231"),
    ("2026-12-31T10:00:00Z", "2026-12-31T10:00:00", "2026-12-31T10:00:00"),
    ("at 2026-12-31 10:00", "2026-12-31T10:00:00Z", "2026-12-31 10:00"),
    ("on 31 December 2026 at 3 pm.", "2026-12-31T15:00:00", "31 December 2026 at 3 pm"),
    ("10:05 h, 31/12/2026", "2026-12-31T10:05:00", "10:05 h, 31/12/2026"),
    ("the 31/12/2026, doors open, as ever, at 10:05", "2026-12-31T10:05:00", "31/12/2026"),
    ("sometime on 31/12/2026", "2026-12-31T00:00:00", "31/12/2026"),
    ("from 10:30 on", "10:30:00", "10:30"),
    ("at 12:15 am", "00:15", "12:15 am"),
    ("14h05", "14:05", "14h05"),
    ("in 2026-05-08 of 5", 5, "5"),
    ("on 2026-05-08", 2026, "2026"),
    ("2026\u5e7412\u670831\u65e5", "2026-12-31", "2026\u5e7412\u670831\u65e5"),
    ("by Christmas, 24 December", "2026-12-24", "24 December"),
    ("since December 2026", "2026-12-01", "December 2026"),
    ("24 Dec or 24 December 2026", "2026-12-24", "24 December 2026"),
]


@pytest.mark.parametrize(("text", "value", "said"), FOUND, ids=[repr(one[0])[:40] for one in FOUND])
def test_a_value_is_found_as_people_write_it(text, value, said):
    assert quote(text, value) == said


ABSENT = [
    ("No. 17", "7"),
    ("No. 17", 7),
    ("1,234.50", 1234),
    ("1,234.50", 50),
    ("No. A7b", "7"),
    ("version 15", "1.5"),
    ("on 2026-12-01", "2026-12-02"),
    ("1 December 2025", "2026-12-01"),
    ("31/13/2026", "2026-13-31x"),
    ("refund of 5", -5),
    ("a category", "cat"),
    ("on 2026-12-31 at 10:06", "2026-12-31T10:05:00"),
    ("on 2026-12-31", "2026-12-31T10:05:00"),
    ("from 10:30 on", "10:31"),
    ("on 2026-05-08", 5),
    ("on 10/15/26", 15),
    ("12 marbles and 12 decks", "2026-03-12"),
    ("12 marbles and 12 decks", "2026-12-12"),
    ("yes", True),
    ("", "a"),
    ("a", ""),
    ("a", None),
    ("some text", "---"),
    ("none here", 3),
]


@pytest.mark.parametrize(("text", "value"), ABSENT, ids=[repr(one)[:40] for one in ABSENT])
def test_what_does_not_stand_there_is_not_found(text, value):
    assert quote(text, value) is None


def test_every_place_is_told():
    assert Source("2 boxes of tea, two of coffee, 2.0 of salt").places(2) == [
        (0, 1),
        (31, 34),
        (16, 19),
    ]
    assert Source("tea and tea, not teapots").places("tea") == [(0, 3), (8, 11)]


def test_a_word_is_found_after_many_that_only_hold_it():
    text = "banana " * 500 + "a"
    assert Source(text).places("a") == [(3500, 3501)]


def test_no_more_places_are_told_than_are_compared():
    assert len(Source("tea " * 1_500).places("tea")) == 1_000


def test_a_number_that_letters_run_into_is_taken_only_if_there_is_no_other():
    assert Source("room A7, shelf 7").places(7) == [(15, 16)]
    assert Source("EUR7").places(7) == [(3, 4)]


def test_a_quote_is_found_though_spaces_and_case_differ():
    text = "The sum is\n  payable  BY December."
    (span,) = Source(text).quote_places("payable by december")
    assert text[slice(*span)] == "payable  BY December"


@pytest.mark.parametrize("invented", ["payable by January", "", "  ", "sum was"])
def test_an_invented_quote_is_not_found(invented):
    assert Source("The sum is payable by December.").quote_places(invented) == []


@given(st.text(min_size=1), st.text(), st.text())
def test_a_value_between_spaces_is_found_to_the_letter(value, before, after):
    text = f"{before} {value} {after}"
    assert value in [text[slice(*span)] for span in Source(text).places(value)]


@given(st.text(), st.one_of(st.text(), st.integers(), st.floats(allow_nan=False)))
def test_whatever_is_looked_for_the_place_is_in_the_text(text, value):
    assert all(0 <= start < end <= len(text) for start, end in Source(text).places(value))


@given(st.text(alphabet="abc\u00e9\u00df \n.", min_size=1, max_size=30))
def test_the_same_words_in_other_case_and_form_are_found(text):
    other = unicodedata.normalize("NFD", text).upper()
    if any(one.isalnum() for one in other):
        assert Source(text).quote_places(other)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_a_grouped_number_is_found(number):
    assert Source(f"sum {number:,.2f} EUR").places(float(number))


TUNING = [
    json.loads(line)
    for line in (Path(__file__).parents[1] / "data/extract/tuning.jsonl").read_text().splitlines()
]
CHOSEN = ("mood", "level", "currency")  # of a few words: such a value need not stand there


def values(row):
    found = leaves(row["gold"], Field([{}], {}))
    return {leaf.value for leaf in found if not leaf.closed and leaf.steps[0] not in CHOSEN}


def test_what_people_read_out_of_texts_is_found_in_them():
    missing = [
        (row["id"], v) for row in TUNING for v in values(row) if not Source(row["text"]).places(v)
    ]
    assert missing == []


def test_what_others_read_out_of_other_texts_is_hardly_ever_found():
    foreign = found = 0
    for row in TUNING:
        source = Source(row["text"])
        for other in TUNING:
            if other["schema"] == row["schema"]:
                wrong = values(other) - values(row)
                foreign += len(wrong)
                found += sum(bool(source.places(value)) for value in wrong)
    assert found / foreign < 0.01
