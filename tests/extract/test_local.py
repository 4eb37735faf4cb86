import asyncio
from contextlib import aclosing

import pytest
from pydantic import BaseModel

from toolstone import Budget, Price, limits
from toolstone.errors import (
    AuthError,
    ConfigError,
    FailedError,
    InputError,
    RateLimitError,
    StoppedError,
    StorageError,
    TransportError,
)
from toolstone.extract import Document, Failure, Pace, Record, extract_many, extract_many_sync
from toolstone.extract.job import Job
from toolstone.ports import Response, Settings
from toolstone.testing import Scripted
from toolstone.usage import Usage


class Letter(BaseModel):
    number: int


def text(number):
    return f"letter {number}:"


class Clerk:
    """A model that reads the number out of a letter; how it does is handed in."""

    name = "clerk"

    def __init__(self, how=lambda number: None):
        self.asked = []
        self.at_once = self.most = 0
        self._how = how

    async def respond(self, request, emit):
        number = int(request.items[0].text.split()[1].rstrip(":"))
        self.asked.append(number)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            said = self._how(number)
            if asyncio.iscoroutine(said):
                said = await said
            await asyncio.sleep(0)
        finally:
            self.at_once -= 1
        if isinstance(said, Exception):
            raise said
        if isinstance(said, Response):
            return said
        return await Scripted({"number": number} if said is None else said).respond(request, emit)


async def gather(documents, clerk, **options):
    found = []
    await gather_into(found, documents, clerk, **options)
    return found


async def gather_into(found, documents, clerk, **options):
    async with aclosing(extract_many(documents, Letter, model=clerk, **options)) as records:
        async for record in records:
            found.append(record)


def numbers(records):
    return [record.value.number for record in records]


async def test_every_document_gets_a_record_as_they_finish():
    gates = {number: asyncio.Event() for number in range(3)}

    async def wait(number):
        await gates[number].wait()
        if number:
            gates[number - 1].set()

    gates[2].set()
    found = await gather(map(text, range(3)), Clerk(wait))

    assert numbers(found) == [2, 1, 0]


async def test_or_in_the_order_of_the_documents():
    gates = {number: asyncio.Event() for number in range(3)}

    async def wait(number):
        await gates[number].wait()
        if number:
            gates[number - 1].set()

    gates[2].set()
    found = await gather(map(text, range(3)), Clerk(wait), ordered=True)

    assert numbers(found) == [0, 1, 2]


async def test_no_more_are_asked_at_once_than_is_allowed():
    clerk = Clerk(lambda number: asyncio.sleep(0.001))

    found = await gather(map(text, range(50)), clerk, concurrency=3, pace=Pace(start=100))

    assert (len(found), clerk.most) == (50, 3)


async def test_a_slow_reader_stops_the_workers_and_they_the_source():
    drawn = []

    def source():
        for number in range(1_000):
            drawn.append(number)
            yield text(number)

    for ordered in (False, True):
        drawn.clear()
        records = extract_many(source(), Letter, model=Clerk(), concurrency=4, ordered=ordered)
        async with aclosing(records):
            await anext(records)
            for _ in range(1_000):
                await asyncio.sleep(0)
            assert len(drawn) <= 4 + 4 + 2


async def test_identical_documents_are_asked_once():
    clerk = Clerk(lambda number: asyncio.sleep(0.001))
    documents = [Document(f"d{n}", text(n % 3)) for n in range(9)]

    found = await gather(documents, clerk, ordered=True)

    assert sorted(clerk.asked) == [0, 1, 2]
    assert numbers(found) == [0, 1, 2] * 3
    assert [record.id for record in found] == [f"d{n}" for n in range(9)]
    assert [record.same_as for record in found] == [None] * 3 + ["d0", "d1", "d2"] * 2
    assert sum((record.usage for record in found), Usage()).requests == 3
    assert [record.attempts for record in found] == [1, 1, 1] + [0] * 6


async def test_without_a_job_the_last_answers_are_known_again(monkeypatch):
    monkeypatch.setattr(limits, "EXTRACT_REMEMBERED", 2)
    clerk = Clerk()

    await gather(map(text, [1, 2, 3, 3, 2, 1]), clerk, concurrency=1)

    assert clerk.asked == [1, 2, 3, 1]


async def test_a_failure_that_may_not_happen_again_is_not_shared():
    failures = [TransportError("reset")]
    clerk = Clerk(lambda number: failures.pop() if failures else None)

    found = await gather([text(1)] * 3, clerk, ordered=True)

    assert [record.ok for record in found] == [False, True, True]
    assert clerk.asked == [1, 1]
    assert found[2].same_as == found[1].id


async def test_a_final_failure_is_shared():
    clerk = Clerk(lambda number: "no JSON")

    found = await gather([text(1)] * 3, clerk, reasks=0)

    assert {record.error.kind for record in found} == {"validation"}
    assert clerk.asked == [1]


async def test_what_ends_the_job_is_raised_when_the_others_are_given_out():
    for ordered in (False, True):
        meeting, refused = asyncio.Barrier(3), asyncio.Event()

        async def one_is_refused(number, meeting=meeting, refused=refused):
            await meeting.wait()
            if number == 1:
                refused.set()
                raise AuthError("who are you", status=401, outcome="none")
            await refused.wait()
            await asyncio.sleep(0.01)

        clerk, found = Clerk(one_is_refused), []
        letters = map(text, range(100))
        with pytest.raises(AuthError):
            await gather_into(found, letters, clerk, concurrency=3, ordered=ordered)

        assert sorted(numbers(found)) == [0, 2]
        assert sorted(clerk.asked) == [0, 1, 2]


async def test_a_service_that_answers_nobody_ends_the_job_and_the_job_goes_on_later(tmp_path):
    def down(number):
        return None if number < 5 else TransportError("connection refused")

    found, path = [], tmp_path / "letters.job"
    with pytest.raises(FailedError, match=r"14 documents in a row had no answer.*refused") as ended:
        await gather_into(found, map(text, range(1_000)), Clerk(down), concurrency=4, job=path)

    assert ended.value.retryable
    assert sorted(numbers(one for one in found if one.ok)) == [0, 1, 2, 3, 4]
    assert 14 <= sum(not one.ok for one in found) < 14 + 4

    clerk = Clerk()
    assert len(await gather(map(text, range(40)), clerk, job=path)) == 40
    assert sorted(clerk.asked) == list(range(5, 40))


async def test_one_answer_among_failures_is_enough_to_go_on():
    clerk = Clerk(lambda number: TransportError("reset") if number % 10 else None)

    found = await gather(map(text, range(100)), clerk, concurrency=1)

    assert sum(one.ok for one in found) == 10


async def test_documents_that_fail_for_good_do_not_end_the_job():
    found = await gather(map(text, range(50)), Clerk(lambda number: "no JSON"), concurrency=1)

    assert {one.error.kind for one in found} == {"validation"}


async def test_a_source_that_breaks_off_is_raised_when_the_others_are_given_out():
    def source():
        yield text(1)
        raise InputError("line 2 is no row")

    found = []
    with pytest.raises(InputError, match="line 2"):
        await gather_into(found, source(), Clerk())

    assert numbers(found) == [1]


async def test_a_record_among_the_documents_is_given_out_as_it_is(tmp_path):
    broken = Record("x.pdf", error=Failure("validation", "it holds no text"))

    from toolstone.extract.local import run_local
    from toolstone.extract.plan import Plan

    async def source():
        yield Document("a", text(1))
        yield broken

    plan = Plan(Letter, Clerk())
    async with aclosing(run_local(plan, source(), job=tmp_path / "job", ordered=True)) as records:
        found = [record async for record in records]

    assert found[1] is broken
    with Job(tmp_path / "job") as job:
        assert job.kept == 1


async def test_left_early_nothing_goes_on():
    clerk = Clerk(lambda number: asyncio.Event().wait() if number else None)
    before = asyncio.all_tasks()

    async with aclosing(extract_many(map(text, range(100)), Letter, model=clerk)) as records:
        await anext(records)

    assert clerk.at_once == 0
    assert asyncio.all_tasks() == before


async def test_cancelled_nothing_goes_on():
    busy = asyncio.Barrier(8 + 1)

    async def never_end(number):
        await busy.wait()
        await asyncio.Event().wait()

    clerk = Clerk(never_end)
    before = asyncio.all_tasks()

    task = asyncio.create_task(gather(map(text, range(100)), clerk))
    await busy.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert clerk.at_once == 0
    assert asyncio.all_tasks() == before


async def test_a_model_that_cancels_itself_ends_the_job_and_does_not_hang_it():
    async def give_up(number):
        raise asyncio.CancelledError

    for ordered in (False, True):
        with pytest.raises(asyncio.CancelledError):
            await gather(map(text, range(3)), Clerk(give_up), ordered=ordered)


# ------------------------------------------------------------------------------------- with a job


async def test_a_job_goes_on_where_it_stopped(tmp_path):
    job, first, second = tmp_path / "job", Clerk(), Clerk()
    async with aclosing(
        extract_many(map(text, range(20)), Letter, model=first, job=job, concurrency=2)
    ) as records:
        early = [await anext(records) for _ in range(5)]

    found = await gather(map(text, range(20)), second, job=job, ordered=True)

    assert numbers(found) == list(range(20))
    assert not {record.value.number for record in early} & set(second.asked)
    assert set(first.asked) | set(second.asked) == set(range(20))


async def test_a_finished_job_asks_nothing_and_gives_the_same_records(tmp_path):
    documents = [Document(f"d{n}", text(n % 7)) for n in range(20)]
    clerk = Clerk(lambda number: "no JSON" if number == 3 else None)

    first = await gather(documents, clerk, job=tmp_path / "job", reasks=0, ordered=True)
    again = await gather(documents, Clerk(), job=tmp_path / "job", reasks=0, ordered=True)

    assert again == first
    assert sorted(clerk.asked) == list(range(7))


async def test_what_failed_for_the_moment_is_asked_again_by_the_next_process(tmp_path):
    job = tmp_path / "job"
    down = Clerk(lambda number: TransportError("reset") if number == 1 else None)

    first = await gather(map(text, range(3)), down, job=job, ordered=True)
    clerk = Clerk()
    again = await gather(map(text, range(3)), clerk, job=job, ordered=True)

    assert [record.ok for record in first] == [True, False, True]
    assert (numbers(again), clerk.asked) == ([0, 1, 2], [1])


async def test_equal_documents_stay_as_many_as_they_are(tmp_path):
    for _ in range(2):
        found = await gather([text(1)] * 3, clerk := Clerk(), job=tmp_path / "job")
        assert numbers(found) == [1, 1, 1]

    assert clerk.asked == []
    with Job(tmp_path / "job") as job:
        assert job.kept == 3


async def test_a_job_begun_with_other_instructions_is_refused(tmp_path):
    await gather([text(1)], Clerk(), job=tmp_path / "job")

    with pytest.raises(ConfigError, match="another instructions"):
        await gather([text(1)], Clerk(), job=tmp_path / "job", instructions="Be brief.")


async def test_an_open_job_stays_open(tmp_path):
    with Job(tmp_path / "job") as job:
        await gather([text(1)], Clerk(), job=job)

        assert len(job.unwritten()) == 1


async def test_the_budget_is_the_whole_jobs_across_processes(tmp_path):
    job, clerk = tmp_path / "job", Clerk()
    for budget, asked in ((4, 4), (4, 4), (10, 10)):
        try:
            await gather(map(text, range(10)), clerk, job=job, budget=Budget(requests=budget))
        except StoppedError:
            assert budget == 4
        assert len(clerk.asked) == asked


async def test_dollars_are_exact_with_a_hundred_at_once():
    price = Price(input=1_000, output=1_000)  # a dollar is a thousand tokens
    usage = Usage(10, 5, requests=1)

    async def answer(number):
        await asyncio.sleep(0.001 * (number % 3))

    clerk, found = Clerk(answer), []
    budget = Budget(requests=None, dollars=3.0, prices={"clerk": price})
    letters, settings = map(text, range(1_000)), Settings(max_output_tokens=16)
    with pytest.raises(StoppedError, match="dollars"):
        await gather_into(found, letters, clerk, budget=budget, settings=settings)

    spent = sum((record.usage for record in found), Usage())
    assert all(record.ok for record in found)
    assert spent == Usage(10 * len(found), 5 * len(found), requests=len(found))
    assert price.of(spent) <= 3.0
    reserved = price.of(Usage(1_000, 16))  # no request is larger
    assert price.of(spent) + reserved + price.of(usage) > 3.0


def test_it_blocks_as_well(tmp_path):
    found = list(extract_many_sync([text(1), text(2)], Letter, model=Clerk(), job=tmp_path / "job"))

    assert sorted(numbers(found)) == [1, 2]


async def test_a_document_that_was_refused_a_moment_is_answered_later():
    refused = [RateLimitError("429", status=429, retry_after=0.001) for _ in range(3)]
    clerk = Clerk(lambda number: refused.pop() if refused else None)

    found = await gather(map(text, range(3)), clerk, ordered=True)

    assert numbers(found) == [0, 1, 2]
    assert len(clerk.asked) == 6


async def test_answers_that_come_home_together_are_kept_together(tmp_path):
    meeting, kept = asyncio.Barrier(5), []

    class Watched(Job):
        def keep_all(self, answers):
            kept.append(len(answers))
            super().keep_all(answers)

    with Watched(tmp_path / "job") as job:
        clerk = Clerk(lambda number: meeting.wait())
        found = await gather(map(text, range(5)), clerk, job=job)

        assert len(found) == len(list(job.rows())) == 5
    assert sum(kept) == 5
    assert len(kept) < 5


async def test_a_disk_that_is_full_ends_the_job_for_all_that_came_home(tmp_path):
    meeting = asyncio.Barrier(5)

    class Full(Job):
        def keep_all(self, answers):
            raise StorageError("no space left on device")

    found = []
    with Full(tmp_path / "job") as job, pytest.raises(StorageError, match="no space"):
        clerk = Clerk(lambda number: meeting.wait())
        await gather_into(found, map(text, range(5)), clerk, job=job)

    assert found == []


async def test_what_cannot_be_kept_ends_the_job_for_all_that_came_home(tmp_path):
    meeting = asyncio.Barrier(5)

    class Odd(Job):
        def keep_all(self, answers):
            raise ValueError("a row that is no JSON")

    with Odd(tmp_path / "job") as job, pytest.raises(ValueError, match="no JSON"):
        clerk = Clerk(lambda number: meeting.wait())
        await gather(map(text, range(5)), clerk, job=job)


async def test_a_name_with_half_a_character_is_kept_as_it_can_be(tmp_path):
    for asked in ([1], []):
        clerk = Clerk()
        found = await gather([Document("caf\udce9", text(1))], clerk, job=tmp_path / "job")

        assert [record.id for record in found] == ["caf\\udce9"]
        assert clerk.asked == asked
