"""Mistakes that type checkers must see: each marked line is an error for both."""

from toolstone import Agent, Image, custom_tool, extract_many_sync
from toolstone.tools import ToolContext, tool


@tool
def plain(city: str, days: int = 1) -> float:
    return len(city) / days


@tool(timeout=1)
async def later(city: str, context: ToolContext[int]) -> str:
    return city + context.deps  # error


plain(5)  # error
plain("x", hours=1)  # error
length: str = plain("x")  # error
tool(timeout="soon")  # error
tool(nonsense=1)  # error
Agent("local/smollm2", budgets=3)  # error
Agent("local/smollm2", view="short")  # error
Image("x.png")  # error
custom_tool(regex=3)  # error
agent = Agent("local/smollm2", output=int)
agent.run_sync("hi", sesion="s")  # error
text: str = agent.run_sync("hi").output  # error
extract_many_sync(["a"], int)  # error
extract_many_sync(["a"], int, model="local/smollm2", evidence="all")  # error
extract_many_sync([5], int, model="local/smollm2")  # error
for record in extract_many_sync(["a"], int, model="local/smollm2"):
    said: str = record.value  # error
