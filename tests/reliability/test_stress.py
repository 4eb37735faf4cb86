"""The comparison with other toolkits: its rules are sound, and its judge finds what is wrong."""

import re

import pytest
import toolstone_rows as rows
from stress import judge

from toolstone.testing import faults

ROWS = judge.rows()
PEER = (rows.HERE.parent.parent / "tools" / "stress" / "peer.py").read_text()
OWN = set(re.findall(r'(?:scenario|_typed)\(\s*"(P\d\d(?:-\w+)?)"', PEER))
"""Scenarios that only the comparison has."""
WELL = {
    "ended": "answer",
    "text": "It is 21 °C in Paris. 😀",
    "ran": [],
    "told": [],
    "requests": 2,
    "strayed": 0,
    "seconds": 0.1,
    "typed": False,
}


def row(name):
    return next(one for one in ROWS if one["id"] == name)


@pytest.mark.parametrize("one", ROWS, ids=lambda one: one["id"])
def test_a_row_says_what_happens_and_what_is_right(one):
    assert one["says"]
    assert one["scenario"].partition(".")[0] in set(faults.SCENARIOS) | OWN
    assert one["right"]
    conditions = {name for name, _ in judge._CHECKS}
    for way in one["right"]:
        assert way["ends"]
        assert set(way) <= conditions
        assert set(way.get("facts", ())) <= set(judge._FACTS)


def test_no_row_stands_twice():
    assert len({one["id"] for one in ROWS}) == len(ROWS)


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("reset-once", {}, ""),
        ("reset-once", {"requests": 1}, "1 requests"),
        ("reset-once", {"text": "It is"}, "answered `It is`"),
        ("no-end", {}, "success: `It is 21 °C in Paris. 😀`"),
        ("no-end", {"ended": "error", "error": "KeyError"}, "raw `KeyError`"),
        ("no-end", {"ended": "error", "error": "a.MyError", "typed": True}, ""),
        ("no-end", {"ended": "hung", "seconds": 25.1}, "not ended after 25 s"),
        ("redirect", {"ended": "hung", "strayed": 1}, "the prompt went to another origin"),
        ("nan", {"told": ["no"]}, ""),
        (
            "nan",
            {"told": ["no"], "ran": [["weigh", "{'kilos': nan}"]]},
            "the tool ran with `{'kilos': nan}`",
        ),
        ("cut-call", {"ended": "error", "error": "a.B", "typed": True}, ""),
        ("cut-call", {"requests": 1}, "1 requests"),
        (
            "ids-restart",
            {"ended": "error", "error": "a.MyError", "typed": True},
            "the run died: `MyError`",
        ),
    ],
)
def test_the_judge_says_what_is_wrong(name, change, why):
    assert judge.judge(row(name), {**WELL, **change}) == why
