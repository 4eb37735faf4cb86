"""Runs of an agent whose model is a script: by either door, with tools of either kind."""

import asyncio

import pytest

from toolstone import Agent, tool
from toolstone.testing import Scripted

DOORS = pytest.mark.parametrize("door", ["plain", "streamed"])
BOTH = pytest.mark.parametrize("waits", [True, False], ids=["async", "sync"])


async def go(agent, door="plain", **options):
    """The result, by either door."""
    if door == "plain":
        return await agent.run("go", **options)
    async with agent.stream("go", **options) as stream:
        return await stream.result()


async def told(tools, *calls, door="plain", **options):
    """What the model is told of these calls; that the run goes on to its end is checked too."""
    model = Scripted(list(calls), "done")
    result = await go(Agent(model, tools=tools, **options), door)

    assert result.output == "done"
    outputs = [one.output for one in model.requests[1].items if one.type == "function_call_output"]
    assert outputs == [one.output for one in result.calls]
    return outputs


def acting(act, *, waits=True, name="acts"):
    """`act` as a tool, async or blocking."""

    async def later() -> object:
        return act()

    def now() -> object:
        return act()

    return tool(name=name)(later if waits else now)


def raising(error):
    def act():
        raise error

    return act


async def eventually(true):
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  threads have no events
            await asyncio.sleep(0.001)
