"""Every row of what is known of Bedrock has its test, or a reason why it can have none."""

import ast
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ROWS = tomllib.loads((ROOT / "tests" / "data" / "bedrock_rows.toml").read_text())["row"]
COUNTS = {"0": 15, "11": 30, "14": 17}
"""How many rows the page has: facts, errors as seen, pitfalls."""
UNTESTABLE = [("14", 11), ("14", 14), ("14", 17)]


@cache
def names_in(path):
    tree = ast.parse((ROOT / path).read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, functions))


def name_of(row):
    return f"{row['section']}.{row['number']}"


def test_every_row_of_the_page_is_here_once_and_in_its_order():
    expected = [(section, n + 1) for section, count in COUNTS.items() for n in range(count)]
    assert [(row["section"], row["number"]) for row in ROWS] == expected


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a_row_says_what_it_is_and_has_tests_or_a_reason(row):
    rest = set(row) - {"section", "number", "says"}
    assert rest in ({"tests"}, {"not_applicable"})
    assert row["says"]
    assert row.get("tests") or row.get("not_applicable")
    assert all(count == 1 for count in Counter(row.get("tests", [])).values())


@pytest.mark.parametrize("row", [row for row in ROWS if "tests" in row], ids=name_of)
def test_the_tests_that_a_row_names_are_there(row):
    for named in row["tests"]:
        path, name = named.split("::")
        assert name.startswith("test_")
        assert name in names_in(path), named


def test_few_rows_have_no_test():
    assert [(r["section"], r["number"]) for r in ROWS if "tests" not in r] == UNTESTABLE
