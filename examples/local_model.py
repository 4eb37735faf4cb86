"""The same agent on a real small model, on this machine: no account, no key.

Needs: pip install 'toolstone[llama]'. The model (93 MB) is fetched once.
"""

from pydantic import BaseModel

from toolstone import Agent


class Report(BaseModel):
    """About a city."""

    city: str
    temp_c: float
    population: int


async def weather(city: str) -> float:
    """Current temperature in Celsius.

    Args:
        city: Name of the city.
    """
    return {"Paris": 14.5, "Oslo": 3.2}[city]


def population(city: str) -> int:
    """Number of inhabitants.

    Args:
        city: Name of the city.
    """
    return {"Paris": 2_103_000, "Oslo": 717_000}[city]


agent = Agent("local/smollm2", tools=[weather, population], output=Report)
result = agent.run_sync("Report on Paris")
print(result.output)
print([f"{made.name}{made.arguments}" for made in result.calls])
