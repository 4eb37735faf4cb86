"""Ctrl-C and SIGTERM wherever a run may be: children that are signalled, and what they leave.

Says a line of JSON for each: where, what, by which door; how long it took, the exit code, and what
became of the session.
"""

import asyncio
import json
import os
import select
import signal
import sys
import time
import traceback
from pathlib import Path

from toolstone import Agent, SQLiteLedger
from toolstone.testing import Scripted, call

PATIENCE = 20.0
DOORS = ("blocking", "async")
PLACES = ("model", "async tool", "blocking tool", "ledger")
SIGNALS = {"SIGINT": signal.SIGINT, "SIGTERM": signal.SIGTERM}


class Signalling:
    """Signals this process once, and tells the parent when."""

    def __init__(self, number, pipe):
        self.number, self.pipe, self.done = number, pipe, False

    def __call__(self):
        if not self.done:
            self.done = True
            os.write(self.pipe, b"!")
            os.kill(os.getpid(), self.number)


class Ledger(SQLiteLedger):
    """Is signalled in the middle of the write that says that calls have begun."""

    signal_now = None

    async def append(self, session, records):
        if self.signal_now is not None and records[0].fact.type == "started":
            self.signal_now()
        await super().append(session, records)


class Model(Scripted):
    signal_now = None

    async def respond(self, request, emit):
        if self.signal_now is not None and len(self.requests) == 1:
            self.signal_now()
            await asyncio.Event().wait()
        return await super().respond(request, emit)


def made(path, *turns, signal_now=None, place=""):
    def here(name):
        return signal_now if place == name else None

    async def later() -> str:
        if (tell := here("async tool")) is not None:
            tell()
            await asyncio.Event().wait()
        return "later"

    def now() -> str:
        if (tell := here("blocking tool")) is not None:
            tell()
            time.sleep(30)
        return "now"

    model, ledger = Model(*turns), Ledger(path)
    model.signal_now, ledger.signal_now = here("model"), here("ledger")
    return Agent(model, tools=[later, now], ledger=ledger)


def child(path, place, number, door, pipe):
    agent = made(
        path, [call("later"), call("now")], "done", signal_now=Signalling(number, pipe), place=place
    )
    if door == "blocking":
        agent.run_sync("go", session="s")
    else:
        asyncio.run(agent.run("go", session="s"))


def left(path):
    """What another process makes of the session."""
    agent = made(path, "done", "done")

    async def look():
        result = await agent.resume("s")
        for waiting in result.waiting:
            await agent.settle("s", waiting, result="settled")
        result = await agent.resume("s")
        asked = [item.raw["call_id"] for item in result.items if item.type == "function_call"]
        told = [item.call_id for item in result.items if item.type == "function_call_output"]
        await agent.aclose()
        return result.outcome, asked == told

    try:
        return asyncio.run(look())
    finally:
        agent.ledger.close()


def main(folder):
    for door in DOORS:
        for place in PLACES:
            for name, number in SIGNALS.items():
                path = folder / f"{door}-{place}-{name}.sqlite"
                reader, writer = os.pipe()
                pid = os.fork()
                if pid == 0:
                    os.close(reader)
                    sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115  Python's own words
                    child(path, place, number, door, writer)
                    return
                os.close(writer)
                select.select([reader], [], [], PATIENCE)
                began = time.monotonic()
                _, status = os.waitpid(pid, 0)
                took = time.monotonic() - began
                os.close(reader)
                code = os.waitstatus_to_exitcode(status)
                line = {"door": door, "place": place, "signal": name, "took": took, "code": code}
                try:
                    line["outcome"], line["legal"] = left(path)
                except Exception:
                    line["outcome"] = traceback.format_exc()
                sys.stdout.write(json.dumps(line) + "\n")
                sys.stdout.flush()


main(Path(sys.argv[1]))
