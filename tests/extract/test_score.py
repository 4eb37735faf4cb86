"""How right values are: what counts as what, and the page that shows it."""

import json
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone.extract.report import render_report
from toolstone.extract.score import FieldScore, compare, score


def kinds(gold, found):
    return {one.path: one.kind for one in compare(gold, found)}


def row(name, value, error=None):
    return {"id": name, "value": value, "error": error}


@pytest.mark.parametrize(
    ("gold", "found", "kind"),
    [
        ("EUR", "EUR", "correct"),
        ("Cafe\u0301  Luna", "Café Luna ", "correct"),
        ("eur", "EUR", "wrong"),
        (1, 1.0, "correct"),
        (12.5, "12.50", "correct"),
        ("01234", "1234", "wrong"),
        (0.1 + 0.2, 0.3, "correct"),
        (True, 1, "wrong"),
        (False, False, "correct"),
        (None, None, "absent"),
        (None, "x", "invented"),
        (None, 0, "invented"),
        ("x", None, "missing"),
        ("x", {"a": 1}, "wrong"),
    ],
)
def test_a_field_is_one_of_five(gold, found, kind):
    assert kinds({"f": gold}, {"f": found}) == {"f": kind}


def test_a_missing_object_misses_each_of_its_fields():
    assert kinds({"to": {"city": "Rome", "zip": None}}, {"to": None}) == {
        "to.city": "missing",
        "to.zip": "absent",
    }
    assert kinds({"to": None}, {"to": {"city": "Rome"}}) == {"to.city": "invented"}


def test_the_order_of_a_list_does_not_matter():
    gold = [{"what": "tea", "n": 1}, {"what": "ham", "n": 2}]
    assert [one.kind for one in compare(gold, gold[::-1])] == ["correct"] * 4


def test_entries_are_paired_with_what_is_most_like_them():
    gold = {"lines": [{"what": "tea", "n": 1}, {"what": "ham", "n": 2}]}
    found = {"lines": [{"what": "egg", "n": 9}, {"what": "ham", "n": 3}, {"what": "tea", "n": 1}]}
    told = [(one.path, one.kind, one.gold, one.found) for one in compare(gold, found)]
    assert told == [
        ("lines[].what", "correct", "tea", "tea"),
        ("lines[].n", "correct", 1, 1),
        ("lines[].what", "correct", "ham", "ham"),
        ("lines[].n", "wrong", 2, 3),
        ("lines[].what", "invented", None, "egg"),
        ("lines[].n", "invented", None, 9),
    ]


def test_entries_that_share_nothing_are_compared_in_order():
    assert [(one.gold, one.found) for one in compare(["a", "b"], ["c"])] == [
        ("a", "c"),
        ("b", None),
    ]


def test_precision_and_recall_are_what_they_are_called():
    field = FieldScore("f", correct=6, wrong=2, missing=1, invented=3, absent=8)
    assert field.precision == 6 / 11
    assert field.recall == 6 / 9
    assert field.f1 == pytest.approx(2 * (6 / 11) * (6 / 9) / (6 / 11 + 6 / 9))
    assert field.accuracy == 14 / 20
    assert FieldScore("g", absent=3).f1 is None


def test_a_score_counts_documents_and_fields():
    gold = {
        "a": {"x": 1, "y": None},
        "b": {"x": 2, "y": "z"},
        "c": {"x": 3, "y": None},
        "d": {"x": 4},
    }
    rows = [
        row("a", {"x": 1, "y": None}),
        row("b", {"x": 5, "y": "z"}),
        row("c", None, {"kind": "refused"}),
        row("e", {"x": 9}),
    ]
    found = score(rows, gold)
    assert (found.documents, found.exact, found.failed, found.unknown, found.unasked) == (
        3,
        1,
        1,
        1,
        ("d",),
    )
    assert found.fields == (FieldScore("x", 1, 1, 1, 0, 0), FieldScore("y", 1, 0, 0, 0, 1))
    assert found.total == FieldScore("all fields", 2, 1, 1, 0, 1)
    assert found.macro_f1 == (2 / 5 + 1) / 2


def test_closed_fields_have_a_confusion_table():
    schema = {
        "properties": {
            "mood": {"anyOf": [{"$ref": "#/$defs/Mood"}, {"type": "null"}]},
            "lines": {"type": "array", "items": {"properties": {"ok": {"type": "boolean"}}}},
            "name": {"type": "string"},
        },
        "$defs": {"Mood": {"enum": ["good", "bad"]}},
    }
    gold = {
        "a": {"mood": "good", "lines": [{"ok": True}], "name": "n"},
        "b": {"mood": "bad", "lines": [], "name": "m"},
    }
    rows = [
        row("a", {"mood": "bad", "lines": [{"ok": True}], "name": "n"}),
        row("b", {"mood": None, "lines": [], "name": "m"}),
    ]
    assert score(rows, gold, schema).confusion == {
        "mood": {("good", "bad"): 1, ("bad", "null"): 1},
        "lines[].ok": {("true", "true"): 1},
    }


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_is_right_beside_itself(value):
    assert {one.kind for one in compare(value, value)} <= {"correct", "absent"}


FLAT = st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(0, 1))


@given(FLAT, FLAT)
def test_what_one_side_misses_the_other_invents(gold, found):
    turned = {"missing": "invented", "invented": "missing"}
    there, back = kinds(gold, found), kinds(found, gold)
    assert {path: turned.get(kind, kind) for path, kind in there.items()} == back


def test_the_page_is_whole_and_loads_nothing():
    gold = {"a": {"mood": "good", "n": "<script>alert(1)</script>"}, "b": {"mood": None, "n": "x"}}
    rows = [row("a", {"mood": "bad", "n": "</td><img src=x>"}), row("b", {"mood": None, "n": "x"})]
    page = render_report(
        score(rows, gold, {"properties": {"mood": {"enum": ["good", "bad"]}}}), "Bills & <more>"
    )
    charts = [ET.fromstring(chart) for chart in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]
    assert [chart.get("aria-label") for chart in charts] == [
        "F1 of each field",
        "What became of each field",
    ]
    shown = [
        title.text for chart in charts for title in chart.iter("{http://www.w3.org/2000/svg}title")
    ]
    assert "n: 1 wrong of 2" in shown
    assert "<script" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "Bills &amp; &lt;more&gt;" in page
    assert not re.search(r'(src|href)="', page)


def test_the_page_of_a_perfect_score_says_that_there_is_nothing_to_see():
    page = render_report(score([row("a", {"x": 1})], {"a": {"x": 1}}), "t")
    assert "There are none." in page
    assert json.dumps("100.0%")[1:-1] in page
