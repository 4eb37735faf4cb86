"""For your tests: a scripted model, cassettes, what tools leave, and the contract of ledgers.

The pytest fixtures are in `toolstone.testing.fixtures`.

Example:
    model = Scripted([call("pay", amount=5)], "understood")
    result = await Agent(model, tools=[pay]).run("pay five")
    assert model.requests[-1].items[-1] == output("call_0", "paid")
"""

from toolstone.testing.cassette import Cassette
from toolstone.testing.ledger import check_ledger
from toolstone.testing.leftovers import Leftovers
from toolstone.testing.scripted import Scripted, ScriptedCall, call, output

__all__ = ["Cassette", "Leftovers", "Scripted", "ScriptedCall", "call", "check_ledger", "output"]
