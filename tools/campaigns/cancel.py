"""A cancellation, or an error, at every point where any task waits (C01, C02, C03)."""

from __future__ import annotations

import asyncio
import gc
import platform
import random
import tempfile
import time
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from campaigns import _census
from campaigns._history import closing, find_problems, go_on
from campaigns._scripts import SCRIPTS, TRANSPORTS, Script, World
from campaigns._servers import Servers, servers
from campaigns._sweep import CANCELS, DEEDS, Deed, Noise, Sweep, listening
from toolstone import Agent, limits
from toolstone.errors import ConflictError, ToolstoneError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

_HANG: Final = 15.0
_CLEAN_UP: Final = limits.CANCEL_GRACE + 1.0
"""So long may a cancelled script take: the grace, and what else there is to do."""


@dataclass
class Met:
    """What came of one point."""

    script: str
    transport: str
    deed: Deed
    at: int
    points: int = 0
    where: str = ""
    ended: Any = None
    wrong: list[str] = field(default_factory=list)

    @property
    def reached(self) -> bool:
        """Whether the point was there."""
        return bool(self.where)

    def __str__(self) -> str:
        there = f"{self.script} ({self.transport}), {self.deed} at {self.at}: {self.where}"
        return f"{there}: {'; '.join(self.wrong)}"


def options(parser: argparse.ArgumentParser) -> None:
    """Which scripts, and how many of their points."""
    parser.add_argument("--only", help="scripts whose name has this in it", default="")
    parser.add_argument("--deeds", nargs="*", choices=DEEDS, default=DEEDS)
    parser.add_argument("--share", type=float, default=1.0, help="of the points, by chance")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at", type=int, help="this point alone")


def run(given: argparse.Namespace) -> int:
    """Go through all points of all scripts; print what is wrong, and counts."""
    print(f"Python {platform.python_version()}, seed {given.seed}, share {given.share}")
    chosen = [script for name, script in SCRIPTS.items() if given.only in name]
    rng = random.Random(given.seed)  # noqa: S311  it guards nothing
    counts: Counter[str] = Counter()
    wrong = 0
    began = time.monotonic()
    with servers() as there:
        for script, transport in pairs(chosen):
            total = tally(script, transport, there)
            found: Counter[str] = Counter()
            for met in sweep(
                script,
                transport,
                there,
                deeds=given.deeds,
                rng=rng,
                share=given.share,
                total=total,
                at=given.at,
            ):
                found[met.deed] += 1
                counts["points"] += 1
                counts[_ending(met.ended)] += 1
                if met.wrong:
                    wrong += 1
                    print(f"  WRONG {met}", flush=True)
            shown = ", ".join(f"{deed} {count}" for deed, count in found.items())
            print(f"{script.name} ({transport}): {total} points; {shown}", flush=True)
    print(f"{counts['points']:,} points in {time.monotonic() - began:.0f} s, {wrong} wrong")
    print(", ".join(f"{name} {n:,}" for name, n in counts.most_common() if name != "points"))
    return 1 if wrong else 0


def pairs(scripts: Sequence[Script]) -> list[tuple[Script, str]]:
    """Each script with each transport."""
    return [(one, name) for one in scripts for name in TRANSPORTS]


def tally(script: Script, transport: str, there: Servers) -> int:
    """How many points a script has; it must come to what it is expected to come to.

    Raises:
        ToolstoneError: It does not.
    """
    meet(script, transport, there, Sweep())  # what loads at first use is loaded
    met = meet(script, transport, there, Sweep())
    if met.wrong:
        raise ToolstoneError(f"{script.name!r}, with nothing done to it: {met.wrong}")
    return met.points


def sweep(
    script: Script,
    transport: str,
    there: Servers,
    *,
    deeds: Sequence[Deed] = DEEDS,
    rng: random.Random,
    share: float = 1.0,
    total: int,
    at: int | None = None,
) -> Iterator[Met]:
    """Each deed at each point, or at a share of them; until a script has no more points.

    The network decides how many points there are: a read may bring more or less.
    """
    gc.collect()
    gc.freeze()  # what is here now is not looked at again and again
    try:
        for deed in deeds:
            for point in [at] if at is not None else range(1, 3 * total):
                if at is None and rng.random() >= share:
                    continue
                met = meet(script, transport, there, Sweep(point, deed))
                if not met.reached and at is None:
                    break
                yield met
    finally:
        gc.unfreeze()


def meet(script: Script, transport: str, there: Servers, one: Sweep) -> Met:
    """Play a script once, and look at what is left of it."""
    met = Met(script.name, transport, one.deed, one.at)
    with tempfile.TemporaryDirectory() as folder:
        world = World(there, transport, Path(folder) if script.on_disk else None)
        with listening() as noise:
            play = _play(script, world, one, met, noise)
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(play)
        met.wrong += noise.told
    met.points, met.where = one.points, one.where
    return met


async def _play(script: Script, world: World, one: Sweep, met: Met, noise: Noise) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(noise.by_loop)
    loop.set_task_factory(one.make_task)
    if script.prepare is not None:
        await script.prepare(world)
        await world.close()
    before = _census.take()
    one.counting = True
    one.main = loop.create_task(_played(script, world), name="main")
    await asyncio.wait((one.main,), timeout=_HANG)
    one.counting = False
    took = loop.time() - one.when if one.when else 0.0
    if not one.main.done():
        met.wrong.append("it never ends")
        one.main.cancel()
        await asyncio.wait((one.main,), timeout=_HANG)
    await world.close()
    left = [each for each in await _census.left(before) if not each.startswith("thread asyncio_")]
    met.wrong += [f"left behind: {each}" for each in left]
    if took > _CLEAN_UP and one.deed in CANCELS:
        met.wrong.append(f"it took {took:.1f} s to stop")
    with suppress(asyncio.CancelledError):
        met.ended = one.main.exception() or one.main.result()
    if one.main.cancelled():
        met.ended = asyncio.CancelledError()
    met.wrong += _unlike(script, one, met.ended)
    met.wrong += await _kept(script, world)
    await world.close()


async def _played(script: Script, world: World) -> Any:
    return await script.play(world)


def _unlike(script: Script, one: Sweep, ended: Any) -> list[str]:
    """What the caller should not have seen."""
    expected = _name(script.comes_to)
    if isinstance(ended, asyncio.CancelledError):
        return [] if one.where else ["cancelled by nobody"]
    if isinstance(ended, BaseException) and not isinstance(ended, ToolstoneError):
        return [] if one.on_main and _is_of_reader(ended) else [f"raw {ended!r}"]
    if isinstance(ended, ConflictError):
        return ["a conflict, and nobody else has written"]
    if not one.where:
        return [] if _name(ended) == expected else [f"came to {ended!r}"]
    if one.main_cancelled and not isinstance(ended, BaseException):
        return [f"a cancellation was swallowed: it came to {ended!r}"]
    return []


def _is_of_reader(error: BaseException) -> bool:
    """Whether it was planted where the reader of a stream waits for our own queue.

    Such a wait cannot fail: the error stands for one of the caller's, and comes out as it is. What
    counts is that the run is stopped.
    """
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    return any(name.endswith(("/runs/stream.py", "/responses/raw.py")) for name in files)


def _name(ended: Any) -> Any:
    return type(ended).__name__ if isinstance(ended, BaseException) else ended


def _ending(ended: Any) -> str:
    return type(ended).__name__ if isinstance(ended, BaseException) else "went on"


async def _kept(script: Script, world: World) -> list[str]:
    """What is wrong with the ledger, and with going on from it."""
    records = list(await world.ledger.load(world.session))
    wrong = find_problems(records, repeatable=world.repeatable)
    if records:
        agent: Agent[Any] = Agent(closing(script.says), **world.options)
        try:
            await go_on(agent, world.session)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told
            wrong.append(f"cannot go on: {error!r} {error.__cause__!r}")
        after = list(await world.ledger.load(world.session))
        wrong += find_problems(after, repeatable=world.repeatable)
    twice = [name for name, times in world.effects.items() if times > 1]
    return wrong + [f"{name} happened {world.effects[name]} times" for name in twice]
