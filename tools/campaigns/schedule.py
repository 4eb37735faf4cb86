"""Runs in virtual time whose delays, faults and cancellations are chosen by a seed (C16)."""

from __future__ import annotations

import asyncio
import platform
import random
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from campaigns._history import closing, find_problems, go_on
from campaigns._sweep import listening
from campaigns._virtual import StuckError, run_virtually
from toolstone import Agent, CancelToken, Limit, MemoryLedger, ToolContext, tool
from toolstone import limits as bounds
from toolstone.errors import (
    ConflictError,
    ProtocolError,
    ServerError,
    StorageError,
    ToolError,
    ToolstoneError,
    TransportError,
)
from toolstone.testing import Scripted as Says
from toolstone.testing import call

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from toolstone.events import Record
    from toolstone.ports import Emit, Request, Response

_SESSION: Final = "s"
_SHOWN: Final = 20
_REPEATABLE: Final = frozenset({"look", "helper"})


def options(parser: argparse.ArgumentParser) -> None:
    """How many seeds."""
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--seed", type=int, help="this one alone, with all that happens")
    parser.add_argument("--first", type=int, default=0)


def run(given: argparse.Namespace) -> int:
    """Play the seeds; print those that break an invariant."""
    print(f"Python {platform.python_version()}, seeds from {given.first}")
    began, counts, failed = time.monotonic(), Counter[str](), 0
    alone = given.seed is not None
    for seed in [given.seed] if alone else range(given.first, given.first + given.seeds):
        ended, wrong, told = play(seed)
        counts[ended] += 1
        if wrong or alone:
            failed += bool(wrong)
            print(f"seed {seed} ({ended}): {'; '.join(wrong) or 'nothing wrong'}", flush=True)
        if alone:
            print("\n".join(told))
    print(f"{sum(counts.values()):,} seeds in {time.monotonic() - began:.0f} s, {failed} wrong")
    print(", ".join(f"{name} {count:,}" for name, count in counts.most_common()))
    return 1 if failed else 0


def play(seed: int) -> tuple[str, list[str], list[str]]:
    """One seed: how it ended, what is wrong, and what happened when, the same each time."""
    stage = Stage(random.Random(seed))  # noqa: S311  it guards nothing
    with listening(collect=seed % 50 == 0) as noise:
        try:
            run_virtually(stage.go(), noise)
        except StuckError as error:
            stage.wrong.append(str(error))
    fit = ("log toolstone.tools:", "log toolstone.runs: an observer")
    stage.wrong += [text for text in noise.told if not text.startswith(fit)]
    return stage.ended, stage.wrong, stage.told


class Stage:
    """One run, and everything that may happen to it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.told: list[str] = []
        self.wrong: list[str] = []
        self.ended = ""
        self.effects: Counter[str] = Counter()
        self.token = CancelToken()
        self.cancelled = False
        self.calm = False
        self.ledger = Ledger(self)
        self.trouble = rng.choice((0.0, 0.05, 0.2))
        """How likely each thing is to go wrong."""

    # ------------------------------------------------------------------------- what happens

    async def wait(self, most: float = 2.0) -> None:
        """Some time, or only a turn of the loop, or nothing."""
        kind = self.rng.random()
        if self.calm or kind < 0.3:  # noqa: PLR2004  a part of them
            return
        await asyncio.sleep(0 if kind < 0.5 else self.rng.uniform(0, most))  # noqa: PLR2004

    def tell(self, what: str) -> None:
        """Write down what happened, and when."""
        self.told.append(f"{asyncio.get_running_loop().time():10.4f} {what}")

    def fails(self) -> bool:
        """Whether this goes wrong."""
        return not self.calm and self.rng.random() < self.trouble

    async def go(self) -> None:
        """The run, its end, and what is left."""
        loop = asyncio.get_running_loop()
        agent = Agent(Model(self), **self.options())
        main = loop.create_task(self._main(agent))
        self._disturb(main)
        await asyncio.wait((main,))
        self._judge(main)
        await asyncio.sleep(bounds.CANCEL_GRACE + 0.1)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        self.wrong += [f"left behind: {task.get_coro()!r:.80}" for task in left]
        await self._look()

    def options(self) -> dict[str, Any]:
        """The agent's; one tool is an agent itself."""
        tools = self._tools()
        helper = Agent(Model(self), tools=tools[:2], name="helper").as_tool(description="Help.")
        most = self.rng.choice((1, 2, 128))
        return {"tools": [*tools, helper], "ledger": self.ledger, "concurrency": most}

    def _disturb(self, main: asyncio.Task[Any]) -> None:
        """Up to two cancellations, or the token's."""
        for _ in range(self.rng.choice((0, 0, 1, 1, 2))):
            at = self.rng.uniform(0, 12)
            if self.rng.random() < 0.5:  # noqa: PLR2004  either way
                main.get_loop().call_later(at, self._cancel, main)
            else:
                main.get_loop().call_later(at, self.token.cancel)

    def _cancel(self, main: asyncio.Task[Any]) -> None:
        self.tell("cancelled by its caller")
        self.cancelled = self.cancelled or not main.done()
        main.cancel()

    async def _main(self, agent: Agent[Any]) -> Any:
        if self.rng.random() < 0.5:  # noqa: PLR2004  either door
            return (await agent.run("go", session=_SESSION, cancel=self.token)).outcome
        async with agent.stream("go", session=_SESSION, cancel=self.token) as stream:
            async for _ in stream.events():
                await self.wait(0.5)
                if self.rng.random() < 0.01:  # noqa: PLR2004  now and then
                    return "left"
            return (await stream.result()).outcome

    # ------------------------------------------------------------------------ what is looked at

    def _judge(self, main: asyncio.Task[Any]) -> None:
        """I1: typed, or the caller's own cancellation."""
        if main.cancelled():
            self.ended = "CancelledError"
            self.wrong += [] if self.cancelled else ["cancelled by nobody"]
        elif (error := main.exception()) is not None:
            self.ended = type(error).__name__
            self.wrong += [] if isinstance(error, ToolstoneError) else [f"raw {error!r}"]
            if isinstance(error, ConflictError):
                self.wrong.append("a conflict, and nobody else has written")
        else:
            self.ended = str(main.result())
            self.wrong += ["a cancellation was swallowed"] if self.cancelled else []
        self.tell(f"ended: {self.ended}")

    async def _look(self) -> None:
        """I3 and I4: the ledger is a legal run, can be gone on with, and nothing ran twice."""
        self.calm = True
        records = list(await self.ledger.load(_SESSION))
        self.wrong += find_problems(records, repeatable=_REPEATABLE)
        if len(records) > 2_000:  # noqa: PLR2004  32 requests of few calls have no more facts
            self.wrong.append(f"{len(records)} records")
        if records:
            try:
                await go_on(Agent(closing(), **self.options()), _SESSION)
            except Exception as error:  # noqa: BLE001  whatever it is, it is told
                self.wrong.append(f"cannot go on: {error!r} {error.__cause__!r}")
            after = list(await self.ledger.load(_SESSION))
            self.wrong += find_problems(after, repeatable=_REPEATABLE)
        twice = [name for name, times in self.effects.items() if times > 1]
        self.wrong += [f"{name} happened {self.effects[name]} times" for name in twice]

    # ------------------------------------------------------------------------------- tools

    def _tools(self) -> list[Any]:
        @tool(timeout=self.rng.choice((None, 0.5, 5)), limit=Limit(f"db-{id(self)}", 2))
        async def book(seats: int, context: ToolContext[Any]) -> str:
            """Book seats."""
            return await self._work("book", context, seats)

        @tool(repeatable=True)
        async def look(seats: int) -> int:
            """Look."""
            await self.wait()
            return seats

        @tool(approve=self.rng.random() < 0.2)  # noqa: PLR2004  now and then
        async def pay(seats: int, context: ToolContext[Any]) -> str:
            """Pay."""
            return await self._work("pay", context, seats)

        async def cling(seats: int, context: ToolContext[Any]) -> str:
            """Be slow to stop."""
            try:
                return await self._work("cling", context, seats)
            finally:
                with suppress(asyncio.CancelledError):
                    await self.wait(1.5)

        return [book, look, pay, cling]

    async def _work(self, name: str, context: ToolContext[Any], seats: int) -> str:
        """Take time, do something, and perhaps fail before or after."""
        await self.wait()
        context.progress(seats)
        if self.fails():
            raise self.rng.choice((ToolError("no"), ValueError("broken"), OSError(5, "broken")))
        self.effects[f"{name} {context.run} {context.call}"] += 1
        self.tell(f"{name} {context.call}")
        await self.wait()
        if self.fails():
            raise asyncio.CancelledError
        return name


class Ledger(MemoryLedger):
    """A ledger that takes its time, and sometimes fails, before it has kept something or after."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    async def append(self, session: str, records: Sequence[Record], /) -> None:
        """See `toolstone.ports.Ledger`."""
        stage = self._stage
        await stage.wait(0.4)
        self._perhaps_fail()
        await super().append(session, records)
        stage.tell(f"kept {', '.join(record.fact.type for record in records)}")
        await stage.wait(0.4)
        self._perhaps_fail()

    def _perhaps_fail(self) -> None:
        stage = self._stage
        if stage.fails() and stage.rng.random() < 0.3:  # noqa: PLR2004  a part of them
            raise stage.rng.choice((StorageError("full"), OSError(28, "full")))


class Model:
    """A model that says anything, in its own time."""

    name = "any"
    profile = Says().profile

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._asked = 0

    async def respond(self, request: Request, emit: Emit, /) -> Response:
        """See `toolstone.ports.Model`."""
        stage = self._stage
        self._asked += 1
        await stage.wait()
        if stage.fails():
            raise self._fault()
        says = Says(*["unused"] * (self._asked - 1), self._turn(request))
        says.requests = [request] * (self._asked - 1)  # ids go on where they were

        async def slowly(deltas: Any) -> None:
            await stage.wait(0.1)
            await emit(deltas)

        response = await says.respond(request, slowly)
        await stage.wait()
        return response

    def _fault(self) -> Exception:
        return self._stage.rng.choice(
            (
                TransportError("broke", outcome="partial"),
                TransportError("none", outcome="none"),
                ProtocolError("odd", phase="body"),
                ServerError("down", status=503),
                RuntimeError("a model of one's own"),
            )
        )

    def _turn(self, request: Request) -> Any:
        rng = self._stage.rng
        if self._asked > 6 or rng.random() < 0.3:  # noqa: PLR2004  it ends some time
            return "done"
        names = [spec.name for spec in request.tools] or ["none"]
        calls = [self._call(rng.choice([*names, "unknown"])) for _ in range(rng.randrange(1, 5))]
        return calls if rng.random() < 0.9 else ["on it", *calls]  # noqa: PLR2004

    def _call(self, name: str) -> Any:
        rng = self._stage.rng
        if rng.random() < 0.05:  # noqa: PLR2004  now and then
            return call(name, '{"seats": NaN}')
        if name == "helper":
            return call(name, request="go")
        return call(name, seats=rng.randrange(100))
