"""Runs whose requests the service works on by itself: whoever has the ledger can go on waiting."""

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from toolstone import (
    Agent,
    Budget,
    CancelToken,
    DroppedError,
    FailedError,
    MemoryLedger,
    Responses,
    RunCancelled,
    Settings,
    SQLiteLedger,
    StoppedError,
    tool,
)
from toolstone.events import Accepted, Answered, Asked, Noted
from toolstone.local import Function, call, error, serve
from toolstone.ports import Profile
from toolstone.runs.state import fold
from toolstone.testing import Scripted
from toolstone.testing import call as call_
from toolstone.wire import Retry

PEER = Path(__file__).parent.parent / "wire" / "peer.py"
BACKGROUND = Settings(background=True)


@pytest.fixture
def wire_peer():
    """A peer that answers with scripted bytes."""
    if "toolstone_peer" not in sys.modules:
        spec = importlib.util.spec_from_file_location("toolstone_peer", PEER)
        sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[spec.name])
    return sys.modules["toolstone_peer"]


async def blink(_seconds):
    """Let others go on; the pauses between looks are not waited out here."""
    await asyncio.sleep(0)


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def pay() -> str:
    """Pay."""
    return "paid"


class Worker:
    """A brain that says its answers one after the other, and none of them before it may."""

    def __init__(self, *answers, open_=True):
        self.answers, self.turns, self.gate = list(answers), [], threading.Event()
        self.began = threading.Event()
        if open_:
            self.gate.set()

    def __call__(self, turn):
        self.turns.append(turn)
        self.began.set()
        self.gate.wait(30)
        if any(item["type"] == "function_call_output" for item in turn.items):
            return self.answers[-1]
        return self.answers[min(len(self.turns), len(self.answers)) - 1]


@contextmanager
def working(*answers, open_=True):
    worker = Worker(*answers, open_=open_)
    with serve(Function(worker)) as endpoint:
        worker.url = endpoint.base_url
        try:
            yield worker
        finally:
            worker.gate.set()


def agent(url, ledger=None, **options):
    model = Responses(
        base_url=url, api_key="k", model="m", retry=Retry(sleep=blink), profile=Profile("local")
    )
    options.setdefault("settings", BACKGROUND)
    return Agent(model, ledger=ledger, **options)


def facts(ledger_records, *kinds):
    return [r.fact for r in ledger_records if not kinds or type(r.fact) in kinds]


def names(records):
    return [record.fact.type for record in records]


class Telling(MemoryLedger):
    """A ledger that says when a response was accepted."""

    def __init__(self):
        super().__init__()
        self.accepted = asyncio.Event()

    async def append(self, session, records):
        await super().append(session, records)
        if facts(records, Accepted):
            self.accepted.set()


async def begun(url, ledger):
    """A run whose process stops while the service still works."""
    task = asyncio.create_task(agent(url, ledger).run("go", session="s"))
    await ledger.accepted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return facts(await ledger.load("s"), Accepted)[0].response


async def test_each_request_is_accepted_waited_for_and_answered():
    with working(call("add", a=1, b=2), "three") as worker:
        result = await agent(worker.url, tools=[add]).run("1+2")

    assert result.output == "three"
    assert names(result.records) == [
        "began", "asked", "accepted", "answered", "started", "returned", "asked", "accepted",
        "answered", "finished",
    ]  # fmt: skip
    ids = [fact.response for fact in facts(result.records, Accepted, Answered)]
    assert ids[0] == ids[1] != ids[2] == ids[3]
    assert [body["background"] for body in result.requests] == [True, True]


async def test_streamed_and_plain_give_the_same():
    with working("it is done") as worker:
        plain = await agent(worker.url).run("go")
        async with agent(worker.url).stream("go") as stream:
            text = "".join([piece async for piece in stream.text()])
            streamed = await stream.result()

    assert plain.output == streamed.output == text == "it is done"
    assert names(plain.records) == names(streamed.records)


async def test_a_cancelled_task_leaves_it_going_and_resume_waits_for_it():
    ledger = Telling()
    with working("done", open_=False) as worker:
        await begun(worker.url, ledger)
        worker.gate.set()
        result = await agent(worker.url, ledger).resume("s")

    assert result.output == "done"
    assert len(worker.turns) == 1
    assert names(result.records).count("asked") == names(result.records).count("accepted") == 1


async def test_what_is_gone_on_with_can_be_watched():
    ledger = Telling()
    with working("it is done", open_=False) as worker:
        await begun(worker.url, ledger)
        worker.gate.set()
        going = agent(worker.url, ledger)
        async with going.resume_stream("s") as stream:
            seen = [event async for event in stream.events()]
            result = await stream.result()
        async with going.resume_stream("s") as stream:
            again = [event async for event in stream.events()], await stream.result()

    assert [event.type for event in seen if hasattr(event, "type")] == ["answered", "finished"]
    assert (result.output, len(worker.turns)) == ("it is done", 1)
    assert (again[0], again[1].output) == ([], "it is done")


def test_what_is_gone_on_with_can_be_watched_without_an_event_loop():
    asking = Agent(Scripted(call_("pay"), "paid"), tools=[tool(approve=True)(pay)])
    waiting = asking.run_sync("go", session="s")
    asking.approve_sync("s", waiting.waiting[0])
    with asking.resume_stream_sync("s") as stream:
        text = "".join(stream.text())

    assert text == stream.result().output == "paid"


async def test_a_cancel_token_stops_it_at_the_service_too():
    ledger, token = Telling(), CancelToken()
    with working("done", open_=False) as worker:
        waiting = agent(worker.url, ledger)
        task = asyncio.create_task(waiting.run("go", session="s", cancel=token))
        await ledger.accepted.wait()
        token.cancel()
        with pytest.raises(RunCancelled):
            await task
        (accepted,) = facts(await ledger.load("s"), Accepted)
        stored = await Responses(base_url=worker.url, model="m").retrieve(accepted.response)
        worker.gate.set()
        result = await waiting.resume("s")

    assert stored.status == "cancelled"
    assert (result.output, len(worker.turns)) == ("done", 2)


async def test_a_service_that_does_not_take_notice_stops_nobody(wire_peer):
    queued = {"id": "resp_1", "status": "queued", "output": []}
    token = CancelToken()
    async with wire_peer.Peer(
        wire_peer.json_reply(queued), [token.cancel, wire_peer.HANG], wire_peer.reply(500)
    ) as there:
        with pytest.raises(RunCancelled):
            await agent(there.url).run("go", cancel=token)

    assert there.requests[2].target == "/v1/responses/resp_1/cancel"


async def out_of_time(worker, ledger, **limits):
    """A run that stopped because its seconds were over, after its request was accepted."""
    waiting = agent(worker.url, ledger)
    await waiting.run("warm up")
    worker.turns.clear()
    worker.gate.clear()
    with pytest.raises(StoppedError, match="seconds are used up"):
        await waiting.run("go", session="s", budget=Budget(seconds=0.5, **limits))
    worker.gate.set()
    return waiting


async def test_the_budgets_seconds_bound_the_wait_and_more_of_them_go_on_with_it():
    ledger = MemoryLedger()
    with working("done") as worker:
        waiting = await out_of_time(worker, ledger, requests=1)
        result = await waiting.resume("s", budget=Budget(requests=1))

    assert (result.output, len(worker.turns)) == ("done", 1)
    assert names(result.records).count("asked") == 1
    assert result.usage.requests == 1


async def test_no_seconds_left_stop_it_before_anybody_looks():
    ledger = MemoryLedger()
    with working("done") as worker:
        waiting = await out_of_time(worker, ledger)
        with pytest.raises(StoppedError, match="seconds are used up"):
            await waiting.resume("s", budget=Budget(seconds=1e-9))
        result = await waiting.resume("s")

    assert (result.output, len(worker.turns)) == ("done", 1)


async def test_what_was_reserved_for_it_is_settled_by_whoever_hears_of_it():
    ledger = MemoryLedger()
    with working("done") as worker:
        waiting = await out_of_time(worker, ledger, tokens=10_000)
        held = fold(await ledger.load("s")).used
        result = await waiting.resume("s", budget=Budget(tokens=10_000))
        left = fold(await ledger.load("s"))

    assert held.output_tokens > 9_000
    assert left.used == left.spent == result.usage
    assert left.used.total_tokens < 100


async def test_workers_advance_it_one_turn_a_task():
    ledger = MemoryLedger()
    with working(call("add", a=1, b=2), "three") as worker:
        await agent(worker.url, ledger, tools=[add]).begin("1+2", "s")
        result = None
        while result is None:
            result = await agent(worker.url, ledger, tools=[add]).advance("s")

    assert (result.output, len(worker.turns)) == ("three", 2)


async def test_what_the_service_has_forgotten_is_asked_for_anew_once_and_counted():
    ledger = Telling()
    with working("done", open_=False) as worker:
        accepted = await begun(worker.url, ledger)
        await Responses(base_url=worker.url, model="m").delete(accepted)
        worker.gate.set()
        result = await agent(worker.url, ledger).resume("s")

    assert result.output == "done"
    assert len(facts(result.records, Accepted)) == 2
    assert [note.what for note in facts(result.records, Noted)] == ["attempt", "mended"]
    assert fold(result.records).requests == 2


async def test_something_new_said_instead_lets_it_go():
    ledger = Telling()
    with working("done", open_=False) as worker:
        await begun(worker.url, ledger)
        worker.gate.set()
        result = await agent(worker.url, ledger).run("no, this", session="s")

    assert result.output == "done"
    assert len(facts(result.records, Asked)) == 2


async def test_a_service_that_cannot_be_heard_of_breaks_the_run_off_and_resume_goes_on(wire_peer):
    queued = {"id": "resp_1", "status": "queued", "output": []}
    message = {"type": "message", "role": "assistant", "content": "done"}
    done = {"id": "resp_1", "status": "completed", "output": [message]}
    ledger = MemoryLedger()
    busy = wire_peer.reply(503)
    async with wire_peer.Peer(
        wire_peer.json_reply(queued), busy, busy, busy, wire_peer.json_reply(done)
    ) as there:
        with pytest.raises(DroppedError) as caught:
            await agent(there.url, ledger).run("go", session="s")
        result = await agent(there.url, ledger).resume("s")

    assert caught.value.retryable
    assert result.output == "done"
    assert [seen.method for seen in there.requests] == ["POST", "GET", "GET", "GET", "GET"]
    assert fold(result.records).requests == 1


async def test_one_that_failed_is_over_and_resume_asks_anew():
    ledger = MemoryLedger()
    failing = error(400, "invalid_prompt")
    with working(failing, "done") as worker:
        with pytest.raises(FailedError):
            await agent(worker.url, ledger).run("go", session="s")
        failed = fold(await ledger.load("s"))
        result = await agent(worker.url, ledger).resume("s")

    assert failed.accepted is None
    assert (result.output, len(worker.turns)) == ("done", 2)


@pytest.mark.parametrize("cut", range(1, 9))
async def test_cut_off_after_any_fact_it_goes_on_as_if_nothing_had_happened(cut):
    """The facts of a whole run up to there, and a service that remembers what it was asked."""
    adding = tool(repeatable=True)(add)
    with working(*[call("add", a=1, b=2)] * 3, "three") as worker:
        whole = await agent(worker.url, MemoryLedger(), tools=[adding]).run("1+2", session="s")
        ledger = MemoryLedger()
        await ledger.append("s", whole.records[:cut])
        asked = len(worker.turns)
        result = await agent(worker.url, ledger, tools=[adding]).resume("s")

    again = names(whole.records)[cut:].count("accepted")
    assert result.output == "three"
    assert len(worker.turns) - asked == again
    told = {"accepted", "answered", "returned", "finished"}
    assert [n for n in names(result.records) if n in told] == [
        n for n in names(whole.records) if n in told
    ]


CHILD = """
import sys
from toolstone import Agent, Settings, SQLiteLedger

url, ledger = sys.argv[1:]
agent = Agent(f"responses+{url}#m", ledger=SQLiteLedger(ledger), settings=Settings(background=True))
print("ready", flush=True)
agent.run_sync("go", session="s")
"""


def wait_until_accepted(ledger, child):
    """Until the other process has written down that its response was accepted."""
    while child.poll() is None:
        if facts(asyncio.run(ledger.load("s")), Accepted):
            return


@pytest.mark.parametrize("stored", ["in memory", "in a file"])
def test_a_process_killed_while_it_waits_is_resumed_by_another_and_nothing_is_paid_twice(
    tmp_path, stored
):
    path = tmp_path / "runs.sqlite"
    worker = Worker("done", open_=False)
    store = None if stored == "in memory" else tmp_path / "endpoint.sqlite"
    with serve(Function(worker), store=store) as endpoint:
        ledger = SQLiteLedger(str(path))
        arguments = [sys.executable, "-c", CHILD, endpoint.base_url, str(path)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout.readline() == "ready\n"
            wait_until_accepted(ledger, child)
            os.kill(child.pid, signal.SIGKILL)
        worker.gate.set()
        result = agent(endpoint.base_url, ledger).resume_sync("s")
        ledger.close()

    assert result.output == "done"
    assert len(worker.turns) == 1
    told = [name for name in names(result.records) if name != "noted"]  # another model object
    assert told == ["began", "asked", "accepted", "answered", "finished"]
