"""The ninety texts are what they are said to be, and the bench judges by its targets."""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
DATA = TESTS / "data" / "extract"
BENCH = TESTS.parent / "tools" / "bench"

_spec = importlib.util.spec_from_file_location("extract_schemas", DATA / "schemas.py")
schemas = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(schemas)


def rows(half):
    return [json.loads(row) for row in (DATA / f"{half}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("half", ["tuning", "untouched"])
def test_a_half_has_nine_texts_of_each_kind_whose_gold_fits_its_schema(half):
    found = rows(half)

    assert Counter(row["schema"] for row in found) == dict.fromkeys(schemas.SCHEMAS, 9)
    for row in found:
        read = schemas.SCHEMAS[row["schema"]].model_validate_json(json.dumps(row["gold"]))
        assert read.model_dump(mode="json") == row["gold"]


def test_no_text_is_in_both_halves():
    tuning, untouched = ({row["text"] for row in rows(half)} for half in ("tuning", "untouched"))

    assert len(tuning | untouched) == 90


JUDGE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import extract, extract_report
found, rows = json.load(sys.stdin)
shapes = extract.shapes() if rows else None
said = extract_report.scores(found, rows, shapes) if rows else extract_report.costs(found)
print(json.dumps(said))
"""


def judged(found, gold=None):
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, BENCH],
        input=json.dumps([found, gold]),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def cost(cpu_ms):
    return {"cpu_ms": cpu_ms, "per_second": 1.0}


@pytest.mark.parametrize(("ours", "met"), [(2.0, True), (2.1, False)])
def test_ours_may_cost_a_fifth_of_the_better_peer(ours, met):
    found = {
        "pydantic-ai, native": cost(20),
        "instructor, tools": cost(10),
        "toolstone": cost(ours),
    }

    assert judged([found])[1] is met


def test_without_both_peers_no_target_is_met():
    table, met = judged([{"instructor, tools": cost(10), "toolstone": cost(1)}])

    assert not met
    assert "not measured beside both peers" in table


TEXTS = [row for row in rows("tuning") if row["schema"] == "contact"]


def records(**changes):
    return [{"id": r["id"], "value": {**r["gold"], **changes}, "error": ""} for r in TEXTS]


@pytest.mark.parametrize(
    ("ours", "met"), [({}, True), ({"name": "Somebody Else"}, False), ({"name": None}, False)]
)
def test_ours_may_not_be_below_a_peer_and_must_be_valid(ours, met):
    found = {
        "toolstone": records(**ours),
        "instructor, tools": records(),
        "pydantic-ai, native": records(city="Nowhere"),
    }

    assert judged(found, TEXTS)[1] is met
