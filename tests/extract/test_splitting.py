"""Long texts in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone.errors import DefinitionError
from toolstone.extract import Split
from toolstone.extract.splitting import pieces_of
from toolstone.usage import estimate_tokens


def texts(text, split):
    return [piece.text for piece in pieces_of(text, split)]


def test_a_short_text_stays_whole():
    assert texts("short", Split()) == ["short"]
    assert texts("long " * 100, None) == ["long " * 100]


def test_a_long_text_is_cut_at_paragraphs():
    text = "one two three\n\nfour five six.\nseven\n\neight"
    assert texts(text, Split(9, 0)) == ["one two three\n\n", "four five six.\nseven\n\n", "eight"]


def test_without_paragraphs_it_is_cut_at_lines_then_sentences_then_words():
    assert texts("one two three\nfour five six seven", Split(8, 0))[0] == "one two three\n"
    assert texts("One two three. Four five six.", Split(7, 0))[0] == "One two three. "
    assert texts("one two three four five", Split(5, 0))[0] == "one two three "
    assert texts("x" * 20, Split(4, 0)) == ["x" * 11, "x" * 9]


def test_a_piece_begins_with_the_end_of_the_one_before():
    pieces = pieces_of("One is here. Two is there. Three is far. Four is near.", Split(12, 6))
    assert [piece.text for piece in pieces] == [
        "One is here. Two is there. ",
        "Two is there. Three is far. ",
        "Three is far. Four is near.",
    ]


def test_a_piece_never_begins_inside_a_word_unless_words_are_run_together():
    assert texts("December is a month of the year", Split(5, 1)) == [
        "December is a ",
        "month of the ",
        "year",
    ]
    assert texts("x" * 20, Split(4, 1)) == ["x" * 11, "x" * 11]


@given(st.text(), st.integers(1, 20), st.integers(0, 10))
def test_the_pieces_cover_the_text_and_stand_where_they_say(text, tokens, overlap):
    pieces = pieces_of(text, Split(tokens, min(overlap, tokens // 2)))
    end = 0
    for piece in pieces:
        assert piece.start <= end
        assert text[piece.start : piece.start + len(piece.text)] == piece.text
        assert piece.start + len(piece.text) > end or not text
        end = piece.start + len(piece.text)
    assert end == len(text)


@given(st.text(min_size=1), st.integers(3, 50))
def test_no_piece_has_more_tokens_than_are_wanted(text, tokens):
    for piece in pieces_of(text, Split(tokens, 0)):
        assert estimate_tokens(len(piece.text.encode())) <= tokens


@pytest.mark.parametrize("wrong", [{"tokens": 0}, {"tokens": 10, "overlap": 6}, {"overlap": -1}])
def test_a_split_that_cannot_be_is_refused(wrong):
    with pytest.raises(DefinitionError, match="Split"):
        Split(**wrong)
