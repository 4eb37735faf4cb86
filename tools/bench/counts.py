"""What does not depend on the machine: function calls, tasks and modules.

The run is the bench's: 3 turns of 4 parallel calls, then a message; validation and the ledger in
memory included, everything above the `Transport` seam. Counted by `sys.setprofile`: Python
functions (`call`) and C functions (`c_call`), those of asyncio's own machinery included.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent))
from drive import add
from scripts import MARK, script

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from toolstone.wire import HttpReply, HttpRequest, HttpStream

SCRIPT = script("p4-t3")
BODIES = [turn.body for turn in SCRIPT.turns]

__all__ = ["function_calls", "modules", "tasks"]


class Canned:
    """A transport that answers from a list, without a network."""

    async def send(self, request: HttpRequest) -> HttpReply:
        """The answer that follows the outputs in the request."""
        from toolstone.wire import HttpReply  # noqa: PLC0415

        body = BODIES[request.body.count(MARK) // SCRIPT.calls]
        return HttpReply(200, {"content-type": "application/json"}, body)

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        """Not part of this scenario."""
        raise NotImplementedError(request.url)

    async def aclose(self) -> None:
        """Nothing is open."""


def _agent() -> Any:
    from toolstone import Agent, Responses, tool  # noqa: PLC0415

    model = Responses(
        base_url="http://127.0.0.1:9/v1", api_key="key", model="p4-t3", transport=Canned()
    )
    return Agent(model, tools=[tool(repeatable=True)(add)])


def function_calls() -> dict[str, int]:
    """Function calls of one warm run: Python's, C's, and both."""
    found = {"call": 0, "c_call": 0}

    def count(_frame: Any, event: str, _argument: Any) -> None:
        if event in found:
            found[event] += 1

    async def main() -> None:
        agent = _agent()
        await agent.run("add them up", session="warm")
        sys.setprofile(count)
        try:
            await agent.run("add them up", session="counted")
        finally:
            sys.setprofile(None)

    asyncio.run(main())
    return {**found, "both": found["call"] + found["c_call"]}


def tasks() -> int:
    """Tasks that one warm run makes."""
    made = 0

    async def main() -> None:
        agent = _agent()
        await agent.run("add them up")
        loop = asyncio.get_running_loop()

        def factory(loop: Any, work: Any, **named: Any) -> Any:
            nonlocal made
            made += 1
            return asyncio.Task(work, loop=loop, **named)

        loop.set_task_factory(factory)
        await agent.run("add them up")
        loop.set_task_factory(None)

    asyncio.run(main())
    return made


_PROBE = """
import sys, json
start = len(sys.modules)
import toolstone
imported = len(sys.modules)
def weather(city: str) -> float: "Current temperature."
toolstone.Agent("responses+http://127.0.0.1:9/v1#m", tools=[weather])
print(json.dumps({"import": imported, "first agent": len(sys.modules)}))
"""


def modules() -> dict[str, int]:
    """How many modules a fresh interpreter holds after the import, and after a first agent."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE], capture_output=True, text=True, check=True
    )
    found: dict[str, int] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps({"calls": function_calls(), "tasks": tasks(), "modules": modules()}))
