"""A tool that spends money waits until somebody says yes. The run can wait for days.

Prints:
    waiting [('0.1', '{"order":"B2","dollars":500}')]
    20 dollars for A1 are on their way
    500 dollars for B2 are on their way
    Both are paid.
"""

from collections.abc import Mapping
from typing import Any

from toolstone import Agent, tool
from toolstone.testing import Scripted, call

SMALL = 100


def too_much(arguments: Mapping[str, Any]) -> bool:
    """Small sums need nobody."""
    return bool(arguments["dollars"] > SMALL)


@tool(approve=too_much)
def refund(order: str, dollars: int) -> str:
    """Pay money back.

    Args:
        order: Number of the order.
        dollars: How much.
    """
    return f"{dollars} dollars for {order} are on their way"


model = Scripted(
    [call("refund", order="A1", dollars=20), call("refund", order="B2", dollars=500)],
    "Both are paid.",
)
agent = Agent(model, tools=[refund])

waiting = agent.run_sync("Refund A1 and B2", session="refunds")
print(waiting.outcome, [(str(one.key), one.arguments) for one in waiting.waiting])

agent.approve_sync("refunds", waiting.waiting[0])
result = agent.resume_sync("refunds")
for made in result.calls:
    print(made.output)
print(result.output)
