"""One run, through the agent's door, on a scripted model."""

import asyncio

import pytest
from pydantic import BaseModel

from toolstone import (
    Agent,
    Budget,
    EmptyError,
    FailedError,
    InputError,
    OutputError,
    Profile,
    RefusedError,
    Response,
    Settings,
    StoppedError,
    ToolContext,
    ToolError,
    TransportError,
    TruncatedError,
    Usage,
    limits,
    tool,
    user,
)
from toolstone.errors import DroppedError, UsageError
from toolstone.events import Noted
from toolstone.items import parse_item
from toolstone.runs.state import fold
from toolstone.testing import Scripted, call, output


class Report(BaseModel):
    city: str
    population: int


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def test_text_comes_back_as_the_output():
    model = Scripted("hello")
    result = await Agent(model).run("hi")
    assert (result.output, result.outcome, result.usage.total_tokens) == ("hello", "complete", 15)
    assert model.requests[0].items == (user("hi"),)


async def test_a_call_is_run_and_its_output_goes_back():
    model = Scripted(call("add", a=1, b=2), "three")
    result = await Agent(model, tools=[add]).run("1+2?")
    assert result.output == "three"
    assert model.requests[1].items[-1] == output("call_0", "3")
    assert [(c.name, c.output, c.failed) for c in result.calls] == [("add", "3", False)]


async def test_parallel_calls_meet_at_a_barrier_and_answer_in_call_order():
    barrier = asyncio.Barrier(3)
    order = []

    async def meet(n: int) -> int:
        await barrier.wait()
        order.append(n)
        return n

    calls = [call("meet", n=n) for n in (1, 2, 3)]
    model = Scripted(calls, "done")
    await Agent(model, tools=[meet]).run("go")
    assert sorted(order) == [1, 2, 3]
    assert model.requests[1].items[-3:] == (
        output("call_0", "1"),
        output("call_1", "2"),
        output("call_2", "3"),
    )


async def test_call_ids_that_restart_in_every_response_are_told_apart():
    model = Scripted(call("add", a=1, b=1), call("add", a=2, b=2), "ok")
    result = await Agent(model, tools=[add]).run("go")
    assert [(str(c.key), c.output) for c in result.calls] == [("0.0", "2"), ("1.0", "4")]


async def test_an_unknown_tool_is_answered_with_the_names_there_are():
    model = Scripted(call("addd", a=1, b=2), "sorry")
    result = await Agent(model, tools=[add]).run("go")
    told = result.calls[0].output
    assert "addd" in told
    assert "add" in told
    assert result.calls[0].failed


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("{", "JSON"),
        ('{"a": 1}', "b"),
        ('{"a": 1, "b": "x"}', "b"),
        ('{"a": 1, "b": NaN}', "NaN"),
        ('{"a": 1, "a": 2, "b": 3}', "a"),
        ('{"a": 1, "b": 2, "c": 3}', "c"),
        ("[]", "object"),
    ],
)
async def test_bad_arguments_are_told_with_path_and_reason_and_nothing_runs(arguments, reason):
    ran = []

    def add(a: int, b: int) -> int:
        ran.append((a, b))
        return a + b

    model = Scripted(call("add", arguments), "ok")
    result = await Agent(model, tools=[add]).run("go")
    assert ran == []
    assert result.calls[0].failed
    assert reason in result.calls[0].output


async def test_a_failing_tool_leaves_its_siblings_alone():
    def good() -> str:
        return "fine"

    def bad() -> str:
        raise ValueError("the password is hunter2")

    def told() -> str:
        raise ToolError("no such city")

    model = Scripted([call("good"), call("bad"), call("told")], "ok")
    result = await Agent(model, tools=[good, bad, told]).run("go")
    outputs = [c.output for c in result.calls]
    assert outputs[0] == "fine"
    assert "ValueError" in outputs[1]
    assert "hunter2" not in outputs[1]
    assert outputs[2] == "no such city"


async def test_a_fatal_exception_ends_the_run_after_the_siblings_settled():
    class Broken(Exception):
        pass

    done = []

    async def slow() -> str:
        await asyncio.sleep(0)
        done.append("slow")
        return "x"

    def bad() -> str:
        raise Broken

    agent = Agent(Scripted([call("bad"), call("slow")]), tools=[slow, bad], fatal=(Broken,))
    with pytest.raises(FailedError) as caught:
        await agent.run("go")
    assert isinstance(caught.value.__cause__, Broken)
    assert done == ["slow"]


async def test_a_structured_answer_is_validated():
    model = Scripted({"city": "Paris", "population": 2})
    result = await Agent(model, output=Report).run("go")
    assert result.output == Report(city="Paris", population=2)
    assert model.requests[0].output.name == "Report"


async def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_path():
    model = Scripted({"city": "Paris", "population": "many"}, {"city": "Paris", "population": 2})
    result = await Agent(model, output=Report).run("go")
    assert result.output.population == 2
    assert "population" in model.requests[1].items[-1].text


async def test_an_answer_that_never_fits_raises_and_names_the_problems():
    model = Scripted(*[{"city": city} for city in ("Paris", "Rome", "Oslo", "Bern")])
    with pytest.raises(OutputError) as caught:
        await Agent(model, output=Report, reasks=2).run("go")
    assert any("population" in problem for problem in caught.value.problems)
    assert len(model.requests) == 3


@pytest.mark.parametrize("mode", ["native", "tool", "prompted"])
async def test_an_answer_that_is_repeated_word_for_word_is_not_asked_for_once_more(mode):
    wrong, other = ({"city": city} for city in ("Paris", "Rome"))
    turns = [call("final_answer", **one) if mode == "tool" else one for one in (wrong, other)]
    profile = Profile() if mode == "native" else Profile(output=mode)
    model = Scripted(*turns, *[turns[0]] * 5, profile=profile)
    with pytest.raises(OutputError, match="population") as caught:
        await Agent(model, output=Report, reasks=5).run("go", session="s")
    assert len(model.requests) == 4
    assert caught.value.problems


async def test_an_answer_repeated_in_an_earlier_run_counts_from_its_own():
    model = Scripted({"city": "Paris"}, {"city": "Paris"}, {"city": "Paris"}, {"city": "Paris"})
    agent = Agent(model, output=Report)
    for requests in (2, 4):
        with pytest.raises(OutputError):
            await (agent.run("go", session="s") if requests == 2 else agent.resume("s"))
        assert len(model.requests) == requests


async def test_an_answer_first_given_beside_other_calls_is_told_what_is_wrong_with_it():
    final = call("final_answer", city="Paris")
    good = call("final_answer", city="Paris", population=2)
    model = Scripted([call("add", a=1, b=2), final], final, good, profile=Profile(output="tool"))
    result = await Agent(model, tools=[add], output=Report).run("go")
    assert result.output == Report(city="Paris", population=2)


@pytest.mark.parametrize("mode", ["tool", "prompted"])
async def test_other_ways_to_ask_for_structured_output(mode):
    answer = {"city": "Paris", "population": 2}
    turn = call("final_answer", **answer) if mode == "tool" else answer
    model = Scripted(call("add", a=1, b=2), turn, profile=Profile(output=mode))
    result = await Agent(model, tools=[add], output=Report).run("go")
    assert (result.output, result.output_mode) == (Report(**answer), mode)
    assert model.requests[0].output is None


async def test_a_final_answer_beside_other_calls_is_not_taken_yet():
    final = call("final_answer", city="Paris", population=2)
    model = Scripted([call("add", a=1, b=2), final], final, profile=Profile(output="tool"))
    result = await Agent(model, tools=[add], output=Report).run("go")
    assert result.output == Report(city="Paris", population=2)
    assert [c.failed for c in result.calls] == [False, True, False]


def incomplete(reason):
    text = {"type": "output_text", "text": "so f"}
    message = parse_item({"type": "message", "role": "assistant", "content": [text]})
    half = parse_item({"type": "function_call", "call_id": "c", "name": "add", "arguments": "{"})
    return Response("r", "incomplete", (message, half), reason=reason)


async def test_a_cut_off_answer_is_truncated_and_nothing_of_it_runs():
    with pytest.raises(TruncatedError) as caught:
        await Agent(Scripted(incomplete("max_output_tokens")), tools=[add]).run("go")
    assert caught.value.result.partial == "so f"
    assert caught.value.result.calls == ()


async def test_a_filtered_answer_is_a_refusal():
    with pytest.raises(RefusedError):
        await Agent(Scripted(incomplete("content_filter"))).run("go")


async def test_a_refusal_part_is_a_refusal():
    content = [{"type": "refusal", "refusal": "I will not"}]
    item = {"type": "message", "role": "assistant", "content": content}
    with pytest.raises(RefusedError) as caught:
        await Agent(Scripted(item)).run("go")
    assert caught.value.result.partial == "I will not"


async def test_an_empty_answer_is_asked_for_again_once():
    assert (await Agent(Scripted([], "there")).run("go")).output == "there"
    with pytest.raises(EmptyError):
        await Agent(Scripted([], [])).run("go")


async def test_a_model_that_does_not_answer_fails_with_the_cause():
    error = TransportError("connection refused", phase="connect")
    with pytest.raises(FailedError) as caught:
        await Agent(Scripted(error)).run("go")
    assert caught.value.__cause__ is error
    assert (caught.value.kind, caught.value.retryable) == ("transport", True)


async def test_an_answer_that_breaks_off_is_dropped():
    error = TransportError("reset", phase="stream", outcome="partial")
    with pytest.raises(DroppedError):
        await Agent(Scripted(error)).run("go")


async def test_a_failed_run_can_be_resumed():
    model = Scripted(call("add", a=1, b=2), TransportError("reset"), "three")
    agent = Agent(model, tools=[add])
    with pytest.raises(FailedError) as caught:
        await agent.run("go")
    result = await agent.resume(caught.value.session)
    assert result.output == "three"
    assert [c.output for c in result.calls] == ["3"]


async def test_a_response_whose_call_ids_clash_executes_nothing():
    ran = []

    def once(n: int) -> None:
        ran.append(n)

    raw = {"type": "function_call", "call_id": "same", "name": "once", "arguments": '{"n": 1}'}
    with pytest.raises(FailedError, match="call_id"):
        await Agent(Scripted([raw, raw]), tools=[once]).run("go")
    assert ran == []


async def test_the_same_call_again_and_again_is_warned_then_stopped():
    model = Scripted(*[call("add", a=1, b=2)] * 9)
    with pytest.raises(StoppedError, match="repeatable"):
        await Agent(model, tools=[add]).run("go")
    assert len(model.requests) == 4
    assert "same calls" in model.requests[3].items[-1].text


async def test_calls_that_alternate_are_noticed_too():
    turns = [call("add", a=1, b=2), call("add", a=2, b=1)] * 6
    with pytest.raises(StoppedError):
        await Agent(Scripted(*turns), tools=[add]).run("go")


async def test_a_repeatable_tool_may_be_called_again_and_again():
    @tool(repeatable=True)
    def poll() -> str:
        """Look whether it is done."""
        return "not yet"

    model = Scripted(*[call("poll")] * 8, "done")
    assert (await Agent(model, tools=[poll]).run("go")).output == "done"


async def test_turns_are_finite_and_running_out_can_be_resumed_with_more():
    turns = [call("add", a=n, b=n) for n in range(5)]
    agent = Agent(Scripted(*turns, "done"), tools=[add], budget=Budget(requests=3))
    with pytest.raises(StoppedError, match="requests") as caught:
        await agent.run("go", session="s")
    assert caught.value.result.usage.requests == 3
    with pytest.raises(StoppedError):
        await agent.resume("s")
    assert (await agent.resume("s", budget=Budget(requests=9))).output == "done"


async def test_more_calls_than_a_turn_may_have_are_answered_not_run(monkeypatch):
    monkeypatch.setattr(limits, "CALLS_PER_TURN", 2)
    model = Scripted([call("add", a=n, b=n) for n in range(3)], "ok")
    result = await Agent(model, tools=[add]).run("go")
    assert [c.failed for c in result.calls] == [False, False, True]
    assert "2" in result.calls[2].output


async def test_concurrency_caps_what_runs_at_once():
    now, most = 0, 0

    async def work(n: int) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1

    model = Scripted([call("work", n=n) for n in range(8)], "ok")
    await Agent(model, tools=[work], concurrency=3).run("go")
    assert most == 3


async def test_a_forced_choice_is_over_once_it_happened():
    model = Scripted(call("add", a=1, b=2), "ok")
    await Agent(model, tools=[add], settings=Settings(tool_choice="required")).run("go")
    assert [r.tool_choice for r in model.requests] == ["required", "auto"]


async def test_a_tool_name_as_choice_forces_that_tool():
    model = Scripted(call("add", a=1, b=2), "ok")
    await Agent(model, tools=[add], settings=Settings(tool_choice="add")).run("go")
    assert model.requests[0].tool_choice == {"type": "function", "name": "add"}


async def test_server_state_sends_only_what_is_new():
    model = Scripted(call("add", a=1, b=2), "three", "ok")
    agent = Agent(model, tools=[add], settings=Settings(state="server"))
    result = await agent.run("go", session="s")
    await agent.run("more", session="s")
    assert result.output == "three"
    assert [(r.previous, len(r.items)) for r in model.requests] == [
        (None, 1),
        ("resp_0", 1),
        ("resp_1", 1),
    ]


async def test_a_conversation_goes_on_from_a_result_or_under_a_name():
    model = Scripted("one", "two", "three")
    agent = Agent(model)
    first = await agent.run("a")
    await agent.run("b", after=first)
    assert [i.text for i in model.requests[1].items] == ["a", "one", "b"]
    await agent.run("c", session="s")
    assert [i.text for i in model.requests[2].items] == ["c"]


async def test_instructions_may_be_a_function_of_the_context():
    model = Scripted("ok")

    async def instruct(context: ToolContext[str]) -> str:
        return f"speak {context.deps}"

    await Agent(model, instructions=instruct).run("go", deps="French")
    assert model.requests[0].instructions == "speak French"


async def test_instructions_that_cannot_be_made_are_the_callers_error_and_nothing_is_sent():
    model = Scripted()

    def instruct(context: ToolContext[dict]) -> str:
        return context.deps["language"]

    with pytest.raises(UsageError, match=r"instructions=.*instruct: it raised KeyError") as caught:
        await Agent(model, instructions=instruct).run("go", deps={})
    assert isinstance(caught.value.__cause__, KeyError)
    assert model.requests == []


async def test_tools_see_run_call_deps_and_what_is_left():
    seen = []

    def look(context: ToolContext[dict]) -> None:
        seen.append((str(context.call), context.deps, context.budget.requests))

    result = await Agent(Scripted(call("look"), "ok"), tools=[look]).run("go", deps={"x": 1})
    assert seen == [("0.0", {"x": 1}, 31)]
    assert result.calls[0].output is not None


async def test_two_tools_of_one_name_cannot_be():
    with pytest.raises(TypeError, match="add"):
        Agent(Scripted(), tools=[add, add])


async def test_input_that_cannot_be_says_what_can():
    with pytest.raises(InputError, match="items"):
        await Agent(Scripted("x")).run(5)


async def test_a_sub_agent_spends_from_the_same_budget():
    inner = Agent(Scripted("inner"), name="helper", instructions="help")
    model = Scripted(call("helper", request="x"), "done")
    outer = Agent(model, tools=[inner.as_tool(description="Helps.")], budget=Budget(requests=3))
    result = await outer.run("go")
    assert result.output == "done"
    assert result.usage.requests == 3
    assert result.calls[0].output == "inner"


async def test_a_sub_agent_cannot_overdraw_the_budget_of_its_parent():
    inner = Agent(Scripted(*[call("add", a=n, b=n) for n in range(9)]), tools=[add], name="helper")
    model = Scripted(call("helper", request="x"), "done")
    outer = Agent(model, tools=[inner.as_tool(description="Helps.")], budget=Budget(requests=4))
    with pytest.raises(StoppedError) as caught:
        await outer.run("go")
    assert caught.value.result.usage.requests == 4
    assert "stopped" in caught.value.result.calls[0].output


async def test_a_forced_call_that_does_not_happen_is_asked_for_again_and_then_an_error():
    forced = Settings(tool_choice="required")
    model = Scripted("I will not", call("add", a=1, b=2), "three")
    result = await Agent(model, tools=[add], settings=forced).run("go")
    assert (result.output, len(result.calls)) == ("three", 1)
    assert "Call one of your tools" in model.requests[1].items[-1].text
    with pytest.raises(FailedError, match="tool_choice"):
        await Agent(Scripted(*["no"] * 3), tools=[add], settings=forced).run("go")


async def test_attempts_that_failed_are_counted_as_requests():
    notes = tuple(Noted("attempt", "reset", data={"attempt": n}) for n in (1, 2))
    item = parse_item({"role": "assistant", "content": [{"type": "output_text", "text": "hi"}]})
    late = Response("r", "completed", (item,), notes=notes)
    agent = Agent(Scripted(late), tools=[add])
    await agent.run("go", session="s")
    assert fold((await agent.resume("s")).records).requests == 3
    failed = TransportError("reset")
    failed.notes = notes
    with pytest.raises(FailedError) as caught:
        await Agent(Scripted(failed), tools=[add]).run("go")
    assert fold(caught.value.result.records).requests == 2


async def test_what_json_cannot_say_is_refused_at_the_door():
    for bad in (float("nan"), float("inf")):
        item = {"role": "user", "content": [{"type": "input_text", "text": "x", "n": bad}]}
        with pytest.raises(InputError):
            await Agent(Scripted("x")).run([item])
    named = {"role": "user", "content": "what is NaN or Infinity?"}
    assert (await Agent(Scripted("x")).run([named])).output == "x"


async def test_what_each_turn_used_is_told_with_the_tier_that_was_given():
    asks = parse_item(
        {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a":1,"b":2}'}
    )
    says = parse_item({"type": "message", "role": "assistant", "content": "3"})
    first = Usage(input_tokens=2_000, output_tokens=9, cache_write_tokens=1_900, requests=1)
    second = Usage(input_tokens=2_050, output_tokens=4, cached_tokens=1_900, requests=1)
    model = Scripted(
        Response("r1", "completed", (asks,), first, "m", service_tier="priority"),
        Response("r2", "completed", (says,), second, "m", service_tier="default"),
    )

    result = await Agent(model, tools=[add], settings=Settings(service_tier="auto")).run("1 + 2?")

    assert [(turn.usage, turn.service_tier) for turn in result.turns] == [
        (first, "priority"),
        (second, "default"),
    ]
    assert result.usage == first + second
