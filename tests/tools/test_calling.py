"""The batch: side by side, one answer each, whatever fails."""

import asyncio
import contextvars
import logging
import threading

import pytest

from toolstone import limits
from toolstone.errors import ToolError
from toolstone.events import ToolProgress
from toolstone.items import CallKey
from toolstone.tools import Limit, ToolContext, threads, tool
from toolstone.tools.threads import abandoned

variable = contextvars.ContextVar("variable", default="unset")


async def eventually(true):
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110  threads and tables have no events
            await asyncio.sleep(0.001)


async def test_async_calls_meet_at_a_barrier(run_calls):
    barrier = asyncio.Barrier(20)

    async def meet(n: int) -> int:
        await barrier.wait()
        return n

    found = await run_calls(*[(meet, f'{{"n":{n}}}') for n in range(20)])

    assert [one.output for one in found] == [str(n) for n in range(20)]


async def test_blocking_calls_meet_at_a_barrier_on_64_threads(run_calls):
    barrier = threading.Barrier(limits.SYNC_THREADS)

    def meet() -> str:
        barrier.wait(5)
        return threading.current_thread().name

    found = await run_calls(*[meet] * limits.SYNC_THREADS)

    assert len({one.output for one in found}) == limits.SYNC_THREADS


async def test_async_and_blocking_calls_run_together(run_calls):
    here, there = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def answers() -> str:
        await there.wait()
        here.set()
        return "async"

    def asks() -> str:
        loop.call_soon_threadsafe(there.set)
        assert here.wait(5)
        return "sync"

    assert [one.output for one in await run_calls(asks, answers)] == ["sync", "async"]


async def test_results_are_told_as_they_come_home(run_calls):
    gates = [asyncio.Event() for _ in range(3)]

    async def one(n: int) -> int:
        await gates[n].wait()
        return n

    async def opens() -> str:
        for n in (2, 0, 1):
            gates[n].set()
            await eventually(lambda n=n: n in run_calls.told)
        return "opened"

    await run_calls(*[(one, f'{{"n":{n}}}') for n in range(3)], opens)

    assert run_calls.order == [2, 0, 1, 3]


async def test_one_task_a_call_and_none_else(run_calls):
    made = []
    loop = asyncio.get_running_loop()

    def factory(loop, coroutine, **options):
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    async def quick() -> str:
        return ""

    loop.set_task_factory(factory)
    try:
        await run_calls(*[quick] * 10)
    finally:
        loop.set_task_factory(None)

    assert len(made) == 10


async def test_concurrency_caps_calls_and_begins_them_in_order(run_calls):
    begun, now, most = [], 0, 0

    async def one(n: int) -> int:
        nonlocal now, most
        begun.append(n)
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        now -= 1
        return n

    await run_calls(*[(one, f'{{"n":{n}}}') for n in range(12)], concurrency=3)

    assert (most, begun) == (3, list(range(12)))


async def test_a_tool_error_is_told_word_for_word(run_calls, caplog):
    def fails() -> str:
        raise ToolError("no such city; known are Paris and Rome")

    (found,) = await run_calls(fails)

    assert (found.output, found.failed, found.how) == (
        "no such city; known are Paris and Rome",
        True,
        "raised",
    )
    assert caplog.records == []


async def test_any_other_exception_is_its_type_and_a_reference(run_calls, caplog):
    async def fails(city: str) -> str:
        raise KeyError("s3cret")

    with caplog.at_level(logging.WARNING, "toolstone.tools"):
        (found,) = await run_calls((fails, '{"city":"canary"}'))

    said, _, reference = found.output.rstrip(")").partition(" (reference ")
    assert said == "the tool failed: KeyError"
    assert found.failed
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"tool fails failed (reference {reference})"
    assert record.exc_info[0] is KeyError
    assert "canary" not in caplog.text


async def test_siblings_of_a_failure_are_not_touched(run_calls):
    async def fails() -> str:
        raise ValueError

    async def works() -> str:
        await asyncio.sleep(0)
        return "worked"

    found = await run_calls(works, fails, works)

    assert [one.output for one in found][::2] == ["worked", "worked"]
    assert [one.failed for one in found] == [False, True, False]


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (asyncio.CancelledError, "CancelledError"),
        (StopIteration, "StopIteration"),
        (StopAsyncIteration, "StopAsyncIteration"),
        (GeneratorExit, "GeneratorExit"),
        (TimeoutError, "TimeoutError"),
        (RecursionError, "RecursionError"),
        (BaseException, "BaseException"),
    ],
)
@pytest.mark.parametrize("waits", [True, False])
async def test_what_looks_like_control_flow_is_a_tool_failure(run_calls, raised, kind, waits):
    async def later() -> str:
        raise raised

    def now() -> str:
        raise raised

    (found,) = await run_calls(later if waits else now)

    assert found.output.startswith(f"the tool failed: {kind} (reference ")


async def test_a_group_is_told_as_its_members(run_calls):
    async def fails() -> str:
        raise ExceptionGroup("many", [ValueError(), ExceptionGroup("inner", [KeyError()])])

    async def says() -> str:
        raise ExceptionGroup("many", [ToolError("one"), ToolError("two")])

    failed, said = await run_calls(fails, says)

    assert failed.output.startswith("the tool failed: ValueError, KeyError (reference ")
    assert said.output == "one\ntwo"


async def test_endless_recursion_is_a_tool_failure(run_calls):
    def down() -> str:
        return down()

    (found,) = await run_calls(down)

    assert "RecursionError" in found.output


async def test_what_cannot_be_told_is_a_failure_that_names_the_type(run_calls):
    def gives() -> object:
        return object()

    (found,) = await run_calls(gives)

    assert found.failed
    assert found.output.startswith("the tool returned a 'object', which has no form")


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("waits", [True, False])
async def test_an_interrupt_cancels_siblings_and_is_raised_unchanged(run_calls, raised, waits):
    stopped, error = [], raised("stop")

    async def sibling() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def later() -> str:
        await asyncio.sleep(0)
        raise error

    def now() -> str:
        raise error

    async def quick() -> str:
        return "home"

    with pytest.raises(raised) as caught:
        await run_calls(sibling, quick, later if waits else now)

    assert caught.value is error
    assert stopped == [True]
    assert {n: one.output for n, one in run_calls.told.items()} == {1: "home"}


async def test_a_fatal_exception_is_raised_after_the_siblings_are_home(run_calls):
    release = asyncio.Event()

    class Fatal(Exception): ...

    async def fails() -> str:
        release.set()
        raise Fatal

    async def sibling() -> str:
        await release.wait()
        await asyncio.sleep(0)
        return "home"

    with pytest.raises(Fatal):
        await run_calls(fails, sibling, fatal=(Fatal,))

    assert run_calls.told[1].output == "home"
    assert run_calls.told[0].failed


# --------------------------------------------------------------------------------------- time


async def test_an_async_call_that_takes_too_long_is_cancelled_and_said_so(run_calls):
    ended = []

    @tool(timeout=0.01)
    async def hangs() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    (found,) = await run_calls(hangs)

    assert (found.output, found.how) == ("timed out after 0.01 s; outcome unknown", "timeout")
    assert ended == [True]


async def test_a_blocking_call_that_takes_too_long_leaves_its_thread_behind(run_calls):
    release = threading.Event()

    @tool(timeout=0.01)
    def hangs() -> str:
        release.wait(5)
        return "late"

    before = abandoned()
    (found,) = await run_calls(hangs)

    assert found.how == "timeout"
    assert abandoned() == before + 1
    release.set()
    await eventually(lambda: abandoned() == before)


async def test_each_call_has_its_own_time(run_calls):
    @tool(timeout=0.01)
    async def short() -> str:
        await asyncio.Event().wait()

    @tool(timeout=60)
    async def long() -> str:
        await eventually(lambda: 1 in run_calls.told)
        return "done"

    found = await run_calls(long, short)

    assert [one.how for one in found] == ["ran", "timeout"]


async def test_a_call_that_begins_late_is_timed_from_then(run_calls):
    @tool(timeout=0.05)
    async def hangs() -> str:
        await asyncio.Event().wait()

    @tool(timeout=0.01)
    async def short() -> str:
        await asyncio.Event().wait()

    found = await run_calls(hangs, short, concurrency=1)

    assert [one.how for one in found] == ["timeout", "timeout"]


async def test_waiting_for_a_place_is_not_the_calls_time(run_calls):
    limit = Limit("waiting", 1)

    @tool(timeout=0.02, limit=limit)
    async def first() -> str:
        await asyncio.Event().wait()

    @tool(timeout=0.02, limit=limit)
    async def second() -> str:
        return "ran"

    found = await run_calls(first, second, second)

    assert [one.how for one in found] == ["timeout", "ran", "ran"]


async def test_a_tool_that_will_not_stop_is_named_and_left(run_calls, caplog, monkeypatch):
    monkeypatch.setattr(limits, "CANCEL_GRACE", 0.02)
    release = asyncio.Event()

    @tool(timeout=0.01)
    async def stubborn() -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "late"

    (found,) = await run_calls(stubborn)

    assert found.how == "timeout"
    assert "tool stubborn does not stop; left running" in caplog.text
    release.set()


async def test_without_a_timeout_a_call_may_take_for_ever(run_calls):
    @tool(timeout=None)
    async def slow() -> str:
        await asyncio.sleep(0.01)
        return "done"

    assert (await run_calls(slow))[0].output == "done"


# --------------------------------------------------------------------------------- cancelling


async def test_cancelling_the_caller_cancels_calls_and_tells_who_came_home(run_calls):
    stopped, begun = [], asyncio.Event()

    async def hangs() -> str:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def swallows() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return "swallowed"

    batch = asyncio.create_task(run_calls(hangs, swallows))
    await begun.wait()
    await asyncio.sleep(0)
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch

    assert stopped == [True]
    assert {n: one.output for n, one in run_calls.told.items()} == {1: "swallowed"}


async def test_cancelling_twice_still_tells_who_came_home(run_calls):
    begun, telling, release = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def quick() -> str:
        return "home"

    async def hangs() -> str:
        begun.set()
        await asyncio.Event().wait()

    told = run_calls.tell

    async def slow_tell(returned, deltas):
        telling.set()
        await release.wait()
        await told(returned, deltas)

    run_calls.tell = slow_tell
    batch = asyncio.create_task(run_calls(hangs))
    await begun.wait()
    batch.cancel()
    await asyncio.sleep(0)
    batch.cancel()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await batch


async def test_an_error_of_whoever_is_told_ends_the_batch(run_calls):
    stopped = []

    async def hangs() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    async def quick() -> str:
        await asyncio.sleep(0)
        return ""

    async def full(returned, deltas):
        raise OSError("disk full")

    run_calls.tell = full
    with pytest.raises(OSError, match="disk full"):
        await run_calls(hangs, quick)

    assert stopped == [True]


async def test_nothing_is_left_running(run_calls):
    @tool(timeout=0.01)
    async def hangs() -> str:
        await asyncio.Event().wait()

    async def fails() -> str:
        raise ValueError

    await run_calls(hangs, fails)

    assert asyncio.all_tasks() == {asyncio.current_task()}


# ----------------------------------------------------------------------- context and progress


async def test_context_variables_reach_calls_and_do_not_come_back(run_calls):
    variable.set("caller")

    async def later() -> str:
        seen = variable.get()
        variable.set("async")
        return seen

    def now() -> str:
        seen = variable.get()
        variable.set("thread")
        return seen

    found = await run_calls(later, now, later, now)

    assert [one.output for one in found] == ["caller"] * 4
    assert variable.get() == "caller"


async def test_a_tool_gets_its_context(run_calls):
    async def asks(context: ToolContext[dict[str, int]]) -> list[object]:
        return [context.run, str(context.call), context.deps["a"], context.cancel.requested]

    found = await run_calls(asks, asks, deps={"a": 1})

    assert [one.output for one in found] == ['["run","0.0",1,false]', '["run","0.1",1,false]']


async def test_progress_is_told_from_tasks_and_threads(run_calls):
    async def later(context: ToolContext[None]) -> str:
        context.progress("async")
        return "done"

    def now(context: ToolContext[None]) -> str:
        context.progress("thread")
        return "done"

    await run_calls(later, now)

    assert sorted(run_calls.deltas, key=lambda d: d.call) == [
        ToolProgress(CallKey(0, 0), "async"),
        ToolProgress(CallKey(0, 1), "thread"),
    ]


async def test_progress_is_told_while_the_call_runs(run_calls):
    async def waits(context: ToolContext[None]) -> str:
        context.progress(1)
        await eventually(lambda: run_calls.deltas)
        return "seen"

    assert (await run_calls(waits))[0].output == "seen"


async def test_progress_after_the_end_is_nobodys(run_calls):
    kept = []

    async def keeps(context: ToolContext[None]) -> str:
        kept.append(context)
        return "done"

    await run_calls(keeps)
    kept[0].progress("late")

    assert run_calls.deltas == []


async def test_a_call_that_timed_out_is_asked_to_stop(run_calls):
    saw = threading.Event()

    @tool(timeout=0.01)
    def polls(context: ToolContext[None]) -> str:
        while not context.cancel.requested:
            threading.Event().wait(0.001)
        saw.set()
        return "stopped"

    await run_calls(polls)

    assert await asyncio.to_thread(saw.wait, 5)


async def test_a_factory_of_contexts_is_asked_only_by_who_wants_one(run_calls):
    from toolstone.tools import Pending, Tool, call_all

    asked = []

    def factory():
        asked.append(True)
        return ToolContext("run", CallKey(0, 0), None)

    async def wants(context: ToolContext[None]) -> str:
        return ""

    async def not_(n: int) -> str:
        return ""

    batch = [
        Pending(CallKey(0, n), made, made.read(text), factory)
        for n, (made, text) in enumerate([(Tool.of(wants), "{}"), (Tool.of(not_), '{"n":1}')])
    ]
    await call_all(batch, run_calls.tell)

    assert asked == [True]


# ------------------------------------------------------------------------- retries and limits


async def test_a_failed_call_is_made_again_without_the_model(run_calls):
    attempts, waits = [], []

    @tool(retries=3)
    async def flaky(items: list[int]) -> int:
        attempts.append(list(items))
        items.append(99)
        if len(attempts) < 3:
            raise ConnectionError
        return len(attempts)

    async def sleep(seconds):
        waits.append(seconds)

    (found,) = await run_calls((flaky, '{"items":[1]}'), sleep=sleep)

    assert found.output == "3"
    assert attempts == [[1], [1], [1]]  # whatever an attempt did to its arguments
    assert waits == [0.2, 0.4]


async def test_retries_end_with_the_last_failure(run_calls):
    attempts = []

    @tool(retries=2)
    def fails() -> str:
        attempts.append(True)
        raise ConnectionError

    async def sleep(_seconds):
        pass

    (found,) = await run_calls(fails, sleep=sleep)

    assert len(attempts) == 3
    assert found.output.startswith("the tool failed: ConnectionError")


async def test_what_a_tool_says_to_the_model_is_not_retried(run_calls):
    attempts = []

    @tool(retries=2)
    async def says() -> str:
        attempts.append(True)
        raise ToolError("no")

    assert (await run_calls(says))[0].output == "no"
    assert len(attempts) == 1


async def test_the_timeout_holds_for_all_attempts(run_calls):
    @tool(retries=100, timeout=0.05)
    async def fails() -> str:
        raise ConnectionError

    (found,) = await run_calls(fails)

    assert found.how == "timeout"


async def test_calls_of_a_serial_tool_never_overlap(run_calls):
    now = most = 0

    @tool(serial=True)
    async def alone() -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return ""

    await run_calls(*[alone] * 8)

    assert most == 1


async def test_a_call_whose_default_cannot_be_copied_gives_its_place_back(run_calls):
    class Once(list):
        def __deepcopy__(self, memo):
            raise RuntimeError("no copies")

    @tool(serial=True)
    async def alone(tags: list[str] = Once()) -> str:  # noqa: B008  the default is the subject
        return ""

    found = await run_calls(alone, alone)

    assert [one.how for one in found] == ["raised", "raised"]


async def test_a_limit_is_shared_by_tools_of_both_kinds(run_calls):
    lock, now, most = threading.Lock(), 0, 0

    def enter(step):
        nonlocal now, most
        with lock:
            now += step
            most = max(most, now)

    @tool(limit=Limit("shared", 2))
    async def later() -> str:
        enter(1)
        await asyncio.sleep(0.001)
        enter(-1)
        return ""

    @tool(limit=Limit("shared", 2))
    def now_() -> str:
        enter(1)
        threading.Event().wait(0.001)
        enter(-1)
        return ""

    await run_calls(*[later, now_] * 8)

    assert most == 2


async def test_an_abandoned_thread_keeps_its_place_until_it_ends(run_calls):
    release, limit = threading.Event(), Limit("kept", 1)

    @tool(timeout=0.01, limit=limit)
    def hangs() -> str:
        release.wait(5)
        return ""

    await run_calls(hangs)

    assert limit.gate._free == 0
    release.set()
    await eventually(lambda: limit.gate._free == 1)


async def test_a_call_that_gets_no_thread_gives_its_place_back(run_calls, monkeypatch):
    limit = Limit("threadless", 1)
    monkeypatch.setattr(limits, "SYNC_THREADS", 0)
    monkeypatch.setattr(threads, "_pools", {})  # one without threads yet

    @tool(limit=limit)
    def never() -> str:
        return ""

    (told,) = await run_calls(never)

    assert "all 0 threads for blocking tools are held" in told.output
    assert limit.gate._free == 1


async def test_no_calls_are_no_work(run_calls):
    assert await run_calls() == []


async def test_cancelling_while_the_last_stubborn_call_is_waited_for_is_not_lost(run_calls):
    release, cancelled = asyncio.Event(), asyncio.Event()

    @tool(timeout=0.01)
    async def stubborn() -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                cancelled.set()
        return "late"

    batch = asyncio.create_task(run_calls(stubborn))
    await cancelled.wait()
    await eventually(lambda: 0 in run_calls.told)
    batch.cancel()
    await asyncio.sleep(0)
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await batch

    assert run_calls.told[0].how == "timeout"


async def test_progress_from_a_thread_that_outlived_its_loop_is_nobodys(run_calls):
    kept = []

    def keeps(context: ToolContext[None]) -> str:
        kept.append(context)
        return ""

    def another_loop():
        asyncio.run(run_calls(keeps))

    await asyncio.to_thread(another_loop)
    kept[0].progress("late")

    assert run_calls.deltas == []


async def test_one_hanging_tool_after_another_does_not_use_up_the_threads(run_calls, monkeypatch):
    release = threading.Event()

    @tool(timeout=1)  # by then each has its thread, though the machine be busy
    def hangs() -> str:
        release.wait(30)
        return ""

    def works() -> str:
        return "worked"

    before = abandoned()
    await run_calls(*[hangs] * limits.SYNC_THREADS)
    assert abandoned() == before + limits.SYNC_THREADS
    run_calls.told.clear()
    found = await run_calls(works)
    release.set()

    assert found[0].output == "worked"
    await eventually(lambda: abandoned() == before)


async def test_a_call_that_never_got_a_thread_is_not_begun_later(run_calls):
    release, begun = threading.Event(), []

    @tool(timeout=None)
    def occupies() -> str:
        release.wait(10)
        return ""

    @tool(timeout=0.02)
    def waits() -> str:
        begun.append(True)
        return ""

    async def opens() -> str:
        await eventually(lambda: limits.SYNC_THREADS in run_calls.told)
        release.set()
        return ""

    found = await run_calls(*[occupies] * limits.SYNC_THREADS, waits, opens)

    assert found[limits.SYNC_THREADS].how == "timeout"
    assert begun == []
