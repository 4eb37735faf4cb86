"""A Python function becomes a model that any client of the Responses API can ask.

Prints:
    IS ANYBODY THERE?
"""

from collections.abc import AsyncIterator

from toolstone import Agent
from toolstone.local import Function, serve
from toolstone.local.brain import Turn


async def echo(turn: Turn) -> AsyncIterator[str]:
    """Say what was said last, word by word, in capitals."""
    for word in str(turn.items[-1]["content"]).split():
        yield f"{word.upper()} "


with serve(Function(echo, models=["echo"])) as endpoint:
    agent = Agent(f"responses+{endpoint.base_url}#echo")
    print(agent.run_sync("Is anybody there?").output)
