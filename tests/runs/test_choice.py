"""What a tool choice promises: only what it leaves open is carried out, and a call means that call."""

import pytest

from toolstone import Agent, FailedError, Settings
from toolstone.runs.choice import forces, named
from toolstone.testing import Scripted, call


def weather(city: str) -> str:
    """Weather.

    Args:
        city: Where.
    """
    return f"sunny in {city}"


def pay(amount: int) -> str:
    """Pay.

    Args:
        amount: How much.
    """
    return f"paid {amount}"


def allowed(*names, mode="auto"):
    tools = [{"type": "function", "name": name} for name in names]
    return {"type": "allowed_tools", "mode": mode, "tools": tools}


def agent(*answers, choice):
    model = Scripted(*answers)
    return model, Agent(model, tools=[weather, pay], settings=Settings(tool_choice=choice))


@pytest.mark.parametrize(
    ("choice", "must", "names"),
    [
        (None, False, None),
        ("auto", False, None),
        ("none", False, None),
        ("required", True, None),
        ("pay", True, {"pay"}),
        ({"type": "function", "name": "pay"}, True, {"pay"}),
        (allowed("pay"), False, {"pay"}),
        (allowed("pay", mode="required"), True, {"pay"}),
        ({"type": "allowed_tools", "tools": [{"type": "mcp"}]}, False, None),
        ({"type": "custom", "name": "sql"}, True, {"sql"}),
        ({"type": "web_search"}, True, None),
        ({"type": "mcp", "server_label": "crm"}, True, None),
    ],
)
def test_a_choice_says_whether_and_what(choice, must, names):
    assert (forces(choice), named(choice)) == (must, names)


async def test_another_tool_than_the_forced_one_is_not_carried_out():
    answers = call("pay", amount=5), call("weather", city="Paris"), call("pay", amount=5), "done"
    model, made = agent(*answers, choice="weather")
    result = await made.run("hi")
    assert [(c.name, c.failed) for c in result.calls] == [
        *[("pay", True), ("weather", False)],
        ("pay", False),
    ]
    assert "weather" in result.calls[0].output
    forced = {"type": "function", "name": "weather"}
    assert [request.tool_choice for request in model.requests] == [forced, forced, "auto", "auto"]


async def test_beside_the_forced_tool_nothing_else_is_carried_out():
    batch = [call("pay", amount=5), call("weather", city="Paris")]
    _, made = agent(batch, "done", choice="weather")
    result = await made.run("hi")
    assert [c.failed for c in result.calls] == [True, False]


async def test_allowed_tools_stay_the_allowed_ones_for_the_whole_run():
    answers = call("weather", city="Paris"), call("pay", amount=5), "done"
    _, made = agent(*answers, choice=allowed("weather", mode="required"))
    result = await made.run("hi")
    assert [(c.name, c.failed) for c in result.calls] == [("weather", False), ("pay", True)]


async def test_text_instead_of_the_forced_tool_is_asked_again_also_after_another_call():
    answers = call("pay", amount=5), "text", "text", "text"
    _, made = agent(*answers, choice="weather")
    with pytest.raises(FailedError, match="tool_choice forces a call"):
        await made.run("hi")
