"""One measurement of one column, in a process and an environment of its own: prints JSON.

    python drive.py MODULE SCENARIO URL

Imports only the standard library itself, and little of it. CPU is user and system time of this
process, all threads; `units` says how many runs (or deltas) were counted.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from counted import counted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Run = Callable[[], Awaitable[Any]]

PEERS: Final = Path(__file__).parent / "peers"
NAP: Final = 0.05
TURNS: Final = 200
AT_ONCE: Final = 100


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def nap(a: int, b: int) -> int:
    """Wait a while."""
    time.sleep(NAP)
    return a + b


def load(module: str) -> Any:
    """The column's module; its neighbours may be imported by it."""
    sys.path.append(str(PEERS))
    spec = importlib.util.spec_from_file_location(module, PEERS / f"{module}.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"no column {module}")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def first_agent(module: str, url: str) -> dict[str, float]:
    """Import and a first agent with one tool, the interpreter's own start included."""
    load(module).agent(url, "p1-t1", [add])
    return {"cpu_ms": time.process_time() * 1e3, "modules": len(sys.modules), "rss_mb": _rss()}


def cold(module: str, url: str) -> dict[str, float]:
    """From the start of the process to the end of the first run."""
    asyncio.run(_checked(load(module).agent(url, "p1-t1", [add])))
    return {"cpu_ms": time.process_time() * 1e3, "rss_mb": _rss("VmHWM")}


def sequential(module: str, url: str) -> dict[str, float]:
    """3 turns of 4 calls, one run after another."""
    return asyncio.run(_timed(load(module).agent(url, "p4-t3", [add]), seconds=3.0))


def at_once(module: str, url: str) -> dict[str, float]:
    """The same, 100 at once; and what that adds to the peak of memory."""

    async def main() -> dict[str, float]:
        run = load(module).agent(url, "p4-t3", [add])
        await _checked(run)
        _forget_peak()
        before = _rss()

        async def all_of_them() -> None:
            await asyncio.gather(*(_checked(run) for _ in range(AT_ONCE)))

        found = await _timed(all_of_them, seconds=2.0, warm=0, check=False, units=AT_ONCE)
        return {**found, "added_mb": _rss("VmHWM") - before}

    return asyncio.run(main())


def wide(module: str, url: str) -> dict[str, float]:
    """1,000 parallel async tools in one turn."""
    return _one_turn(load(module).agent(url, "p1000-t1", [add]), url)


def blocking_32(module: str, url: str) -> dict[str, float]:
    """32 blocking tools of 50 ms in one turn."""
    return _one_turn(load(module).agent(url, "n32", [nap]), url)


def blocking_64(module: str, url: str) -> dict[str, float]:
    """64 blocking tools of 50 ms in one turn."""
    return _one_turn(load(module).agent(url, "n64", [nap]), url)


def _one_turn(run: Run, url: str) -> dict[str, float]:
    """CPU of a run, and from the end of the response to the follow-up, by the server's clock."""

    async def main() -> dict[str, float]:
        await _checked(run)
        _gaps(url)
        return await _timed(run, seconds=2.0, warm=0)

    found, gaps = asyncio.run(main()), sorted(_gaps(url))
    return {**found, "gap_ms": gaps[len(gaps) // 2] * 1e3}


def bulk(module: str, url: str) -> dict[str, float]:
    """10,000 text deltas, 64 to a write."""
    return _streamed(load(module).stream(url, "s10000"), 10_000, seconds=2.0)


def paced(module: str, url: str) -> dict[str, float]:
    """1,000 text deltas, 1 ms apart."""
    return _streamed(load(module).stream(url, "q1000"), 1_000, seconds=0.0)


def _streamed(run: Run, deltas: int, *, seconds: float) -> dict[str, float]:
    async def main() -> dict[str, float]:
        found = await run()
        if found < deltas:
            raise SystemExit(f"{found} deltas came, not {deltas}")
        return await _timed(run, seconds=seconds, warm=0, check=False, units=deltas)

    found = asyncio.run(main())
    return {"cpu_us": found["cpu_ms"] * 1e3, "units": found["units"]}


def schemas(module: str, url: str) -> dict[str, float]:
    """200 documented functions with nested models (20 of them); and the same ones once more."""
    del url
    from subjects import functions  # noqa: PLC0415  needs pydantic

    column, made = load(module), functions()
    began = time.process_time()
    with counted():
        column.schemas(made)
    cost, began = time.process_time() - began, time.process_time()
    column.schemas(made)
    again = time.process_time() - began
    return {"cpu_ms": cost * 1e3, "units": 1, "again_ms": again * 1e3}


def results(module: str, url: str) -> dict[str, float]:
    """One answer with 1,000 nested results, validated."""
    from subjects import Found  # noqa: PLC0415  needs pydantic

    run = load(module).agent(url, "r1000", [], output=Found)

    async def main() -> dict[str, float]:
        answer = await run()
        held = getattr(answer, "structured_output", answer)
        if len(held.results) != 1_000:  # noqa: PLR2004  the script's
            raise SystemExit("results are missing")
        return await _timed(run, seconds=1.0, check=False)

    return asyncio.run(main())


def long(module: str, url: str) -> dict[str, float]:
    """200 turns of one call, the history sent each time; and a turn early on and at the end."""
    at: list[float] = []

    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        at.append(time.process_time())
        return a + b

    column = load(module)
    asyncio.run(_checked(column.agent(url, "p1-t1", [add])))  # some import at first use
    at.clear()
    run = column.agent(url, f"p1-t{TURNS}", [add])
    began = time.process_time()
    with counted():
        asyncio.run(_checked(run))
    cost = time.process_time() - began
    early, late = (at[15] - at[5]) / 10, (at[-1] - at[-11]) / 10
    found = {"cpu_s": cost, "units": 1, "turn_10_ms": early * 1e3, "turn_200_ms": late * 1e3}
    return {**found, "growth": late / early}


async def _checked(run: Run) -> None:
    answer = await run()
    if answer != "done":
        raise SystemExit(f"the run ended with {answer!r}")


async def _timed(
    run: Run, *, seconds: float, warm: int = 3, check: bool = True, units: int = 1
) -> dict[str, float]:
    """CPU milliseconds of one unit: so many seconds' worth, and at least one run."""

    async def once() -> None:
        await (_checked(run) if check else run())

    for _ in range(warm):
        await once()
    made = 0
    with counted():
        began = time.process_time()
        while not made or time.process_time() - began < seconds:
            await once()
            made += units
        cost = time.process_time() - began
    return {"cpu_ms": cost * 1e3 / made, "units": made}


def _gaps(url: str) -> list[float]:
    import urllib.request  # noqa: PLC0415  not in the start that is measured

    with urllib.request.urlopen(f"{url}/gaps") as reply:  # noqa: S310  our own server
        found: list[float] = json.load(reply)
    return found


def _forget_peak() -> None:
    """The peak of memory counts from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def _rss(name: str = "VmRSS") -> float:
    """MB of memory now, or at its peak."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1e3


SCENARIOS: Final[dict[str, Callable[[str, str], dict[str, float]]]] = {
    "first-agent": first_agent,
    "cold": cold,
    "sequential": sequential,
    "at-once": at_once,
    "wide": wide,
    "blocking-32": blocking_32,
    "blocking-64": blocking_64,
    "bulk": bulk,
    "paced": paced,
    "schemas": schemas,
    "results": results,
    "long": long,
}

if __name__ == "__main__":
    name, scenario, address = sys.argv[1:]
    print(json.dumps(SCENARIOS[scenario](name, address)))
    sys.stdout.flush()
    os._exit(0)  # the hand-written loops leave their clients open
