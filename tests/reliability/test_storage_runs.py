"""Storage seen through the doors of an agent: crashes, two runs at once, changed agents, clocks."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from toolstone import Agent, ConflictError, MemoryLedger, SQLiteLedger, tool
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
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as runner:
        assert runner.stdout.readline() == "acting\n"
        with pytest.raises(ConflictError, match="somebody else is running it"):
            await agent.resume("s")  # not: waiting for somebody to say what became of the call
        os.kill(runner.pid, signal.SIGKILL)

    waiting = await agent.resume("s")
    assert [one.state for one in waiting.waiting] == ["unknown"]
    await agent.settle("s", "0.0", again=True)
    assert (await agent.resume("s")).output == "the end"
    ledger.close()
