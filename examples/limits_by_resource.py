"""At most two calls use the database at once, however many the model makes.

Prints:
    ['5', '6', '5', '6', '6', '5']
    most at once: 2
"""

import asyncio

from toolstone import Agent, Limit, tool
from toolstone.testing import Scripted, call

database = Limit("database", 2)
inside: list[int] = []
most: list[int] = []


@tool(limit=database)
async def query(table: str) -> int:
    """Count the rows of a table."""
    inside.append(1)
    most.append(len(inside))
    await asyncio.sleep(0)
    inside.pop()
    return len(table)


tables = ["users", "orders", "items", "visits", "prices", "taxes"]
model = Scripted([call("query", table=name) for name in tables], "Counted.")
result = Agent(model, tools=[query]).run_sync("Count everything")
print([made.output for made in result.calls])
print("most at once:", max(most))
