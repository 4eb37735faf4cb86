"""Free-text calls in a run: carried out like functions, or waiting where nobody here can."""

import asyncio

import pytest

from toolstone import (
    Agent,
    CustomTool,
    FailedError,
    InputError,
    MemoryLedger,
    ServerTool,
    Settings,
    custom_tool,
)
from toolstone.testing import Scripted, ScriptedCall, call
from toolstone.tools.policy import Policy


def custom(name, text, call_id="c"):
    return {"type": "custom_tool_call", "call_id": call_id, "name": name, "input": text}


def told(call_id, text):
    return {"type": "custom_tool_call_output", "call_id": call_id, "output": text}


@custom_tool(regex="SELECT .+", repeatable=True)
def sql(query: str) -> list[int]:
    """Run a query."""
    return [len(query)]


def test_a_custom_call_is_carried_out_and_answered_by_its_own_kind():
    model = Scripted(custom("sql", "SELECT 1"), "One.")
    result = Agent(model, tools=[sql]).run_sync("How many?")

    assert result.output == "One."
    assert model.requests[0].tools[0].raw["type"] == "custom"
    assert [item.raw for item in model.requests[1].items[1:]] == [
        custom("sql", "SELECT 1"),
        told("c", "[8]"),
    ]
    made = result.calls[0]
    assert (made.name, made.arguments, made.output, made.state) == (
        "sql",
        "SELECT 1",
        "[8]",
        "returned",
    )


async def test_custom_and_function_calls_of_a_turn_run_side_by_side_and_are_answered_in_order():
    both = asyncio.Barrier(2)

    async def first(text: str) -> str:
        """Free text."""
        await asyncio.wait_for(both.wait(), 5)
        await asyncio.sleep(0)
        return text

    async def second(number: int) -> int:
        """A number."""
        await asyncio.wait_for(both.wait(), 5)
        return number

    model = Scripted([custom("first", "a", "x"), call("second", number=2)], "Done.")
    await Agent(model, tools=[CustomTool("first", first), second]).run("Go")

    assert [item.raw.get("output") for item in model.requests[1].items[-2:]] == ["a", "2"]
    assert [item.type for item in model.requests[1].items[-2:]] == [
        "custom_tool_call_output",
        "function_call_output",
    ]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (custom("sql", "DROP all"), "the input does not match the tool's regular expression"),
        (custom("add", "1"), "'add' takes JSON arguments; nothing was run"),
        ({**custom("sql", "SELECT 1"), "status": "incomplete"}, "did not arrive whole"),
    ],
)
def test_what_does_not_fit_is_told_and_not_run(made, says):
    def add(a: int) -> int:
        """Add."""
        raise AssertionError

    model = Scripted(made, "Sorry.")
    result = Agent(model, tools=[sql, add]).run_sync("Go")
    assert says in result.calls[0].output
    assert result.calls[0].failed


def test_a_function_call_of_a_custom_tool_is_told_how_to_call_it():
    model = Scripted(call("sql", query="SELECT 1"), "Sorry.")
    result = Agent(model, tools=[sql]).run_sync("Go")
    assert result.calls[0].output.startswith("'sql' takes free text")


def test_two_calls_of_one_id_are_not_run_whatever_their_kind():
    model = Scripted([custom("sql", "SELECT 1", "call_1"), ScriptedCall("add", "{}", "call_1")])
    with pytest.raises(FailedError, match="same call_id"):
        Agent(model, tools=[sql]).run_sync("Go")


async def test_a_custom_call_of_a_name_nobody_here_has_waits_and_is_settled():
    model = Scripted([custom("theirs", "text", "x"), custom("sql", "SELECT 1", "y")], "Done.")
    agent = Agent(model, tools=[sql])

    waiting = await agent.run("Go", session="s")
    assert [(one.name, one.state, one.arguments) for one in waiting.waiting] == [
        ("theirs", "deferred", "text")
    ]
    assert waiting.calls[1].output == "[8]"
    await agent.settle("s", waiting.waiting[0], result={"a": 1})
    result = await agent.resume("s")

    assert result.output == "Done."
    assert [item.raw for item in model.requests[1].items[-2:]] == [
        told("x", '{"a":1}'),
        told("y", "[8]"),
    ]


async def test_it_may_be_settled_with_the_whole_item():
    model = Scripted(custom("theirs", "text", "x"), "Done.")
    agent = Agent(model)
    waiting = await agent.run("Go", session="s")
    await agent.settle("s", waiting.waiting[0], result=told("x", "as it is"))
    await agent.resume("s")
    assert model.requests[1].items[-1].raw == told("x", "as it is")


async def test_a_custom_call_that_the_choice_forbids_is_answered_not_awaited():
    model = Scripted(custom("sql", "SELECT 1"), "All right.")
    agent = Agent(model, tools=[sql], settings=Settings(tool_choice="none"))
    result = await agent.run("Go")
    assert "there is no tool named 'sql'" in result.calls[0].output


async def test_approval_sees_the_text():
    ran = []

    def drop(query: str) -> str:
        """Drop."""
        ran.append(query)
        return "gone"

    seen = []
    policed = custom_tool(approve=lambda given: seen.append(given) or "DROP" in given["query"])(
        drop
    )
    model = Scripted([custom("drop", "DROP a", "x"), custom("drop", "look", "y")], "Done.")
    agent = Agent(model, tools=[policed])

    waiting = await agent.run("Go", session="s")
    assert (ran, waiting.waiting[0].state) == (["look"], "approval")
    assert {"query": "DROP a"} in seen
    await agent.deny("s", waiting.waiting[0], "never")
    result = await agent.resume("s")

    assert ran == ["look"]
    assert [one.output for one in result.calls] == ["denied: never", "gone"]


async def test_after_a_crash_a_repeatable_custom_call_is_made_again_and_another_waits():
    async def echo(text: str) -> str:
        """Say it again."""
        return text

    tools = [CustomTool("again", echo, policy=Policy(repeatable=True)), CustomTool("once", echo)]
    calls = [custom("again", "a", "x"), custom("once", "b", "y")]
    whole = await Agent(Scripted(calls, "Done."), tools=tools).run("Go", session="s")
    died = next(n for n, r in enumerate(whole.records) if r.fact.type == "started") + 1
    ledger = MemoryLedger()
    await ledger.append("s", whole.records[:died])
    agent = Agent(Scripted("Done."), tools=tools, ledger=ledger)

    waiting = await agent.resume("s")
    assert [(one.name, one.state) for one in waiting.waiting] == [("once", "unknown")]
    assert waiting.calls[0].output == "a"
    await agent.settle("s", waiting.waiting[0], result="b")
    assert (await agent.resume("s")).items == whole.items


def test_a_forced_custom_tool_is_asked_for_once():
    model = Scripted(custom("sql", "SELECT 1"), "One.")
    Agent(model, tools=[sql], settings=Settings(tool_choice="sql")).run_sync("Go")
    assert [request.tool_choice for request in model.requests] == [
        {"type": "custom", "name": "sql"},
        "auto",
    ]


SEARCH = {
    "type": "web_search_call",
    "id": "ws",
    "status": "completed",
    "action": {"type": "search"},
}


@pytest.mark.parametrize(
    ("choice", "tools", "item", "sent"),
    [
        ("web_search", [ServerTool("web_search")], SEARCH, {"type": "web_search"}),
        ({"type": "web_search_preview"}, [ServerTool("web_search_preview")], SEARCH, {"type": "web_search_preview"}),
        ("required", [ServerTool("web_search")], SEARCH, "required"),
        (
            "mcp:crm",
            [ServerTool("mcp", server_label="crm")],
            {"type": "mcp_call", "id": "m", "server_label": "crm", "name": "n", "arguments": "{}"},
            {"type": "mcp", "server_label": "crm"},
        ),
        (
            {"type": "code_interpreter"},
            [ServerTool("code_interpreter")],
            {"type": "code_interpreter_call", "id": "ci", "code": "1"},
            {"type": "code_interpreter"},
        ),
    ],
)  # fmt: skip
def test_a_forced_tool_of_the_service_is_over_once_the_service_has_used_it(
    choice, tools, item, sent
):
    model = Scripted([item, call("look", word="x")], "Found.")

    def look(word: str) -> str:
        """Look."""
        return word

    agent = Agent(model, tools=[*tools, look], settings=Settings(tool_choice=choice))
    result = agent.run_sync("Find it")

    assert [request.tool_choice for request in model.requests] == [sent, "auto"]
    assert item in [one.raw for one in result.items]


def test_a_forced_tool_of_the_service_that_was_not_used_is_asked_for_again():
    model = Scripted("I know it.", [SEARCH, "Found."])
    agent = Agent(
        model, tools=[ServerTool("web_search")], settings=Settings(tool_choice="web_search")
    )
    assert agent.run_sync("Find it").output == "Found."
    assert len(model.requests) == 2


def test_tools_of_the_service_go_along_with_functions_and_their_items_come_back_unchanged():
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    model = Scripted([SEARCH, call("add", a=1, b=2)], "Three.")
    result = Agent(
        model, tools=[add, {"type": "web_search", "search_context_size": "low"}]
    ).run_sync("Go")

    assert [spec.raw for spec in model.requests[0].tools] == [
        None,
        {"type": "web_search", "search_context_size": "low"},
    ]
    assert model.requests[1].items[1].raw == SEARCH
    assert result.output == "Three."


def test_a_call_that_names_a_tool_of_the_service_is_told_that_there_is_no_such_function():
    model = Scripted(call("web_search"), "Sorry.")
    result = Agent(model, tools=[ServerTool("web_search")]).run_sync("Go")
    assert "there is no tool named 'web_search'" in result.calls[0].output


def test_a_renewed_token_does_not_make_another_agent():
    def began(token):
        agent = Agent(
            Scripted("Hi."), tools=[ServerTool("mcp", server_label="a", authorization=token)]
        )
        return agent.run_sync("Hi").records[0].fact.agent

    assert began("one") == began("two")


def test_every_answered_request_tells_its_usage_model_and_tier():
    model = Scripted(custom("sql", "SELECT 1"), "One.")
    result = Agent(model, tools=[sql]).run_sync("Go")
    assert [(turn.usage.input_tokens, turn.model, turn.service_tier) for turn in result.turns] == [
        (10, "scripted", None),
        (10, "scripted", None),
    ]


def test_input_with_a_call_nobody_answered_is_refused():
    for item in (custom("sql", "x"), {"type": "computer_call", "call_id": "c"}):
        with pytest.raises(InputError, match="1 calls without their output"):
            Agent(Scripted()).run_sync([item, {"role": "user", "content": "Go on"}])
    answered = [custom("sql", "x"), told("c", "y"), "Go on"]
    assert Agent(Scripted("Fine.")).run_sync(answered).output == "Fine."
