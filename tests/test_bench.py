"""What the bench makes of its figures: medians, ratios within a round, bars."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parent.parent / "tools" / "bench"

JUDGE = """
import json, sys
sys.path.insert(0, sys.argv[1])
import report
found = json.load(sys.stdin)
print(json.dumps([report._bars(found), report.missed(found), report.render(found, {"date": "d"})]))
"""


def judged(rounds):
    done = subprocess.run(
        [sys.executable, "-c", JUDGE, BENCH],
        input=json.dumps(rounds),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    bars, missed, table = json.loads(done.stdout)
    return {name: (found, met) for name, _, found, met in bars}, missed, table


def sequential(ours, theirs, loop):
    return {
        "sequential": {
            "toolstone": {"cpu_ms": ours},
            "openai-agents": {"cpu_ms": theirs},
            "loop-httpx": {"cpu_ms": loop},
        }
    }


def test_a_ratio_is_the_median_of_those_within_each_round():
    bars, missed, table = judged([sequential(1, 20, 1), sequential(2, 80, 2), sequential(4, 60, 4)])

    assert bars["sequential, cpu_ms, toolstone / openai-agents"] == ("0.05", "met")
    assert bars["sequential, cpu_ms, toolstone / loop-httpx"] == ("1", "met")
    assert not missed
    assert "| toolstone | 1 (2) |" in table


def test_the_ratio_of_instructions_stands_beside_and_decides_nothing():
    counted = {
        "toolstone": {"cpu_ms": 2, "instructions_m": 10},
        "loop-httpx": {"cpu_ms": 2, "instructions_m": 5},
    }
    bars, missed, table = judged([{"sequential": counted}])

    assert bars["sequential, cpu_ms, toolstone / loop-httpx"] == ("1 (2)", "met")
    assert not missed
    assert "beside loop-httpx (instructions)" in table
    assert "| toolstone | 2 (2) | 10 (10) | 1 (2) |" in table


def test_an_absolute_bar_is_judged_as_it_is_and_told_at_the_speed_it_comes_from():
    bars, _, _ = judged(
        [{"wide": {"toolstone": {"cpu_ms": 30}, "openai-agents": {"cpu_ms": 3750}}}]
    )

    assert bars["wide, cpu_ms, toolstone"] == ("30 (there 15)", "missed")


@pytest.mark.parametrize(("ours", "met"), [(1.15, "met"), (1.16, "missed")])
def test_a_bar_is_met_up_to_its_value(ours, met):
    bars, missed, _ = judged([sequential(ours, 100, 1)])

    assert bars["sequential, cpu_ms, toolstone / loop-httpx"][1] == met
    assert missed is (met == "missed")


def test_a_bar_whose_peer_did_not_run_is_not_measured():
    bars, missed, _ = judged([{"sequential": {"toolstone": {"cpu_ms": 1}}}])

    assert set(bars.values()) == {("", "not measured")}
    assert not missed


def test_a_goal_that_is_not_reached_is_told_and_is_no_failure():
    bars, missed, _ = judged(
        [{"at-once": {"toolstone": {"cpu_ms": 15}, "openai-agents": {"cpu_ms": 100}}}]
    )

    assert bars["at-once, cpu_ms, toolstone / openai-agents"] == ("0.15", "met")
    assert bars["goal: at-once, cpu_ms, toolstone / openai-agents"] == ("0.15", "not reached")
    assert not missed


@pytest.mark.parametrize(("rate", "met"), [(1_500, "met"), (1_499, "missed")])
def test_a_rate_is_to_be_reached_from_below(rate, met):
    bars, _, _ = judged([{"endpoint": {"toolstone": {"responses_per_cpu_second": rate}}}])

    assert bars["endpoint, responses_per_cpu_second, toolstone"][1] == met
