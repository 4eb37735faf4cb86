"""A watched run is the same run."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from toolstone import (
    Agent,
    Budget,
    StoppedError,
    ToolContext,
    TransportError,
    UsageError,
    limits,
    tool,
)
from toolstone.errors import DroppedError, FailedError
from toolstone.events import Answered, Finished, Retrying, Started, TextDelta, ToolProgress
from toolstone.testing import Scripted, call


class Report(BaseModel):
    city: str
    population: int


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


TURNS = ([call("add", a=1, b=2), call("add", a=3, b=4)], call("nope"), "the end")


async def test_text_arrives_in_pieces_and_the_result_is_the_runs():
    async with Agent(Scripted("hello world"), tools=[add]).stream("hi") as stream:
        pieces = [piece async for piece in stream.text()]
        result = await stream.result()
    assert len(pieces) > 1
    assert "".join(pieces) == result.output == "hello world"


async def test_partials_grow_and_name_what_is_finished():
    model = Scripted({"city": "Paris", "population": 2100000})
    async with Agent(model, output=Report).stream("go") as stream:
        partials = [partial async for partial in stream.partials()]
        result = await stream.result()
    assert result.output == Report(city="Paris", population=2100000)
    assert {p.data.get("population") for p in partials} <= {None, 2100000}
    assert "city" in partials[-1].done


def facts(result):
    return [record.fact for record in result.records]


turns = st.lists(
    st.one_of(
        st.lists(
            st.sampled_from([call("add", a=1, b=2), call("add", "{"), call("nope"), call("add")]),
            min_size=1,
            max_size=3,
        ),
        st.just([]),
    ),
    max_size=4,
)


@settings(max_examples=50, deadline=None)
@given(turns=turns, last=st.sampled_from(["the end", {"city": "x"}, []]), chunk=st.integers(1, 9))
def test_a_stream_leaves_the_same_facts_as_a_run(turns, last, chunk):
    def make():
        return Agent(Scripted(*turns, last, last, chunk=chunk), tools=[add])

    async def both():
        plain = await outcome(make().run("go"))
        async with make().stream("go") as stream:
            streamed = await outcome(stream.result())
        return plain, streamed

    plain, streamed = asyncio.run(both())
    assert plain == streamed


async def outcome(work):
    try:
        return facts(await work)
    except (StoppedError, FailedError) as error:
        return type(error), facts(error.result)
    except Exception as error:  # the empty outcome, too
        return type(error), facts(error.result)


async def test_events_are_facts_and_deltas_in_order():
    async with Agent(Scripted("hi")).stream("go") as stream:
        kinds = [type(event).__name__ async for event in stream.events()]
    assert kinds == ["Began", "Asked", "TextDelta", "Answered", "Finished"]


async def test_leaving_the_block_stops_the_run_and_its_tools():
    started, stopped = asyncio.Event(), []

    async def endless() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(True)

    before = asyncio.all_tasks()
    async with Agent(Scripted(call("endless"), "x"), tools=[endless]).stream("go"):
        await started.wait()
    assert stopped == [True]
    assert asyncio.all_tasks() == before


async def test_a_stream_that_ends_badly_raises_at_the_end_of_reading():
    agent = Agent(Scripted(call("add", a=1, b=2)), tools=[add], budget=Budget(requests=1))
    async with agent.stream("go") as stream:
        with pytest.raises(StoppedError):
            async for _ in stream.events():
                pass
        with pytest.raises(StoppedError):
            await stream.result()


async def test_one_reader_a_stream():
    async with Agent(Scripted("x")).stream("go") as stream:
        async for _ in stream.text():
            pass
        with pytest.raises(UsageError, match="one reader"):
            async for _ in stream.events():
                pass


async def test_a_stream_must_be_opened():
    with pytest.raises(UsageError, match="async with"):
        await Agent(Scripted("x")).stream("go").result()


async def test_a_slow_reader_slows_the_run(monkeypatch):
    monkeypatch.setattr(limits, "STREAM_BACKLOG", 2)
    model = Scripted("x" * 400, chunk=1)
    async with Agent(model).stream("go") as stream:
        events = stream.events()
        await anext(events)
        for _ in range(50):
            await asyncio.sleep(0)
        assert stream._queue.qsize() <= 2
        await events.aclose()
        assert (await stream.result()).output == "x" * 400


async def test_time_in_which_the_reader_holds_the_run_back_is_not_the_runs(monkeypatch):
    monkeypatch.setattr(limits, "STREAM_BACKLOG", 1)
    clock = [0.0]
    monkeypatch.setattr("toolstone.runs.stream.time.monotonic", lambda: clock[0])

    async def look() -> int:  # no thread: nothing of the run takes time of its own
        return 2

    turns = [call("look"), "done"]
    async with Agent(Scripted(*turns), tools=[look], budget=Budget(seconds=10)).stream("go") as s:
        events = []
        async for event in s.events():
            events.append(event)
            for _ in range(20):
                await asyncio.sleep(0)  # the run goes on until the reader holds it back
            clock[0] += 5.0
        assert isinstance(events[-1], Finished)
        assert (await s.result()).output == "done"


async def test_progress_of_tools_is_seen_while_they_run():
    from toolstone import ToolContext

    async def work(context: ToolContext[None]) -> str:
        context.progress(0.5)
        return "ok"

    async with Agent(Scripted(call("work"), "done"), tools=[work]).stream("go") as stream:
        seen = [e.value async for e in stream.events() if isinstance(e, ToolProgress)]
    assert seen == [0.5]


async def test_text_that_was_begun_anew_is_not_glued_together():
    class Restarts(Scripted):
        async def respond(self, request, emit):
            await emit((TextDelta("half"), Retrying(2, 0.0, "reset")))
            return await super().respond(request, emit)

    async with Agent(Restarts("whole")).stream("go") as stream:
        with pytest.raises(DroppedError, match="anew"):
            async for _ in stream.text():
                pass


async def test_observers_see_everything_and_change_nothing(caplog):
    class Watcher:
        def __init__(self):
            self.seen = []

        def observe(self, run, event):
            self.seen.append((run, event))
            raise ValueError("a bad observer")

    watcher = Watcher()
    result = await Agent(Scripted("x"), observers=[watcher]).run("go")
    assert result.output == "x"
    assert [type(event) for _, event in watcher.seen][-2:] == [Answered, Finished]
    assert {run for run, _ in watcher.seen} == {result.run}
    assert "observer" in caplog.text


async def test_a_fact_is_kept_before_it_is_seen():
    from toolstone import MemoryLedger

    ledger, ahead = MemoryLedger(), []

    class Watcher:
        def observe(self, run, event):
            ahead.append(event in [r.fact for r in ledger._sessions["s"]])

    await Agent(Scripted("x"), ledger=ledger, observers=[Watcher()]).run("go", session="s")
    assert ahead == [True] * 4


async def test_cancelling_the_task_leaves_as_cancelled_error():
    started = asyncio.Event()

    async def endless() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(Agent(Scripted(call("endless")), tools=[endless]).run("go"))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_service_error_before_anything_arrived_is_a_failure():
    async with Agent(Scripted(TransportError("refused"))).stream("go") as stream:
        with pytest.raises(FailedError):
            await stream.result()


async def test_a_full_stream_is_left_although_its_tools_have_more_to_say():
    @tool
    async def busy(context: ToolContext) -> str:
        """Say a lot."""
        for n in range(1_000):
            context.progress(n)
            await asyncio.sleep(0)
        return "done"

    agent = Agent(Scripted([call("busy")], "end"), tools=[busy])
    async with asyncio.timeout(5), agent.stream("x") as stream:
        async for event in stream.events():
            if isinstance(event, Started):
                for _ in range(10 * limits.STREAM_BACKLOG):  # until the run is held back
                    await asyncio.sleep(0)
                break
    assert stream.finished


async def test_the_result_of_a_stream_that_was_left_at_once_is_a_mistake_and_no_hang():
    agent = Agent(Scripted("hi"))
    async with agent.stream("x") as stream:
        pass
    async with asyncio.timeout(5):
        with pytest.raises(UsageError, match="left before its run had ended"):
            await stream.result()
