"""The doors through which waiting calls are answered, and which of them opens for what."""

import pytest

from toolstone import Agent, InputError, MemoryLedger, ServerTool, StorageError, tool
from toolstone.testing import Scripted, call


@tool(approve=True)
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def asking(*later, tools=(pay,)):
    model = Scripted(call("pay", amount=5), *later)
    return Agent(model, tools=tools), model


class PowerCutError(Exception):
    pass


def unknown():
    """The agent that finds a call that was begun before the power went."""

    class Dying(MemoryLedger):
        async def append(self, session, records):
            await kept.append(session, records)
            if records[-1].fact.type == "started":
                raise PowerCutError

    @tool
    def send() -> str:
        """Send."""
        return "sent"

    kept = MemoryLedger()
    with pytest.raises(StorageError):
        Agent(Scripted(call("send")), tools=[send], ledger=Dying()).run_sync("go", session="s")
    return Agent(Scripted("done"), tools=[send], ledger=kept)


async def test_a_call_that_is_denied_without_a_reason_is_told_so_and_no_more():
    agent, model = asking("end")
    waiting = await agent.run("go", session="s")
    await agent.deny("s", waiting.waiting[0])
    await agent.resume("s")

    assert model.requests[-1].items[-1].output == "denied"


@pytest.mark.parametrize(
    "given", [{}, {"result": 1, "failed": "no"}, {"result": None, "again": True}]
)
async def test_settling_takes_exactly_one_of_its_three(given):
    agent, _ = asking()
    await agent.run("go", session="s")
    with pytest.raises(InputError) as caught:
        await agent.settle("s", "0.0", **given)

    assert str(caught.value) == ("settle(...): give exactly one of result=, failed= and again=True")


async def test_a_call_that_waits_for_a_yes_cannot_be_settled():
    agent, _ = asking()
    await agent.run("go", session="s")
    with pytest.raises(InputError) as caught:
        await agent.settle("s", "0.0", result="paid")

    assert str(caught.value) == (
        "session 's': call 0.0 is 'approval'; this ruling is for one that is deferred or unknown. "
        "Use approve(...) or deny(...). Waiting: 0.0 (approval)"
    )


async def test_a_tool_of_the_service_is_not_the_one_that_was_called():
    agent, _ = asking("end", tools=[ServerTool("pay")])
    waiting = await agent.run("go", session="s", tools=[pay])
    await agent.approve("s", waiting.waiting[0])

    assert (await agent.resume("s", tools=[pay])).calls[0].output == "paid 5"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (lambda agent, call: agent.approve_sync("s", call), "paid 5"),
        (lambda agent, call: agent.deny_sync("s", call), "denied"),
        (lambda agent, call: agent.deny_sync("s", call, "too much"), "denied: too much"),
    ],
)
def test_the_blocking_doors_of_a_call_that_asks(rule, told):
    agent, _ = asking("end")
    waiting = agent.run_sync("go", session="s")
    rule(agent, waiting.waiting[0])

    assert agent.resume_sync("s").calls[0].output == told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"again": True}, "sent"),
        ({"result": "it was sent"}, "it was sent"),
        ({"result": None}, "null"),
        ({"failed": "it was not"}, "it was not"),
    ],
)
def test_the_blocking_door_of_a_call_whose_outcome_is_unknown(given, told):
    agent = unknown()
    waiting = agent.resume_sync("s")
    assert waiting.waiting[0].state == "unknown"
    agent.settle_sync("s", waiting.waiting[0], **given)

    assert agent.resume_sync("s").calls[0].output == told
