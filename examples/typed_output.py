"""The answer is a Pydantic object. One that does not fit is asked for again, with the reason.

Prints:
    Ticket(product='kettle', urgency='high', refund=30.0)
    asked 2 times; the second time it was told:
    Your answer does not fit the required schema:
    - urgency: input should be 'low' or 'high' (got a string of 6 characters)
    Answer again, corrected.
"""

from typing import Literal

from pydantic import BaseModel, Field

from toolstone import Agent
from toolstone.testing import Scripted


class Ticket(BaseModel):
    """What a message from a customer comes to."""

    product: str
    urgency: Literal["low", "high"]
    refund: float | None = Field(default=None, description="Dollars asked back, if any.")


model = Scripted(
    {"product": "kettle", "urgency": "urgent", "refund": None},  # "urgent" is not on the list
    {"product": "kettle", "urgency": "high", "refund": 30.0},
)
agent = Agent(model, output=Ticket, instructions="Sort messages from customers.")

result = agent.run_sync("My kettle exploded!! I want my 30 dollars back.")
ticket = result.output  # a Ticket, to the type checker too
print(repr(ticket))
print("asked", result.usage.requests, "times; the second time it was told:")
print(result.items[-2].raw["content"])
