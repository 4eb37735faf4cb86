"""An agent as a tool of another. It spends from the same budget.

Prints:
    In French: Bonjour le monde
    requests of both: 3
"""

from toolstone import Agent, Budget
from toolstone.testing import Scripted, call

translator = Agent(
    Scripted("Bonjour le monde"),
    name="translator",
    instructions="Translate into French.",
)
writer = Agent(
    Scripted(call("translator", request="Hello world"), "In French: Bonjour le monde"),
    tools=[translator.as_tool(description="Translates English into French.")],
    budget=Budget(requests=5),
)

result = writer.run_sync("How do you say hello world in French?")
print(result.output)
print("requests of both:", result.usage.requests)
