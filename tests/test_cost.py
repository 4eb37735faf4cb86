"""What a run costs, in counts that do not depend on the machine (performance.md, design point 8)."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

COUNTS = Path(__file__).parent.parent / "tools" / "bench" / "counts.py"


@pytest.fixture(scope="module")
def counts():
    done = subprocess.run(
        [sys.executable, COUNTS], capture_output=True, text=True, check=True, timeout=120
    )
    return json.loads(done.stdout)


def test_function_calls_of_a_3_turn_12_call_run_stay_within_2000(counts):
    assert counts["calls"]["both"] <= 2_000


def test_no_task_is_made_but_one_for_each_call(counts):
    assert counts["tasks"] == 12


def test_the_import_and_a_first_agent_load_no_more_modules_than_they_did(counts):
    assert counts["modules"]["import"] <= 80
    assert counts["modules"]["first agent"] <= 285
