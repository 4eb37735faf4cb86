"""A tool whose input is free text, held to a grammar: the model writes SQL, not JSON.

Prints:
    sql('SELECT name FROM towns') -> ["Paris","Rome"]
    sql('DROP TABLE towns') -> not run
    Paris and Rome.
"""

import sqlite3

from toolstone import Agent, Other, custom_tool
from toolstone.testing import Scripted

TOWNS = sqlite3.connect(":memory:", check_same_thread=False)
TOWNS.executescript("CREATE TABLE towns (name); INSERT INTO towns VALUES ('Paris'), ('Rome')")


@custom_tool(regex=r"SELECT [^;]+", repeatable=True)
def sql(query: str) -> list[str]:
    """Read from the table towns(name), in SQLite's dialect."""
    return [name for (name,) in TOWNS.execute(query)]


def asks(query: str) -> Other:
    """What a model sends when it calls the tool."""
    return Other({"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": query})


model = Scripted(asks("SELECT name FROM towns"), asks("DROP TABLE towns"), "Paris and Rome.")
result = Agent(model, tools=[sql]).run_sync("Which towns are there?")

for call in result.calls:
    print(f"sql({call.arguments!r}) ->", "not run" if call.failed else call.output)
print(result.output)
