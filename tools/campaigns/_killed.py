"""The process that is killed: a real agent on a real file, with tools that leave their mark."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from campaigns import _kept
from toolstone import Agent, Budget, Responses, SQLiteLedger, Tool, tool
from toolstone.events import encode_record
from toolstone.testing import Scripted, call
from toolstone.tools import ToolContext  # noqa: TC001  the signatures of tools are read
from toolstone.wire import AiohttpTransport

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from toolstone import Result
    from toolstone.events import Record
    from toolstone.ports import Emit, Request, Response
    from toolstone.runs.result import ToolCall

REPEATABLE: Final = frozenset({"look", "peek"})
MAIN: Final = "main"


@dataclass(frozen=True)
class Script:
    """What the child does.

    Attributes:
        turns: What the model says, answer by answer.
        inputs: What it is told, one run after another in one session.
        inner: What the model of the sub-agent says.
        door: `async`, `sync`, `stream` or `advance`.
        survives: The ledger's promise.
        served: Whether an endpoint in another process plays the model.
    """

    turns: tuple[Any, ...]
    inputs: tuple[str, ...] = ("go",)
    inner: tuple[Any, ...] = ()
    door: str = "async"
    survives: Any = "process-death"
    served: bool = False


@dataclass
class Trap:
    """Where the child dies: `kind` and how often it has been there; and a sign of life for each.

    Kinds: `begin` (a write is about to begin), `commit` (its rows stand in an open transaction),
    `kept` (it is acknowledged), `act` (a tool is about to have its effect), `acted` (it had it).
    """

    kind: str = ""
    number: int = 0
    pipe: int = -1
    reached: dict[str, int] = field(default_factory=dict)

    def reach(self, kind: str) -> None:
        """Say where we are; die here if this is the place."""
        self.reached[kind] = self.reached.get(kind, 0) + 1
        if kind == self.kind and self.reached[kind] == self.number:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.pipe >= 0:
            os.write(self.pipe, b".")


class Marks:
    """Append-only files, one write a line: what really happened, whatever the toolkit says."""

    def __init__(self) -> None:
        self.folder = Path()
        self._open: dict[str, int] = {}

    def add(self, name: str, /, **values: Any) -> None:
        """Write a line, and wait for the disk."""
        if name not in self._open:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._open[name] = os.open(self.folder / name, flags, 0o600)
        os.write(self._open[name], json.dumps(values).encode() + b"\n")
        os.fsync(self._open[name])

    def read(self, name: str) -> list[dict[str, Any]]:
        """All lines."""
        path = self.folder / name
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]


class WatchedLedger(SQLiteLedger):
    """The ledger, with a trap before each write, inside it, and after it."""

    trap: Trap
    marks: Marks

    async def append(self, session: str, records: Sequence[Record], /) -> None:
        """Append, and mark what was acknowledged."""
        self.trap.reach("begin")
        await super().append(session, records)
        kept = [_kept.digest(encode_record(record)) for record in records]
        self.marks.add("acknowledged", session=session, seq=records[0].seq, kept=kept)
        self.trap.reach("kept")

    def _open(self) -> sqlite3.Connection:
        connection = super()._open()
        connection.set_trace_callback(
            lambda statement: self.trap.reach("commit") if statement == "COMMIT" else None
        )
        return connection


class Brain:
    """A model that reads its turn from the conversation, as a real one would."""

    def __init__(self, turns: Sequence[Any], marks: Marks) -> None:
        self._turns = turns
        self._marks = marks

    async def respond(self, request: Request, emit: Emit, /) -> Response:
        """Say the turn that follows; mark a conversation that should not have been sent."""
        items = [json.loads(item.json) for item in request.items]
        for wrong in _kept.problems_of_input(items):
            self._marks.add("invalid", wrong=wrong)
        ours = [_is_answer(item) for item in items]
        turn = sum(now and not before for before, now in zip([False, *ours], ours, strict=False))
        return await Scripted(self._turns[turn]).respond(request, emit)


def _is_answer(item: dict[str, Any]) -> bool:
    return item["type"] == "function_call" or item.get("role") == "assistant"


class Child:
    """An agent, its tools, and the person who looks after its calls; made before the fork."""

    def __init__(self, script: Script, url: str = "", *, careless: bool = False) -> None:
        self.script = script
        self._careless = careless
        self.marks = Marks()
        self.ledger = WatchedLedger("", survives=script.survives)
        self.trap = self.ledger.trap = Trap()
        self.ledger.marks = self.marks
        tools = self._tools()
        common: dict[str, Any] = {"ledger": self.ledger, "budget": Budget(requests=64)}
        self.inner = Agent(Brain(script.inner, self.marks), tools=tools, name="helper", **common)
        helper = self.inner.as_tool(description="Helps.")
        model: Any = Brain(script.turns, self.marks)
        if url:
            transport = AiohttpTransport()  # it reads no certificates for a plain address
            model = Responses(base_url=url, api_key="k", model="m", transport=transport)
        self.agent: Agent[str] = Agent(model, tools=[*tools, helper], **common)

    def _effect(self, name: str, n: int, context: ToolContext[Any]) -> str:
        self.trap.reach("act")
        key = f"{context.run}/{context.call}"
        self.marks.add("effects", name=name, n=n, key=key)
        self.trap.reach("acted")
        return f"did {n}"

    def _tools(self) -> list[Any]:
        """Tools that wait and tools that block, for once only and for any number of times."""

        @tool(repeatable=self._careless)
        async def act(n: int, context: ToolContext[Any]) -> str:
            await asyncio.sleep(0)
            return self._effect("act", n, context)

        @tool(repeatable=self._careless)
        def block(n: int, context: ToolContext[Any]) -> str:
            return self._effect("block", n, context)

        @tool(repeatable=True)
        async def look(n: int, context: ToolContext[Any]) -> str:
            return self._effect("look", n, context)

        @tool(repeatable=True)
        def peek(n: int, context: ToolContext[Any]) -> str:
            return self._effect("peek", n, context)

        @tool(approve=True)
        async def pay(n: int, context: ToolContext[Any]) -> str:
            return self._effect("pay", n, context)

        numbers = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        later = Tool.from_schema("later", numbers, description="Somebody else does it.")
        return [act, block, look, peek, pay, later]

    async def live(self) -> None:
        """Do the whole script, from wherever an earlier process left it."""
        inner = await self._unfinished()
        if inner:
            await self._look_after(self.inner, inner[0])
        began = await self._began(MAIN)
        for number, said in enumerate(self.script.inputs):
            if number >= began:
                await self._first(said)
            if number >= began - 1:
                await self._look_after(self.agent, MAIN)
        result = await self.agent.resume(MAIN)
        for wrong in _kept.problems_of_input([json.loads(i.json) for i in result.items]):
            self.marks.add("invalid", wrong=wrong)
        self.marks.add("done", output=result.output)

    async def _unfinished(self) -> list[str]:
        """The sessions of the sub-agent that were left in the middle."""
        found = []
        for name in await self.ledger.sessions():
            if name != MAIN:
                records = await self.ledger.load(name)
                if records[-1].fact.type != "finished":
                    found.append(name)
        return found

    async def _began(self, session: str) -> int:
        records = await self.ledger.load(session)
        return sum(one.fact.type == "began" and not one.fact.resumed for one in records)

    async def _first(self, said: str) -> None:
        match self.script.door:
            case "sync":
                await asyncio.to_thread(self.agent.run_sync, said, session=MAIN)
            case "stream":
                async with self.agent.stream(said, session=MAIN) as stream:
                    async for _ in stream.events():
                        pass
            case "advance":
                await self.agent.begin(said, MAIN)
            case _:
                await self.agent.run(said, session=MAIN)

    async def _go_on(self, agent: Agent[Any], session: str) -> Result[Any]:
        match self.script.door if agent is self.agent else "":
            case "sync":
                return await asyncio.to_thread(agent.resume_sync, session)
            case "stream":
                async with agent.resume_stream(session) as stream:
                    return await stream.result()
            case "advance":
                while (result := await agent.advance(session)) is None:
                    pass
                return result
            case _:
                return await agent.resume(session)

    async def _look_after(self, agent: Agent[Any], session: str) -> None:
        """Resume until it is complete, and settle what waits by what really happened."""
        while (result := await self._go_on(agent, session)).outcome == "waiting":
            states = {str(one.key): one.state for one in result.waiting}
            self.marks.add("waiting", pid=os.getpid(), session=session, states=states)
            for one in result.waiting:
                await self._rule(agent, session, one)

    async def _rule(self, agent: Agent[Any], session: str, one: ToolCall) -> None:
        arguments = json.loads(one.arguments)
        match one.state:
            case "approval":
                await agent.approve(session, one)
            case "deferred":
                if arguments["n"] not in self._happened():
                    self.marks.add("effects", name="later", n=arguments["n"], key="")
                await agent.settle(session, one, result="done elsewhere")
            case "unknown" if one.name == "helper":
                await self._settle_helper(one)
            case "unknown":
                if arguments["n"] in self._happened():
                    await agent.settle(session, one, result=f"did {arguments['n']}")
                else:
                    await agent.settle(session, one, again=True)

    def _happened(self) -> list[int]:
        return [line["n"] for line in self.marks.read("effects")]

    async def _settle_helper(self, one: ToolCall) -> None:
        """The sub-agent's own session says what became of it."""
        done = [name for name in await self.ledger.sessions() if name != MAIN]
        if done:
            result = await self.inner.resume(done[0])
            await self.agent.settle(MAIN, one, result=result.output)
        else:
            await self.agent.settle(MAIN, one, again=True)


def live(child: Child, folder: Path, trap: Trap, *, learn: bool = False) -> None:
    """The whole life of a forked child; it never returns. `learn`: what did it need?"""
    status = 1
    try:
        child.marks.folder, child.ledger.path = folder, folder / "runs.sqlite"
        child.trap = child.ledger.trap = trap
        asyncio.run(child.live())
        child.ledger.close()
        if learn:
            child.marks.add("learnt", reached=trap.reached, modules=list(sys.modules))
        status = 0
    except BaseException:  # noqa: BLE001  a child says what it died of, and goes
        child.marks.add("errors", said=traceback.format_exc())
    finally:
        os._exit(status)


SCRIPTS: Final = {
    "batch": Script(
        (
            [call("act", n=1), call("block", n=2), call("look", n=3), call("act", n=4)],
            [call("peek", n=5), call("act", n=6)],
            call("block", n=7),
            "the end",
        )
    ),
    "streamed": Script(
        (
            [call("act", n=1), call("peek", n=2), call("act", n=3)],
            [call("block", n=4), call("look", n=5)],
            "the end",
        ),
        door="stream",
    ),
    "blocking": Script(
        ([call("block", n=1), call("block", n=2)], call("act", n=3), "the end"), door="sync"
    ),
    "turns": Script(
        ([call("act", n=1), call("peek", n=2)], call("block", n=3), "the end"), door="advance"
    ),
    "sub-agent": Script(
        ([call("act", n=1), call("helper", request="please")], call("act", n=2), "the end"),
        inner=([call("act", n=11), call("look", n=12)], call("block", n=13), "helped"),
    ),
    "settled": Script(
        (
            [call("pay", n=1), call("act", n=2), call("later", n=3), call("pay", n=4)],
            call("later", n=5),
            "the end",
        )
    ),
    "conversation": Script(
        (call("act", n=1), "one", [call("look", n=2), call("act", n=3)], "the end"),
        inputs=("go", "and on"),
    ),
    "served": Script(
        ([call("act", n=1), call("peek", n=2)], call("block", n=3), "the end"),
        door="stream",
        served=True,
    ),
    "power": Script(
        ([call("act", n=1), call("block", n=2)], call("look", n=3), "the end"),
        survives="power-loss",
    ),
}
