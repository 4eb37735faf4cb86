"""Storage seen through the doors of an agent: crashes, two runs at once, changed agents, clocks."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from toolstone import (
    Agent,
    ConflictError,
    InputError,
    MemoryLedger,
    SQLiteLedger,
    StorageError,
    ToolContext,
    tool,
)
from toolstone.events import decode_record
from toolstone.testing import Scripted, call


@pytest.fixture(params=["memory", "file"])
def ledgers(request, tmp_path):
    """Two ledgers on one store, as two processes have them."""
    if request.param == "memory":
        one = MemoryLedger()
        yield one, one
    else:
        one, two = (SQLiteLedger(tmp_path / "runs.sqlite") for _ in range(2))
        yield one, two
        one.close()
        two.close()


class Held:
    """A place where a run stands still until it is let go."""

    def __init__(self):
        self.reached, self.free = asyncio.Event(), asyncio.Event()

    async def stand(self):
        self.reached.set()
        await self.free.wait()


class Slow(Scripted):
    """A model that stands still before its first answer."""

    def __init__(self, held, *turns):
        super().__init__(*turns)
        self.held = held

    async def respond(self, request, emit, /):
        if not self.requests:
            await self.held.stand()
        return await super().respond(request, emit)


async def streamed(agent):
    async with agent.resume_stream("s") as stream:
        return await stream.result()


# ------------------------------------------------------------------------------ two runs at once


@pytest.mark.parametrize("where", ["model", "tool"])
async def test_d11_the_second_of_two_runs_gets_a_conflict_before_it_pays(ledgers, where):
    held, effects = Held(), []

    @tool(repeatable=True)
    async def act() -> str:
        """Act."""
        effects.append(1)
        if where == "tool":
            await held.stand()
        return "done"

    turns = [call("act"), "the end"]
    slow = Slow(held, *turns) if where == "model" else Scripted(*turns)
    first = Agent(slow, tools=[act], ledger=ledgers[0])
    model = Scripted("not asked")
    second = Agent(model, tools=[act], ledger=ledgers[1])
    running = asyncio.create_task(first.run("go", session="s"))
    await held.reached.wait()

    for door in (
        lambda: second.resume("s"),
        lambda: second.run("go", session="s"),
        lambda: streamed(second),
        lambda: second.begin("go", "s"),
        lambda: second.advance("s"),
        lambda: second.settle("s", "0.0", again=True),
    ):
        with pytest.raises(ConflictError, match="somebody else is running it"):
            await door()
    held.free.set()

    assert (await running).output == "the end"
    assert (model.requests, effects) == ([], [1])
    assert (await second.resume("s")).output == "the end"


async def test_d11_of_sixteen_who_resume_a_session_at_once_one_runs_it(ledgers):
    effects = []

    @tool(repeatable=True)
    async def act() -> str:
        """Act."""
        effects.append(1)
        await asyncio.sleep(0)
        return "done"

    agent = Agent(Scripted(call("act")), tools=[act], ledger=ledgers[0])
    await agent.begin("go", "s")
    await agent.advance("s")
    others = [Agent(Scripted("the end"), tools=[act], ledger=ledgers[n % 2]) for n in range(16)]
    came = await asyncio.gather(*(one.resume("s") for one in others), return_exceptions=True)

    assert sorted({type(one).__name__ for one in came}) == ["ConflictError", "Result"]
    assert {one.output for one in came if not isinstance(one, ConflictError)} == {"the end"}
    assert effects == [1]
    assert sum(len(one._shop.model.requests) for one in others) == 1


RUNNER = """
import sys, time
from toolstone import Agent, SQLiteLedger, tool
from toolstone.testing import Scripted, call

@tool
def act() -> str:
    "Act."
    print("acting", flush=True)
    time.sleep(600)

Agent(Scripted(call("act")), tools=[act], ledger=SQLiteLedger(sys.argv[1])).run_sync("go", session="s")
"""


async def test_d11_a_session_is_another_processs_until_that_process_dies(tmp_path):
    path = str(tmp_path / "runs.sqlite")

    @tool
    def act() -> str:
        """Act."""
        return "done"

    ledger = SQLiteLedger(path)
    agent = Agent(Scripted("the end"), tools=[act], ledger=ledger)
    command = [sys.executable, "-c", RUNNER, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:  # noqa: ASYNC220
        assert runner.stdout.readline() == "acting\n"
        with pytest.raises(ConflictError, match="somebody else is running it"):
            await agent.resume("s")  # not: waiting for somebody to say what became of the call
        os.kill(runner.pid, signal.SIGKILL)

    waiting = await agent.resume("s")
    assert [one.state for one in waiting.waiting] == ["unknown"]
    await agent.settle("s", "0.0", again=True)
    assert (await agent.resume("s")).output == "the end"
    ledger.close()


# --------------------------------------------------------------------- unknown, changed, and older


async def test_d04_an_interrupted_call_is_named_and_only_what_may_be_repeated_is_made_again(
    ledgers,
):
    keys = []

    def tools(*, dying):
        @tool
        async def pay(n: int, context: ToolContext[None]) -> str:
            """Pay."""
            keys.append(("pay", f"{context.run}/{context.call}"))
            if dying:
                await asyncio.Event().wait()
            return "paid"

        @tool(repeatable=True)
        async def look(n: int, context: ToolContext[None]) -> str:
            """Look."""
            keys.append(("look", f"{context.run}/{context.call}"))
            if dying:
                await asyncio.Event().wait()
            return "seen"

        return [pay, look]

    class Dying:
        """A ledger whose process is gone once the calls have started."""

        def __init__(self, ledger):
            self.load, self.append_ = ledger.load, ledger.append

        async def append(self, session, records):
            await self.append_(session, records)
            if records[-1].fact.type == "started":
                asyncio.current_task().cancel()

    first = Agent(
        Scripted([call("pay", n=1), call("look", n=2), call("pay", n=3)]),
        tools=tools(dying=True),
        ledger=Dying(ledgers[0]),
    )
    with pytest.raises(asyncio.CancelledError):
        await first.run("go", session="s")
    died = len(keys)
    agent = Agent(Scripted("the end"), tools=tools(dying=False), ledger=ledgers[1])
    waiting = await agent.resume("s")

    assert [(str(one.key), one.state) for one in waiting.waiting] == [
        ("0.0", "unknown"),
        ("0.2", "unknown"),
    ]
    assert {name for name, _ in keys[died:]} == {"look"}
    run = waiting.records[0].run
    assert set(keys[died:]) == {("look", f"{run}/0.1")}  # the same key in every process
    await agent.settle("s", "0.0", result="it was paid")
    await agent.settle("s", "0.2", again=True)
    assert (await agent.resume("s")).output == "the end"
    assert keys[-1] == ("pay", f"{run}/0.2")


def acting(code, annotation=int):
    """A tool that is called `act` whatever it does."""
    names = {"annotation": annotation}
    exec(f"def act(n: annotation) -> str:\n    'Act.'\n    return {code}", names)
    return tool(names["act"])


@pytest.mark.parametrize(
    "changed",
    [
        {"tools": [acting("str(n + 2)")]},
        {"tools": [acting("str(n + 1)", float)]},
        {"instructions": "Be brief."},
    ],
    ids=["code", "schema", "instructions"],
)
async def test_d05_another_agent_than_began_is_noted_or_refused_as_the_caller_says(
    ledgers, changed
):
    same = {"tools": [acting("str(n + 1)")]}
    begun = Agent(Scripted(call("act", n=1)), ledger=ledgers[0], **same)
    await begun.begin("go", "s")
    await begun.advance("s")

    other = Agent(Scripted("the end"), ledger=ledgers[1], **{**same, **changed})
    for door in (other.resume, other.advance):
        with pytest.raises(InputError, match="begun by another agent"):
            await door("s", changed="refuse")
    result = await other.resume("s")
    noted = [one.fact.what for one in result.records if one.fact.type == "noted"]
    assert (result.output, noted) == ("the end", ["changed"])


async def test_d05_the_same_agent_made_again_is_the_same(ledgers):
    def made(*turns):
        return Agent(Scripted(*turns), ledger=ledgers[0], tools=[acting("str(n in {'a', 'b'})")])

    begun = made(call("act", n=1))
    await begun.begin("go", "s")
    await begun.advance("s")
    result = await made("the end").resume("s", changed="refuse")

    assert [one.fact.type for one in result.records].count("noted") == 0


async def test_d05_instructions_that_tell_the_time_are_those_of_the_same_agent(ledgers):
    hours = iter(range(24))

    def begun(context):
        return f"It is {next(hours)} o'clock."

    def made(*turns, instructions=begun):
        tools = [acting("str(n)")]
        return Agent(Scripted(*turns), ledger=ledgers[0], tools=tools, instructions=instructions)

    agent = made(call("act", n=1))
    await agent.begin("go", "s")
    await agent.advance("s")

    with pytest.raises(InputError, match="begun by another agent"):
        await made("no", instructions=lambda context: "Be brief.").resume("s", changed="refuse")
    assert (await made("the end").resume("s", changed="refuse")).output == "the end"


FROZEN = """
{"v":1,"seq":0,"at":1.5,"run":"r","type":"began","input":[{"type":"message","role":"user","content":"go"}],"agent":"abc","budget":{"requests":32},"resumed":false}
{"v":1,"seq":1,"at":1.5,"run":"r","type":"asked","number":1,"input_tokens":0,"output_tokens":0}
{"v":1,"seq":2,"at":1.5,"run":"r","type":"answered","response":"resp_1","status":"completed","items":[{"type":"function_call","id":"fc","call_id":"c","name":"act","arguments":"{\\"n\\":1}","status":"completed"},{"type":"function_call","id":"fd","call_id":"d","name":"act","arguments":"{\\"n\\":2}","status":"completed"}],"usage":{"input_tokens":3,"output_tokens":4,"requests":1},"model":"m"}
{"v":1,"seq":3,"at":1.5,"run":"r","type":"started","calls":[[0,0],[0,1]]}
{"v":1,"seq":4,"at":1.5,"run":"r","type":"returned","call":[0,0],"output":"2","failed":false,"how":"ran","usage":null}
""".strip().split("\n")
"""A run as version 1 keeps it: never to be edited, only joined by those of later versions."""


def kept(lines):
    return [decode_record(line) for line in lines]


async def test_d06_what_an_older_library_kept_is_gone_on_with(ledgers):
    await ledgers[0].append("s", kept(FROZEN))
    agent = Agent(Scripted("the end"), ledger=ledgers[1], tools=[acting("str(n + 1)")])
    waiting = await agent.resume("s")
    await agent.settle("s", waiting.waiting[0], again=True)
    result = await agent.resume("s")

    assert (result.output, [one.output for one in result.calls]) == ("the end", ["2", "3"])


def test_d06_what_a_newer_library_adds_is_read_past_and_a_newer_version_is_refused():
    added = [line.replace('"at":', '"new":{"deep":[1]},"at":') for line in FROZEN]
    assert kept(added) == kept(FROZEN)

    for line in FROZEN:
        with pytest.raises(
            StorageError, match="has version 2; this toolstone reads up to 1: upgrade"
        ):
            decode_record(line.replace('"v":1', '"v":2'))


async def test_d06_a_newer_ledger_file_is_refused(tmp_path):
    path = tmp_path / "runs.sqlite"
    ledger = SQLiteLedger(path)
    await ledger.append("s", kept(FROZEN))
    ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(StorageError, match="has version 2; this toolstone reads up to 1: upgrade"):
        await ledger.load("s")
    ledger.close()
