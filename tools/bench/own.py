"""What only ours has: the blocking doors beside the async ones, and the ledger's levels.

python own.py SCENARIO URL    prints JSON, as drive.py does
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from toolstone import Agent, Responses
from toolstone.events import Record, Returned
from toolstone.items import CallKey
from toolstone.ledgers.sqlite import SQLiteLedger

RUNS, FACTS, REPEATS = 50, 200, 3


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def _agent(url: str, **more: Any) -> Agent[str]:
    model = Responses(base_url=url, api_key="key", model="p4-t3")
    return Agent(model, tools=[add], **more)


def doors(url: str) -> dict[str, float]:
    """CPU of a run by `run` and by `run_sync`, in turns, so that both see the same machine."""
    blocking = _agent(url)
    costs: dict[str, list[float]] = {"async_ms": [], "blocking_ms": []}

    async def asked() -> None:
        agent = _agent(url)
        await agent.run("warm")
        began = time.process_time()
        for _ in range(RUNS):
            await agent.run("Go on.")
        costs["async_ms"].append((time.process_time() - began) * 1e3 / RUNS)

    blocking.run_sync("warm")
    for _ in range(REPEATS):
        asyncio.run(asked())
        began = time.process_time()
        for _ in range(RUNS):
            blocking.run_sync("Go on.")
        costs["blocking_ms"].append((time.process_time() - began) * 1e3 / RUNS)
    found = {name: min(values) for name, values in costs.items()}
    return {**found, "ratio": found["blocking_ms"] / found["async_ms"]}


def ledger(url: str) -> dict[str, float]:
    """Wall milliseconds to append one fact, a tool's result of 100 characters, at both levels."""
    del url

    async def appended(kept: SQLiteLedger) -> float:
        costs = []
        for number in range(FACTS):
            fact = Returned(CallKey(0, number), "x" * 100)
            began = time.perf_counter()
            await kept.append("s", [Record(number, 0.0, "r", fact)])
            costs.append((time.perf_counter() - began) * 1e3)
        await kept.aclose()
        return statistics.median(costs)

    with tempfile.TemporaryDirectory() as folder:
        process = SQLiteLedger(Path(folder) / "process.db", survives="process-death")
        power = SQLiteLedger(Path(folder) / "power.db", survives="power-loss")
        return {
            "process_ms_per_fact": asyncio.run(appended(process)),
            "power_ms_per_fact": asyncio.run(appended(power)),
        }


if __name__ == "__main__":
    scenario, address = sys.argv[1:]
    print(json.dumps({"doors": doors, "ledger": ledger}[scenario](address)))
