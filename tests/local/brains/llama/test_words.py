"""The words, numbers and dates that a text holds, and how they fit a tool."""

import pytest

from toolstone.local.brains.llama.engine import goes_round
from toolstone.local.brains.llama.fit import fills, fit, names, own_words
from toolstone.local.brains.llama.spans import span_rules
from toolstone.local.brains.llama.words import dates, numbers, related, stems, words


def tool(name, description, **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "name": name, "description": description, "parameters": parameters}


WEATHER = tool("weather", "Current temperature in a city.", city={"type": "string"})
ADD = tool("add", "Add two numbers.", a={"type": "number"}, b={"type": "number"})


def test_numbers_are_digits_and_words_but_not_dates_and_times():
    text = "On 2026-12-24 at 18:30 we need two rooms, 1,500.50 euros, -3 degrees and 007."
    assert [number.json for number in numbers(text)] == ["2", "1500.50", "-3", "7"]
    assert dates(text) == ["2026-12-24"]


def test_a_number_knows_the_words_around_it():
    [number] = numbers("stay for 3 nights")
    assert (number.before, number.after) == ("for", "nights")
    assert numbers("15% of it")[0].after == "percent"


def test_words_lose_their_marks_and_tell_where_a_sentence_breaks():
    found = words("Mrs. Brown's house, (quickly)!")
    assert [(word.text, word.breaks) for word in found] == [
        ("Mrs.", False),
        ("Brown", True),
        ("house", True),
        ("quickly", True),
    ]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("temp_c", "Temperature", True),
        ("cities", "city", True),
        ("booking", "book", True),
        ("cat", "cattle", False),
        ("rain", "train", False),
    ],
)
def test_near_forms_of_a_word_agree(one, other, expected):
    assert related(stems(one), stems(other)) is expected


def test_a_span_neither_ends_on_a_function_word_nor_crosses_a_preposition():
    rules = span_rules("Send the history of art to Anna")
    assert rules is not None
    assert rules.split("\n")[0] == "span ::= w0 | w2 | w4 | w6"
    assert 'w2 ::= "history" (" " w3)?' in rules
    assert 'w3 ::= "of" " " w4' in rules
    assert 'w4 ::= "art"' in rules.split("\n")
    assert span_rules("to the") is None
    assert span_rules("Anna", without=["anna"]) is None


def test_a_tool_fits_where_its_numbers_do():
    assert fit(ADD, [WEATHER], "17 and 25") > fit(ADD, [WEATHER], "17 alone")
    assert fit(WEATHER, [ADD], "Oslo") > fit(WEATHER, [ADD], "17 in Oslo")
    assert fit(WEATHER, [ADD], "temperature in Oslo") > fit(WEATHER, [ADD], "warmth in Oslo")


def test_the_words_that_ask_for_a_tool_are_no_values_for_it():
    assert own_words(WEATHER, "The temperature in Oslo") == ["temperature"]
    assert fills(WEATHER, "in Oslo")
    assert not fills(WEATHER, "the temperature")
    assert not fills(ADD, "17")


def test_a_name_has_a_capital_or_follows_a_preposition():
    assert names(WEATHER, "how warm is Oslo")
    assert names(WEATHER, "how warm is it in oslo")
    assert not names(WEATHER, "Write down the temperature")


@pytest.mark.parametrize(
    ("text", "stuck"),
    [
        ("You're ready to go on.\n\n" * 8, True),
        ("Well. " + "and so on and " * 8, True),
        ("You're ready to go on.\n\n" * 7, False),
        ("You're ready to go on.\n\n" * 8 + "Are you?", False),
        ("-" * 100, False),
        ("| - " * 30, False),
        ("One, two, three, four, five, six, seven, eight, nine.", False),
        ("", False),
    ],
)
def test_a_text_that_goes_round_is_noticed(text, stuck):
    assert goes_round(text) is stuck
