"""For your tests: a scripted model, and the contract every ledger passes.

Example:
    model = Scripted([call("pay", amount=5)], "understood")
    result = await Agent(model, tools=[pay]).run("pay five")
    assert model.requests[-1].items[-1] == output("call_0", "paid")
"""

from toolstone.testing.ledger import check_ledger
from toolstone.testing.scripted import Scripted, ScriptedCall, call, output

__all__ = ["Scripted", "ScriptedCall", "call", "check_ledger", "output"]
