"""What a user writes, as type checkers see it. Checked by both, never run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_type

from pydantic import BaseModel

from toolstone import (
    Agent,
    Budget,
    CustomTool,
    File,
    Image,
    LastTurns,
    MemoryLedger,
    Result,
    ServerTool,
    Summary,
    Text,
    TrimResults,
    custom_tool,
    extract_many,
    extract_many_sync,
    user,
)
from toolstone.events import Answered
from toolstone.extract import Document, Failure, Pace, Record, Split
from toolstone.schema import OutputType
from toolstone.schema.partial import PartialReader
from toolstone.tools import Limit, Tool, Toolbox, ToolContext, dispatch, tool


class Report(BaseModel):
    city: str


@dataclass
class Deps:
    name: str


@tool
def plain(city: str, days: int = 1) -> float:
    return len(city) / days


@tool(timeout=10, retries=2, repeatable=True, limit=Limit("db", 3), approve=lambda a: "x" in a)
async def later(city: str, context: ToolContext[Deps]) -> list[str]:
    assert_type(context.deps, Deps)
    assert_type(context.cancel.requested, bool)
    return [context.deps.name, city]


class Shop:
    @tool(serial=True)
    def sell(self, item: str) -> int:
        return len(item)


assert_type(plain("Paris", days=2), float)
as_callable: Callable[[str, ToolContext[Deps]], Awaitable[list[str]]] = later
assert_type(Shop().sell("x"), int)
assert_type(Tool.of(plain), Tool)
assert_type(Toolbox([plain, later, Shop().sell]).prefix("x_"), Toolbox)

assert_type(OutputType.of(Report).read("{}"), Report)
assert_type(OutputType.of(int).read_with_notes("1"), tuple[int, str | None])
reader: PartialReader[Report] = PartialReader(OutputType.of(Report))
dispatcher = dispatch([], [plain, later], deps=Deps("x"))

assert_type(Agent("local/smollm2").run_sync("hi").output, str)
agent = Agent("local/smollm2", tools=[plain, later], output=Report, budget=Budget(tokens=9))
assert_type(agent, Agent[Report])
assert_type(agent.run_sync("hi", session="s", deps=Deps("x")), Result[Report])
assert_type(agent.extract_sync("hi"), Report)
assert_type(agent.resume_sync("s").output, Report)
assert_type(agent.advance_sync("s"), Result[Report] | None)
assert_type(agent.with_(ledger=MemoryLedger()), Agent[Report])
assert_type(agent.as_tool(description="Reports."), Tool)
either: Agent[int | str] = Agent("local/smollm2", output=int | str)
assert_type(either.run_sync("hi").output, int | str)
listed = Agent("local/smollm2", output=list[Report])
assert_type(listed.run_sync("hi").output, list[Report])
with agent.stream_sync("hi") as stream:
    assert_type(next(stream.text()), str)
    assert_type(stream.result(), Result[Report])


async def doors() -> None:
    assert_type((await agent.run("hi")).output, Report)
    async with agent.stream("hi") as stream:
        async for partial in stream.partials():
            assert_type(partial.done, frozenset[str])
        assert_type(await stream.result(), Result[Report])


@custom_tool
def note(text: str) -> int:
    return len(text)


@custom_tool(regex="[a-z]+", timeout=5, approve=lambda a: "x" in a)
async def word(text: str, context: ToolContext[Deps]) -> list[str]:
    return [text, context.deps.name]


assert_type(note("x"), int)
search = ServerTool("web_search", search_context_size="low")
sql = CustomTool("sql", note, lark="start: /a/")
wide = Agent(
    "local/smollm2",
    tools=[note, word, search, sql, {"type": "mcp", "server_label": "a"}, Toolbox([sql])],
    view=[LastTurns(3), TrimResults(100), Summary(above=9_000, model="local/smollm2")],
)
looked = wide.run_sync(["What?", Image(path="x.png"), File(data=b"x"), Text("y"), user("z")])
assert_type(looked.turns, tuple[Answered, ...])
assert_type(wide.with_(view=None), Agent[str])


async def extracted() -> None:
    async for record in extract_many(
        ["a", Path("b.txt"), {"text": "c"}, Document("d", "d")],
        Report,
        model="local/smollm2",
        split=Split(500),
    ):
        assert_type(record, Record[Report])
        assert_type(record.value, Report | None)
        assert_type(record.error, Failure | None)


for found in extract_many_sync(["a"], Deps, model="local/smollm2", pace=Pace(), job="a.job"):
    assert_type(found, Record[Deps])
for row in extract_many_sync([{"text": "a"}], {"type": "object"}, model="local/smollm2"):
    assert_type(row, Record[Any])
