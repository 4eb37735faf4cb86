"""C01 to C04: a share, chosen by a seed, of what `campaign.py cancel` and `timeouts` go through."""

import asyncio
import logging
import random
import threading
from contextlib import suppress
from functools import cache

import pytest
from campaigns import _history, cancel, timeouts
from campaigns._scripts import SCRIPTS, Script
from campaigns._servers import servers
from campaigns._sweep import PlantedError, Sweep

from toolstone import Agent, MemoryLedger, Responses, limits
from toolstone.errors import StorageError, TransportError
from toolstone.events import Answered, Asked, Began, Record, Returned, Started
from toolstone.items import CallKey, user
from toolstone.testing import Scripted, call
from toolstone.tools.threads import _Job
from toolstone.wire import Retry

SEED = 20_261_122
SLOW = {"broken off"}  # the peer waits a second each time; the campaign has it
PAIRS = cancel.pairs([script for name, script in SCRIPTS.items() if name not in SLOW])
HALF = [pair for n, pair in enumerate(PAIRS) if n % 4 in {0, 3}]  # the transports take turns


@pytest.fixture(scope="module")
def there():
    with servers() as both:
        yield both


tally = cache(cancel.tally)


def swept(script, transport, there, deeds, most):
    """Some of a script's points; their number is as good as what they find."""
    rng = random.Random(f"{SEED} {script.name} {transport} {deeds}")
    total = tally(script, transport, there)
    share = most / (total * len(deeds))
    met = list(
        cancel.sweep(script, transport, there, deeds=deeds, rng=rng, share=share, total=total)
    )
    assert [str(one) for one in met if one.wrong] == []
    return len(met)


@pytest.mark.parametrize(("script", "transport"), HALF, ids=lambda one: getattr(one, "name", one))
def test_c01_a_run_cancelled_anywhere_leaves_nothing_and_can_be_gone_on_with(
    script, transport, there
):
    assert SCRIPTS[script.name] is script
    swept(script, transport, there, ["once"], 3)


@pytest.mark.parametrize(
    ("script", "transport"), PAIRS[::4], ids=lambda one: getattr(one, "name", one)
)
def test_c02_a_run_cancelled_again_while_it_cleans_up_ends_within_the_grace(
    script, transport, there
):
    swept(script, transport, there, ["twice", "at-once", "hail", "main-too"], 4)


@pytest.mark.parametrize(
    ("script", "transport"), HALF[1::2], ids=lambda one: getattr(one, "name", one)
)
def test_c03_an_error_raised_anywhere_comes_out_typed(script, transport, there):
    swept(script, transport, there, ["raise", "break"], 3)


@pytest.mark.parametrize("name", timeouts.SCRIPTS)
def test_c04_a_time_out_at_any_instant_leaves_nothing_and_can_be_gone_on_with(name):
    instants = random.Random(SEED).sample(timeouts.find_instants(name), 2)

    found = timeouts.sweep(name, instants)

    assert [each for each in found if each[-1]] == []
    assert len({ended for _, _, ended, _ in found}) > 2, "some go on, some do not"


# ------------------------------------------------------------------ the alarm has a test button


async def _leaves_a_task(world):
    keep = asyncio.ensure_future(asyncio.sleep(60))
    world.options["kept"] = keep
    return await world.agent(Scripted("done")).run("go", session=world.session) and "done"


async def _swallows(world):
    agent = world.agent(Scripted("done"))
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(0.001)
    return (await agent.run("go", session=world.session)).output


async def _fails_raw(world):
    await asyncio.sleep(0.001)
    return "done"


@pytest.mark.parametrize(
    ("play", "at", "deed", "finds"),
    [
        (_leaves_a_task, 0, "once", "left behind: task sleep"),
        (_swallows, 1, "once", "a cancellation was swallowed"),
        (_fails_raw, 1, "raise", "raw PlantedError"),
    ],
)
def test_the_sweep_finds_what_is_wrong(play, at, deed, finds, there, monkeypatch):
    monkeypatch.setattr(cancel._census.left, "__kwdefaults__", {"seconds": 0.05})

    met = cancel.meet(Script("bad", play), "httpx", there, Sweep(at, deed))

    assert finds in str(met)


def test_the_reading_of_a_ledger_finds_what_is_wrong():
    one, two = CallKey(0, 0), CallKey(0, 1)
    item = Scripted(call("book", seats=1))
    answer = asyncio.run(_respond(item))
    good = [Began((user("go"),), "x", {}), Asked(1, 1, 1), answer]

    def found(*facts):
        records = [Record(n, 1.0, "r", fact) for n, fact in enumerate([*good, *facts])]
        return [text.partition(": ")[2] for text in _history.find_problems(records)]

    back = Returned(one, "booked")
    assert found(Started((one,)), back, Asked(2, 1, 1)) == []
    assert found(Started((one,)), Asked(2, 1, 1)) == ["calls without their output: 0.0"]
    assert found(Started((one,)), Started((one,))) == ["call 0.0 began 2 times"]
    assert found(back, back) == ["call 0.0 is not open"]
    assert found(Started((two,))) == ["call 0.1 is not open"]


async def _respond(model):
    from toolstone.ports import Request

    async def nobody(_events):
        return None

    response = await model.respond(Request((user("go"),)), nobody)
    return Answered(
        response.id, response.status, response.items, response.usage, response.model, None, None
    )


# ----------------------------------------------------------------------------- what it has found


async def test_a_blocking_tool_that_ends_as_its_run_is_cancelled_is_heard():
    """Its result came between the cancellation and the next step of the one who waits."""
    job = _Job(lambda: 7, {}, None)
    job.running = True
    job.future.cancel()
    job.run()
    await asyncio.sleep(0)

    assert job.wait_on()
    assert await job.future == (7, None)


async def test_a_blocking_tool_that_ignores_its_token_is_named_when_the_grace_ends(
    monkeypatch, caplog
):
    monkeypatch.setattr(limits, "CANCEL_GRACE", 0.05)
    begun, go_home = threading.Event(), threading.Event()

    def dig() -> str:
        """Dig on, whatever is said."""
        begun.set()
        go_home.wait(10)
        return "dug"

    run = asyncio.ensure_future(Agent(Scripted(call("dig")), tools=[dig]).run("go"))
    await asyncio.to_thread(begun.wait, 10)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    go_home.set()

    said = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert said == ["tool dig does not stop; left running"]


class Foreign(MemoryLedger):
    """A ledger of one's own, over a driver with errors of its own."""

    def __init__(self, *, breaks):
        super().__init__()
        self.breaks = breaks

    async def load(self, session):
        if self.breaks == "load":
            raise PlantedError("the driver's own words")
        return await super().load(session)

    async def append(self, session, records):
        if self.breaks == "append":
            raise PlantedError("the driver's own words")
        await super().append(session, records)


@pytest.mark.parametrize("breaks", ["load", "append"])
@pytest.mark.parametrize("door", ["run", "begin", "stream"])
async def test_what_a_ledger_of_ones_own_raises_comes_out_typed(door, breaks):
    agent = Agent(Scripted("done"), ledger=Foreign(breaks=breaks))

    with pytest.raises(StorageError, match="'Foreign' raised PlantedError") as raised:
        if door == "run":
            await agent.run("go", session="s")
        elif door == "begin":
            await agent.begin("go", "s")
        else:
            async with agent.stream("go", session="s") as stream:
                await stream.result()

    assert isinstance(raised.value.__cause__, PlantedError)


async def test_what_a_library_of_http_raises_comes_out_typed(transport, there, monkeypatch):
    """httpx raises a group, or a ValueError when its attempt to connect is cancelled inside."""
    loop = asyncio.get_running_loop()

    def broken(*_args, sock=None, **_named):
        if sock is not None:
            sock.close()
        raise RuntimeError("the library's own words")

    monkeypatch.setattr(loop, "create_connection", broken)
    model = Responses(
        model="m",
        base_url=there.local,
        api_key="k",
        transport=transport(),
        retry=Retry(attempts=1),
    )

    with pytest.raises(TransportError, match=r"RuntimeError|ExceptionGroup"):
        await model.create(input="text")
    await model.aclose()
