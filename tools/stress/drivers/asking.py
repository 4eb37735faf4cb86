"""What every driver shares, in whatever environment it runs: standard library alone.

A line of JSON on stdin says what to do; a line on stdout says what was seen. Each driver gives a
`Library`: how a program of its own kind asks, streams, breaks off and goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import sys
import threading
import time
import warnings
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import killing  # type: ignore[import-not-found]  # beside it, not on the path

PROMPT = "Book two seats."
SECRET = "hunter2-canary"  # noqa: S105  planted, to see where it goes
SLOW = 0.6
"""Seconds that a slow tool takes."""
STUBBORN = 2.0
"""Seconds that a tool takes that cannot be stopped."""
_CUT = 400


@dataclass
class Seen:
    """What happened in this process."""

    ran: list[list[str]] = field(default_factory=list)
    spans: list[tuple[float, float]] = field(default_factory=list)
    started: threading.Event = field(default_factory=threading.Event)
    logged: list[str] = field(default_factory=list)

    def begin(self, name: str, /, **given: Any) -> float:
        """A tool has begun."""
        self.ran.append([name, repr(given)[:_CUT]])
        self.started.set()
        return time.monotonic()

    def end(self, began: float) -> None:
        """A tool has come to its end."""
        self.spans.append((began, time.monotonic()))


class Library:
    """A toolkit, used as its documentation says."""

    name = ""
    packages: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    """Top packages whose exceptions a user of it is told to catch."""
    stop: tuple[type[BaseException], ...] = ()
    keeps = ""
    """What it has for going on after a crash; nothing if it has nothing of its own."""

    def agent(self, given: dict[str, Any], tools: list[Any], output: Any, keep: Path | None) -> Any:
        """An agent with these tools."""
        raise NotImplementedError

    async def run(self, agent: Any) -> Any:
        """Its answer."""
        raise NotImplementedError

    async def stream(self, agent: Any) -> Any:
        """Its answer, streamed and read to the end."""
        raise NotImplementedError

    async def leave(self, agent: Any, left: Any) -> None:
        """Stream, and leave at the first event for which `left(event)` is true."""
        raise NotImplementedError

    def run_sync(self, agent: Any) -> Any:
        """Its blocking door."""
        raise NotImplementedError

    def go_on(self, agent: Any, prompt: str, paid: Any) -> list[str]:
        """Begin, or go on after a crash; the calls that are named as of unknown outcome.

        Args:
            agent: Made with a place to keep its state.
            prompt: What to say if nothing has been said yet.
            paid: Asks the world whether a payment was made.
        """
        raise NotImplementedError


def tools_of(kind: str, seen: Seen) -> list[Any]:
    """Plain functions that note that they ran."""

    def book(seats: int, name: str) -> str:
        """Book seats.

        Args:
            seats: How many.
            name: For whom.
        """
        seen.end(seen.begin("book", seats=seats, name=name))
        return "booked"

    def weigh(kilos: float) -> str:
        """Weigh.

        Args:
            kilos: How much.
        """
        seen.end(seen.begin("weigh", kilos=kilos))
        return "weighed"

    def slow_sync() -> str:
        """Look slowly."""
        began = seen.begin("slow_sync")
        time.sleep(SLOW)
        seen.end(began)
        return "slow one"

    def stubborn() -> str:
        """Look very slowly."""
        began = seen.begin("stubborn")
        time.sleep(STUBBORN)
        seen.end(began)
        return "slow one"

    async def slow_async() -> str:
        """Look slowly, too."""
        began = seen.begin("slow_async")
        await asyncio.sleep(SLOW)
        seen.end(began)
        return "slow other"

    def breaking() -> str:
        """Look up a thing."""
        seen.begin("breaking")
        raise RuntimeError(f"cannot log in with password={SECRET}")

    def quick() -> str:
        """Look up another thing."""
        seen.end(seen.begin("quick"))
        return "quick one"

    found: dict[str, list[Any]] = {
        "book": [book],
        "none": [],
        "weigh": [weigh],
        "pair": [slow_sync, slow_async],
        "slow": [slow_async],
        "sync": [stubborn],
        "three": [quick, breaking, slow_async],
    }
    return found[kind]


# ------------------------------------------------------------------------------------- doing


def do(library: Library, given: dict[str, Any], output: Any) -> dict[str, Any]:
    """One scenario; what was seen."""
    seen = Seen()
    tools = tools_of(given.get("tools", "book"), seen)
    agent = library.agent(given, tools, output if given.get("typed") else None, None)
    began, before = time.monotonic(), _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    found: dict[str, Any] = {"ended": "answer"}
    try:
        found |= DOINGS[given.get("do", "run")](library, agent, given, seen)
    except BaseException as error:  # noqa: BLE001  whatever comes is what is looked at
        found |= told_of(error, library)
    found["seconds"] = round(time.monotonic() - began, 2)
    found["ran"], found["finished"] = list(seen.ran), len(seen.spans)
    found["grown_mib"] = round((_memory("VmHWM") - before) / 1024)
    found["grown_less_than_80"] = found["grown_mib"] < 80  # noqa: PLR2004  as its name says
    return found


def _memory(name: str) -> int:
    """KiB, as the system counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def told_of(error: BaseException, library: Library) -> dict[str, Any]:
    """How an exception looks from outside."""
    kind = type(error)
    top = kind.__module__.partition(".")[0]
    typed = top in library.own or isinstance(error, library.stop)
    return {
        "ended": "cancelled" if isinstance(error, asyncio.CancelledError) else "error",
        "error": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        "typed": typed,
        "said": str(error)[:_CUT],
    }


def _run(library: Library, agent: Any, given: dict[str, Any], seen: Seen) -> dict[str, Any]:
    door = library.stream if given.get("door") == "streamed" else library.run
    text = asyncio.run(door(agent))
    overlap = len(seen.spans) > 1 and _overlap(seen.spans)
    return {"text": str(text)[:_CUT], "kind": type(text).__name__, "overlap": overlap}


def _overlap(spans: list[tuple[float, float]]) -> bool:
    return max(began for began, _ in spans) < min(ended for _, ended in spans)


def _leave(library: Library, agent: Any, _given: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Leave a stream as soon as it says that a tool is called, and look what goes on."""

    def left(event: Any) -> bool:
        return "slow_async" in repr(event)

    async def run() -> None:
        await library.leave(agent, left)
        gc.collect()
        await asyncio.sleep(2.5 * SLOW)
        found["went_on"] = len(seen.spans)
        found["again"] = await _again(library, agent)

    found: dict[str, Any] = {"ended": "left"}
    asyncio.run(run())
    return found


async def _again(library: Library, agent: Any) -> str:
    """What becomes of the agent's next run."""
    try:
        return str(await library.run(agent))[:_CUT]
    except Exception as error:  # noqa: BLE001  as above
        return f"{type(error).__name__}: {error}"[:_CUT]


def _cancel(library: Library, agent: Any, _given: dict[str, Any], seen: Seen) -> dict[str, Any]:
    """Cancel the task of a run while a tool sleeps in its thread."""
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    ear = Ear(level=logging.INFO)
    logging.getLogger().addHandler(ear)

    async def run() -> BaseException | None:
        task = asyncio.ensure_future(library.run(agent))
        while not seen.started.is_set():  # noqa: ASYNC110  it is set in a thread
            await asyncio.sleep(0.01)
        task.cancel()
        ended: BaseException | None = None
        try:
            await task
        except BaseException as error:  # noqa: BLE001  as above
            ended = error
        after["left_running"] = not seen.spans
        await asyncio.sleep(STUBBORN)
        after["went_on"] = len(seen.spans)
        after["again"] = await _again(library, agent)
        return ended

    after: dict[str, Any] = {}

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        error = asyncio.run(run())
    logging.getLogger().removeHandler(ear)
    heard += [str(one.message) for one in warned]
    heard += [*getattr(error, "__notes__", ()), str(error or "")]
    found = told_of(error, library) if error else {"ended": "answer"}
    named = any("stubborn" in text for text in heard)
    return {**found, **after, "named": named}


def _loops(library: Library, agent: Any, _given: dict[str, Any], _seen: Seen) -> dict[str, Any]:
    """One agent, one event loop after the other."""
    texts = [str(asyncio.run(library.run(agent))) for _ in range(3)]
    return {"text": texts[-1][:_CUT]}


def _threads(library: Library, agent: Any, _given: dict[str, Any], _seen: Seen) -> dict[str, Any]:
    """One agent, its blocking door, four threads."""
    ended: list[Any] = [None] * 4
    barrier = threading.Barrier(4)

    def work(number: int) -> None:
        barrier.wait()
        try:
            ended[number] = str(library.run_sync(agent))
        except BaseException as error:  # noqa: BLE001  as above
            ended[number] = error

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(10)
    errors = [one for one in ended if isinstance(one, BaseException)]
    if errors:
        raise errors[0]
    return {"text": str(ended[0])[:_CUT], "answers": sum(one is not None for one in ended)}


DOINGS = {"run": _run, "leave": _leave, "cancel": _cancel, "loops": _loops, "threads": _threads}


# ------------------------------------------------------------------------------------- serving


def serve(library: Library, output: Any) -> None:
    """Do what stdin says, a line for each; nothing else gets to stdout."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    logging.getLogger().addHandler(logging.NullHandler())
    print(json.dumps({"versions": {p: version(p) for p in library.packages}}), file=out, flush=True)
    for line in sys.stdin:
        given = json.loads(line)
        with contextlib.suppress(KeyboardInterrupt):
            found = (
                killing.kill(library, given)
                if given.get("do") == "kill"
                else do(library, given, output)
            )
            print(json.dumps(found), file=out, flush=True)
