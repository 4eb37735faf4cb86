"""However a run ends, its history is legal, it can be gone on with, and nothing was overdrawn."""

import pickle

import pytest
from pydantic import BaseModel

from toolstone import (
    Agent,
    Budget,
    CancelToken,
    DefinitionError,
    FailedError,
    InputError,
    MemoryLedger,
    OutputError,
    Price,
    Profile,
    RunCancelled,
    ServerError,
    Settings,
    SQLiteLedger,
    StoppedError,
    tool,
)
from toolstone.testing import Scripted, call


class Report(BaseModel):
    city: str
    population: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def test_sub_agents_at_once_do_not_overdraw_while_a_ledger_keeps_them_waiting(tmp_path):
    ledger = SQLiteLedger(tmp_path / "runs.sqlite")
    asked = Scripted(*["yes"] * 8)
    sub = Agent(asked, name="ask", ledger=ledger).as_tool(description="Ask.")
    model = Scripted([call("ask", request="?")] * 8)
    agent = Agent(model, tools=[sub], budget=Budget(requests=4))

    with pytest.raises(StoppedError):
        await agent.run("x")
    await ledger.aclose()
    assert len(model.requests) + len(asked.requests) == 4


async def test_an_agent_can_be_made_again_with_some_parts_changed():
    seen = []

    class Watcher:
        def observe(self, run, event):
            seen.append(event)

    model = Scripted(call("add", a=1, b=2), "ok", "text")
    agent = Agent(model, tools=[add], settings=Settings(temperature=0.5))
    other = agent.with_(observers=[Watcher()], settings=Settings(top_p=1.0))
    assert (await other.run("go")).output == "ok"
    assert seen
    assert (model.requests[0].settings.top_p, agent.settings.temperature) == (1.0, 0.5)
    await agent.with_(tools=[]).run("go")
    assert model.requests[-1].tools == ()


async def test_a_call_that_is_marked_incomplete_is_told_and_not_run():
    ran = []

    def once(n: int) -> None:
        ran.append(n)

    cut = {"type": "function_call", "call_id": "c", "name": "once", "arguments": '{"n": 1}'}
    model = Scripted({**cut, "status": "incomplete"}, "end")
    result = await Agent(model, tools=[once]).run("go")
    assert ran == []
    assert "did not arrive whole" in result.calls[0].output


async def test_an_answer_in_a_call_that_never_fits_leaves_a_conversation_that_goes_on():
    bad = call("final_answer", city=1, population="many")
    good = call("final_answer", city="Paris", population=1)
    model = Scripted(bad, bad, good, good, profile=Profile(output="tool"))
    agent = Agent(model, output=Report)

    with pytest.raises(OutputError) as caught:
        await agent.run("go", session="s")
    assert_legal(caught.value.result.items)
    assert (await agent.resume("s")).output == Report(city="Paris", population=1)
    assert (await agent.run("again", session="s")).output == Report(city="Paris", population=1)


async def test_a_response_whose_call_ids_clash_leaves_a_conversation_that_goes_on():
    raw = {"type": "function_call", "call_id": "same", "name": "add", "arguments": "{}"}
    agent = Agent(Scripted([raw, raw], "one", "two"))

    with pytest.raises(FailedError) as caught:
        await agent.run("go", session="s")
    assert_legal(caught.value.result.items)
    assert (await agent.resume("s")).output == "one"
    assert (await agent.run("again", session="s")).output == "two"


def assert_legal(items):
    """Each call has exactly one output, after it (I3)."""
    calls = [item.call_id for item in items if item.type == "function_call"]
    outputs = [item.call_id for item in items if item.type == "function_call_output"]
    assert calls == outputs


async def test_an_approval_predicate_cannot_change_what_runs():
    def harmless(arguments):
        arguments["n"] = 0
        return False

    got = []

    @tool(approve=harmless)
    def act(n: int) -> None:
        got.append(n)

    await Agent(Scripted(call("act", n=5), "end"), tools=[act]).run("go")
    assert got == [5]


async def test_without_tools_a_forced_choice_is_not_sent():
    model = Scripted({"city": "Paris", "population": 1})
    agent = Agent(model, tools=[add], output=Report, settings=Settings(tool_choice="required"))
    await agent.extract("go")
    assert model.requests[0].tool_choice is None


async def test_names_the_model_made_up_are_not_echoed_at_length():
    model = Scripted(*[call("x" * 5_000)] * 9)
    with pytest.raises(StoppedError) as caught:
        await Agent(model).run("go")
    assert len(str(caught.value)) < 500


async def test_tools_count_in_the_estimate_of_a_request():
    async def room(*tools):
        model = Scripted("end")
        await Agent(model, tools=tools, budget=Budget(tokens=10_000)).run("go")
        return model.requests[0].settings.max_output_tokens

    @tool(description="long " * 600)
    def verbose() -> None: ...

    assert await room() - await room(verbose) > 3_000 // 3


async def test_a_result_that_waits_is_no_beginning():
    @tool(approve=True)
    def pay() -> None: ...

    agent = Agent(Scripted(call("pay"), "end"), tools=[pay])
    waiting = await agent.run("go")
    with pytest.raises(InputError, match="resume its session"):
        await agent.run("more", after=waiting)


async def test_input_that_cannot_be_sent_does_not_stay_in_the_session():
    agent = Agent(Scripted("fine"))
    with pytest.raises(InputError):
        await agent.run("\ud800", session="s")
    result = await agent.run("hello", session="s")
    assert [item.type for item in result.items] == ["message", "message"]


async def test_a_complete_session_is_complete_also_for_advance_and_in_two_messages():
    final = call("final_answer", city="Paris", population=1)
    model = Scripted(final, profile=Profile(output="tool"))
    agent = Agent(model, output=Report)
    await agent.run("go", session="s")
    assert (await agent.advance("s")).output == Report(city="Paris", population=1)
    assert len(model.requests) == 1

    talker = Agent(Scripted(["one, ", "two"]))
    first = await talker.run("go", session="s")
    assert (await talker.resume("s")).output == first.output == "one, two"


async def test_an_agent_of_another_output_type_says_that_it_cannot_read_the_answer():
    ledger = MemoryLedger()
    await Agent(Scripted("hi"), ledger=ledger).run("go", session="s")
    with pytest.raises(InputError, match="does not fit this agent's output type"):
        await Agent(Scripted(), output=Report, ledger=ledger).resume("s")


async def test_a_tool_of_the_answers_own_name_cannot_be():
    @tool
    def final_answer() -> None: ...

    model = Scripted("x", profile=Profile(output="tool"))
    with pytest.raises(DefinitionError, match="final_answer"):
        await Agent(model, tools=[final_answer], output=Report).run("go")


async def test_a_run_that_was_cancelled_before_it_began_asks_nobody():
    token = CancelToken()
    token.cancel()
    model = Scripted("hi")
    with pytest.raises(RunCancelled):
        await Agent(model).run("go", cancel=token)
    assert model.requests == []


async def test_a_dearer_sub_agent_is_paid_for_at_its_own_price():
    dear = Scripted("yes", "yes")
    dear.name = "dear"
    sub = Agent(dear, name="ask").as_tool(description="Ask.")
    prices = {"scripted": Price(1, 1), "dear": Price(1_000, 1_000)}
    model = Scripted([call("ask", request="?")] * 2, "end")
    budget = Budget(dollars=1, prices=prices)

    await Agent(model, tools=[sub], budget=budget).run("go")
    assert dear.requests[0].settings.max_output_tokens < 1_000  # a dollar buys no more of it


async def test_a_sub_agent_without_a_price_is_not_asked():
    dear = Scripted("yes")
    dear.name = "dear"
    sub = Agent(dear, name="ask").as_tool(description="Ask.")
    model = Scripted(call("ask", request="?"), "end")
    budget = Budget(dollars=1, prices={"scripted": Price(1, 1)})

    result = await Agent(model, tools=[sub], budget=budget).run("go")
    assert result.calls[0].failed
    assert dear.requests == []


async def test_what_sub_agents_asked_stays_spent_after_a_resume():
    asked = Scripted("yes")
    sub = Agent(asked, name="ask").as_tool(description="Ask.")
    model = Scripted(call("ask", request="?"), ServerError("busy"), "end")
    agent = Agent(model, tools=[sub], budget=Budget(requests=3))

    with pytest.raises(FailedError) as caught:
        await agent.run("go")
    with pytest.raises(StoppedError):
        await agent.resume(caught.value.session)


async def test_an_error_that_travelled_says_what_it_may_and_nothing_of_the_run():
    with pytest.raises(OutputError) as caught:
        await Agent(Scripted(*["hush"] * 3), output=Report).run("hush")
    there = pickle.loads(pickle.dumps(caught.value))
    assert (str(there), there.session) == (str(caught.value), caught.value.session)
    assert (there.result, there.problems) == (None, ())
    assert b"hush" not in pickle.dumps(caught.value)


@pytest.mark.parametrize(
    "choice",
    ["none", {"type": "allowed_tools", "mode": "auto", "tools": [{"name": "safe"}]}],
)
async def test_a_tool_that_the_choice_leaves_out_is_never_run(choice):
    ran = []

    @tool
    def danger() -> None:
        ran.append(1)

    @tool
    def safe() -> None: ...

    model = Scripted(call("danger"), "end")
    agent = Agent(model, tools=[danger, safe], settings=Settings(tool_choice=choice))
    result = await agent.run("go")
    assert ran == []
    assert "no tool named 'danger'" in result.calls[0].output
    assert len(model.requests[0].tools) == 2
