"""Exhaustion (X01 to X05, X09): a million events, ten thousand runs, tools and stuck threads.

Each measure is a process of its own. `--share 0.1` does a tenth of it: the tests do so.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from campaigns import _census, sse
from toolstone import Agent, Budget, Responses, limits, tool
from toolstone.responses.decode import decode
from toolstone.responses.stream import Assembler
from toolstone.testing import Scripted, call
from toolstone.tools import threads
from toolstone.wire import HttpReply, SseDecoder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from toolstone.wire import HttpRequest, HttpStream

_ROUNDS: Final = 5
"""The machine may be busy: the best of so many counts."""
_TWICE: Final = 2.2
"""Twice as much may cost so much more."""
_MIB: Final = 1 << 20

Found = dict[str, Any]


def options(parser: argparse.ArgumentParser) -> None:
    """What, and how much of it."""
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(MEASURES))
    parser.add_argument("--share", type=float, default=1.0, help="of the whole measure")
    parser.add_argument("--here", action="store_true", help="in this process")


def run(given: argparse.Namespace) -> int:
    """Measure each row, and say whether it is as the catalogue asks."""
    failed = 0
    for row in given.rows or MEASURES:
        if given.here:
            found = MEASURES[row](given.share)
            print(json.dumps({"row": row, **found}))
            failed += not found["right"]
        else:
            command = [sys.executable, sys.argv[0], "exhaust", row, "--here"]
            failed += subprocess.run([*command, f"--share={given.share}"], check=False).returncode
    return 1 if failed else 0


# ---------------------------------------------------------------------------------- events


def measure_events(share: float) -> Found:
    """X01: memory over a million events, and time for twice as many."""
    events = int(1_000_000 * share)

    def feed(count: int) -> float:
        decoder = SseDecoder()
        grown.append(_drift(count, lambda chunk: _decode(decoder, chunk)))
        return spent[-1]

    def _decode(decoder: SseDecoder, chunk: bytes) -> None:
        for _, data, _ in decoder.feed(chunk):
            decode(data)

    def _drift(count: int, feed_one: Callable[[bytes], object]) -> float:
        rate, drift = sse.timed(feed_one, count)
        spent.append(count / rate)
        return drift

    spent: list[float] = []
    grown: list[float] = []
    ratio = _ratio(feed, events // 2)
    return {
        "events": events,
        "grown_mib": round(max(grown[-1:]), 2),
        "ratio": ratio,
        "right": ratio < _TWICE and grown[-1] < 1,
    }


def measure_arguments(share: float) -> Found:
    """X03: arguments of 1 MB in deltas of one byte."""
    size = int(1_000_000 * share) - 2  # two events begin the call; there may be a million

    def take(count: int) -> float:
        chunks = list(_arguments(count))
        decoder, assembler = SseDecoder(), Assembler()
        began = time.process_time()
        for chunk in chunks:
            assembler.feed(decoder.feed(chunk))
        return time.process_time() - began

    ratio, whole = _ratio(take, size // 2), min(take(size) for _ in range(2))
    return {
        "deltas": size,
        "cpu_seconds": round(whole, 2),
        "ratio": ratio,
        "right": ratio < _TWICE and whole < 3 * share,
    }


def _arguments(count: int) -> Any:
    """The events of a call whose arguments come byte by byte, in chunks as a network cuts them."""
    head: Found = {"type": "response.created", "response": {"id": "r", "status": "in_progress"}}
    item = {"type": "function_call", "id": "f", "call_id": "c", "name": "t", "arguments": ""}
    added = {"type": "response.output_item.added", "output_index": 0, "item": item}
    whole = b"".join(
        b"data: %s\n\n" % json.dumps({**one, "sequence_number": number}).encode()
        for number, one in enumerate((head, added))
    )
    delta = (
        b'data: {"type":"response.function_call_arguments.delta","sequence_number":%d,'
        b'"item_id":"f","output_index":0,"delta":"7"}\n\n'
    )
    whole += b"".join(delta % number for number in range(2, count + 2))
    return (whole[at : at + 16_384] for at in range(0, len(whole), 16_384))


def _ratio(cost: Callable[[int], float], size: int) -> float:
    """How much more twice as much costs: the best of some rounds, each of them side by side."""
    ratios = []
    for _ in range(_ROUNDS):
        gc.collect()
        once = cost(size)
        ratios.append(round(cost(2 * size) / once, 2))
        if ratios[-1] < _TWICE:
            break
    return min(ratios)


# ------------------------------------------------------------------------------------ runs


def measure_runs(share: float) -> Found:
    """X02: memory, files and threads over runs with tools, sync and async, one after the other."""
    count = int(10_000 * share)

    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    meeting = threading.Barrier(4)

    def meet() -> int:
        """Be one of four threads."""
        return meeting.wait()

    async def later(a: int) -> int:
        """Say it back."""
        await asyncio.sleep(0)
        return a

    async def main() -> Found:
        await Agent(Scripted([call("meet")] * 4, "done"), tools=[meet]).run("go")
        for number in range(300):  # whatever grows once has grown
            await one(number)
        gc.collect()
        before, began = _census.take(), _resident()
        for number in range(count):
            await one(number)
        gc.collect()
        left = await _census.left(before)
        grown = _resident() - began
        right = grown < 5 and not left  # noqa: PLR2004  MiB, as the catalogue has it
        return {"runs": count, "grown_mib": round(grown, 2), "left": left, "right": right}

    async def one(number: int) -> None:
        model = Scripted([call("add", a=number, b=1), call("later", a=number)], "done")
        result = await Agent(model, tools=[add, later]).run("go")
        assert result.output == "done"  # noqa: S101  a run that fails measures nothing

    return asyncio.run(main())


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / _MIB


# ----------------------------------------------------------------------------------- tools


def measure_tools(share: float) -> Found:
    """X05: so many tools registered, and the first and the last of them called."""
    count = int(10_000 * share)

    def make(number: int) -> Any:
        def look(word: str, times: int = 1) -> str:
            """Look a word up.

            Args:
                word: Which.
                times: How often.
            """
            return f"{number} {word} {times}"

        look.__name__ = f"look_{number}"
        return look

    functions = [make(number) for number in range(count)]
    began = time.process_time()
    model = Scripted()
    agent = Agent(model, tools=functions)
    spent = time.process_time() - began
    found = [_calls_for(agent, model, f"look_{number}") for number in (0, count // 2, count - 1)]
    return {
        "tools": count,
        "cpu_seconds": round(spent, 2),
        "function_calls": found,
        "right": spent < 5 * share and max(found) - min(found) < 0.02 * min(found),
    }


def _calls_for(agent: Agent[Any], model: Scripted, name: str) -> int:
    """Function calls of this thread for a run with a call of one tool, the second time."""
    counted = Counted()

    async def main() -> None:
        for _ in range(2):
            model.turns += [call(name, word="x"), "done"]
            with counted:
                await agent.run("go")

    asyncio.run(main())
    return counted.calls


class Counted:
    """Counts function calls of this thread, Python's and C's; `calls` is of the last block."""

    calls = 0

    def __enter__(self) -> Self:
        self.calls = 0
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, _frame: object, event: str, _given: object) -> None:
        self.calls += event in {"call", "c_call"}


# --------------------------------------------------------------------------------- history


class Talking:
    """A transport that calls a tool in every answer; what a turn costs is taken between two."""

    def __init__(self, turns: int) -> None:
        self.turns, self.made = turns, 0
        self.cpu: list[float] = []
        self.calls: list[int] = []
        self.counted = Counted()
        self.began = time.process_time()

    async def send(self, request: HttpRequest, /) -> HttpReply:  # noqa: ARG002  any will do
        """The next answer."""
        self.cpu.append(time.process_time() - self.began)
        if self.counted.calls:
            sys.setprofile(None)
            self.calls.append(self.counted.calls)
        self.made += 1
        item: Found = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}
        item["content"] = [{"type": "output_text", "text": "Done.", "annotations": []}]
        if self.made <= self.turns:
            given = json.dumps({"number": self.made, "text": "x" * 200})
            item = {"type": "function_call", "id": f"fc_{self.made}", "name": "look"}
            item |= {"arguments": given, "call_id": f"c_{self.made}", "status": "completed"}
        body = {"id": f"r_{self.made}", "object": "response", "status": "completed"}
        raw = json.dumps({**body, "output": [item], "usage": None}).encode()
        self.began = time.process_time()
        if self.count:
            self.counted.__enter__()
        return HttpReply(200, {"content-type": "application/json"}, raw)

    count = False

    def stream(self, request: HttpRequest, /) -> AbstractAsyncContextManager[HttpStream]:
        """Nothing is streamed here."""
        raise NotImplementedError(request.url)

    async def aclose(self) -> None:
        """Nothing is open."""


def measure_history(share: float) -> Found:
    """X04: what a turn costs of our own, early and late in a conversation of 200 turns."""
    turns = 200

    async def look(number: int, text: str) -> str:
        """Look."""
        return f"{number} {text}"

    def talk(*, count: bool) -> Talking:
        there = Talking(turns)
        there.count = count
        model = Responses(model="m", base_url="https://x.example", api_key="k", transport=there)
        agent = Agent(model, tools=[look], budget=Budget(requests=None))
        asyncio.run(agent.run("go"))
        return there

    talk(count=False)  # whatever loads at first use has loaded
    cpu, calls = talk(count=False).cpu, talk(count=True).calls
    early, late = sorted(calls[10:30])[10], sorted(calls[-20:])[10]
    seconds = sorted(cpu[-20:])[10]
    return {
        "turns": turns,
        "late_turn_cpu_ms": round(seconds * 1000, 2),
        "function_calls": [early, late],
        "right": seconds < 0.002 / min(share, 1) and late <= early + 10,
    }


# --------------------------------------------------------------------------------- threads


def measure_threads(share: float) -> Found:
    """X09: so many calls of a blocking tool that never ends: capped, and then refused at once."""
    count = int(10_000 * share)
    ends = threading.Event()

    @tool(timeout=0.05, repeatable=True)
    def stuck() -> str:
        """Never end."""
        ends.wait()
        return "ended"

    async def main() -> Found:
        told: dict[str, int] = {}
        most = 0
        for _ in range(count // 100):
            model = Scripted([call("stuck")] * 100, "done")
            result = await Agent(model, tools=[stuck]).run("go")
            for one in result.calls:
                first = str(one.output).partition(" ")[0]
                told[first] = told.get(first, 0) + 1
            most = max(most, threading.active_count())
        ends.set()
        return {"calls": count, "threads": most, "told": told, "abandoned": threads.abandoned()}

    found = asyncio.run(main())
    at_most = 2 * limits.SYNC_THREADS
    refused = found["told"].get("not", 0)
    right = found["threads"] <= at_most + 2 and refused >= count - 3 * at_most
    return {**found, "right": right}


MEASURES: Final[dict[str, Callable[[float], Found]]] = {
    "X01": measure_events,
    "X02": measure_runs,
    "X03": measure_arguments,
    "X04": measure_history,
    "X05": measure_tools,
    "X09": measure_threads,
}
