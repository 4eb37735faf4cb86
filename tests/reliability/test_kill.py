"""kill -9: some hundreds, seeded; ten thousand are `python tools/campaign.py kill`."""

import os
import re
import subprocess
import sys

import toolstone_rows as rows

SEED = 5
SCRIPTS = ["batch", "streamed", "blocking", "turns", "sub-agent", "settled", "conversation"]
SWEEP = """
import argparse, sys
from campaigns import kill
parser = argparse.ArgumentParser()
kill.options(parser)
sys.exit(kill.run(parser.parse_args()))
"""


def sweep(*options, status=0):
    """Kills, and what was counted; in a process of its own: only one without threads may fork."""
    tools = str(rows.HERE.parent.parent / "tools")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SWEEP, "--seed", str(SEED), *options],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": tools},
    )
    assert (done.returncode, done.stderr) == (status, ""), done.stdout  # with the seed
    counts = re.findall(r"^([a-z ]+): ([\d,]+)$", done.stdout, re.MULTILINE)
    (kills,) = re.findall(r"^([\d,]+) kills", done.stdout, re.MULTILINE)
    return int(kills), {name: int(number.replace(",", "")) for name, number in counts}


def test_d01_killed_at_random_nothing_is_doubled_lost_or_left_unnamed():
    scripts = [word for name in SCRIPTS for word in ("--script", name)]
    kills, counts = sweep("--kills", "240", *scripts)

    assert kills >= 240
    assert counts["duplicated"] == counts["lost"] == counts["invalid"] == 0
    assert counts["interrupted calls"] == counts["named"] > 0


def test_d02_killed_at_each_write_nothing_is_doubled_lost_or_left_unnamed():
    kills, counts = sweep("--each", "--script", "streamed")

    assert kills >= 45
    assert counts["duplicated"] == counts["lost"] == counts["invalid"] == 0
    assert counts["interrupted calls"] == counts["named"] > 0


def test_the_sweep_finds_what_is_doubled_where_tools_say_they_may_be_repeated():
    _, counts = sweep("--kills", "12", "--script", "batch", "--careless", status=1)

    assert counts["duplicated"] > 0
    assert counts["named"] < counts["interrupted calls"]
