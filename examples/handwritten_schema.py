"""A tool from a JSON Schema you already have; the arguments are checked against it.

Prints:
    failed: invalid arguments: sku: must fit pattern "^[A-Z]{2}-[0-9]{4}$"
    done: {"reserved":3,"of":"AB-0012"}
    Three are reserved.
"""

from typing import Any

from toolstone import Agent, Tool
from toolstone.testing import Scripted, call

schema = {
    "type": "object",
    "properties": {
        "sku": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{4}$"},
        "count": {"type": "integer", "minimum": 1, "maximum": 99},
    },
    "required": ["sku", "count"],
    "additionalProperties": False,
}


async def reserve(arguments: dict[str, Any]) -> dict[str, Any]:
    """Put something aside."""
    return {"reserved": arguments["count"], "of": arguments["sku"]}


model = Scripted(
    call("reserve", sku="ab-12", count=3),  # does not fit; the model is told where and why
    call("reserve", sku="AB-0012", count=3),
    "Three are reserved.",
)
agent = Agent(model, tools=[Tool.from_schema("reserve", schema, reserve, description="Reserve.")])

result = agent.run_sync("Reserve three AB-0012")
for made in result.calls:
    print("failed:" if made.failed else "done:", made.output)
print(result.output)
