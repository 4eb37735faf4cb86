"""What a run may use: limits that are none are refused, and what is used up is named."""

import re

import pytest

from toolstone import Budget, DefinitionError, Price
from toolstone.runs.budget import Left


@pytest.mark.parametrize("name", ["requests", "tokens", "seconds", "dollars"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_is_above_zero_or_none(name, value):
    said = f"Budget({name}={value!r}): a limit is a number above 0, or None for no limit"
    with pytest.raises(DefinitionError, match=f"^{re.escape(said)}$"):
        Budget(**{name: value}, prices={"m": Price(input=1, output=1)})

    assert getattr(Budget(**{name: None}), name) is None


def test_dollars_need_prices():
    said = (
        "Budget(dollars=...) needs prices={model name: Price(input=, output=)}, in dollars per "
        "million tokens; toolstone ships no price list"
    )
    with pytest.raises(DefinitionError, match=f"^{re.escape(said)}$"):
        Budget(dollars=1.0)


def test_the_limits_that_are_set_are_kept_with_the_run():
    assert Budget(requests=3, seconds=1.5).as_data() == {"requests": 3, "seconds": 1.5}


@pytest.mark.parametrize(
    ("left", "named"),
    [
        (Left(), None),
        (Left(requests=1, tokens=1, seconds=0.1, dollars=0.1), None),
        (Left(requests=0, tokens=0), "requests"),
        (Left(requests=1, tokens=0), "tokens"),
        (Left(seconds=0.0), "seconds"),
        (Left(dollars=-0.1), "dollars"),
    ],
)
def test_the_first_limit_that_is_used_up_is_named(left, named):
    assert left.exhausted() == named
