"""Sessions: waiting, ruling, resuming, dying, and two writers."""

import asyncio

import pytest

from toolstone import (
    Agent,
    ConflictError,
    InputError,
    MemoryLedger,
    RunCancelled,
    SQLiteLedger,
    Tool,
    tool,
)
from toolstone.errors import StorageError
from toolstone.runs.state import fold
from toolstone.testing import Scripted, call, output

paid = []


@tool(approve=lambda arguments: arguments["amount"] > 3)
def pay(amount: int) -> str:
    """Pay.

    Args:
        amount: Dollars.
    """
    paid.append(amount)
    return f"paid {amount}"


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request, tmp_path):
    paid.clear()
    if request.param == "memory":
        yield MemoryLedger()
    else:
        found = SQLiteLedger(tmp_path / "runs.sqlite")
        yield found
        found.close()


async def test_an_approved_call_runs_when_the_session_is_resumed(ledger):
    model = Scripted(call("pay", amount=5), "done")
    agent = Agent(model, tools=[pay], ledger=ledger)

    waiting = await agent.run("pay five", session="s")
    assert (waiting.outcome, waiting.waiting[0].state, paid) == ("waiting", "approval", [])
    await agent.approve("s", waiting.waiting[0])
    result = await agent.resume("s")

    assert (result.output, paid) == ("done", [5])


async def test_a_denied_call_tells_the_model_why(ledger):
    model = Scripted(call("pay", amount=5), "understood")
    agent = Agent(model, tools=[pay], ledger=ledger)

    waiting = await agent.run("pay five", session="s")
    await agent.deny("s", waiting.calls[0], reason="over the limit")
    result = await agent.resume("s")

    assert (result.output, paid) == ("understood", [])
    assert model.requests[-1].items[-1] == output("call_0", "denied: over the limit")


async def test_calls_that_need_nobody_run_before_the_run_waits(ledger):
    model = Scripted([call("pay", amount=1), call("pay", amount=9)], "done")
    agent = Agent(model, tools=[pay], ledger=ledger)
    waiting = await agent.run("pay", session="s")
    assert paid == [1]
    assert [str(c.key) for c in waiting.waiting] == ["0.1"]
    assert (await agent.resume("s")).outcome == "waiting"
    await agent.approve("s", "0.1")
    await agent.resume("s")
    assert paid == [1, 9]


async def test_a_ruling_about_a_call_that_does_not_wait_says_which_do(ledger):
    agent = Agent(Scripted(call("pay", amount=5)), tools=[pay], ledger=ledger)
    await agent.run("pay", session="s")
    with pytest.raises(InputError, match=r"0\.0 \(approval\)"):
        await agent.approve("s", "7.0")
    with pytest.raises(InputError, match="deferred or unknown"):
        await agent.settle("s", "0.0", again=True)
    with pytest.raises(InputError, match="exactly one"):
        await agent.settle("s", "0.0")
    with pytest.raises(InputError, match="no session"):
        await agent.approve("t", "0.0")


async def test_the_wrong_ruling_names_the_right_one(ledger):
    order = Tool.from_schema("order", {"type": "object"})
    calls = [call("pay", amount=5), call("order", amount=1)]
    agent = Agent(Scripted(calls), tools=[pay, order], ledger=ledger)
    await agent.run("pay", session="s")
    with pytest.raises(InputError, match=r"0\.1 is 'deferred'.* Use settle\(\.\.\.\) with result="):
        await agent.approve("s", "0.1")
    with pytest.raises(InputError, match=r"0\.0 is 'approval'.* Use approve\(.*deny\("):
        await agent.settle("s", "0.0", result="no")


async def test_something_new_cannot_be_said_while_calls_wait(ledger):
    agent = Agent(Scripted(call("pay", amount=5)), tools=[pay], ledger=ledger)
    await agent.run("pay", session="s")
    with pytest.raises(InputError, match="resume"):
        await agent.run("more", session="s")


async def test_a_deferred_tool_is_answered_through_settle(ledger):
    schema = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
    ask = Tool.from_schema("ask_a_person", schema, description="Asks.")
    model = Scripted(call("ask_a_person", q="?"), "done")
    agent = Agent(model, tools=[ask], ledger=ledger)
    waiting = await agent.run("go", session="s")
    assert waiting.waiting[0].state == "deferred"
    await agent.settle("s", "0.0", result={"answer": 42})
    assert (await agent.resume("s")).output == "done"
    assert model.requests[-1].items[-1] == output("call_0", '{"answer":42}')


async def test_a_complete_session_gives_its_result_again_without_a_request(ledger):
    model = Scripted("done", "next")
    agent = Agent(model, ledger=ledger)
    await agent.run("go", session="s")
    assert (await agent.resume("s")).output == "done"
    assert len(model.requests) == 1
    assert (await agent.run("more", session="s")).output == "next"
    assert [i.text for i in model.requests[1].items] == ["go", "done", "more"]


async def test_the_second_of_two_writers_gets_a_conflict_before_it_pays(ledger):
    first = Agent(Scripted("one"), ledger=ledger)
    model = Scripted("two")
    second = Agent(model, ledger=ledger)
    run, found = await second._sessions.load("s")
    await first.run("go", session="s")

    from toolstone.events import Asked
    from toolstone.runs.journal import Journal

    with pytest.raises(ConflictError, match="somebody else"):
        await Journal(run, "r", ledger=found, now=lambda: 0.0).record(Asked(1))
    assert model.requests == []


class PowerCut(BaseException):
    """The process is gone."""


class Dying:
    """A ledger that lets so many appends through, and dies before or after the next."""

    def __init__(self, ledger, appends, *, after):
        self.ledger, self.left, self.after = ledger, appends, after

    async def load(self, session):
        return await self.ledger.load(session)

    async def append(self, session, records):
        if self.left == 0 and not self.after:
            raise PowerCut
        await self.ledger.append(session, records)
        if self.left == 0:
            raise PowerCut
        self.left -= 1


def effects_agent(turns, ledger, effects, *, repeatable):
    @tool(repeatable=repeatable)
    def act(n: int) -> str:
        """Act."""
        effects.append(n)
        return f"did {n}"

    return Agent(Scripted(*turns), tools=[act], ledger=ledger)


TURNS = [[call("act", n=1), call("act", n=2)], call("act", n=3), "done"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("repeatable", [False, True])
@pytest.mark.parametrize("cut", range(20))
async def test_a_power_cut_at_any_fact_and_a_resume_lose_and_double_nothing(cut, repeatable, after):
    ledger, effects = MemoryLedger(), []
    dying = Dying(ledger, cut, after=after)
    uncut = False
    try:
        await effects_agent(TURNS, dying, effects, repeatable=repeatable).run("go", session="s")
        uncut = True
    except PowerCut:
        pass
    records = await ledger.load("s")
    if not records or uncut:
        return  # it died before the run began, or not at all
    answered = fold(records).responses
    agent = effects_agent(TURNS[answered:], ledger, effects, repeatable=repeatable)
    before = fold(records)
    unknown = [c.key for c in before.open if c.unknown]
    result = await agent.resume("s")
    if repeatable or not unknown:
        assert result.output == "done"
        assert sorted(set(effects)) == [1, 2, 3]
    else:
        assert [c.key for c in result.waiting] == unknown
        assert {c.state for c in result.waiting} == {"unknown"}
    if not repeatable:
        assert len(effects) == len(set(effects))


async def test_an_unknown_call_can_be_run_again_taken_or_failed():
    for given, told in [
        ({"again": True}, "did 1"),
        ({"result": "it was done"}, "it was done"),
        ({"failed": "it broke"}, "it broke"),
    ]:
        ledger, effects = MemoryLedger(), []
        turns = [call("act", n=1), "done"]
        dying = Dying(ledger, 3, after=True)
        with pytest.raises(PowerCut):
            await effects_agent(turns, dying, effects, repeatable=False).run("go", session="s")
        agent = effects_agent(["done"], ledger, effects, repeatable=False)
        waiting = await agent.resume("s")
        assert waiting.waiting[0].state == "unknown"
        await agent.settle("s", waiting.waiting[0], **given)
        result = await agent.resume("s")
        assert (result.output, result.calls[0].output) == ("done", told)


async def test_a_cancel_token_stops_the_run_and_resume_goes_on():
    from toolstone import CancelToken

    token = CancelToken()

    def stop() -> str:
        token.cancel()
        return "stopped"

    agent = Agent(Scripted(call("stop"), "done"), tools=[tool(repeatable=True)(stop)])
    with pytest.raises(RunCancelled) as caught:
        await agent.run("go", cancel=token)
    assert (await agent.resume(caught.value.session)).output == "done"


async def test_a_session_name_that_cannot_be_is_refused_without_being_echoed():
    for name in ["", "../x", "a" * 65, "a b", "é", "a\0"]:
        with pytest.raises(InputError, match="letters"):
            await Agent(Scripted("x")).run("go", session=name)


async def test_a_file_that_is_no_ledger_is_a_storage_error(tmp_path):
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"this is not a database, but it is long enough to look like one" * 20)
    ledger = SQLiteLedger(path)
    with pytest.raises(StorageError, match=r"x\.sqlite"):
        await Agent(Scripted("x"), ledger=ledger).run("go", session="s")
    ledger.close()


async def test_a_queue_worker_advances_a_session_one_turn_at_a_time(ledger):
    turns = [call("pay", amount=1), "done"]
    await Agent(Scripted(), tools=[pay], ledger=ledger).begin("pay one", "s")
    done = []
    for turn in [*turns, None]:
        worker = Agent(Scripted(*[turn]), tools=[pay], ledger=ledger)
        result = await worker.advance("s")
        done.append(len(worker._shop.model.requests))
        if result is None and turn == turns[0]:
            assert await Agent(Scripted(), tools=[pay], ledger=ledger).advance("s") is None
    assert (result.output, done, paid) == ("done", [1, 1, 0], [1])


async def test_an_approval_predicate_that_fails_asks_a_person(ledger):
    @tool(approve=lambda arguments: arguments["nothing"])
    def act() -> None:
        """Act."""

    waiting = await Agent(Scripted(call("act")), tools=[act], ledger=ledger).run("go", session="s")
    assert waiting.waiting[0].state == "approval"


async def test_a_run_cancelled_while_a_fact_is_being_kept_leaves_as_cancelled(tmp_path):
    class Slow(MemoryLedger):
        def __init__(self):
            super().__init__()
            self.keeping = asyncio.Event()

        async def append(self, session, records):
            await super().append(session, records)
            if any(record.fact.type == "returned" for record in records):
                self.keeping.set()
                await asyncio.Event().wait()

    async def slow() -> str:
        await asyncio.Event().wait()

    def quick() -> str:
        return "quick"

    ledger = Slow()
    agent = Agent(Scripted([call("quick"), call("slow")]), tools=[quick, slow], ledger=ledger)
    task = asyncio.create_task(agent.run("go", session="s"))
    await ledger.keeping.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    run = fold(await ledger.load("s"))
    assert [c.returned.output if c.returned else None for c in run.open] == ["quick", None]


@pytest.mark.parametrize("door", ["hold", "release"])
async def test_a_ledger_that_cannot_say_who_runs_a_session_is_a_storage_error(door):
    ledger = MemoryLedger()

    def unreachable(_session):
        raise TimeoutError

    setattr(ledger, door, unreachable)

    with pytest.raises(StorageError, match="the ledger 'MemoryLedger' raised TimeoutError"):
        await Agent(Scripted("hi"), ledger=ledger).run("go", session="s")
