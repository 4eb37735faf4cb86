"""The agents that the tests of the command line run, in a process of their own."""

import asyncio
import os
import time
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from toolstone import (
    Agent,
    CustomTool,
    ServerTool,
    Tool,
    Toolbox,
    ToolContext,
    ToolError,
    TransportError,
    tool,
)
from toolstone.testing import Scripted, call


class Report(BaseModel):
    city: str
    population: int


together = asyncio.Barrier(2)


async def weather(city: str, context: ToolContext) -> float:
    """Current temperature in Celsius.

    Args:
        city: Name of the city.
    """
    context.progress("looking outside")
    await together.wait()
    await _shown()
    return 21.5


async def population(city: str, year: int | None = None) -> int:
    """Number of inhabitants."""
    await together.wait()
    await _shown()
    return 2_103_000


async def _shown():
    """At a terminal, stay long enough to be drawn; the test says for how long."""
    await asyncio.sleep(float(os.environ.get("SHOWN", "0")))


@tool(approve=True, timeout=5, repeatable=True)
def pay(amount: int) -> str:
    """Pay.

    Args:
        amount: Dollars.
    """
    return f"paid {amount}"


async def forever(n: int) -> int:
    """Never comes home."""
    await asyncio.Event().wait()
    return n


@tool
def sort(names: list[str], order: Literal["up", "down"], where: Report, extra: Any = None) -> str:
    """Sort."""
    return "sorted"


@tool
def score(points: dict[str, float], level: Annotated[int, Field(ge=1)] = 1) -> float:
    """Add up.

    Args:
        points: By name.
        level: From 1 on.
    """
    return sum(points.values())


def fails() -> str:
    """Fails."""
    raise ToolError("not \x1b[31mtoday")


both = [call("weather", city="Paris"), call("population", city="Paris")]
reporter = Agent(
    Scripted(both, {"city": "Paris", "population": 2103000}),
    tools=[weather, population],
    output=Report,
)
greeter = Agent(Scripted("Hello \x1b[31mthere.", "And again.", "Bye."))
payer = Agent(Scripted(call("pay", amount=5), "Paid."), tools=[pay])
paid = Agent(Scripted("Paid."), tools=[pay])
hanger = Agent(Scripted(call("forever", n=1), "Home."), tools=[forever])
homecomer = Agent(Scripted("Home."), tools=[forever])
failer = Agent(Scripted(call("fails"), "It failed."), tools=[fails])
rich_answer = Agent(Scripted([{"type": "computer_call", "call_id": "c"}]))
broken = Agent(Scripted(TransportError("the line is dead", phase="connect")))
asker = Agent(
    Scripted(call("ask_a_person", q="?"), "Thanks."),
    tools=[Tool.from_schema("ask_a_person", {"type": "object", "properties": {}})],
)
box = Toolbox([weather, population]).prefix("city_")
not_an_agent = 3
started = time.monotonic()


def _say_what_came(request: Any) -> str:
    return ", ".join(part["type"] for part in request.items[-1].parts)


looking = Agent(Scripted(_say_what_came))


def _shout(text: str) -> str:
    return text.upper()


searching = Agent(
    Scripted(
        [
            {"type": "web_search_call", "id": "w", "status": "completed", "action": {"query": "x"}},
            {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "SELECT 1"},
            {"type": "shell_call", "call_id": "d", "action": {"commands": ["ls"]}},
        ],
        "Done.",
    ),
    tools=[CustomTool("sql", _shout)],
)
kinds = Toolbox(
    [
        CustomTool("sql", _shout, description="Read.", regex="SELECT .+"),
        ServerTool("mcp", server_label="crm", authorization="SECRET"),
    ]
)
