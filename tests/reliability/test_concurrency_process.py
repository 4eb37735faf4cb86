"""Block C, what only a process of its own can show: its stderr, its signals, its event loop."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SECONDS = 2.0  # the catalogue's bound for a process to end
BUSY = 1.0  # and what a busy machine may add


def run(script, *words, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", HERE / script, *words],
        env={**os.environ, **environment}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def leaving():
    return run("concurrency_leaving.py")


WAYS = [
    *["breaks", "raises", "collected", "collected_within", "closed_elsewhere"],
    *["closed_while_read", "cancelled"],
]


def test_c05_a_stream_that_is_left_aborts_its_request_and_cancels_its_tools(leaving):
    told = leaving.stdout.splitlines()

    assert leaving.stderr == ""
    assert [one for one in told if one.startswith("request")] == [f"request: {w}" for w in WAYS]
    assert [one for one in told if one.startswith("tools")] == [f"tools: {w}" for w in WAYS]
    assert "blocking" in told


def test_c06_closing_from_another_task_or_after_the_loop_writes_nothing(leaving):
    told = leaving.stdout.splitlines()

    assert leaving.stderr == ""
    assert {"after asyncio.run", "after the loop was closed by hand"} <= set(told)
    assert {"request: closed_elsewhere", "request: closed_while_read"} <= set(told)


def test_c17_a_loop_that_ends_with_runs_in_flight_leaves_nothing_open(leaving):
    assert leaving.stderr == ""
    assert leaving.stdout.splitlines()[-1] == "in flight"


def test_c17_a_loop_closed_by_hand_under_its_runs_warns_of_no_resource():
    """Python itself says of each task that it was destroyed; of ours there is nothing to say."""
    done = run("concurrency_leaving.py", "by hand")

    assert done.stdout.splitlines()[-1] == "in flight, closed by hand"
    assert "ResourceWarning" not in done.stderr
    assert "never" not in done.stderr
    assert not [one for one in done.stderr.splitlines() if one.lstrip().startswith("File") and "toolstone" in one]  # fmt: skip


@pytest.fixture(scope="module")
def signalled(tmp_path_factory):
    """What became of 16 children, by door, place and signal."""
    done = run("concurrency_signals.py", str(tmp_path_factory.mktemp("signals")))
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return {(one["door"], one["place"], one["signal"]): one for one in found}


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("place", ["model", "async tool", "blocking tool", "ledger"])
@pytest.mark.parametrize("door", ["blocking", "async"])
def test_c13_a_signal_ends_the_process_soon_and_leaves_a_session_that_goes_on(
    door, place, name, signalled
):
    found = signalled[door, place, name]

    assert found["took"] < SECONDS + BUSY
    assert found["code"] == {"SIGINT": -2, "SIGTERM": -15}[name]  # a shell says 130 and 143
    assert (found["outcome"], found["legal"]) == ("complete", True)
