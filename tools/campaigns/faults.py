"""Answers cut anywhere: recorded ones at every byte, the fault peer's behind a relay that cuts."""

from __future__ import annotations

import asyncio
import platform
import random
import time
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from campaigns._recordings import RECORDINGS, Recording
from campaigns._scripts import TRANSPORTS, Seats, World
from campaigns._servers import relayed, servers
from toolstone import Agent, Responses
from toolstone.errors import ServiceError, ToolstoneError, TransportError
from toolstone.items import user
from toolstone.ports import Request
from toolstone.testing.faults import SCENARIOS
from toolstone.wire import Deadlines, HttpReply, HttpRequest, Retry

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Mapping, Sequence

    from campaigns._servers import Servers

DOORS: Final = ("plain", "streamed", "raw")
_DEADLINES: Final = Deadlines(connect=5, idle=0.5, total=2)
_LONGEST: Final = 60.0
_FAR: Final = 10**12
_SHOWN: Final = 40
_AGAIN: Final = 5


def options(parser: argparse.ArgumentParser) -> None:
    """How many cuts."""
    parser.add_argument("--cuts", type=int, default=50_000, help="random cuts of recorded streams")
    parser.add_argument("--offsets", type=int, default=3, help="random cuts of each scenario")
    parser.add_argument("--only", default="", help="scenarios that begin so")
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)


def run(given: argparse.Namespace) -> int:
    """Cut, and count what was taken for whole and what came out raw."""
    print(f"Python {platform.python_version()}, seed {given.seed}")
    rng = random.Random(given.seed)  # noqa: S311  it guards nothing
    began = time.monotonic()
    every, wrong = asyncio.run(cut_everywhere(RECORDINGS))
    print(f"recorded streams: {len(RECORDINGS)}, {every:,} cuts, one at every byte")
    wrong += asyncio.run(cut_by_chance(RECORDINGS, rng, given.cuts))
    print(f"{given.cuts:,} random cuts, in random pieces; {time.monotonic() - began:.0f} s")
    chosen = [name for name in sorted(SCENARIOS) if name.startswith(given.only) and name != "H01"]
    with servers() as there, relayed(there.faults) as relay:
        board = Board(there, relay, rng, given.offsets)
        asyncio.run(board.go(chosen, given.at_once))
    print(
        f"{len(chosen)} scenarios x {len(TRANSPORTS)} transports x {len(DOORS)} doors: "
        f"{sum(board.ended.values()):,} runs, {time.monotonic() - began:.0f} s"
    )
    print(", ".join(f"{name} {count:,}" for name, count in board.ended.most_common()))
    wrong += board.wrong
    print(f"wrong: {len(wrong)}")
    print("\n".join(f"  {text}" for text in wrong[:_SHOWN]))
    return 1 if wrong else 0


# ------------------------------------------------------------------------- recorded streams


async def cut_everywhere(recordings: Sequence[Recording]) -> tuple[int, list[str]]:
    """Each recording, cut at every byte and ended in order; how many cuts, and what is wrong."""
    wrong, count = [], 0
    for recording in recordings:
        for at in range(len(recording.body) + 1):
            count += 1
            wrong += await _cut(recording, at, [recording.body[:at]], breaks=False)
    return count, wrong


async def cut_by_chance(
    recordings: Sequence[Recording], rng: random.Random, cuts: int
) -> list[str]:
    """Cuts by chance, in pieces by chance, ended in order or broken; what is wrong."""
    wrong = []
    for _ in range(cuts):
        recording = rng.choice(recordings)
        at = rng.randrange(len(recording.body) + 1)
        places = sorted({0, at, *(rng.randrange(at + 1) for _ in range(rng.randrange(4)))})
        pieces = [recording.body[a:b] for a, b in pairwise(places)]
        wrong += await _cut(recording, at, pieces, breaks=rng.random() < 0.5)  # noqa: PLR2004
    return wrong


async def _cut(recording: Recording, at: int, pieces: list[bytes], *, breaks: bool) -> list[str]:
    """One answer that ends early: an error, unless all that counts had come."""
    model = recording.model(Cutting(pieces, recording.kind, breaks=breaks))
    where = f"{recording.name} cut at {at} of {len(recording.body)}"
    whole = at >= recording.enough
    try:
        request = Request((user("hi"),), stream=recording.streamed)
        response = await model.respond(request, _nobody)
    except ServiceError as error:
        told = at >= recording.sure if breaks else whole
        return [f"{where}: {error!r} although it was whole"] if told else []
    except Exception as error:  # noqa: BLE001  whatever it is, it is told
        return [f"{where}: raw {error!r}"]
    if not whole:
        return [f"{where}: taken for whole"]
    said = [item.json for item in response.items]
    return [] if said == recording.items else [f"{where}: another answer"]


async def _nobody(_events: Any) -> None:
    """Nobody watches."""


@dataclass
class Cutting:
    """A transport that gives so many pieces, then ends, or breaks."""

    pieces: list[bytes]
    kind: str
    breaks: bool
    status: int = 200

    @property
    def headers(self) -> Mapping[str, str]:
        """What it is."""
        return {"content-type": self.kind}

    @asynccontextmanager
    async def stream(self, _request: HttpRequest) -> AsyncIterator[Cutting]:
        """See `toolstone.wire.Transport`."""
        self.chunks = self._given()
        yield self

    async def _given(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.breaks:
            raise _broken()

    async def send(self, _request: HttpRequest) -> HttpReply:
        """See `toolstone.wire.Transport`."""
        if self.breaks:
            raise _broken()
        return HttpReply(200, self.headers, b"".join(self.pieces))

    async def aclose(self) -> None:
        """Nothing is open."""


def _broken() -> ServiceError:
    return TransportError("the connection broke", phase="body")


# --------------------------------------------------------------------------- the fault peer


@dataclass
class Board:
    """Every scenario behind every door, whole and cut."""

    there: Servers
    relay: str
    rng: random.Random
    offsets: int

    def __post_init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.world = World(self.there)
        self.tools = self.world.tools()

    async def go(self, scenarios: Sequence[str], at_once: int) -> None:
        """All of it, several at a time."""
        self.transports = {name: made() for name, made in TRANSPORTS.items()}
        gate = asyncio.Semaphore(at_once)

        async def one(scenario: str, transport: str, door: str) -> None:
            async with gate:
                await self._meet(scenario, transport, door)

        cells = [(s, t, d) for s in scenarios for t in TRANSPORTS for d in DOORS]
        await asyncio.gather(*(one(*cell) for cell in cells))
        for transport in self.transports.values():
            await transport.aclose()

    async def _meet(self, scenario: str, transport: str, door: str) -> None:
        """Whole first: a cut one may say the same, and nothing else."""
        whole = await self._ask(scenario, transport, door, _FAR, "close")
        for _ in range(self.offsets):
            at = int(10 ** self.rng.uniform(0, 4))  # heads and events are that long
            how = self.rng.choice(("reset", "close"))
            said = await self._ask(scenario, transport, door, at, how)
            for _ in range(_AGAIN):  # a busy machine: the whole one was out of time
                if said is None or said == whole:
                    break
                whole = await self._ask(scenario, transport, door, _FAR, "close")
            if said is not None and said != whole:
                self.wrong.append(
                    f"{scenario} ({transport}, {door}) cut at {at} ({how}): "
                    f"taken for whole: {said!r:.80}, whole it is {whole!r:.80}"
                )

    async def _ask(self, scenario: str, transport: str, door: str, at: int, how: str) -> Any:
        """What it came to; None for an error of ours."""
        url = self.there.fault(scenario).replace(self.there.faults, f"{self.relay}/~{at}-{how}")
        model = Responses(
            model="m",
            base_url=url,
            api_key="k",
            transport=self.transports[transport],
            retry=Retry(attempts=2, wait=0.001, after_max=0.1),
            deadlines=_DEADLINES,
        )
        where = f"{scenario} ({transport}, {door}) cut at {at} ({how})"
        try:
            async with asyncio.timeout(_LONGEST):
                said = await _through(door, model, scenario, self.tools)
        except ToolstoneError as error:
            self.ended[type(error).__name__] += 1
            return None
        except BaseException as error:  # noqa: BLE001  whatever it is, it is told
            self.ended[f"raw {type(error).__name__}"] += 1
            self.wrong.append(f"{where}: raw {error!r}")
            return None
        self.ended["answer"] += 1
        return said


async def _through(door: str, model: Responses, scenario: str, tools: list[Any]) -> Any:
    """Ask through one of the doors."""
    if door == "raw":
        async with model.stream(input="hi") as events:
            async for _ in events:
                pass
            return (await events.response()).text
    output: Any = Seats if scenario.startswith(("M24", "M27", "M28", "M29")) else str
    agent = Agent(model, tools=tools, output=output)
    if door == "plain":
        return (await agent.run("hi")).output
    async with agent.stream("hi") as stream:
        with suppress(ToolstoneError):
            async for _ in stream.events():
                pass
        return (await stream.result()).output
