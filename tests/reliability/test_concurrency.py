"""Block C: many runs at once, many threads, slow readers, and notebooks."""

import ast
import asyncio
import gc
import json
import threading
import tracemalloc
from pathlib import Path

import pytest
from toolstone_acting import DOORS, go

import toolstone
from toolstone import Agent, FailedError, MemoryLedger, ToolContext, limits, tool
from toolstone.events import Finished, Returned, TextDelta
from toolstone.local import Function, answer, serve
from toolstone.local import call as local_call
from toolstone.responses import Responses
from toolstone.testing import Scripted, call
from toolstone.testing.faults import saying
from toolstone.wire import HttpReply


class Talker:
    """A model that says one piece after another, as fast as it is listened to."""

    def __init__(self, pieces):
        self.pieces, self.said = pieces, 0

    async def respond(self, request, emit):
        for _ in range(self.pieces):
            self.said += 1
            await emit((TextDelta("x" * 1_000),))
        return await Scripted("done").respond(request, emit)


async def test_c07_a_slow_reader_holds_the_run_back_and_memory_stays():
    model = Talker(20_000)
    async with Agent(model).stream("go") as stream:
        pieces = stream.text()
        await anext(pieces)
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1_000):
            await asyncio.sleep(0)
        held = model.said
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        assert held <= limits.STREAM_BACKLOG + 3
        assert grown < 1_000_000
        async for _ in pieces:
            pass
        assert (await stream.result()).output == "done"
    assert model.said == model.pieces


async def test_c07_without_the_bound_it_would_run_ahead(monkeypatch):
    """The alarm's own test."""
    monkeypatch.setattr(limits, "STREAM_BACKLOG", 0)  # no bound, to a queue
    with pytest.raises(AssertionError):
        await test_c07_a_slow_reader_holds_the_run_back_and_memory_stays()


def test_c07_there_is_no_queue_without_a_bound():
    """Queues name their bound; a deque of calls that wait is bounded by the calls there are."""
    root = Path(toolstone.__file__).parent
    found = []
    for path in root.rglob("*.py"):
        if "Queue" not in (text := path.read_text()):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and not node.args and not node.keywords:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in {"Queue", "SimpleQueue", "LifoQueue", "PriorityQueue"}:
                    found.append(f"{path.relative_to(root)}:{node.lineno}")

    assert found == []


class Fatal(Exception):
    """Ends the run."""


def batch(error):
    """Four calls: one fails at once; the others come home after it."""
    failed = asyncio.Event()

    async def fails() -> str:
        failed.set()
        raise error

    async def follows(n: int) -> str:
        await failed.wait()
        await asyncio.sleep(0)
        return f"home {n}"

    calls = [call("follows", n=0), call("fails"), call("follows", n=2), call("follows", n=3)]
    return [fails, follows], calls


@DOORS
async def test_c08_by_default_every_call_is_answered_and_the_run_goes_on(door):
    tools, calls = batch(Fatal())
    model = Scripted(calls, "done")
    result = await go(Agent(model, tools=tools), door)

    outputs = [one.output for one in result.calls]
    assert outputs[0::2] == ["home 0", "home 2"]
    assert outputs[1].startswith("the tool failed: Fatal")
    assert outputs[3] == "home 3"
    assert result.output == "done"


@DOORS
async def test_c08_a_listed_exception_ends_the_run_once_the_others_are_home(door):
    tools, calls = batch(error := Fatal())
    ledger, model = MemoryLedger(), Scripted(calls, "done")
    agent = Agent(model, tools=tools, fatal=(Fatal,), ledger=ledger)
    with pytest.raises(FailedError) as caught:
        await go(agent, door, session="s")

    assert caught.value.__cause__ is error
    assert len(model.requests) == 1
    facts = [one.fact for one in await ledger.load("s")]
    home = {one.call.position: one.output for one in facts if isinstance(one, Returned)}
    assert {n: text for n, text in home.items() if n != 1} == {
        0: "home 0",
        2: "home 2",
        3: "home 3",
    }
    assert home[1].startswith("the tool failed: Fatal")
    assert facts[-1] == Finished("failed", "Fatal")
    assert (await agent.resume("s")).output == "done"


@DOORS
async def test_c09_outputs_are_sent_in_call_order_whatever_the_order_of_coming_home(door):
    gates = [asyncio.Event() for _ in range(8)]
    home = []

    async def waits(n: int) -> int:
        await gates[n].wait()
        home.append(n)
        if n:
            gates[n - 1].set()
        return n

    def at_once(n: int) -> int:
        return n

    calls = [call("waits", n=n) for n in range(8)] + [call("at_once", n=8)]
    model = Scripted(calls, "done")
    gates[7].set()
    result = await go(Agent(model, tools=[waits, at_once]), door)

    assert home == list(range(7, -1, -1))
    outputs = [item for item in model.requests[1].items if item.type == "function_call_output"]
    assert [(one.call_id, one.output) for one in outputs] == [
        (f"call_{n}", str(n)) for n in range(9)
    ]
    assert [one.output for one in result.calls] == [str(n) for n in range(9)]


def ask(body):
    """What the model of a thousand says: first a call with its number, then what it was told."""
    said = body["input"]
    number = int(said[0]["content"].split()[-1])
    if len(said) == 1:
        return local_call("double", n=number)
    return answer(f"{number}: {said[-1]['output']}")


class Wire:
    """A transport without sockets: each answer comes later than those that were asked after it."""

    def __init__(self):
        self.inside = self.most = 0

    async def send(self, request):
        self.inside += 1
        self.most = max(self.most, self.inside)
        body = json.loads(request.body)
        number = int(body["input"][0]["content"].split()[-1])
        for _ in range(1 + number % 7):
            await asyncio.sleep(0)
        self.inside -= 1
        if len(body["input"]) == 1:
            item = saying.call("double", json.dumps({"n": number}))
        else:
            item = saying.message(f"{number}: {body['input'][-1]['output']}")
        reply = saying.response(item, id=f"resp_{number}_{len(body['input'])}")
        return HttpReply(200, {"content-type": "application/json"}, json.dumps(reply).encode())

    def stream(self, request):
        raise AssertionError

    async def aclose(self):
        pass


async def ask_all(runs, **options):
    """Each with its own question, deps, tool call and session; all of them in flight together."""

    async def double(n: int, context: ToolContext[int]) -> str:
        await asyncio.sleep(0)
        return f"{2 * n} for {context.deps} in {context.run}"

    client = Responses(model="m", api_key="k", **options)
    agent = Agent(client, tools=[double], ledger=MemoryLedger())

    async def one(number):
        return await agent.run(f"double {number}", deps=f"user-{number}", session=f"s-{number}")

    found = await asyncio.gather(*[one(number) for number in range(runs)])

    assert len({result.run for result in found}) == runs
    for number, result in enumerate(found):
        assert result.output == f"{number}: {2 * number} for user-{number} in {result.run}"
        assert result.session == f"s-{number}"
        assert result.usage.requests == 2
        assert len(result.records) == 8
        assert {record.run for record in result.records} == {result.run}
    return found


async def test_c10_a_thousand_runs_at_once_on_one_client_do_not_mix():
    wire = Wire()
    found = await ask_all(1_000, base_url="http://127.0.0.1:1/v1", transport=wire)

    assert wire.most == 1_000
    for number, result in enumerate(found):
        assert [turn.response for turn in result.turns] == [f"resp_{number}_1", f"resp_{number}_3"]


def test_c10_nor_do_a_hundred_over_http():
    with serve(Function(lambda turn: ask(turn.body))) as endpoint:
        asyncio.run(ask_all(100, base_url=endpoint.base_url))


class Echo:
    """A model that holds nothing between requests, as a client does."""

    async def respond(self, request, emit):
        said = request.items[0].text
        number = int(said)
        first = len(request.items) == 1
        turn = [call("now", n=number), call("later", n=number)] if first else f"{said}!"
        return await Scripted(turn).respond(request, emit)


def test_c11_one_agent_in_sixteen_threads_with_loops_of_their_own():
    threads, rounds = 16, 5
    barrier = threading.Barrier(threads)
    found, failed = {}, []

    def now(n: int) -> str:
        return f"now {n}"

    async def later(n: int) -> str:
        await asyncio.sleep(0)
        return f"later {n}"

    agent = Agent(Echo(), tools=[now, later], ledger=MemoryLedger())

    async def runs(me):
        for n in range(rounds):
            number = 100 * me + n
            door = ("plain", "streamed")[n % 2]
            if door == "plain":
                result = await agent.run(str(number), session=f"s-{number}")
            else:
                async with agent.stream(str(number), session=f"s-{number}") as stream:
                    result = await stream.result()
            found[number] = (result.output, [one.output for one in result.calls])

    def work(me):
        barrier.wait(30)
        try:
            asyncio.run(runs(me))
        except BaseException as error:
            failed.append(error)

    workers = [threading.Thread(target=work, args=(me,)) for me in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert failed == []
    assert found == {
        100 * me + n: (f"{100 * me + n}!", [f"now {100 * me + n}", f"later {100 * me + n}"])
        for me in range(threads)
        for n in range(rounds)
    }


async def test_c12_the_blocking_doors_work_inside_a_running_loop():
    """As in a notebook: every one of them, streams too, with tools of both kinds."""

    def now() -> str:
        return "now"

    async def later() -> str:
        return "later"

    @tool(approve=True)
    def pay() -> str:
        return "paid"

    calls = [call("now"), call("later"), call("pay")]
    agent = Agent(Scripted(calls, "done", "five", "hello"), tools=[now, later, pay])
    assert agent.run_sync("go", session="s").outcome == "waiting"
    agent.approve_sync("s", "0.2")
    result = agent.resume_sync("s")
    assert [one.output for one in result.calls] == ["now", "later", "paid"]
    assert agent.extract_sync("say five") == "five"
    with agent.stream_sync("hi") as stream:
        assert "".join(stream.text()) == "hello"
