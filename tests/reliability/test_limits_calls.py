"""Default limits of calls and runs, each at one less, at the limit, and at one more."""

import json
import re
import threading
import tomllib
from typing import Any

import pytest
import toolstone_rows as rows

from toolstone import Agent, StoppedError, limits, tool
from toolstone.testing import Scripted, call

ERRORS = {
    row["name"]: row["error"]
    for row in tomllib.loads((rows.DATA / "limits.toml").read_text())["row"]
    if "name" in row
}
AROUND = pytest.mark.parametrize("over", [-1, 0, 1])


def said(result):
    """All messages of a run."""
    return "\n".join(item.text for item in result.items if item.type == "message")


async def given(arguments):
    """What a tool gets of arguments, or what the model is told instead."""
    got = []

    def keep(value: Any) -> str:
        """Keep a value."""
        got.append(value)
        return "kept"

    result = await Agent(Scripted(call("keep", arguments), "ok"), tools=[keep]).run("go")
    return got[0] if got else result.calls[0].output


@AROUND
async def test_arguments_may_be_so_deep(over):
    depth = limits.JSON_DEPTH + over - 1  # the arguments themselves are the first level
    found = await given('{"value":' + "[" * depth + "]" * depth + "}")

    if over > 0:
        assert re.search(ERRORS["JSON_DEPTH"], found)
    else:
        assert json.dumps(found) == "[" * depth + "]" * depth


@AROUND
async def test_an_integer_may_have_so_many_digits(over):
    digits = "7" * (limits.INTEGER_DIGITS + over)
    found = await given(f'{{"value":{digits}}}')

    assert re.search(ERRORS["INTEGER_DIGITS"], found) if over > 0 else found == int(digits)


@AROUND
async def test_arguments_may_have_so_many_bytes(over):
    text = '{"value":"%s"}'
    inner = "x" * (limits.ARGUMENTS_BYTES + over - len(text) + 2)
    found = await given(text % inner)

    assert re.search(ERRORS["ARGUMENTS_BYTES"], found) if over > 0 else found == inner


@AROUND
async def test_a_turn_may_have_so_many_calls(over):
    ran = []

    @tool(repeatable=True)
    async def look(number: int) -> str:
        """Look."""
        ran.append(number)
        return "seen"

    count = limits.CALLS_PER_TURN + over
    model = Scripted([call("look", number=n) for n in range(count)], "ok")
    result = await Agent(model, tools=[look]).run("go")

    told = [one.output for one in result.calls]
    assert len(told) == count
    assert sorted(ran) == list(range(min(count, limits.CALLS_PER_TURN)))
    assert [text for text in told if text != "seen"] == told[limits.CALLS_PER_TURN :]
    assert all(re.search(ERRORS["CALLS_PER_TURN"], text) for text in told[limits.CALLS_PER_TURN :])


@AROUND
async def test_so_many_sync_tools_run_side_by_side(over):
    """They meet; one more waits until one of them has ended, and runs then."""
    count = limits.SYNC_THREADS + over
    together = min(count, limits.SYNC_THREADS)
    inside, most, lock, all_in = 0, 0, threading.Lock(), threading.Event()

    def meet(number: int) -> str:
        """Meet the others."""
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
            if inside == together:
                all_in.set()
        assert all_in.wait(5)
        with lock:
            inside -= 1
        return "met"

    model = Scripted([call("meet", number=n) for n in range(count)], "ok")
    result = await Agent(model, tools=[meet]).run("go")

    assert [one.output for one in result.calls] == ["met"] * count
    assert most == together


@AROUND
async def test_a_run_may_have_so_many_requests(over):
    @tool(repeatable=True)
    def look() -> str:
        """Look."""
        return "seen"

    needed = limits.RUN_REQUESTS + over
    agent = Agent(Scripted(*[call("look")] * (needed - 1), "ok"), tools=[look])
    if over <= 0:
        assert (await agent.run("go")).usage.requests == needed
        return
    with pytest.raises(StoppedError, match=ERRORS["RUN_REQUESTS"]) as caught:
        await agent.run("go")
    assert caught.value.result.usage.requests == limits.RUN_REQUESTS


@AROUND
@pytest.mark.parametrize("repeatable", [False, True])
async def test_the_same_calls_may_be_made_so_many_times_in_a_row(over, repeatable):
    ran = []

    @tool(repeatable=repeatable)
    def look() -> str:
        """Look."""
        ran.append(1)
        return "seen"

    count = limits.IDENTICAL_TURNS + over
    model = Scripted(*[call("look")] * count, "ok")
    agent = Agent(model, tools=[look])
    if over <= 0 or repeatable:
        result = await agent.run("go")
        warned = "3 times in a row" in said(result)
        assert (warned, len(ran)) == (over == 0 and not repeatable, count)
        return
    with pytest.raises(StoppedError, match=ERRORS["IDENTICAL_TURNS"]) as caught:
        await agent.run("go")
    assert "3 times in a row" in said(caught.value.result)
    assert len(model.requests) == count


@AROUND
@pytest.mark.parametrize("letter", ["x", "é"])
async def test_a_result_may_have_so_many_bytes(over, letter):
    size = limits.TOOL_RESULT_BYTES + over
    text = letter * (size // len(letter.encode()))
    text += "x" * (size - len(text.encode()))

    def look() -> str:
        """Look."""
        return text

    result = await Agent(Scripted(call("look"), "ok"), tools=[look]).run("go")
    told = result.calls[0].output

    if over <= 0:
        assert told == text
        return
    assert re.search(ERRORS["TOOL_RESULT_BYTES"], told[-200:].replace(",", ""))
    assert told[:1_000] == text[:1_000]
    assert len(told.encode()) <= limits.TOOL_RESULT_BYTES + 200


async def test_limits_that_have_no_parameter_are_changed_for_the_process(monkeypatch):
    """As a user would: `toolstone.limits.TOOL_RESULT_BYTES = ...`."""
    monkeypatch.setattr(limits, "TOOL_RESULT_BYTES", 10)
    monkeypatch.setattr(limits, "JSON_DEPTH", 2)
    monkeypatch.setattr(limits, "INTEGER_DIGITS", 350)
    monkeypatch.setattr(limits, "CALLS_PER_TURN", 1)
    monkeypatch.setattr(limits, "IDENTICAL_TURNS", 2)

    def look() -> str:
        """Look."""
        return "x" * 11

    model = Scripted([call("look"), call("look")], *[call("look")] * 2, "ok")
    result = await Agent(model, tools=[look]).run("go")

    assert "11" in result.calls[0].output
    assert "at most 1 calls" in result.calls[1].output
    assert "2 times in a row" in said(result)
    assert "deeper than 2" in await given('{"value":[[]]}')
    assert "at most 350" in await given('{"value":%s}' % ("7" * 351))
    monkeypatch.setattr(limits, "ARGUMENTS_BYTES", 40)
    assert "at most 40" in await given('{"value":"%s"}' % ("x" * 40))
