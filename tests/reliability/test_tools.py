"""Block T: what becomes of a run whose tools fail, hang, lie, or reach where they should not."""

import asyncio
import logging
import threading
import time
from contextlib import suppress

import pytest
import toolstone_rows as rows
from toolstone_acting import BOTH, DOORS, acting, eventually, go, raising, told

from toolstone import (
    Agent,
    CancelToken,
    MemoryLedger,
    RunCancelled,
    SQLiteLedger,
    ToolContext,
    ToolError,
    limits,
    tool,
)
from toolstone.errors import FailedError
from toolstone.events import Finished, Returned, Started
from toolstone.testing import Scripted, call
from toolstone.tools.threads import abandoned

# ------------------------------------------------------------------------------------- raising


@DOORS
@BOTH
async def test_t01_the_model_is_told_the_type_and_the_traceback_stays_here(door, waits, caplog):
    class OutOfPaperError(Exception): ...

    (text,) = await told(
        [acting(raising(OutOfPaperError("tray 2")), waits=waits)], call("acts"), door=door
    )

    said, _, reference = text.rstrip(")").partition(" (reference ")
    assert said == "the tool failed: OutOfPaperError"
    (record,) = [one for one in caplog.records if one.name == "toolstone.tools"]
    assert reference in record.getMessage()
    assert record.exc_info[0] is OutOfPaperError


async def test_t01_what_the_tool_wants_to_be_told_is_told_word_for_word():
    assert await told([acting(raising(ToolError("tray 2 is empty")))], call("acts")) == ["tray 2 is empty"]  # fmt: skip


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


class UnspeakableToolError(ToolError):
    def __str__(self):
        raise RuntimeError


ODD_ERRORS = {
    "secret": lambda: ValueError("canary"),
    "megabyte": lambda: ValueError("canary" * 200_000),
    "bytes": lambda: ValueError(b"canary"),
    "unspeakable": UnspeakableError,
    "unspeakable to the model": UnspeakableToolError,
    "a type with a line break": lambda: type("Two\nlines", (Exception,), {})("canary"),
    "a long type": lambda: type("A" * 100_000, (Exception,), {})("canary"),
    "megabyte to the model": lambda: ToolError("x" * 1_000_000),
    "half a character to the model": lambda: ToolError("a\ud800b"),
    "bytes to the model": lambda: ToolError(b"\xff"),
    "wide group": lambda: ExceptionGroup("many", [ValueError("canary"), KeyError("canary")] * 5_000),
    "group of many types": lambda: ExceptionGroup("many", [type(f"E{n}", (Exception,), {})() for n in range(100)]),
    "deep group": lambda: deep(3_000),
    "mixed group": lambda: ExceptionGroup("m", [ToolError("canary"), ValueError("canary")]),
    "group to the model": lambda: ExceptionGroup("m", [ToolError("one"), ExceptionGroup("n", [ToolError("two")])]),
}  # fmt: skip


def deep(levels):
    error = ValueError("canary")
    for _ in range(levels):
        error = ExceptionGroup("inner", [error])
    return error


@BOTH
@pytest.mark.parametrize("case", [c for r in rows.rows("T")[:5] for c in r.get("case", ()) if "odd" in c], ids=lambda c: c["odd"])  # fmt: skip
async def test_t02_a_message_is_redacted_cut_and_made_harmless(case, waits):
    (text,) = await told([acting(raising(ODD_ERRORS[case["odd"]]()), waits=waits)], call("acts"))

    said = text.partition(" (reference ")[0]
    assert said.startswith(case["told"]) if "starts" in case else said == case["told"]
    assert "canary" not in text
    assert len(text.encode()) <= limits.TOOL_RESULT_BYTES + 100
    assert text.isprintable() or case["odd"].endswith("to the model")


async def test_t02_a_careless_teller_would_show_the_message(monkeypatch):
    """The alarm's own test: what the exception says is told as it is."""
    from toolstone.tools import calling

    monkeypatch.setattr(
        calling, "tell_failure", lambda key, _name, error: Returned(key, str(error), failed=True)
    )
    with pytest.raises(AssertionError):
        await test_t02_a_message_is_redacted_cut_and_made_harmless(
            {"odd": "secret", "told": "the tool failed: ValueError"}, waits=True
        )


async def test_t02_a_log_that_fails_is_no_matter_of_the_run():
    class Broken(logging.Handler):
        def emit(self, record):
            raise OSError("the log is full")

    log, handler = logging.getLogger("toolstone.tools"), Broken()
    log.addHandler(handler)
    try:
        (text,) = await told([acting(raising(ValueError()))], call("acts"))
    finally:
        log.removeHandler(handler)

    assert text.startswith("the tool failed: ValueError")


@DOORS
@BOTH
@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
def test_t03_an_interrupt_cancels_siblings_and_leaves_unchanged(door, waits, raised, tmp_path):
    error, stopped, begun = raised("stop"), [], threading.Event()

    async def sibling() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def quick() -> str:
        return "home"

    def act():
        assert begun.wait(5)
        raise error

    def agent(*turns):
        tools = [sibling, quick, acting(act, waits=waits)]
        return Agent(Scripted(*turns), tools=tools, ledger=SQLiteLedger(tmp_path / "l.sqlite"))

    first = agent([call("sibling"), call("quick"), call("acts")])
    with pytest.raises(raised) as caught:
        asyncio.run(go(first, door, session="s"))
    first.ledger.close()

    assert caught.value is error
    assert stopped == [True]
    again = agent("done")
    waiting = again.resume_sync("s")
    again.ledger.close()
    assert [(one.name, one.state) for one in waiting.calls] == [
        ("sibling", "unknown"),
        ("quick", "returned"),
        ("acts", "unknown"),
    ]


@DOORS
@BOTH
@pytest.mark.parametrize("kind", [GeneratorExit, StopIteration, StopAsyncIteration, asyncio.CancelledError])  # fmt: skip
async def test_t04_what_looks_like_control_flow_is_a_failure_of_the_tool(door, waits, kind):
    (text,) = await told([acting(raising(kind()), waits=waits)], call("acts"), door=door)

    assert text.startswith(f"the tool failed: {kind.__name__} (reference ")


@DOORS
async def test_t04_a_tool_that_cancels_its_own_task_does_not_cancel_the_run(door):
    async def cancels() -> str:
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    (text,) = await told([cancels], call("cancels"), door=door)

    assert text.startswith("the tool failed: CancelledError")


@DOORS
@BOTH
async def test_t05_a_group_is_told_as_its_members(door, waits):
    group = BaseExceptionGroup("m", [ValueError("x"), ExceptionGroup("n", [KeyError(), ValueError()])])  # fmt: skip

    (text,) = await told([acting(raising(group), waits=waits)], call("acts"), door=door)

    assert text.startswith("the tool failed: ValueError, KeyError (reference ")


@BOTH
async def test_t14_endless_recursion_is_a_failure_of_the_tool(waits):
    def down(n):
        return down(n + 1)

    (text,) = await told([acting(lambda: down(0), waits=waits)], call("acts"))

    assert text.startswith("the tool failed: RecursionError (reference ")


# ------------------------------------------------------------------------------------- hanging


@DOORS
async def test_t06_an_async_tool_that_hangs_is_cancelled_and_its_outcome_unknown(door):
    ended = []

    @tool(timeout=0.01)
    async def hangs() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    assert await told([hangs], call("hangs"), door=door) == [
        "timed out after 0.01 s; outcome unknown"
    ]
    assert ended == [True]


@DOORS
async def test_t07_threads_of_tools_that_hang_are_counted_and_there_is_a_most(door, monkeypatch):
    monkeypatch.setattr(limits, "SYNC_THREADS", 2)
    release, begun = threading.Event(), []

    @tool(timeout=0.05)
    def hangs(n: int) -> str:
        begun.append(n)
        release.wait(30)
        return "late"

    def threads():
        return sum(one.name.startswith("toolstone-tool") for one in threading.enumerate())

    before, there = abandoned(), threads()
    texts = await told([hangs], *[call("hangs", n=n) for n in range(9)], door=door)

    assert set(texts) == {"timed out after 0.05 s; outcome unknown"}
    assert len(begun) <= 4 + there  # twice the limit, and whoever was idle
    assert abandoned() - before == len(begun)
    assert threads() <= max(there, 4)
    release.set()
    await eventually(lambda: abandoned() == before)
    assert len(begun) <= 4 + there, "one began that nobody waited for"


async def test_t20_a_tool_that_ignores_being_cancelled_is_named_when_the_grace_ends(
    caplog, monkeypatch
):
    monkeypatch.setattr(limits, "CANCEL_GRACE", 0.1)
    release, left = asyncio.Event(), threading.Event()
    meet = asyncio.Barrier(3)
    loop = asyncio.get_running_loop()

    async def deaf() -> str:
        await meet.wait()
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()
        return "late"

    def blocking(context: ToolContext[None]) -> str:
        asyncio.run_coroutine_threadsafe(meet.wait(), loop).result(5)
        left.wait(30)
        return "late"

    before = abandoned()
    ledger = MemoryLedger()
    agent = Agent(Scripted([call("deaf"), call("blocking")]), tools=[deaf, blocking], ledger=ledger)
    run = asyncio.create_task(agent.run("go", session="s"))
    await meet.wait()
    began = time.monotonic()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    took = time.monotonic() - began

    assert 0.09 < took < 2
    named = [one.getMessage() for one in caplog.records if one.name == "toolstone.tools"]
    assert sorted(named) == [
        "tool blocking does not stop; left running",
        "tool deaf does not stop; left running",
    ]
    await eventually(lambda: abandoned() == before + 1)
    release.set()
    left.set()
    await eventually(lambda: abandoned() == before)
    waiting = await agent.resume("s")
    assert [one.state for one in waiting.calls] == ["unknown", "unknown"]


@BOTH
@pytest.mark.parametrize("by", ["task", "token"])
async def test_t21_what_a_cancelled_tool_still_returns_is_recorded(waits, by):
    begun, ledger, token = asyncio.Event(), MemoryLedger(), CancelToken()
    loop = asyncio.get_running_loop()

    async def later() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "swallowed"

    def now(context: ToolContext[None]) -> str:
        loop.call_soon_threadsafe(begun.set)
        while not context.cancel.requested:
            time.sleep(0.001)
        return "swallowed"

    acts = tool(name="acts")(later if waits else now)
    agent = Agent(Scripted([call("acts")], "done"), tools=[acts], ledger=ledger)
    run = asyncio.create_task(agent.run("go", session="s", cancel=token))
    await begun.wait()
    if by == "task":
        run.cancel()
    else:
        token.cancel()
    with pytest.raises(asyncio.CancelledError if by == "task" else RunCancelled):
        await run

    kept = [one.fact for one in await ledger.load("s")]
    assert [one.output for one in kept if isinstance(one, Returned)] == ["swallowed"]
    assert (await agent.resume("s")).output == "done"


async def test_t21_a_failed_call_is_not_tried_again_once_the_run_is_cancelled():
    begun, attempts = asyncio.Event(), []

    @tool(retries=5)
    async def turns_it_into_something_else() -> str:
        attempts.append(True)
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ConnectionError from None

    name = "turns_it_into_something_else"
    run = asyncio.create_task(Agent(Scripted(call(name)), tools=[turns_it_into_something_else]).run("go"))  # fmt: skip
    await begun.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert attempts == [True]


async def test_t21_a_blocking_call_that_never_got_a_thread_is_not_begun_after_the_cancel(
    monkeypatch,
):
    monkeypatch.setattr(limits, "SYNC_THREADS", 1)
    monkeypatch.setattr(limits, "CANCEL_GRACE", 0.2)
    begun, first = [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def blocks(n: int, context: ToolContext[None]) -> str:
        begun.append(n)
        loop.call_soon_threadsafe(first.set)
        while not context.cancel.requested:
            time.sleep(0.001)
        return "stopped"

    calls = [call("blocks", n=n) for n in range(70)]  # more than there are threads
    run = asyncio.create_task(Agent(Scripted(calls), tools=[blocks]).run("go"))
    await first.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run

    assert len(begun) < 70
    count = len(begun)
    await asyncio.sleep(0)
    assert len(begun) == count


# --------------------------------------------------------------------------------- what is recorded


@DOORS
async def test_t01_whatever_tools_do_each_call_has_one_start_and_one_end(door):
    calls = {
        "fails": acting(raising(ValueError()), name="fails"),
        "groups": acting(raising(deep(3_000)), waits=False, name="groups"),
        "objects": acting(object, name="objects"),
        "fine": acting(lambda: "fine", waits=False, name="fine"),
    }
    ledger = MemoryLedger()
    agent = Agent(Scripted([call(n) for n in calls], "done"), tools=calls.values(), ledger=ledger)
    await go(agent, door, session="s")

    facts = [one.fact for one in await ledger.load("s")]
    begun = [key for one in facts if isinstance(one, Started) for key in one.calls]
    ended = [one.call for one in facts if isinstance(one, Returned)]
    assert sorted(begun) == sorted(ended)
    assert isinstance(facts[-1], Finished)


@DOORS
async def test_t05_a_listed_exception_ends_the_run_and_is_its_cause(door):
    class GoneError(Exception): ...

    error = GoneError()
    agent = Agent(Scripted(call("acts")), tools=[acting(raising(error))], fatal=(GoneError,))
    with pytest.raises(FailedError, match="GoneError ended the run") as caught:
        await go(agent, door)

    assert caught.value.__cause__ is error
