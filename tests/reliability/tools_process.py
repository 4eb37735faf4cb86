"""Tools that hang and block, in a process of their own: says what it measured, as JSON, and ends.

The last of them never come home; the process must end all the same.
"""

import asyncio
import json
import sys
import threading
import time

from toolstone import Agent, tool
from toolstone.testing import Scripted, call
from toolstone.tools.threads import abandoned

BLOCKED = 5.0  # the catalogue's seconds


@tool(timeout=60)
def blocks() -> str:
    time.sleep(BLOCKED)
    return "came home"


@tool(timeout=0.2)
def hangs() -> str:
    threading.Event().wait()


async def lags(over):
    """How late the loop is, each time it is asked."""
    found = []
    while not over.is_set():
        due = time.monotonic() + 0.01
        await asyncio.sleep(0.01)
        found.append(time.monotonic() - due)
    return sorted(found)


async def others(over):
    """Streams of another agent that run to their ends meanwhile."""
    ended = 0
    while not over.is_set():
        async with Agent(Scripted("word " * 50)).stream("go") as stream:
            text = "".join([piece async for piece in stream.text()])
        ended += len(text) == 250
        await asyncio.sleep(0.1)
    return ended


async def main():
    over = asyncio.Event()
    watching = asyncio.gather(lags(over), others(over))
    result = await Agent(Scripted(call("blocks"), "done"), tools=[blocks]).run("go")
    over.set()
    lag, ended = await watching
    began = time.monotonic()
    hung = await Agent(Scripted([call("hangs")] * 3, "done"), tools=[hangs]).run("go")
    return {
        "home": result.calls[0].output,
        "looks": len(lag),
        "p99": lag[int(len(lag) * 0.99)],
        "streams": ended,
        "told": [one.output for one in hung.calls],
        "after": time.monotonic() - began,
        "abandoned": abandoned(),
    }


sys.stdout.write(json.dumps(asyncio.run(main())))
