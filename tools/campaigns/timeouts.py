"""A time-out at every instant of a virtual clock at which anything is due (C04)."""

from __future__ import annotations

import asyncio
import json
import platform
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from campaigns._history import closing, find_problems, go_on
from campaigns._sweep import listening
from campaigns._virtual import StuckError, run_virtually
from toolstone import Agent, CancelToken, MemoryLedger, Responses, tool
from toolstone import limits as bounds
from toolstone.errors import ToolstoneError, TransportError
from toolstone.testing.faults.saying import call, data, encode, message, narrate, response
from toolstone.wire import Deadlines, HttpReply, HttpRequest, Retry

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Mapping, Sequence

    from toolstone.events import Record

Kind = Literal["caller", "token", "total", "idle", "first_byte", "tool"]
"""Whose time-out: the caller's around it all, its token's, a deadline's, a tool's own."""
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_PIECES: Final = 6
_NEVER: Final = 1e6
_NEAR: Final = 1e-6


def options(parser: argparse.ArgumentParser) -> None:
    """None but which scripts."""
    parser.add_argument("--only", default="", help="scripts whose name has this in it")


def run(given: argparse.Namespace) -> int:
    """Each kind of time-out at each instant, and just before and after it."""
    print(f"Python {platform.python_version()}")
    began, counts, wrong = time.monotonic(), Counter[str](), 0
    for name in [one for one in SCRIPTS if given.only in one]:
        instants = find_instants(name)
        for kind, at, ended, found in sweep(name, instants):
            counts[ended] += 1
            if found:
                wrong += 1
                print(f"  WRONG {name}, {kind} at {at:.6f}: {'; '.join(found)}", flush=True)
        print(f"{name}: {len(instants)} instants", flush=True)
    print(f"{sum(counts.values()):,} time-outs in {time.monotonic() - began:.0f} s, {wrong} wrong")
    print(", ".join(f"{name} {count:,}" for name, count in counts.most_common()))
    return 1 if wrong else 0


def find_instants(name: str) -> list[float]:
    """When anything is due in a script that nothing is done to.

    Raises:
        ToolstoneError: It does not come to its end.
    """
    stage, instants = Stage(name, "caller", _NEVER), []
    with listening() as noise:
        instants = run_virtually(stage.go(), noise)
    if stage.ended != "done" or noise.told:
        raise ToolstoneError(f"{name!r} came to {stage.ended!r}: {noise.told}")
    return sorted({at for at in instants if at <= stage.over})


def sweep(
    name: str, instants: Sequence[float], kinds: Sequence[Kind] = KINDS
) -> list[tuple[Kind, float, str, list[str]]]:
    """What came of each kind at each instant, and beside it."""
    found: list[tuple[Kind, float, str, list[str]]] = []
    for kind in kinds:
        for at in [t for each in instants for t in (each - _NEAR, each, each + _NEAR) if t > 0]:
            stage = Stage(name, kind, at)
            with listening(collect=False) as noise:
                try:
                    run_virtually(stage.go(), noise)
                except StuckError as error:
                    stage.wrong.append(str(error))
            found.append((kind, at, stage.ended, stage.wrong + noise.told))
    return found


# -------------------------------------------------------------------------------- the stage


@dataclass
class Stage:
    """One script, one time-out."""

    script: str
    kind: Kind
    at: float
    ended: str = ""
    over: float = 0.0
    wrong: list[str] = field(default_factory=list)
    effects: Counter[str] = field(default_factory=Counter)

    async def go(self) -> None:
        """Play it, and look at what is left."""
        ledger, loop, token = Slow(), asyncio.get_running_loop(), CancelToken()
        if self.kind == "token":
            loop.call_at(self.at, token.cancel)
        options = {"tools": self._tools(), "ledger": ledger}
        play = SCRIPTS[self.script]
        task = loop.create_task(play(self, options, token), name="main")
        try:
            async with asyncio.timeout(self.at if self.kind == "caller" else None):
                self.ended = await task
        except TimeoutError as error:
            self.ended = type(error).__name__
            self._expect(isinstance(error, ToolstoneError) or self.kind == "caller", error)
        except ToolstoneError as error:
            self.ended = type(error).__name__
            self._expect(self.kind != "tool", error)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told
            self.ended = f"raw {type(error).__name__}"
            self._expect(isinstance(error, ToolstoneError), error)
        self.over = loop.time()
        await asyncio.sleep(bounds.CANCEL_GRACE + 0.1)
        left = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        self.wrong += [f"left behind: {each.get_coro()!r:.80}" for each in left]
        await self._look(ledger, options)

    def _expect(self, right: bool, error: Exception) -> None:
        if not right:
            self.wrong.append(f"came to {error!r} from {error.__cause__!r}")

    async def _look(self, ledger: Slow, options: dict[str, Any]) -> None:
        records = list(await ledger.load("s"))
        self.wrong += find_problems(records, repeatable=("look",))
        if records:
            try:
                await go_on(Agent(closing(), **options), "s")
            except Exception as error:  # noqa: BLE001  whatever it is, it is told
                self.wrong.append(f"cannot go on: {error!r} {error.__cause__!r}")
            self.wrong += find_problems(list(await ledger.load("s")), repeatable=("look",))
        twice = [name for name, times in self.effects.items() if times > 1]
        self.wrong += [f"{name} happened {self.effects[name]} times" for name in twice]

    def model(self, *answers: Any, breaks: int = 0) -> Responses:
        """A model whose answers take their time; so many of them break off at first."""
        deadlines: dict[str, Any] = {"connect": None, "idle": _NEVER, "total": _NEVER}
        if self.kind in ("total", "idle", "first_byte"):
            deadlines[self.kind] = self.at
        return Responses(
            model="m",
            base_url="http://127.0.0.1:1/v1",
            api_key="k",
            transport=Arriving(list(answers), breaks),
            retry=Retry(random=lambda: 0.5),
            deadlines=Deadlines(**deadlines),
        )

    def _tools(self) -> list[Any]:
        own = self.at if self.kind == "tool" else _NEVER

        @tool(timeout=own)
        async def book(seats: int) -> str:
            """Book seats."""
            await asyncio.sleep(0.3 * seats)
            self.effects[f"book {seats}"] += 1
            await asyncio.sleep(0.1)
            return "booked"

        @tool(repeatable=True, timeout=own)
        async def look(seats: int) -> int:
            """Look."""
            await asyncio.sleep(0.25)
            return seats

        return [book, look]


class Slow(MemoryLedger):
    """A ledger that takes its time before it has kept something, and after."""

    async def append(self, session: str, records: Sequence[Record], /) -> None:
        """See `toolstone.ports.Ledger`."""
        await asyncio.sleep(0.013)
        await super().append(session, records)
        await asyncio.sleep(0.011)


class Arriving:
    """A transport whose answers arrive piece by piece, or break off in the middle."""

    def __init__(self, answers: list[Any], breaks: int) -> None:
        self._answers, self._breaks = answers, breaks
        self.status = 200
        self.headers: Mapping[str, str] = {}

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Arriving]:
        """See `toolstone.wire.Transport`."""
        await asyncio.sleep(0.2)
        self.headers = {"content-type": "text/event-stream"}
        self.chunks = self._arrive(request)
        yield self
        await self.chunks.aclose()

    async def send(self, request: HttpRequest) -> HttpReply:
        """See `toolstone.wire.Transport`."""
        await asyncio.sleep(0.2)
        body = b"".join([piece async for piece in self._arrive(request)])
        return HttpReply(200, {"content-type": "application/json"}, body)

    async def _arrive(self, request: HttpRequest) -> Any:
        said = response(*self._answers[0])
        streamed = json.loads(request.body).get("stream")
        body = encode(narrate(said)) if streamed else data(said)
        size = -(-len(body) // _PIECES)
        for place in range(0, len(body), size):
            await asyncio.sleep(0.17)
            if self._breaks and place:
                self._breaks -= 1
                raise TransportError("the connection broke", phase="body")
            yield body[place : place + size]
        self._answers = self._answers[1:] or [[message("done")]]

    async def aclose(self) -> None:
        """Nothing is open."""


def _booking(*seats: int) -> list[Any]:
    return [call("book", json.dumps({"seats": each}), n) for n, each in enumerate(seats)]


_DONE: Final = [message("done")]
_LOOK: Final = [call("look", '{"seats": 1}')]


async def _plain(stage: Stage, options: dict[str, Any], token: CancelToken) -> str:
    agent = Agent(stage.model(_booking(1), _DONE), **options)
    return str((await agent.run("go", session="s", cancel=token)).output)


async def _watched(agent: Agent[Any], token: CancelToken) -> str:
    async with agent.stream("go", session="s", cancel=token) as stream:
        async for _ in stream.events():
            await asyncio.sleep(0.001)
        return str((await stream.result()).output)


async def _streamed(stage: Stage, options: dict[str, Any], token: CancelToken) -> str:
    return await _watched(Agent(stage.model(_booking(1), _LOOK, _DONE), **options), token)


async def _parallel(stage: Stage, options: dict[str, Any], token: CancelToken) -> str:
    calls = [*_booking(1, 2), call("look", '{"seats": 3}', 2)]
    agent = Agent(stage.model(calls, _DONE), **options)
    return str((await agent.run("go", session="s", cancel=token)).output)


async def _broken(stage: Stage, options: dict[str, Any], token: CancelToken) -> str:
    return await _watched(Agent(stage.model(_booking(1), _DONE, breaks=2), **options), token)


async def _nested(stage: Stage, options: dict[str, Any], token: CancelToken) -> str:
    inner = Agent(stage.model(_booking(1), _DONE), tools=options["tools"], name="helper")
    helper = inner.as_tool(description="Help.")
    options["tools"] = [*options["tools"], helper]
    agent = Agent(stage.model([call("helper", '{"request": "go"}')], _DONE), **options)
    return str((await agent.run("go", session="s", cancel=token)).output)


SCRIPTS: Final[dict[str, Any]] = {
    "plain": _plain,
    "streamed": _streamed,
    "parallel": _parallel,
    "broken off": _broken,
    "nested": _nested,
}
