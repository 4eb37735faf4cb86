"""Fifty runs at once for half an hour, some of which meet a fault: what is left, and what grows."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import platform
import random
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from campaigns import _census
from campaigns._history import find_problems
from campaigns._scripts import TRANSPORTS, Seats, World
from campaigns._servers import Servers, servers
from campaigns._sweep import Noise, listening
from toolstone import Agent, Budget, Responses, Settings, SQLiteLedger
from toolstone.errors import DeadlineError, ToolstoneError
from toolstone.testing.faults import SCENARIOS
from toolstone.wire import Deadlines, Retry

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_QUESTIONS: Final = ("plain", "many", "side by side", "threads", "mixed", "free text", "text")
_DEADLINES: Final = Deadlines(connect=10, idle=10, total=20)
_BUDGET: Final = Budget(requests=12, seconds=60)
_LONGEST: Final = 120.0
_SAMPLE: Final = 5.0
_WARM: Final = 0.2
"""The part of the time that is not looked at when memory's slope is taken."""
_SHOWN: Final = 20
_MIB: Final = 1 << 20


def options(parser: argparse.ArgumentParser) -> None:
    """How long, how many at once, how many of them meet a fault."""
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--faults", type=float, default=0.05, help="share of runs that meet one")
    parser.add_argument("--cancelled", type=float, default=0.02, help="share of runs cancelled")
    parser.add_argument("--seed", type=int, default=1)


def run(given: argparse.Namespace) -> int:
    """Soak, and print outcomes, memory's slope, and what is left."""
    print(f"Python {platform.python_version()}, seed {given.seed}, {given.minutes:g} minutes")
    print(f"{given.at_once} runs at once, {given.faults:.0%} of them meet a fault", flush=True)
    with servers() as there, listening() as noise, tempfile.TemporaryDirectory() as folder:
        soak = Soak(there, given, Path(folder))
        asyncio.run(soak.go(noise))
    soak.wrong += [text for text in noise.told if "does not stop; left running" not in text]
    print(f"{sum(soak.ended.values()):,} runs")
    for name, count in soak.ended.most_common():
        print(f"  {name:40} {count:>9,}")
    met = sum(1 for count in soak.met.values() if count)
    print(f"scenarios met: {met} of {len(SCENARIOS)}, {sum(soak.met.values()):,} times")
    slope = find_slope(soak.memory[int(len(soak.memory) * _WARM) :])
    low, high = min(mib for _, mib in soak.memory), max(mib for _, mib in soak.memory)
    print(f"memory {low:.0f} to {high:.0f} MiB, slope {slope:+.2f} MiB/h after warm-up")
    print(f"wrong: {len(soak.wrong)}")
    print("\n".join(f"  {text}" for text in soak.wrong[:_SHOWN]))
    return 1 if soak.wrong else 0


def find_slope(samples: Sequence[tuple[float, float]]) -> float:
    """By least squares, in MiB an hour, of pairs of seconds and MiB."""
    if len(samples) < 2:  # noqa: PLR2004  a line has two points
        return 0.0
    middle = sum(at for at, _ in samples) / len(samples)
    mean = sum(mib for _, mib in samples) / len(samples)
    spread = sum((at - middle) ** 2 for at, _ in samples)
    return 3600 * sum((at - middle) * (mib - mean) for at, mib in samples) / spread


@dataclass
class Soak:
    """The runs, and what became of them."""

    there: Servers
    given: argparse.Namespace
    folder: Path
    ended: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.given.seed)  # noqa: S311  it guards nothing
        self.until = 0.0
        self.ledger = SQLiteLedger(self.folder / "sessions.db")
        self.tools = World(self.there).tools()
        self._faults: list[str] = []

    async def go(self, noise: Noise) -> None:
        """Keep so many runs going until the time is over."""
        asyncio.get_running_loop().set_exception_handler(noise.by_loop)
        await self._warm_up()
        before = _census.take()
        self.transports = {name: made() for name, made in TRANSPORTS.items()}
        self.until = time.monotonic() + 60 * self.given.minutes
        watch = asyncio.create_task(self._watch())
        await asyncio.gather(*(self._keep_on() for _ in range(self.given.at_once)))
        watch.cancel()
        await asyncio.wait((watch,))
        for transport in self.transports.values():
            await transport.aclose()
        self.ledger.close()
        left = await _census.left(before)
        pools = ("thread asyncio_", "thread toolstone-tool-")  # these stay, up to a bound
        self.wrong += [f"left behind: {each}" for each in left if not each.startswith(pools)]

    async def _warm_up(self) -> None:
        """What loads at first use is loaded, then closed."""
        self.transports = {name: made() for name, made in TRANSPORTS.items()}
        for question in _QUESTIONS:
            await self._one(question, "", cancelled=False)
        for transport in self.transports.values():
            await transport.aclose()
        self.ledger.close()
        self.ended.clear()

    async def _keep_on(self) -> None:
        while time.monotonic() < self.until:
            fault = self._next_fault() if self.rng.random() < self.given.faults else ""
            cancelled = self.rng.random() < self.given.cancelled
            await self._one(self.rng.choice(_QUESTIONS), fault, cancelled=cancelled)

    def _next_fault(self) -> str:
        """Each in its turn, in an order by chance."""
        if not self._faults:
            self._faults = sorted(SCENARIOS)
            self.rng.shuffle(self._faults)
        return self._faults.pop()

    async def _one(self, question: str, fault: str, *, cancelled: bool) -> None:
        self.runs += 1
        session = f"soak-{self.runs}"
        agent, streamed = self._agent(fault), self.rng.random() < 0.5  # noqa: PLR2004  either way
        task = asyncio.create_task(_ended(agent, question, session, streamed=streamed))
        if cancelled:
            after = 0.1 * self.rng.random()
            asyncio.get_running_loop().call_later(after, task.cancel)
        await asyncio.wait((task,), timeout=_LONGEST)
        self.met[fault] += bool(fault)
        self._count(task, fault, cancelled=cancelled)
        records = await self.ledger.load(session)
        wrong = find_problems(records, repeatable=("count",))
        self.wrong += [f"{session} ({question}, {fault}): {text}" for text in wrong]
        await self.ledger.forget(session)

    def _count(self, task: asyncio.Task[str], fault: str, *, cancelled: bool) -> None:
        where = "met a fault" if fault else "well"
        if not task.done():
            task.cancel()
            self.wrong.append(f"{fault}: it never ends")
        elif task.cancelled():
            self.ended[f"{where}: CancelledError"] += 1
            if not cancelled:
                self.wrong.append(f"{fault}: cancelled by nobody")
        elif (error := task.exception()) is None:
            self.ended[f"{where}: {task.result()}"] += 1
        else:
            late = isinstance(error.__cause__, DeadlineError)  # of a busy machine, without a fault
            self.ended[f"{where}: {type(error).__name__}{', late' if late else ''}"] += 1
            if not isinstance(error, ToolstoneError) or not (fault or late):
                self.wrong.append(f"{fault or 'no fault'}: {error!r} from {error.__cause__!r}")

    def _agent(self, fault: str) -> Agent[Any]:
        url = self.there.fault(fault, self.rng.choice((None, 1))) if fault else self.there.local
        name = self.rng.choice(list(self.transports))
        model = Responses(
            model="m",
            base_url=url.replace("H01~", "H02~"),  # H01 is an address of its own
            api_key="k",
            transport=self.transports[name],
            retry=Retry(wait=0.01, after_max=1.0),
            deadlines=_DEADLINES,
        )
        background = not fault and self.rng.random() < 0.1  # noqa: PLR2004  now and then
        output: Any = Seats if fault.startswith(("M24", "M27", "M28", "M29")) else str
        return Agent(
            model,
            tools=self.tools,
            ledger=self.ledger,
            budget=_BUDGET,
            output=output,
            settings=Settings(background=True) if background else Settings(),
        )

    async def _watch(self) -> None:
        """Memory, now and then; a line a minute."""
        began, said = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(_SAMPLE)
            now = time.monotonic() - began
            gc.collect()
            self.memory.append((now, _resident()))
            if now - said >= 60:  # noqa: PLR2004  seconds of a minute
                said = now
                shown = f"{now / 60:5.1f} min {self.runs:>9,} runs {self.memory[-1][1]:7.1f} MiB"
                with suppress(ValueError):
                    print(shown, f"{len(self.wrong)} wrong", flush=True)


async def _ended(agent: Agent[Any], question: str, session: str, *, streamed: bool) -> str:
    """How a run ended that raised nothing."""
    if not streamed:
        return (await agent.run(question, session=session)).outcome
    async with agent.stream(question, session=session) as stream:
        async for _ in stream.events():
            pass
        return (await stream.result()).outcome


def _resident() -> float:
    """MiB that are held."""
    ctypes.CDLL(None).malloc_trim(0)  # what is free goes back: of interest is what is held
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / _MIB
