"""What somebody decided about a call, as the model is told of it."""

import asyncio

import pytest

from toolstone import Agent, ConflictError, Image, InputError, tool
from toolstone.testing import Scripted, call

COMPUTER = {"type": "computer_call", "id": "cu_1", "call_id": "c", "action": {"type": "wait"}}
SCREEN = {"type": "computer_screenshot", "image_url": "data:image/png;base64,iVBORw=="}
MCP = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "s", "name": "n"}
PATCH = {"type": "apply_patch_call", "call_id": "c", "operation": {}}
CUSTOM = {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "x"}
SHELL = {"type": "local_shell_call", "id": "sh_1", "call_id": "c", "action": {}}


async def told(item, **settled):
    model = Scripted(item, "end")
    agent = Agent(model)
    waiting = await agent.run("go", session="s")
    await agent.settle("s", waiting.waiting[0], **settled)
    await agent.resume("s")
    return model.requests[-1].items[-1].raw


@pytest.mark.parametrize(
    ("item", "settled", "answer"),
    [
        (
            COMPUTER,
            {"result": Image(data=b"\x89PNG")},
            {"type": "computer_call_output", "call_id": "c", "output": SCREEN},
        ),
        (
            COMPUTER,
            {"result": {"type": "computer_call_output", "call_id": "c", "output": SCREEN}},
            {"type": "computer_call_output", "call_id": "c", "output": SCREEN},
        ),
        (
            PATCH,
            {"failed": "does not apply"},
            {
                "type": "apply_patch_call_output",
                "call_id": "c",
                "status": "failed",
                "output": "does not apply",
            },
        ),
        (
            CUSTOM,
            {"result": [1, 2]},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "[1,2]"},
        ),
        (
            SHELL,
            {"result": "ok"},
            {"type": "local_shell_call_output", "id": "c", "output": "ok"},
        ),
    ],
)
async def test_an_item_that_is_no_function_call_is_answered_by_its_own_kind(item, settled, answer):
    assert await told(item, **settled) == answer


@pytest.mark.parametrize(
    ("item", "settled"),
    [(COMPUTER, {"result": "text"}), (COMPUTER, {"failed": "no"}), (COMPUTER, {"again": True})],
)
async def test_an_answer_of_another_kind_is_refused_and_nothing_is_recorded(item, settled):
    agent = Agent(Scripted(item))
    waiting = await agent.run("go", session="s")
    with pytest.raises(InputError, match="computer_call"):
        await agent.settle("s", waiting.waiting[0], **settled)
    assert (await agent.resume("s")).waiting[0].state == "deferred"


async def test_a_request_of_an_mcp_server_is_approved_and_denied_like_any_other():
    for rule, approve in (("approve", True), ("deny", False)):
        model = Scripted(MCP, "end")
        agent = Agent(model)
        waiting = await agent.run("go", session="s")
        await getattr(agent, rule)("s", waiting.waiting[0])
        await agent.resume("s")
        assert model.requests[-1].items[-1].raw["approve"] is approve


async def test_a_call_of_a_tool_given_to_the_run_alone_can_be_ruled_about():
    ran = []

    @tool(approve=True)
    def pay(amount: int) -> None:
        ran.append(amount)

    agent = Agent(Scripted(call("pay", amount=5), "end"))
    waiting = await agent.run("go", session="s", tools=[pay])
    await agent.approve("s", waiting.waiting[0])
    result = await agent.resume("s", tools=[pay])
    assert (result.output, ran) == ("end", [5])


async def test_of_two_that_resume_an_unnamed_run_at_once_one_runs_the_call():
    ran = []

    @tool(approve=True)
    async def pay() -> None:
        ran.append(1)
        await asyncio.sleep(0)

    agent = Agent(Scripted(call("pay"), "end", "end"), tools=[pay])
    waiting = await agent.run("go")
    await agent.approve(waiting.session, waiting.waiting[0])
    both = (agent.resume(waiting.session), agent.resume(waiting.session))
    ends = await asyncio.gather(*both, return_exceptions=True)
    assert ran == [1]
    assert [type(end) for end in ends].count(ConflictError) == 1


async def test_a_reason_that_no_request_can_carry_is_made_visible():
    @tool(approve=True)
    def pay() -> None: ...

    model = Scripted(call("pay"), "end")
    agent = Agent(model, tools=[pay])
    waiting = await agent.run("go", session="s")
    await agent.deny("s", waiting.waiting[0], "\ud800")
    await agent.resume("s")
    assert model.requests[-1].items[-1].output == "denied: \\ud800"


@pytest.mark.parametrize("wrong", [None, 5, "3", "9" * 5_000 + ".1"])
async def test_a_call_that_is_named_badly_is_an_input_error(wrong):
    agent = Agent(Scripted("hi"))
    await agent.run("go", session="s")
    with pytest.raises(InputError, match="call"):
        await agent.approve("s", wrong)
