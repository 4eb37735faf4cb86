"""What somebody decided about a call, as the model is told of it."""

import asyncio

import pytest

from toolstone import Agent, ConflictError, Image, InputError, ServerTool, Tool, tool
from toolstone.testing import Scripted, call

COMPUTER = {"type": "computer_call", "id": "cu_1", "call_id": "c", "action": {"type": "wait"}}
SCREEN = {"type": "computer_screenshot", "image_url": "data:image/png;base64,iVBORw=="}
MCP = {"type": "mcp_approval_request", "id": "mcpr_1", "server_label": "s", "name": "n"}
PATCH = {"type": "apply_patch_call", "call_id": "c", "operation": {}}
CUSTOM = {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "x"}
SHELL = {"type": "local_shell_call", "id": "sh_1", "call_id": "c", "action": {}}


COMMANDS = {
    "type": "shell_call",
    "call_id": "c",
    "action": {"commands": ["a", "b"], "max_output_length": 99},
    "environment": {"type": "local"},
}
SEARCH = {"type": "tool_search_call", "call_id": "c", "execution": "client", "arguments": {}}


def add(a: int) -> int:
    """Add."""
    return a


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
        (
            COMPUTER,
            {"result": Image(file_id="file_1")},
            {
                "type": "computer_call_output",
                "call_id": "c",
                "output": {"type": "computer_screenshot", "file_id": "file_1"},
            },
        ),
        (
            COMMANDS,
            {"result": [{"stdout": "a", "exit_code": 2}, {"outcome": {"type": "timeout"}}]},
            {
                "type": "shell_call_output",
                "call_id": "c",
                "output": [
                    {"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 2}},
                    {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
                ],
                "max_output_length": 99,
            },
        ),
        (
            {**COMMANDS, "action": {"commands": ["ls"]}},
            {"result": "a.txt"},
            {
                "type": "shell_call_output",
                "call_id": "c",
                "output": [
                    {"stdout": "a.txt", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}
                ],
            },
        ),
        (
            {**COMMANDS, "action": {}},
            {"failed": "no shell here"},
            {
                "type": "shell_call_output",
                "call_id": "c",
                "output": [
                    {
                        "stdout": "",
                        "stderr": "no shell here",
                        "outcome": {"type": "exit", "exit_code": 1},
                    }
                ],
            },
        ),
        (
            PATCH,
            {"result": None},
            {"type": "apply_patch_call_output", "call_id": "c", "status": "completed"},
        ),
        (
            SEARCH,
            {"result": [{"type": "function", "name": "f"}, add, ServerTool("web_search")]},
            {
                "type": "tool_search_output",
                "call_id": "c",
                "execution": "client",
                "tools": [
                    {"type": "function", "name": "f"},
                    {
                        "type": "function",
                        "name": "add",
                        "description": "Add.",
                        "parameters": dict(Tool.of(add).spec.parameters),
                        "strict": True,
                    },
                    {"type": "web_search"},
                ],
            },
        ),
        (
            SEARCH,
            {"failed": "nothing found"},
            {"type": "tool_search_output", "call_id": "c", "execution": "client", "tools": []},
        ),
    ],
)
async def test_an_item_that_is_no_function_call_is_answered_by_its_own_kind(item, settled, answer):
    assert await told(item, **settled) == answer


@pytest.mark.parametrize(
    ("item", "settled"),
    [
        (COMPUTER, {"result": "text"}),
        (COMPUTER, {"failed": "no"}),
        (COMPUTER, {"again": True}),
        (COMPUTER, {"result": Image()}),
        (
            {**COMPUTER, "pending_safety_checks": [{"id": "x"}]},
            {"result": Image(url="https://x.example/u")},
        ),
        (SHELL, {"result": 3}),
        (COMMANDS, {"result": [3]}),
        (COMMANDS, {"result": [{"code": 3}]}),
        (PATCH, {"result": 3}),
        (SEARCH, {"result": "add"}),
    ],
    ids=repr,
)
async def test_an_answer_of_another_kind_is_refused_and_nothing_is_recorded(item, settled):
    agent = Agent(Scripted(item))
    waiting = await agent.run("go", session="s")
    with pytest.raises(InputError, match=f"{item['type']}|an Image"):
        await agent.settle("s", waiting.waiting[0], **settled)
    assert (await agent.resume("s")).waiting[0].state == "deferred"


async def test_what_is_to_be_done_stands_in_the_call_and_safety_checks_are_for_a_person():
    checked = {**COMPUTER, "pending_safety_checks": [{"id": "x"}]}
    agent = Agent(Scripted(checked))
    waiting = await agent.run("go", session="s")
    assert waiting.waiting[0].item.raw["pending_safety_checks"] == [{"id": "x"}]
    answer = {
        "type": "computer_call_output",
        "call_id": "c",
        "output": SCREEN,
        "acknowledged_safety_checks": [{"id": "x"}],
    }
    assert await told(checked, result=answer) == answer


async def test_items_of_several_kinds_and_a_function_call_are_answered_in_their_order():
    def look() -> str:
        """Look."""
        return "seen"

    model = Scripted([COMPUTER, call("look"), {**PATCH, "call_id": "d"}, MCP], "end")
    agent = Agent(model, tools=[look])

    waiting = await agent.run("go", session="s")
    assert [(one.name, one.state) for one in waiting.waiting] == [
        ("computer_call", "deferred"),
        ("apply_patch_call", "deferred"),
        ("mcp_approval_request", "approval"),
    ]
    assert waiting.calls[1].output == "seen"
    for one, result in zip(
        waiting.waiting, (Image(url="https://x.example/u"), "done"), strict=False
    ):
        await agent.settle("s", one, result=result)
    assert (await agent.resume("s")).waiting[0].name == "mcp_approval_request"
    await agent.deny("s", "0.3", "not that one")
    await agent.resume("s")

    assert [item.type for item in model.requests[-1].items[-4:]] == [
        "computer_call_output",
        "function_call_output",
        "apply_patch_call_output",
        "mcp_approval_response",
    ]
    assert model.requests[-1].items[-1].raw == {
        "type": "mcp_approval_response",
        "approval_request_id": "mcpr_1",
        "approve": False,
        "reason": "not that one",
    }


async def test_what_the_service_has_answered_itself_waits_for_nobody():
    hosted = {**COMMANDS, "environment": {"type": "container_reference", "container_id": "x"}}
    done = {"type": "shell_call_output", "call_id": "c", "output": []}
    for items in ([{**hosted}, done, "Listed."], [COMMANDS, done, "Listed."], [hosted, "Listed."]):
        result = await Agent(Scripted(items)).run("go")
        assert (result.outcome, result.output) == ("complete", "Listed.")


async def test_a_request_of_an_mcp_server_is_approved_and_denied_like_any_other():
    for rule, approve in (("approve", True), ("deny", False)):
        model = Scripted(MCP, "end")
        agent = Agent(model)
        waiting = await agent.run("go", session="s")
        with pytest.raises(InputError, match=r"Use approve\(\.\.\.\) or deny\(\.\.\.\)"):
            await agent.settle("s", waiting.waiting[0], result="yes")
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
