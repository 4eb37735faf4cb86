"""A typed answer while it is still being written: numbers appear when they are whole.

Prints:
    None None []
    Paris None ['city']
    Paris 2103000 ['city', 'population']
    city='Paris' population=2103000
"""

from pydantic import BaseModel

from toolstone import Agent
from toolstone.testing import Scripted


class Report(BaseModel):
    """About a city."""

    city: str
    population: int


model = Scripted({"city": "Paris", "population": 2103000}, chunk=8)
agent = Agent(model, output=Report)

with agent.stream_sync("Report on Paris") as stream:
    for partial in stream.partials():
        print(partial.city, partial.population, sorted(partial.done))
    report = stream.result().output
print(report)
