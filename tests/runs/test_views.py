"""What is sent of a long conversation, and that the ledger keeps all of it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone import (
    Agent,
    Budget,
    DefinitionError,
    FailedError,
    Image,
    LastTurns,
    MemoryLedger,
    Price,
    Profile,
    Response,
    ServerCompaction,
    Settings,
    StatusError,
    StoppedError,
    Summary,
    TrimResults,
    Unsupported,
    Usage,
    assistant,
    developer,
    tool,
    user,
)
from toolstone.events import Noted
from toolstone.items import parse_item
from toolstone.outcomes import answers, asks
from toolstone.runs.state import fold
from toolstone.runs.transcript import transcript
from toolstone.runs.views import joints
from toolstone.testing import Scripted, call

LONG = "x" * 900


def look(word: str) -> str:
    """Look a word up."""
    return f"{word}: {LONG}"


def said(items):
    """Roles, calls and outputs, in short."""
    return [item.raw.get("role") or item.type for item in items]


def texts(items):
    return [item.text for item in items if item.type == "message"]


def thought(text="hm"):
    return {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": text}]}


def summing(turns):
    """A model whose answer to a request for a summary is one; `turns` are for the others."""
    left = iter(turns)

    def answer(request):
        if request.instructions and "beginning of a conversation" in request.instructions:
            return "THE SUMMARY"
        return next(left)

    return Scripted(*[answer] * 40)


def conversation(requests):
    """The requests that are not for a summary."""
    return [r for r in requests if not (r.instructions or "").startswith("You are given the")]


# ------------------------------------------------------------------------------------ last turns


async def test_only_the_last_turns_are_sent_and_the_ledger_has_all():
    model = Scripted("one", [thought(), call("look", word="a")], "two", "three")
    agent = Agent(model, tools=[look], view=LastTurns(2))
    for text in ("first", "second", "third"):
        result = await agent.run(text, session="s")

    assert texts(model.requests[2].items) == ["first", "one", "second"]
    assert said(model.requests[3].items) == [
        "user",
        "reasoning",
        "function_call",
        "function_call_output",
        "assistant",
        "user",
    ]
    assert texts(result.items) == ["first", "one", "second", "two", "third", "three"]


async def test_what_was_told_before_anybody_spoke_is_always_sent():
    model = Scripted("yes")
    history = [developer("Be brief."), user("a"), assistant("b"), user("c")]
    await Agent(model, view=LastTurns(1)).run(history)
    assert texts(model.requests[0].items) == ["Be brief.", "c"]


async def test_being_asked_again_is_no_turn_of_its_own():
    model = Scripted("not json", '{"n": 1}')
    agent = Agent(model, output=dict[str, int], view=LastTurns(1))
    await agent.run([user("old"), assistant("older"), user("Give me n")])
    assert texts(model.requests[1].items)[0] == "Give me n"


# ---------------------------------------------------------------------------------- trim results


async def test_old_results_are_cut_and_what_the_model_has_not_seen_is_whole():
    model = Scripted(call("look", word="a"), call("look", word="b"), "done")
    result = await Agent(model, tools=[look], view=TrimResults(10)).run("go")

    first, second = (r.items[2::2] for r in model.requests[1:])
    assert first[0].output == f"a: {LONG}"
    assert [item.output for item in second] == [
        f"a: {LONG}"[:10] + "\n[cut: 10 of 903 characters]",
        f"b: {LONG}",
    ]
    assert [one.output for one in result.calls] == [f"a: {LONG}", f"b: {LONG}"]


async def test_images_of_old_results_are_left_out():
    parts = [{"type": "input_image", "file_id": "f"}, {"type": "input_text", "text": "12345"}]
    custom = {"type": "custom_tool_call", "call_id": "a", "name": "n", "input": ""}
    told = {"type": "custom_tool_call_output", "call_id": "a", "output": [*parts, {"type": "new"}]}
    model = Scripted([call("look", word="b"), call("look", word="c")], "done")
    agent = Agent(model, tools=[look], view=TrimResults(3, keep_last=1))
    await agent.run([user("q"), custom, told, "go"])

    assert model.requests[1].items[2].raw["output"] == [
        {"type": "input_text", "text": "[image left out]"},
        {"type": "input_text", "text": "123\n[cut: 3 of 5 characters]"},
        {"type": "new"},
    ]
    assert model.requests[1].items[-1].output == f"c: {LONG}"
    assert model.requests[0].items[2].raw == told


# --------------------------------------------------------------------------------------- summary


async def test_what_has_grown_long_is_replaced_by_a_summary_and_sent_again_by_who_resumes():
    calls = [call("look", word=word) for word in "abcdef"]
    model = summing([*calls, "done"])
    ledger = MemoryLedger()
    agent = Agent(model, tools=[look], view=Summary(1_000, keep_last=2), ledger=ledger)
    result = await agent.run("Find them all", session="s")

    noted = [r.fact for r in result.records if r.fact.type == "noted"]
    assert {note.what for note in noted} == {"compacted"}
    last = conversation(model.requests)[-1].items
    assert last[0].text == "Find them all"
    assert last[1].text.startswith("Summary of the conversation before this point")
    assert last[1].text.endswith("THE SUMMARY")
    assert said(last[2:4]) == ["function_call", "function_call_output"]
    assert len(last) < len(result.items)
    assert len(result.items) == 2 + 2 * 6
    assert result.usage.requests == 7 + len(noted)

    asked = [r for r in model.requests if r not in conversation(model.requests)]
    assert "user: Find them all" in asked[0].items[0].text
    assert "assistant calls look" in asked[0].items[0].text
    assert "THE SUMMARY" in asked[-1].items[0].text

    again = fold(await ledger.load("s"))
    other = Agent(summing(["more"]), view=Summary(1_000_000), ledger=ledger)
    await other.run("And now?", session="s")
    sent = other._shop.model.requests[0].items
    assert [item.raw for item in sent[: len(again.base)]] == [i.raw for i in again.base]
    assert sent[-1].text == "And now?"


@pytest.mark.parametrize("view", [Summary(700, keep_last=2), Summary(300, keep_last=0)])
async def test_cut_off_after_any_fact_and_resumed_it_ends_as_if_nothing_had_happened(view):
    def answer(request):
        if request.instructions:
            found = re.findall(r"(\d): x|SUMMARY (\d)", request.items[0].text)
            return f"SUMMARY {max(''.join(pair) for pair in found)}"
        results = [item.output for item in request.items if item.type == "function_call_output"]
        found = [r[0] for r in results] + [
            c for t in texts(request.items) for c in t if c in "12345"
        ]
        step = int(max(found, default="0"))
        return "done" if step == 5 else call("look", word=str(step + 1))

    def agent(ledger):
        repeatable = tool(repeatable=True)(look)
        made = Scripted(*[answer] * 40)
        return Agent(made, tools=[repeatable], view=view, ledger=ledger)

    whole = await agent(MemoryLedger()).run("go", session="s")
    assert [record for record in whole.records if record.fact.type == "noted"]
    for died in range(1, len(whole.records)):
        ledger = MemoryLedger()
        await ledger.append("s", whole.records[:died])
        result = await agent(ledger).resume("s")
        assert result.output == whole.output
        assert result.usage.total_tokens >= whole.usage.total_tokens


async def test_an_image_is_not_counted_by_its_letters():
    image = Image(data=b"\x89PNG" + b"x" * 90_000)
    model = Scripted("A dot.", "Still.")
    agent = Agent(model, view=Summary(5_000))
    await agent.run(["What is it?", image], session="s")
    result = await agent.run("Sure?", session="s")
    assert not [record for record in result.records if record.fact.type == "noted"]


async def test_a_view_leaves_out_reasoning_that_another_endpoint_has_minted():
    def answer(endpoint):
        items = (parse_item(thought()), assistant("ok"))
        return Response("r", "completed", items, endpoint=endpoint)

    model = Scripted(answer("https://a"), answer("https://b"), "end")
    model.origin = "https://b"
    agent = Agent(model, view=LastTurns(9))
    for text in ("one", "two", "three"):
        await agent.run(text, session="s")
    assert said(model.requests[2].items) == [
        "user",
        "assistant",
        "user",
        "reasoning",
        "assistant",
        "user",
    ]


def test_the_model_of_a_summary_is_checked_when_the_agent_is_made():
    with pytest.raises(DefinitionError, match="nobody"):
        Agent(Scripted(), view=Summary(9, model="nobody/there"))


async def test_the_summary_is_not_shown_to_who_watches():
    model = summing([call("look", word="a"), call("look", word="b"), call("look", word="c"), "ok"])
    agent = Agent(model, tools=[look], view=Summary(600, keep_last=1))
    async with agent.stream("go") as stream:
        shown = "".join([text async for text in stream.text()])
        result = await stream.result()
    assert shown == "ok"
    assert any(isinstance(record.fact, Noted) for record in result.records)


async def test_a_model_of_its_own_writes_the_summary_and_is_paid_by_its_own_price():
    writer = Scripted(*["short"] * 10)
    writer.name = "writer"
    model = Scripted(call("look", word="a"), call("look", word="b"), call("look", word="c"), "ok")
    budget = Budget(
        dollars=1, prices={"scripted": Price(input=1, output=1), "writer": Price(input=1, output=1)}
    )
    agent = Agent(model, tools=[look], budget=budget, view=Summary(500, keep_last=1, model=writer))
    result = await agent.run("go")
    assert result.output == "ok"
    assert writer.requests
    assert all(r.settings.max_output_tokens for r in writer.requests)

    with pytest.raises(DefinitionError, match="no price for model 'writer'"):
        unpriced = Budget(dollars=1, prices={"scripted": Price(input=1, output=1)})
        await agent.run("go", budget=unpriced)


async def test_a_budget_that_cannot_pay_for_the_summary_stops_the_run():
    model = summing(["done"])
    agent = Agent(model, view=Summary(100, keep_last=1), budget=Budget(tokens=200))
    with pytest.raises(StoppedError, match="tokens are used up"):
        await agent.run([user(LONG), assistant("ok"), user("go on")], session="s")
    assert model.requests == []
    result = await agent.resume("s", budget=Budget(tokens=10_000))
    assert len(model.requests) > len(conversation(model.requests))
    assert result.output == "done"


async def test_a_summary_that_is_none_ends_the_run_and_is_tried_again_on_resume():
    cut_off = Response("r", "incomplete", (), Usage(5, 5, requests=1), reason="max_output_tokens")
    turns = [call("look", word=word) for word in "abc"]
    model = Scripted(*turns[:2], cut_off, "SUM", "done")
    agent = Agent(model, tools=[look], view=Summary(500, keep_last=1))
    with pytest.raises(FailedError, match=r"gave no summary .*'max_output_tokens'"):
        await agent.run("go", session="s")
    result = await agent.resume("s")
    assert result.output == "done"
    assert result.usage.requests == 5


# ------------------------------------------------------------------------------------- overflow


def overflow():
    error = StatusError("too long", status=400, code="context_length_exceeded", outcome="none")
    error.means = "context"
    error.notes = (Noted("attempt", "400"),)
    return error


async def test_what_does_not_fit_is_summed_up_once_and_asked_again():
    model = Scripted(call("look", word="a"), overflow(), "SUM", "done")
    budget = Budget(requests=10, tokens=100_000)
    agent = Agent(model, tools=[look], view=Summary(50_000), budget=budget)
    result = await agent.run("go", session="s")

    assert result.output == "done"
    assert [record.fact.what for record in result.records if record.fact.type == "noted"] == [
        "attempt",
        "overflow",
        "compacted",
    ]
    assert len(model.requests[-1].items) < len(model.requests[1].items)
    again = fold(result.records)
    assert (again.requests, again.lost, again.asked) == (4, Usage(), None)


async def test_what_does_not_fit_then_either_is_an_error():
    model = Scripted(call("look", word="a"), overflow(), "SUM", overflow())
    with pytest.raises(FailedError, match="too long"):
        await Agent(model, tools=[look], view=Summary(50_000)).run("go")


async def test_a_question_that_is_too_long_itself_is_not_summed_up():
    model = Scripted(overflow())
    with pytest.raises(FailedError, match="too long"):
        await Agent(model, view=Summary(50_000)).run([assistant("Hello."), user("q" * 5_000)])
    assert len(model.requests) == 1


async def test_without_a_view_the_error_is_the_services():
    with pytest.raises(FailedError, match="too long"):
        await Agent(Scripted(overflow())).run("go")


# ---------------------------------------------------------------------------- server compaction

BLOB = {"type": "compaction", "id": "cmp", "encrypted_content": "abc"}


class Compacting(Scripted):
    """A model whose service compacts."""

    bodies: list

    async def compact(self, body):
        class Made:
            items = (user("kept"), parse_item(BLOB))
            usage = Usage(7, 3, requests=1)

        self.bodies.append(body)
        return Made()


async def test_the_service_compacts_and_what_it_gives_is_sent_as_it_is():
    model = Compacting(call("look", word="a"), call("look", word="b"), "done")
    model.bodies = []
    view = ServerCompaction(500)
    agent = Agent(model, tools=[look], view=view, instructions="Work.", budget=Budget(tokens=9_999))
    result = await agent.run("go", session="s")

    assert [item.raw for item in model.requests[2].items] == [user("kept").raw, BLOB]
    assert model.bodies[0]["instructions"] == "Work."
    assert said(map(parse_item, model.bodies[0]["input"])) == [
        "user",
        *["function_call", "function_call_output"] * 2,
    ]
    assert result.usage.input_tokens == 10 * 3 + 7


async def test_a_new_chain_begins_where_the_service_kept_the_old_one():
    model = Compacting(call("look", word="a"), call("look", word="b"), "done")
    model.bodies = []
    settings = Settings(state="server")
    agent = Agent(model, tools=[look], view=ServerCompaction(500), settings=settings)
    await agent.run("go")
    assert [request.previous for request in model.requests] == [None, "resp_0", None]


async def test_a_model_that_cannot_compact_says_what_can():
    agent = Agent(Scripted("one"), view=ServerCompaction(1))
    with pytest.raises(Unsupported, match=r"Use view=Summary\(...\)"):
        await agent.run("go", session="s")
    model = Compacting("one", profile=Profile(name="small", unsupported={"compaction": "Sum up."}))
    with pytest.raises(Unsupported, match=r"small has no operation .*Sum up"):
        await Agent(model, view=ServerCompaction(1)).run("go")
    assert model.requests == []


async def test_what_stands_before_a_compaction_in_a_response_is_not_sent_any_more():
    model = Scripted([BLOB, call("look", word="a")], "done", "more")
    agent = Agent(model, tools=[look])
    result = await agent.run("go", session="s")
    assert said(model.requests[1].items) == ["compaction", "function_call", "function_call_output"]
    assert said(result.items)[0] == "user"

    after = await Agent(Scripted("fine"), tools=[look]).run("more", after=result)
    assert said(after.items)[:2] == ["user", "compaction"]
    follow = Agent(Scripted("fine"))
    await follow.run([*result.items, user("more")])
    assert said(follow._shop.model.requests[0].items)[0] == "compaction"


async def test_calls_before_a_compaction_in_their_response_stay_with_their_outputs():
    model = Scripted([call("look", word="a"), BLOB], "done")
    await Agent(model, tools=[look]).run("go")
    assert said(model.requests[1].items) == ["function_call", "compaction", "function_call_output"]


async def test_a_summary_keeps_what_only_the_service_can_read():
    model = summing([[BLOB, call("look", word="a")], call("look", word="b"), "done"])
    agent = Agent(model, tools=[look], view=Summary(600, keep_last=1))
    await agent.run("go")
    assert said(conversation(model.requests)[-1].items)[0] == "compaction"


# ---------------------------------------------------------------------------------- as an option


@pytest.mark.parametrize(
    ("view", "says"),
    [
        (lambda: LastTurns(0), r"LastTurns\(turns=0\): give a whole number from 1 up"),
        (lambda: TrimResults(keep_last=0), "keep_last=0"),
        (lambda: TrimResults(characters="many"), "characters='many'"),
        (lambda: Summary(above=0), "above=0"),
        (lambda: Summary(9, keep_last=-1), "from 0 up"),
        (lambda: ServerCompaction(above=True), "above=True"),
        (lambda: Agent("local/x", view="short"), "view= holds a 'str'"),
        (lambda: Agent("local/x", view=[3]), "view= holds a 'int'"),
        (lambda: Agent("local/x", view=[Summary(9), ServerCompaction(9)]), "give one"),
    ],
)
def test_a_view_that_cannot_be_is_refused(view, says):
    with pytest.raises(DefinitionError, match=says):
        view()


@pytest.mark.parametrize(
    ("view", "settings"),
    [
        (LastTurns(1), Settings(state="server")),
        (TrimResults(), Settings(state="server")),
        (Summary(9), Settings(conversation="conv_1")),
    ],
)
async def test_a_view_of_what_the_service_keeps_is_refused(view, settings):
    with pytest.raises(DefinitionError, match="the service keeps the conversation"):
        await Agent(Scripted(), view=view, settings=settings).run("go")


def test_an_agent_is_given_another_view_or_none():
    agent = Agent(Scripted("a", "b", "c"), view=LastTurns(1))
    history = [user("old"), assistant("older"), user("new")]
    agent.run_sync(history)
    agent.with_(view=None).run_sync(history)
    agent.with_(name="same").run_sync(history)
    assert [len(request.items) for request in agent._shop.model.requests] == [1, 3, 1]


async def test_several_views_are_applied_in_their_order():
    model = Scripted(call("look", word="a"), call("look", word="b"), "done")
    agent = Agent(model, tools=[look], view=[LastTurns(1), TrimResults(5)])
    await agent.run([user("old"), assistant("older"), user("new")])
    assert texts(model.requests[2].items) == ["new"]
    assert model.requests[2].items[2].output.startswith("a: xx\n[cut")


# ------------------------------------------------------------------------------------ legal input

turn = st.lists(
    st.sampled_from(["message", "thought", "call", "calls", "custom", "search", "shell"]),
    max_size=4,
)


def build(plan):
    """A legal history: user turns, each answered by responses with their outputs."""
    items, number = [], 0
    for steps in plan:
        items.append(user("u"))
        for step in steps:
            number += 1
            match step:
                case "message":
                    items.append(assistant("a"))
                case "thought":
                    items += [parse_item(thought()), assistant("a")]
                case "search":
                    items += [parse_item({"type": "web_search_call", "id": "w"}), assistant("a")]
                case "shell":
                    made = {"type": "shell_call", "call_id": f"s{number}", "action": {}}
                    told = {"type": "shell_call_output", "call_id": f"s{number}", "output": []}
                    items += [parse_item(thought()), parse_item(made), parse_item(told)]
                case "custom":
                    raw = {
                        "type": "custom_tool_call",
                        "call_id": "call_0",
                        "name": "n",
                        "input": LONG,
                    }
                    items += [parse_item(raw)]
                    items += [
                        parse_item(
                            {"type": "custom_tool_call_output", "call_id": "call_0", "output": LONG}
                        )
                    ]
                case _:
                    count = 2 if step == "calls" else 1
                    items.append(parse_item(thought()))
                    items += [
                        parse_item(
                            {
                                "type": "function_call",
                                "call_id": f"call_{n}",
                                "name": "f",
                                "arguments": "{}",
                            }
                        )
                        for n in range(count)
                    ]
                    items += [
                        parse_item(
                            {"type": "function_call_output", "call_id": f"call_{n}", "output": LONG}
                        )
                        for n in range(count)
                    ]
    return items  # fmt: skip


def check_legal(items):
    waiting = set()
    for place, item in enumerate(items):
        if (link := asks(item)) is not None:
            assert link not in waiting
            waiting.add(link)
        elif (link := answers(item)) is not None:
            assert link in waiting
            waiting.remove(link)
        if item.type == "reasoning":
            assert place + 1 < len(items)
            assert said([items[place + 1]])[0] not in {"user", "reasoning"}
    assert not waiting


@given(st.lists(turn, max_size=6), st.integers(1, 4), st.integers(1, 3))
def test_whatever_the_history_what_is_sent_is_legal_input(plan, turns, keep):
    items = [*build(plan), user("now")]
    check_legal(items)
    for view in (LastTurns(turns), TrimResults(5, keep_last=keep)):
        sent = view.shorten(items, len(items))
        check_legal(sent)
        assert sent[-1] is items[-1]
    for place in joints(items):
        check_legal(items[place:])
        check_legal(items[:place])


@given(st.lists(turn, max_size=8), st.integers(1, 600), st.integers(0, 4))
def test_whatever_the_history_a_cut_for_a_summary_leaves_legal_input(plan, above, keep):
    from toolstone.runs.state import Run

    run = Run("s")
    run.history.extend([*build(plan), user("now")])
    run.told = len(run.history)
    for forced in (False, True):
        view = Summary(above, keep_last=keep)
        cut = view.cut(run, forced=forced)
        if cut is not None:
            check_legal(run.history[cut.upto :])
            assert 0 < cut.upto <= len(run.history)
            assert isinstance(json.dumps([item.raw for item in view.replacement(cut, "s")]), str)


# ------------------------------------------------------------------------------------- transcript


def test_a_transcript_tells_every_kind_of_item():
    items = [
        user(["Look", {"type": "input_image", "file_id": "f"}]),
        parse_item(thought("let me see")),
        parse_item({"type": "function_call", "name": "f", "arguments": '{"a":1}', "call_id": "c"}),
        parse_item({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "one"}, 3]}),
        parse_item({"type": "custom_tool_call", "name": "g", "input": "go", "call_id": "d"}),
        parse_item({"type": "custom_tool_call_output", "call_id": "d", "output": "went"}),
        parse_item({"type": "shell_call_output", "call_id": "e", "output": [{"stdout": "x"}]}),
        parse_item({"type": "web_search_call", "status": "completed"}),
        parse_item({"type": "reasoning", "summary": []}),
        parse_item({"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}, {"type": "new"}]}),
        parse_item(BLOB),
    ]  # fmt: skip
    assert transcript(items, 10_000).split("\n\n") == [
        "user: Look [image]",
        "assistant (thinking): let me see",
        'assistant calls f: {"a":1}',
        "result: one 3",
        "assistant calls g: go",
        "result: went",
        'result: {"stdout":"x"}',
        'web_search_call: {"type":"web_search_call","status":"completed"}',
        'assistant: no {"type":"new"}',
    ]


def test_a_transcript_keeps_to_its_room():
    items = [user(f"{n} {'y' * 50}") for n in range(10)]
    told = transcript(items, 200).split("\n\n")
    assert told[0].startswith("user: 0 ")
    assert told[1] == "[7 paragraphs are left out here]"
    assert told[-1].startswith("user: 9 ")
    assert transcript(items[:1], 10) == "user: 0 yy"
    assert transcript(items[:2], 20) == "user: 0 yy\n\nuser: 1 yy"
    assert transcript([], 20) == ""
    assert "996 characters left out" in transcript([user("z" * 4_996)], 9_999)
