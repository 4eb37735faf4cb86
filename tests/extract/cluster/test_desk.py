"""The desk and its workers, in one process: what Ray does to them, without Ray."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from toolstone import AuthError, Budget, ConfigError, RateLimitError, StoppedError
from toolstone.extract import Document, Pace
from toolstone.extract.cluster.desk import Desk
from toolstone.extract.cluster.worker import Worker
from toolstone.extract.plan import Plan
from toolstone.ports import Profile
from toolstone.testing import Scripted
from toolstone.usage import Usage

SCHEMA = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}


class Handle:
    """A desk as a cluster hands it over: what it does is awaited, and may be cut off."""

    def __init__(self, desk):
        self._desk = desk
        self.cut = False
        self.rounds = Counter()

    def __getattr__(self, name):
        return Method(self, name)


class Method:
    def __init__(self, handle, name):
        self.handle = handle
        self.name = name

    async def remote(self, *args):
        self.handle.rounds[self.name] += 1
        if self.handle.cut:
            await asyncio.Event().wait()
        return await getattr(self.handle._desk, self.name)(*args)


class Counting:
    """A model that reads the number in a document; who asks waits at a gate, if it is shut."""

    def __init__(self, *first):
        self.profile = Profile()
        self.name = "counting"
        self.first = list(first)
        self.asked = Counter()
        self.now = self.peak = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Condition()

    async def respond(self, request, emit):
        number = int(request.items[-1].text.split()[-1])
        self.asked[number] += 1
        self.now += 1
        self.peak = max(self.peak, self.now)
        async with self.arrived:
            self.arrived.notify_all()
        try:
            await self.gate.wait()
            if self.first and isinstance(error := self.first.pop(0), Exception):
                raise error
            return await Scripted({"number": number}).respond(request, emit)
        finally:
            self.now -= 1

    async def until(self, asked):
        async with self.arrived:
            await self.arrived.wait_for(lambda: sum(self.asked.values()) >= asked)


def documents(count, start=0):
    return [(n, Document(f"d{n}", f"invoice {n}")) for n in range(start, count)]


def worker(desk, model, places=4, *, charged=False, counts_tokens=False):
    told = Plan(SCHEMA, model, evidence=None).as_data()
    return Worker(told, desk, places, counts_tokens=counts_tokens, charged=charged)


async def work(hand, shift):
    return [batch async for batch in hand({"shift": [shift]})]


async def taken(desk, count):
    answers = []
    while len(answers) < count:
        answers += await desk.take()
    return dict(answers), len(answers)


@asynccontextmanager
async def working(desk, *hands):
    """These work a shift each, until the desk lets them go."""
    tasks = [asyncio.create_task(work(hand, shift)) for shift, hand in enumerate(hands)]
    try:
        yield tasks
    finally:
        await desk.end()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_two_workers_answer_every_document_once():
    desk, model = Desk(Pace(start=100), most=100, shifts=2), Counting()
    async with working(desk, worker(Handle(desk), model), worker(Handle(desk), model)):
        await desk.add(documents(50))
        answers, given = await taken(desk, 50)

    assert given == 50
    assert {n: row["value"] for n, row in answers.items()} == {n: {"number": n} for n in range(50)}
    assert model.asked == Counter(range(50))


async def test_a_dead_workers_shift_goes_on_with_what_it_had_not_answered():
    desk, model, stuck = Desk(Pace(start=100), most=100, shifts=2), Counting(), Counting()
    handle = Handle(desk)
    async with working(desk, worker(handle, stuck, places=3)) as tasks:
        await desk.add(documents(2))
        first, _ = await taken(desk, 2)
        stuck.gate.clear()
        await desk.add(documents(9, start=2))
        await stuck.until(5)
        handle.cut = True  # it is dead: the desk hears no more of it, and is not told so
        tasks[0].cancel()
        again = asyncio.create_task(work(worker(Handle(desk), model, places=3), 0))
        rest, given = await taken(desk, 7)
        await desk.end()
        await again

    assert sorted(first) == [0, 1]
    assert sorted(rest) == [2, 3, 4, 5, 6, 7, 8]
    assert given == 7
    assert model.asked == Counter(range(2, 9))  # three of them for the second time


async def test_a_dead_worker_gives_back_its_places_in_the_window():
    desk, model, stuck = Desk(Pace(start=2), most=2, shifts=2), Counting(), Counting()
    handle = Handle(desk)
    stuck.gate.clear()
    async with working(desk, worker(handle, stuck)) as tasks:
        await desk.add(documents(4))
        await stuck.until(2)
        handle.cut = True
        tasks[0].cancel()
        again = asyncio.create_task(work(worker(Handle(desk), model), 0))
        answers, _ = await taken(desk, 4)
        await desk.end()
        await again

    assert sorted(answers) == [0, 1, 2, 3]
    assert desk.throttle.busy == 0


async def test_a_worker_that_was_only_thought_dead_does_not_answer_twice():
    desk, model, slow = Desk(Pace(start=100), most=100, shifts=2), Counting(), Counting()
    slow.gate.clear()
    async with working(desk, worker(Handle(desk), slow)) as tasks:
        await desk.add(documents(3))
        await slow.until(3)
        again = asyncio.create_task(work(worker(Handle(desk), model), 0))
        answers, given = await taken(desk, 3)
        slow.gate.set()
        await tasks[0]  # its shift has another holder: it is let go
        await desk.add([(3, Document("d3", "invoice 3"))])
        last = await desk.take()
        await desk.end()
        await again

    assert given == 3
    assert [number for number, _ in last] == [3]
    assert sorted(answers) == [0, 1, 2]


async def test_all_workers_together_keep_to_the_one_window():
    desk, model = Desk(Pace(start=3), most=3, shifts=2), Counting()
    model.gate.clear()
    async with working(desk, worker(Handle(desk), model), worker(Handle(desk), model)):
        await desk.add(documents(20))
        await model.until(3)
        model.gate.set()
        await taken(desk, 20)

    assert model.peak == 3


async def test_a_429_anywhere_slows_everybody_down():
    model = Counting(RateLimitError("429", status=429))
    desk = Desk(Pace(start=8), most=8, shifts=2)
    async with working(desk, worker(Handle(desk), model, places=8)):
        await desk.add(documents(4))
        answers, _ = await taken(desk, 4)

    assert desk.throttle.refusals == 1
    assert all(row["error"] is None for row in answers.values())
    assert sum(model.asked.values()) == 5


async def test_what_ends_the_job_is_the_answer_to_the_document_it_befell():
    model = Counting(AuthError("no", status=401))
    desk = Desk(Pace(start=1), most=1, shifts=1)
    async with working(desk, worker(Handle(desk), model)):
        await desk.add(documents(2))
        answers, _ = await taken(desk, 2)

    assert type(answers[0]) is AuthError
    assert answers[1]["value"] == {"number": 1}


async def test_a_worker_that_cannot_work_says_so_for_all(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    desk = Desk(Pace(), most=1, shifts=1)
    async with working(desk, worker(Handle(desk), "openai/gpt-5")):
        ((number, error), *_) = await desk.take()

    assert number is None
    assert type(error) is ConfigError


async def test_a_worker_that_is_let_go_as_soon_as_it_has_given_up_goes_quietly(monkeypatch):
    class Hasty(Desk):
        async def give_up(self, error):
            await super().give_up(error)
            await self.end()

    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert await work(worker(Handle(Hasty(Pace(), most=1, shifts=1)), "openai/gpt-5"), 0)


async def test_no_request_is_sent_that_the_jobs_budget_does_not_cover():
    desk, model = Desk(Pace(start=100), most=100, shifts=2), Counting()
    await desk.spend(Budget(requests=10), "counting", Usage(requests=3))
    hands = [worker(Handle(desk), model, charged=True) for _ in range(2)]
    async with working(desk, *hands):
        await desk.add(documents(20))
        answers, _ = await taken(desk, 20)

    kinds = Counter("stopped" if isinstance(a, StoppedError) else "row" for a in answers.values())
    assert kinds == {"row": 7, "stopped": 13}
    assert sum(model.asked.values()) == 7


async def test_a_shift_is_over_after_its_share_and_the_next_is_wanted(monkeypatch):
    monkeypatch.setattr("toolstone.limits.EXTRACT_SHIFT", 5)
    desk, model = Desk(Pace(start=100), most=100, shifts=1), Counting()
    hand = worker(Handle(desk), model)
    await desk.add(documents(8))
    wanted = asyncio.create_task(desk.wanted(1))

    assert await desk.wanted(0)
    await work(hand, 0)
    assert await wanted
    answers, _ = await taken(desk, 5)
    assert sorted(answers) == [0, 1, 2, 3, 4]

    async with working(desk):
        rest = asyncio.create_task(work(hand, 1))
        assert sorted((await taken(desk, 3))[0]) == [5, 6, 7]
    await rest
    assert not await desk.wanted(2)


async def test_a_shift_that_has_had_its_share_waits_for_no_more_documents(monkeypatch):
    monkeypatch.setattr("toolstone.limits.EXTRACT_SHIFT", 5)
    desk = Desk(Pace(start=100), most=100, shifts=1)
    await desk.add(documents(5))
    async with asyncio.timeout(5):
        await work(worker(Handle(desk), Counting()), 0)
    assert sorted((await taken(desk, 5))[0]) == [0, 1, 2, 3, 4]


async def test_what_is_being_asked_is_given_up_at_the_end():
    desk, model = Desk(Pace(start=100), most=100, shifts=1), Counting()
    model.gate.clear()
    async with working(desk, worker(Handle(desk), model)) as tasks:
        await desk.add(documents(3))
        await model.until(3)

    assert await tasks[0] == [{"shift": [0]}]
    assert model.now == 0


async def test_a_desk_that_cannot_be_reached_ends_the_shift_with_that_error():
    class Gone:
        def __getattr__(self, name):
            return self

        def remote(self, *_args):
            raise ConnectionError("the desk is dead")

    with pytest.raises(ConnectionError):
        await work(worker(Gone(), Counting()), 0)


async def test_what_is_said_meanwhile_goes_together():
    desk, model = Desk(Pace(start=100), most=100, shifts=1), Counting()
    handle = Handle(desk)
    async with working(desk, worker(handle, model, places=50)):
        await desk.add(documents(50))
        await taken(desk, 50)

    assert handle.rounds["tell"] < 50  # for 50 documents with three calls each
