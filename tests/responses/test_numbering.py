"""The numbers of a stream's events: what is due, what is missing, what came twice."""

import pytest

from toolstone.errors import ProtocolError
from toolstone.responses.numbering import Numbering


def test_before_anything_came_no_number_is_due_and_none_is_missing():
    numbers = Numbering()

    assert (numbers.due, numbers.last, numbers.gap) == (None, b"", None)


def test_the_first_number_may_be_any_and_what_is_due_follows_it():
    numbers = Numbering()

    assert numbers.admits(3, b"")
    assert (numbers.due, numbers.gap) == (4, None)


def test_a_gap_is_the_first_one():
    numbers = Numbering()
    for n in (0, 4, 9):
        assert numbers.admits(n, b"")

    assert (numbers.gap, numbers.due) == ((1, 4), 10)


@pytest.mark.parametrize("number", [None, "1", 1.0, True, -1])
def test_a_number_that_is_none_makes_gaps_prove_nothing(number):
    numbers = Numbering()
    numbers.admits(0, b"")
    numbers.admits(5, b"")

    assert numbers.admits(number, b"")
    assert (numbers.gap, numbers.due) == (None, 6)


def test_the_same_event_again_is_passed_over_and_another_of_its_number_is_an_error():
    numbers = Numbering()
    numbers.admits(7, b"seven")
    numbers.last = b"seven"

    assert not numbers.admits(7, b"seven")
    for number, data in ((7, b"other"), (6, b"seven")):
        with pytest.raises(ProtocolError, match=f"number {number} came where 8 should") as caught:
            numbers.admits(number, data)
        assert caught.value.phase == "stream"
