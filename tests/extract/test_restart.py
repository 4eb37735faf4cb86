"""kill -9 of an extraction: a few, seeded; hundreds are `python tools/campaign.py extract`."""

import os
import re
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).parents[2] / "tools"
SWEEP = """
import argparse, sys
from campaigns import extract
parser = argparse.ArgumentParser()
extract.options(parser)
sys.exit(extract.run(parser.parse_args()))
"""


def sweep(*options, status=0):
    """Kills, and what was counted; in a process of its own: only one without threads may fork."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SWEEP, *options],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(TOOLS)},
    )
    assert (done.returncode, done.stderr) == (status, ""), done.stdout  # with the seed
    counts = re.findall(r"^([a-z, -]+): ([\d,]+)$", done.stdout, re.MULTILINE)
    (kills,) = re.findall(r"^([\d,]+) kills", done.stdout, re.MULTILINE)
    return int(kills), {name: int(number.replace(",", "")) for name, number in counts}


def test_killed_anywhere_no_answer_is_asked_for_twice_none_is_lost_and_no_row_is_doubled():
    kills, counts = sweep("--kills", "8")

    assert kills >= 8
    assert counts["answered at a kill"] > 0
    assert counts["asked twice"] == counts["lost"] == counts["doubled"] == counts["wrong"] == 0


def test_the_sweep_finds_what_is_lost_where_answers_are_acknowledged_before_they_are_kept():
    _, counts = sweep("--kills", "2", "--careless", status=1)

    assert counts["lost"] > 0
