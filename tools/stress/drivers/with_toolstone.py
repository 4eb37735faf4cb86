# mypy: ignore-errors
"""toolstone, by its own documentation: `Agent`, plain functions, `SQLiteLedger`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from asking import PROMPT, Library, serve
from pydantic import BaseModel

from toolstone import Agent, Responses, SQLiteLedger, ToolstoneError
from toolstone.wire import Deadlines

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Booking(BaseModel):
    """A booking."""

    seats: int
    name: str


class Toolstone(Library):
    """A client of its own for each agent."""

    packages = ("toolstone",)
    own = ("toolstone",)
    stop = (ToolstoneError,)
    keeps = "SQLiteLedger"

    def agent(self, given: dict[str, Any], tools: list[Any], output: Any, keep: Path | None) -> Any:
        """An agent; with a ledger if something is to be kept."""
        seconds = given.get("timeout")
        limits = {"deadlines": Deadlines(idle=seconds, total=2 * seconds)} if seconds else {}
        model = Responses(base_url=given["base_url"], model="any", api_key="none", **limits)
        ledger = SQLiteLedger(keep / "runs.sqlite") if keep else None
        return Agent(model, tools=tools, output=output or str, ledger=ledger)

    async def run(self, agent: Any) -> Any:
        """`agent.run`."""
        return (await agent.run(PROMPT)).output

    async def stream(self, agent: Any) -> Any:
        """`agent.stream`."""
        async with agent.stream(PROMPT) as stream:
            return (await stream.result()).output

    async def leave(self, agent: Any, left: Any) -> None:
        """Leave the context of the stream."""
        async with agent.stream(PROMPT) as stream:
            async for event in stream.events():
                if left(event):
                    break

    def run_sync(self, agent: Any) -> Any:
        """`agent.run_sync`."""
        return agent.run_sync(PROMPT).output

    def go_on(self, agent: Any, prompt: str, paid: Callable[[int], bool]) -> list[str]:
        """`resume`; calls of unknown outcome are settled by looking at what was paid."""
        if not asyncio.run(agent.ledger.load("s")):
            agent.run_sync(prompt, session="s")
            return []
        result, named = agent.resume_sync("s"), []
        while result.waiting:
            for call in result.waiting:
                named.append(f"{call.name} {call.state}")
                number = json.loads(call.arguments)["number"]
                if paid(number):
                    agent.settle_sync("s", call, result=f"paid {number}")
                else:
                    agent.settle_sync("s", call, again=True)
            result = agent.resume_sync("s")
        return named


if __name__ == "__main__":
    serve(Toolstone(), Booking)
