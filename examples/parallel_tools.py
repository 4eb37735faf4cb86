"""Two tools called in one turn run side by side: they meet at a barrier, or this would hang.

Prints:
    weather {"city":"Paris"} -> 21.5
    population {"city":"Paris"} -> 2103000
    21.5 degrees, 2.1 million people.
"""

import asyncio

from toolstone import Agent
from toolstone.testing import Scripted, call

together = asyncio.Barrier(2)


async def weather(city: str) -> float:
    """Current temperature in Celsius.

    Args:
        city: Name of the city.
    """
    await together.wait()
    return {"Paris": 21.5, "Rome": 27.0}[city]


async def population(city: str) -> int:
    """Number of inhabitants.

    Args:
        city: Name of the city.
    """
    await together.wait()
    return {"Paris": 2_103_000, "Rome": 2_755_000}[city]


async def main() -> None:
    """Ask once; the scripted model calls both tools in its first turn."""
    model = Scripted(
        [call("weather", city="Paris"), call("population", city="Paris")],
        "21.5 degrees, 2.1 million people.",
    )
    result = await Agent(model, tools=[weather, population]).run("Tell me about Paris")
    for made in result.calls:
        print(made.name, made.arguments, "->", made.output)
    print(result.output)


asyncio.run(main())
