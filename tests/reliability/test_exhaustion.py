"""Block X: what wears out over many events, runs, tools, threads and dollars."""

import asyncio
import json
import logging
import subprocess
import sys
import threading

import pytest
import toolstone_rows as rows

from toolstone import Agent, Budget, Price, StoppedError, limits, tool
from toolstone.testing import Scripted, call
from toolstone.tools.telling import Sparing

SHARE = "0.1"
MEASURED = ["X01", "X02", "X03", "X04", "X05", "X09"]
ROOT = rows.HERE.parent.parent


@pytest.fixture(scope="module")
def measured():
    """A tenth of the long campaign, in one process of its own; what was found, by row."""
    command = [
        sys.executable,
        "tools/campaign.py",
        "exhaust",
        "--here",
        "--share",
        SHARE,
        *MEASURED,
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == ""
    return {one["row"]: one for one in map(json.loads, done.stdout.splitlines())}


def test_x01_a_stream_of_many_events_needs_no_more_memory_and_time_in_proportion(measured):
    found = measured["X01"]

    assert found["events"] == 100_000
    assert found["grown_mib"] < 1
    assert found["ratio"] < 2.2


def test_x02_runs_one_after_the_other_leave_nothing(measured):
    found = measured["X02"]

    assert (found["runs"], found["left"]) == (1_000, [])
    assert found["grown_mib"] < 5


def test_x03_arguments_byte_by_byte_take_time_in_proportion(measured):
    assert measured["X03"]["deltas"] == 99_998
    assert measured["X03"]["ratio"] < 2.2


def test_x04_a_turn_late_in_a_long_conversation_costs_what_an_early_one_does(measured):
    """By function calls: nothing walks the history; the bytes are spliced."""
    early, late = measured["X04"]["function_calls"]

    assert late <= early + 10


def test_x05_a_tool_among_many_is_found_at_once(measured):
    found = measured["X05"]

    assert found["tools"] == 1_000
    assert max(found["function_calls"]) - min(found["function_calls"]) < 10
    assert found["cpu_seconds"] < 5  # a tenth of the tools: the machine may be busy


def test_x09_calls_that_never_end_hold_so_many_threads_and_further_ones_are_refused(measured):
    found = measured["X09"]

    assert found["right"], found
    assert sum(found["told"].values()) == 1_000
    assert found["threads"] <= 2 * limits.SYNC_THREADS + 2


async def test_x09_who_is_refused_is_told_why_and_runs_again_when_threads_come_home(monkeypatch):
    monkeypatch.setattr(limits, "SYNC_THREADS", 1)
    from toolstone.tools import threads

    monkeypatch.setattr(threads, "_pools", {})
    ends = threading.Event()

    @tool(timeout=0.02, repeatable=True)
    def stuck() -> str:
        """Never end."""
        ends.wait()
        return "ended"

    def look() -> str:
        """Look."""
        return "seen"

    held = Scripted(*[call("stuck")] * 6, call("look"), "done")
    result = await Agent(held, tools=[stuck, look]).run("go")
    assert result.calls[0].output.startswith("timed out")
    assert "held by calls that timed out" in result.calls[-1].output

    ends.set()
    while threads.abandoned():  # noqa: ASYNC110  they end by themselves
        await asyncio.sleep(0.001)
    result = await Agent(Scripted(call("look"), "done"), tools=[look]).run("go")
    assert result.calls[0].output == "seen"


# ----------------------------------------------------------------------------------- money

PRICES = {"scripted": Price(input=0.0, output=1_000_000.0)}  # a dollar a token of output


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@pytest.mark.parametrize(("dollars", "asked"), [(15.9, 0), (16.0, 1), (20.9, 1), (21.0, 2)])
async def test_x07_the_request_that_could_pass_the_budget_is_not_sent(dollars, asked):
    """No answer may be asked to have less than 16 tokens, so each may cost 16; it costs five."""
    model = Scripted(*[call("add", a=n, b=n) for n in range(9)])
    budget = Budget(dollars=dollars, prices=PRICES)
    with pytest.raises(StoppedError) as caught:
        await Agent(model, tools=[add], budget=budget).run("go")

    assert len(model.requests) == asked
    assert caught.value.result.usage.output_tokens == 5 * asked
    capped = [one.settings.max_output_tokens for one in model.requests]
    assert all(5 * n + most <= dollars for n, most in enumerate(capped))


@pytest.mark.parametrize("requests", [2, 7, 12])
async def test_x07_agents_side_by_side_share_one_budget_exactly(requests):
    """Ten sub-agents want three requests each; together they make what is left, and no more."""
    models = [Scripted(call("add", a=1, b=1), call("add", a=2, b=2), "done") for _ in range(10)]
    inner = [Agent(one, tools=[add], name=f"helper_{n}") for n, one in enumerate(models)]
    model = Scripted([call(f"helper_{n}", request="x") for n in range(10)], "done")
    tools = [one.as_tool(description="Helps.") for one in inner]
    with pytest.raises(StoppedError) as caught:
        await Agent(model, tools=tools, budget=Budget(requests=requests)).run("go")

    made = len(model.requests) + sum(len(one.requests) for one in models)
    assert (made, caught.value.result.usage.requests) == (requests, requests)


# ------------------------------------------------------------------------------------ logs


async def test_x08_a_storm_of_the_same_error_is_written_so_often_and_then_counted(caplog):
    @tool(repeatable=True)
    def break_down(number: int) -> str:
        """Break down."""
        raise RuntimeError(f"no {number}")

    caplog.set_level(1, "toolstone")
    model = Scripted(*[[call("break_down", number=n) for n in range(100)]] * 5, "done")
    result = await Agent(model, tools=[break_down]).run("go")

    written = [one for one in caplog.records if one.name.startswith("toolstone")]
    assert len(result.calls) == 500
    assert len(written) == limits.LOG_REPEATS
    assert "more of the same are only counted" in written[-1].getMessage()


async def test_x08_an_observer_that_always_fails_does_not_fill_the_log(caplog):
    class Broken:
        def observe(self, run, event):
            raise RuntimeError("no")

    caplog.set_level(1, "toolstone")
    agent = Agent(Scripted(*["done"] * 100), observers=[Broken()])
    for _ in range(100):
        await agent.run("go")

    written = [one for one in caplog.records if one.name.startswith("toolstone")]
    assert len(written) == limits.LOG_REPEATS


def test_x08_after_a_while_it_is_written_again_with_what_was_not():
    clock = [0.0]
    sparing = Sparing(lambda: clock[0])

    def log(tool="t", error=ValueError):
        made = logging.makeLogRecord(
            {"msg": "%s failed (%s)", "args": (tool, clock[0]), "exc_info": (error, None, None)}
        )
        return made.getMessage() if sparing.filter(made) else None

    first = [log() for _ in range(100)]
    assert [text for text in first if text] == [
        *["t failed (0.0)"] * (limits.LOG_REPEATS - 1),
        "t failed (0.0) (for 60 s more of the same are only counted)",
    ]
    assert log(tool="other") == "other failed (0.0)"
    assert log(error=KeyError) == "t failed (0.0)"

    clock[0] = limits.LOG_SECONDS
    assert log() == f"t failed (60.0) (and {100 - limits.LOG_REPEATS} more before, not written)"
    for number in range(2 * limits.LOG_KINDS):
        log(tool=f"tool {number}")
    assert len(sparing._seen) <= limits.LOG_KINDS
