"""How to test an agent: the model is a script, everything else is the real thing.

Prints:
    passed
"""

from toolstone import Agent, ToolError, user
from toolstone.testing import Scripted, call, output

STOCK = {"kettle": 3}


def stock(product: str) -> int:
    """How many we have."""
    if product not in STOCK:
        raise ToolError(f"no such product; known are {', '.join(STOCK)}")
    return STOCK[product]


def make_agent(model: Scripted) -> Agent[str]:
    """The agent under test; in production it is given the name of a model."""
    return Agent(model, tools=[stock], instructions="You answer for the warehouse.")


def test_an_unknown_product_is_told_to_the_model() -> None:
    """The model gets a second chance, and the text it is told is the one we wrote."""
    model = Scripted(call("stock", product="ketle"), call("stock", product="kettle"), "Three.")

    result = make_agent(model).run_sync("How many ketles?")

    assert result.output == "Three."
    assert model.requests[0].items == (user("How many ketles?"),)
    told = output("call_0", "no such product; known are kettle")
    assert model.requests[1].items[-1] == told
    assert [made.failed for made in result.calls] == [True, False]


if __name__ == "__main__":
    test_an_unknown_product_is_told_to_the_model()
    print("passed")
