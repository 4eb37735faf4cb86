"""A run stops before it spends more than it may, and can be given more to go on.

Prints:
    stopped - the budget's requests are used up
    so far: [('look_up', 'a: see elsewhere'), ('look_up', 'b: see elsewhere')]
    Found. 4 requests, 0.00024 dollars
"""

from toolstone import Agent, Budget, Price, StoppedError
from toolstone.testing import Scripted, call


def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word}: see elsewhere"


model = Scripted(
    call("look_up", word="a"), call("look_up", word="b"), call("look_up", word="c"), "Found."
)
prices = {"scripted": Price(input=2.0, output=8.0)}  # dollars per million tokens, yours to supply
agent = Agent(model, tools=[look_up], budget=Budget(requests=2, dollars=0.5, prices=prices))

try:
    agent.run_sync("Find it", session="search")
except StoppedError as error:
    print(error.outcome, "-", str(error).partition(";")[0])
    print("so far:", [(one.name, one.output) for one in error.result.calls])

more = Budget(requests=10, dollars=0.5, prices=prices)
result = agent.resume_sync("search", budget=more)
print(result.output, f"{result.usage.requests} requests, {result.cost:.5f} dollars")
