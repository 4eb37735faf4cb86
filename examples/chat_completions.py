"""The same agent over the older protocol, for servers that know Chat Completions alone.

Prints:
    Oslo has 717000 inhabitants.
    asked of /v1/chat/completions: 2 times
"""

from toolstone import Agent
from toolstone.local import Script, call, serve


def population(city: str) -> int:
    """Number of inhabitants."""
    return {"Oslo": 717_000}[city]


script = Script([call("population", city="Oslo"), "Oslo has 717000 inhabitants."])
with serve(script) as endpoint:
    agent = Agent(f"chat+{endpoint.base_url}#any", tools=[population])
    result = agent.run_sync("How many live in Oslo?")
    print(result.output)
    print("asked of /v1/chat/completions:", result.usage.requests, "times")
