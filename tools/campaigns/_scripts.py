"""The scripts that the sweeps go through: one agent, its tools, and what a caller does with it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from toolstone import (
    Agent,
    CancelToken,
    ChatCompletions,
    MemoryLedger,
    Responses,
    Settings,
    SQLiteLedger,
    Tool,
    custom_tool,
    tool,
)
from toolstone.ports import Profile
from toolstone.wire import AiohttpTransport, Deadlines, HttpxTransport, Retry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from campaigns._servers import Servers

TRANSPORTS: Final = {"httpx": HttpxTransport, "aiohttp": AiohttpTransport}
_SHORT: Final = 0.002


async def _blink(_seconds: float) -> None:
    """A pause between attempts, or between looks at a response."""
    await asyncio.sleep(0.001)


class Seats(BaseModel):
    """An answer with a shape."""

    seats: int


@dataclass
class World:
    """What one go through a script has, and what it leaves behind."""

    there: Servers
    transport: str = "httpx"
    folder: Path | None = None
    """For a session on disk; in memory if there is none."""
    session: str = "s"
    effects: Counter[str] = field(default_factory=Counter)
    """How often each tool really did something."""
    repeatable: frozenset[str] = frozenset({"count"})
    options: dict[str, Any] = field(default_factory=dict)
    """The agent's."""
    token: CancelToken = field(default_factory=CancelToken)

    def __post_init__(self) -> None:
        self.ledger = (
            MemoryLedger() if self.folder is None else SQLiteLedger(self.folder / "sessions.db")
        )
        self.models: list[Responses | ChatCompletions] = []

    def model(self, url: str = "", **options: Any) -> Responses:
        """A model at the local endpoint, or at a base URL."""
        made = Responses(model="m", base_url=url or self.there.local, **self._parts(), **options)
        self.models.append(made)
        return made

    def chat(self) -> ChatCompletions:
        """The same by the older protocol."""
        made = ChatCompletions(model="m", base_url=self.there.local, **self._parts())
        self.models.append(made)
        return made

    def _parts(self) -> dict[str, Any]:
        retry = Retry(sleep=_blink, random=lambda: 0.0)
        return {"api_key": "k", "transport": TRANSPORTS[self.transport](), "retry": retry}

    def agent(self, model: Any = None, **options: Any) -> Agent[Any]:
        """The agent of the script; with the tools, unless it has its own."""
        self.options = {"tools": self.tools(), "ledger": self.ledger, **options}
        return Agent(model or self.model(), **self.options)

    def tools(self) -> list[Any]:
        """One of each kind; what they do is written down here from now on."""
        _HERE[:] = [self]
        return list(TOOLS)

    async def close(self) -> None:
        """Let go of connections."""
        for model in self.models:
            await model.aclose()
        if isinstance(self.ledger, SQLiteLedger):
            self.ledger.close()  # here: a thread of the loop would be counted


# ------------------------------------------------------------------------------------ tools

_HERE: Final[list[World]] = []
"""The world whose script is played: the tools are made once, as that takes longest."""


def _did(what: str) -> None:
    _HERE[0].effects[what] += 1


async def book(seats: int) -> str:
    """Book seats."""
    await asyncio.sleep(0.001 * (seats % 3))
    _did(f"book {seats}")
    return "booked"


@tool(repeatable=True)
async def count(seats: int) -> int:
    """Count seats."""
    await asyncio.sleep(0.001)
    return seats


def sit(seats: int) -> str:
    """Sit down, in a thread."""
    effects = _HERE[0].effects  # now: a thread may outlive its world
    time.sleep(_SHORT)
    effects[f"sit {seats}"] += 1
    return "seated"


@tool(approve=True)
async def pay(seats: int) -> str:
    """Pay."""
    await asyncio.sleep(0)
    _did(f"pay {seats}")
    return "paid"


@tool(timeout=_SHORT)
async def never(seats: int) -> str:
    """Never come home."""
    _did(f"never {seats}")
    await asyncio.Event().wait()
    return "no"


async def stubborn(seats: int) -> str:
    """Be slow to stop."""
    _did(f"stubborn {seats}")
    try:
        await asyncio.sleep(0.001)
    except asyncio.CancelledError:
        await asyncio.sleep(_SHORT)
        raise
    return "home"


async def stop(seats: int) -> str:
    """Stop the run from inside."""
    _did(f"stop {seats}")
    _HERE[0].token.cancel()
    await asyncio.sleep(0.001)
    return "too late"


@custom_tool
async def note(text: str) -> str:
    """Write a note."""
    await asyncio.sleep(0)
    _did(f"note {text}")
    return "noted"


_SCHEMA: Final = {"type": "object", "properties": {"seats": {"type": "integer"}}}
_FUNCTIONS: Final = (book, count, sit, pay, never, stubborn, stop)
TOOLS: Final = (*map(Tool.of, _FUNCTIONS), Tool.from_schema("fetch", _SCHEMA), Tool.of(note))


# ---------------------------------------------------------------------------------- scripts


@dataclass(frozen=True, eq=False)
class Script:
    """What a caller does.

    Attributes:
        name: As it is asked for.
        play: Does it; gives what came of it.
        comes_to: What it gives, or the name of what it raises, when nothing is done to it.
        on_disk: Whether its session is an SQLite file.
        prepare: What comes before, uncounted.
        says: What ends such a run when it is gone on with.
    """

    name: str
    play: Callable[[World], Awaitable[Any]]
    comes_to: Any = "done"
    on_disk: bool = False
    prepare: Callable[[World], Awaitable[Any]] | None = None
    says: str = "done"


SCRIPTS: Final[dict[str, Script]] = {}


def _script(name: str, **options: Any) -> Callable[[Any], Any]:
    def named(play: Any) -> Any:
        SCRIPTS[name] = Script(name, play, **options)
        return play

    return named


async def _ask(world: World, agent: Agent[Any], text: str, **options: Any) -> Any:
    return (await agent.run(text, session=world.session, **options)).output


async def _watch(world: World, agent: Agent[Any], text: str) -> Any:
    async with agent.stream(text, session=world.session) as stream:
        async for _ in stream.events():
            pass
        return (await stream.result()).output


@_script("plain")
async def _plain(world: World) -> Any:
    return await _ask(world, world.agent(), "plain")


@_script("streamed")
async def _streamed(world: World) -> Any:
    return await _watch(world, world.agent(), "plain")


@_script("left", comes_to="left")
async def _left(world: World) -> Any:
    """The reader has seen enough."""
    async with world.agent().stream("text", session=world.session) as stream:
        async for _ in stream.text():
            break
    return "left"


@_script("parallel")
async def _parallel(world: World) -> Any:
    return await _ask(world, world.agent(concurrency=2), "side by side")


@_script("threads")
async def _threads(world: World) -> Any:
    return await _ask(world, world.agent(), "threads")


@_script("mixed, streamed")
async def _mixed(world: World) -> Any:
    return await _watch(world, world.agent(), "mixed")


@_script("nested")
async def _nested(world: World) -> Any:
    inner = Agent(world.model(), tools=world.tools(), name="helper")
    return await _ask(world, world.agent(tools=[inner.as_tool(description="Help.")]), "nested")


async def _interrupt(world: World) -> None:
    """A run that was stopped when its tools had begun."""
    begun = asyncio.Event()

    @tool(repeatable=True)
    async def count(seats: int) -> int:
        """Count seats."""
        begun.set()
        await asyncio.sleep(60)
        return seats

    run = asyncio.ensure_future(_ask(world, world.agent(tools=[count]), "again"))
    await begun.wait()
    run.cancel()
    await asyncio.wait((run,))


@_script("resume", prepare=_interrupt)
async def _resume(world: World) -> Any:
    return (await world.agent().resume(world.session)).output


@_script("resume, streamed", prepare=_interrupt)
async def _resume_streamed(world: World) -> Any:
    async with world.agent().resume_stream(world.session) as stream:
        return (await stream.result()).output


@_script("background")
async def _background(world: World) -> Any:
    model = world.model(profile=Profile("local"))
    return await _ask(world, world.agent(model, settings=Settings(background=True)), "plain")


@_script("background, streamed")
async def _background_streamed(world: World) -> Any:
    model = world.model(profile=Profile("local", resumes=True))
    return await _watch(world, world.agent(model, settings=Settings(background=True)), "plain")


@_script("stopped by its token", comes_to="RunCancelled")
async def _stopped(world: World) -> Any:
    agent = world.agent(settings=Settings(background=True))
    return await _ask(world, agent, "stop", cancel=world.token)


@_script("asked again", comes_to=Seats(seats=1), says='{"seats": 1}')
async def _asked_again(world: World) -> Any:
    return await _watch(world, world.agent(output=Seats, tools=[]), "shaped")


@_script("approval")
async def _approval(world: World) -> Any:
    agent = world.agent()
    waiting = await agent.run("approval", session=world.session)
    for call in waiting.waiting:
        if call.state == "approval":
            await agent.approve(world.session, call)
        else:
            await agent.settle(world.session, call, result="fetched")
    return (await agent.resume(world.session)).output


@_script("many turns")
async def _many(world: World) -> Any:
    return await _ask(world, world.agent(), "many")


@_script("turn by turn, on disk", on_disk=True)
async def _turns(world: World) -> Any:
    agent = world.agent()
    await agent.begin("plain", world.session)
    while (result := await agent.advance(world.session)) is None:
        pass
    return result.output


@_script("on disk, streamed", on_disk=True)
async def _on_disk(world: World) -> Any:
    return await _watch(world, world.agent(), "mixed")


@_script("retried", comes_to="It is 21 °C in Paris. 😀")
async def _retried(world: World) -> Any:
    return await _ask(world, world.agent(world.model(world.there.fault("H03", 2))), "hi")


@_script("broken off", comes_to="It is 21 °C in Paris. 😀")
async def _broken(world: World) -> Any:
    return await _watch(world, world.agent(world.model(world.there.fault("H06", 1))), "hi")


@_script("refused", comes_to="FailedError")
async def _refused(world: World) -> Any:
    return await _watch(world, world.agent(world.model(world.there.fault("H19-400"))), "hi")


@_script("silent", comes_to="FailedError")
async def _silent(world: World) -> Any:
    deadlines = Deadlines(idle=0.01)
    model = world.model(world.there.fault("H10"), deadlines=deadlines)
    return await _watch(world, world.agent(model), "hi")


@_script("chat")
async def _chat(world: World) -> Any:
    return await _watch(world, world.agent(world.chat(), tools=world.tools()[:-1]), "plain")


@_script("free text")
async def _free_text(world: World) -> Any:
    return await _ask(world, world.agent(), "free text")


@_script("a tool out of time")
async def _out_of_time(world: World) -> Any:
    return await _ask(world, world.agent(), "slow tool")


@_script("a tool slow to stop")
async def _slow_to_stop(world: World) -> Any:
    return await _ask(world, world.agent(), "stubborn")


@_script("raw events", comes_to="completed")
async def _raw(world: World) -> Any:
    async with world.model().stream(input="text") as events:
        async for _ in events:
            pass
        return (await events.response()).status
