"""A process dies in the middle of a run; another one goes on, and nothing is charged twice.

Prints:
    the first process ended with 9
    waiting [('price', 'returned'), ('charge', 'unknown')]
    Charged.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from toolstone import Agent, SQLiteLedger, tool
from toolstone.testing import Scripted, call


@tool(repeatable=True)
def price(item: str) -> int:
    """What an item costs; asking twice does no harm."""
    return len(item)


@tool
def charge(dollars: int) -> str:
    """Take money; it must not happen twice, so the tool is not repeatable."""
    if "--dies" in sys.argv:
        os._exit(9)  # the power goes, right in the middle of the call
    return f"charged {dollars}"


def make_agent(path: str) -> Agent[str]:
    """The same agent in both processes; the model is scripted for each one's share."""
    turns = ["Charged."]
    if "--dies" in sys.argv:
        turns = [[call("price", item="book")], [call("charge", dollars=4)]]  # type: ignore[list-item]
    return Agent(Scripted(*turns), tools=[price, charge], ledger=SQLiteLedger(path))


if "--dies" in sys.argv:
    make_agent(sys.argv[1]).run_sync("Sell a book", session="sale")

with tempfile.TemporaryDirectory() as folder:
    path = str(Path(folder) / "runs.sqlite")
    died = subprocess.run([sys.executable, __file__, path, "--dies"], check=False)  # noqa: S603
    print("the first process ended with", died.returncode)

    agent = make_agent(path)
    result = agent.resume_sync("sale")
    print(result.outcome, [(one.name, one.state) for one in result.calls])

    agent.settle_sync("sale", result.waiting[0], result="charged 4")  # we looked: it was charged
    print(agent.resume_sync("sale").output)
