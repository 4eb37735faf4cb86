"""What a user writes, as type checkers see it. Checked by both, never run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import assert_type

from pydantic import BaseModel

from toolstone.schema import OutputType, PartialReader
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
