"""The catalogue's rows, the peer's scenarios, the tests and the page: none without the other."""

import ast
from pathlib import Path

import pytest
import toolstone_rows as rows
from campaigns import table

from toolstone.testing import faults

ROOT = rows.HERE.parent.parent
LINES = {
    "H": 46,
    "S": 15,
    "E": 17,
    "M": 33,
    "T": 30,
    "C": 17,
    "D": 26,
    "A": 15,
    "X": 9,
    "K": 14,
    "N": 10,
    "Z": 13,
    "L": 12,
}
MOST_DIFFERENCES = 10


@pytest.mark.parametrize("block", LINES)
def test_every_line_of_the_catalogue_has_its_row(block):
    assert [row["id"] for row in rows.rows(block)] == [
        f"{block}{n:02}" for n in range(1, LINES[block] + 1)
    ]


@pytest.mark.parametrize("row", [r for b in LINES for r in rows.rows(b)], ids=lambda r: r["id"])
def test_a_row_is_held_by_a_test_or_says_what_is_missing(row):
    by_test = row["id"] in rows.special()
    assert by_test or any(row.get(key) for key in ("case", "held", "missing", "open"))
    assert row.get("twin") or not row.get("security"), "no test with the protection switched off"
    for held in (*row.get("held", ()), *row.get("twin", ())):
        path, _, name = held.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(), held
    for case in row.get("case", ()) if row["id"][0] in rows.PEER else ():
        name = case.get("scenario", row["id"])
        assert name in faults.SCENARIOS
        assert name.partition("-")[0] == row["id"]


def test_every_scenario_is_of_a_row():
    ids = {row["id"] for block in LINES for row in rows.rows(block)}

    assert {name.partition("-")[0] for name in faults.SCENARIOS} <= ids
    assert all(one.says for one in faults.SCENARIOS.values())


def test_there_are_few_deliberate_differences():
    all_rows = [row for block in LINES for row in rows.rows(block)]
    different = [
        r["id"] for r in all_rows if any("difference" in d for d in [r, *r.get("case", ())])
    ]

    assert len(different) <= MOST_DIFFERENCES


def test_the_page_shows_the_rows_as_they_are():
    assert table.render_table() in table.PAGE.read_text(), "run: python tools/campaign.py table"


def test_the_peer_shares_no_code_with_the_client():
    folder = Path(faults.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom | ast.Import):
                module = getattr(node, "module", None) or node.names[0].name
                ours = module.startswith("toolstone")
                own = module.startswith(("toolstone.testing.faults", "toolstone.errors"))
                assert own or not ours, f"{path.name} imports {module}"
                assert module.split(".")[0] not in {"httpx", "aiohttp", "starlette", "uvicorn"}
