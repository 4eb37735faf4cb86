"""Against services that count in their own ways, in virtual time: no second of it is waited."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import pytest
from campaigns._virtual import VirtualLoop
from pydantic import BaseModel

from toolstone import Responses, limits
from toolstone.errors import DefinitionError, RateLimitError, ServerError
from toolstone.events import Noted, Retrying
from toolstone.extract import extract_many
from toolstone.extract.pace import Pace, Paced
from toolstone.items import user
from toolstone.local import Function, serve
from toolstone.local.brain import RefusalError
from toolstone.ports import OutputFormat, Request, Response, Settings
from toolstone.usage import Usage
from toolstone.wire import Retry

REQUEST = Request(items=(user("hello"),))
USAGE = Usage(100, 20, requests=1)
FOUND_OUT = Pace()


class Letter(BaseModel):
    number: int


def now():
    return asyncio.get_running_loop().time()


def virtually(main):
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


async def nobody(events):
    pass


@dataclass
class Bucket:
    """A service that lets so many a second through, and saves up so many."""

    rate: float
    saved: float
    latency: float = 0.05
    usage: Usage = USAGE
    let: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    retry_after: float | None = None

    def __post_init__(self):
        self.level, self.at = self.saved, 0.0

    async def respond(self, request, emit):
        await asyncio.sleep(0.002)
        self.level = min(self.saved, self.level + (now() - self.at) * self.rate)
        self.at = now()
        if self.level < 1:
            self.refused.append(now())
            raise RateLimitError(
                "the service answered 429", status=429, retry_after=self.retry_after
            )
        self.level -= 1
        self.let.append(now())
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(self.latency)
        self.at_once -= 1
        return Response("r", "completed", (), self.usage)


def ask_for(seconds, service, pace=FOUND_OUT, *, workers=100, request=REQUEST):
    """Workers that ask without a pause, for so long; the throttle."""

    async def main():
        throttle = pace.throttle(workers)
        model = Paced(service, throttle)

        async def work():
            while True:
                await model.respond(request, nobody)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*[work() for _ in range(workers)])
        return throttle

    return virtually(main())


def in_the_worst_second(instants):
    return max(Counter(map(int, instants)).values(), default=0)


def test_a_stated_limit_is_used_up_and_never_run_into():
    service = Bucket(rate=20, saved=5)

    ask_for(60, service, Pace(requests_per_minute=1200))

    assert service.refused == []
    assert len(service.let) == pytest.approx(1200, abs=2)


@pytest.mark.parametrize("retry_after", [None, 1.0])
@pytest.mark.parametrize("saved", [5, 20, 300])
def test_an_unknown_limit_is_found_out_and_kept_within_five_per_cent(saved, retry_after):
    service = Bucket(rate=20, saved=saved, retry_after=retry_after)

    ask_for(60, service)

    late = [at for at in service.let if at >= 20]
    refused = [at for at in service.refused if at >= 20]
    assert len(late) == pytest.approx(20 * 40, rel=0.05)
    assert len(refused) <= 0.02 * len(late)
    assert in_the_worst_second(refused) <= 2
    assert in_the_worst_second(service.refused) <= service.most  # those under way, and no more


def test_a_quota_by_the_minute_is_used_whole_and_the_rest_of_the_minute_waited_out():
    service = Bucket(rate=20, saved=1200)

    def minute_turns():
        service.level = 1200 if int(now() / 60) != int(service.at / 60) else service.level
        service.at = now()

    class Fixed(Bucket):
        async def respond(self, request, emit):
            minute_turns()
            return await service.respond(request, emit)

    service.rate = 0
    ask_for(120, Fixed(0, 0))

    assert len(service.let) == 2 * 1200
    assert len([at for at in service.refused if at % 60 > 2]) < 30 * 2


def test_a_limit_that_is_raised_is_found_out():
    service = Bucket(rate=5, saved=5)

    class Raised(Bucket):
        async def respond(self, request, emit):
            service.rate = 5 if now() < 30 else 50
            return await service.respond(request, emit)

    ask_for(90, Raised(0, 0))

    assert len([at for at in service.let if at >= 80]) > 0.9 * 10 * 50


def test_where_nothing_is_refused_the_window_doubles_up_to_the_most():
    service = Bucket(rate=1e9, saved=1e9, latency=2.0)

    throttle = ask_for(30, service, Pace(start=4))

    assert (throttle.window, throttle.rate, service.most) == (100, None, 100)
    assert Counter(int(at) for at in service.let[:60]) == {0: 4, 2: 8, 4: 16, 6: 32}


def test_a_window_that_makes_answers_slow_is_not_widened():
    places = asyncio.Semaphore(10)

    class Queued(Bucket):
        async def respond(self, request, emit):
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            async with places:
                await asyncio.sleep(0.1)
            self.at_once -= 1
            self.let.append(now())
            return Response("r", "completed", ())

    service = Queued(0, 0)

    ask_for(20, service)

    assert 10 <= service.most <= 40
    assert len(service.let) == pytest.approx(20 * 10 / 0.1, rel=0.05)


def test_a_refusal_halves_the_window_once_for_those_sent_together():
    async def main():
        throttle = Pace(start=16).throttle(100)
        together = [await throttle.enter() for _ in range(16)]
        await asyncio.sleep(0.1)
        for turn in together:
            throttle.refuse(turn)
            throttle.leave(turn, answered=False)
        return throttle.window, throttle.refusals

    assert virtually(main()) == (8, 16)


def test_tokens_are_reserved_with_the_whole_answer_and_given_back_when_it_is_there():
    request = Request(items=(user("x" * 2680),), settings=Settings(max_output_tokens=1000))
    service = Bucket(rate=1e9, saved=1e9, usage=Usage(900, 100, cached_tokens=500, requests=1))

    ask_for(60, service, Pace(tokens_per_minute=60_000), request=request)

    assert len(service.let) == pytest.approx(60_000 / (900 + 100 - 500), rel=0.05)


def test_what_no_answer_came_for_stays_reserved():
    request = Request(items=(user("x" * 2680),), settings=Settings(max_output_tokens=1000))

    class Broken(Bucket):
        async def respond(self, request, emit):
            self.let.append(now())
            raise ServerError("no", status=500)

    service = Broken(1, 1)

    async def main():
        model = Paced(service, Pace(tokens_per_minute=60_000).throttle(1))
        for _ in range(4):
            with pytest.raises(ServerError):
                await model.respond(request, nobody)

    virtually(main())
    gaps = [b - a for a, b in zip(service.let, service.let[1:], strict=False)]
    assert gaps == pytest.approx([1.9] * 3, abs=0.1)  # 900 of input and 1,000 of output


def test_a_schema_counts_for_what_is_reserved():
    schema = OutputFormat("x", {"description": "y" * 2970}, strict=True)
    request = Request(items=(), output=schema, settings=Settings(max_output_tokens=16))
    seen = []

    class Watched:
        counts_tokens = True

        async def enter(self, tokens):
            seen.append(tokens)
            raise asyncio.CancelledError

    async def main():
        model = Paced(Bucket(1, 1), Watched())
        for _ in range(2):
            with pytest.raises(asyncio.CancelledError):
                await model.respond(request, nobody)

    virtually(main())
    assert seen == [pytest.approx(1012, abs=10)] * 2


async def refused_until(times, wait=None):
    class Service:
        asked = 0

        async def respond(self, request, emit):
            self.asked += 1
            if self.asked <= times:
                error = RateLimitError("429", status=429, retry_after=wait)
                error.notes = (Noted("attempt", "429", data={"attempt": 1}),)
                raise error
            return Response("r", "completed", ())

    service = Service()
    response = await Paced(service, Pace().throttle(1)).respond(REQUEST, nobody)
    return response, now()


def test_a_refused_request_goes_back_in_the_queue_after_the_wait_it_was_told():
    response, waited = virtually(refused_until(1, wait=7.0))

    assert waited >= 7.0
    assert [note.what for note in response.notes] == ["attempt"]


def test_it_goes_back_a_bounded_number_of_times_and_tells_of_each():
    with pytest.raises(RateLimitError) as error:
        virtually(refused_until(100))

    assert len(error.value.notes) == limits.EXTRACT_QUEUED


def test_a_longer_wait_than_is_ever_waited_is_an_error_at_once():
    with pytest.raises(RateLimitError) as error:
        virtually(refused_until(1, wait=3600.0))

    assert len(error.value.notes) == 1


def test_a_quota_that_no_wait_fills_is_an_error_at_once():
    class Service:
        async def respond(self, request, emit):
            raise RateLimitError("your credit is used up", status=429, retryable=False)

    async def main():
        model = Paced(Service(), Pace().throttle(1))
        with pytest.raises(RateLimitError):
            await model.respond(REQUEST, nobody)
        return now()

    assert virtually(main()) == 0


def test_a_machine_that_has_been_up_for_weeks_measures_as_well():
    async def main():
        throttle = Pace(start=1).throttle(4)
        await asyncio.sleep(2**20)
        for _ in range(2):
            turns = [await throttle.enter() for _ in range(int(throttle.window))]
            await asyncio.sleep(2**19)
            for turn in turns:
                throttle.leave(turn, answered=True)
        return throttle.window

    assert virtually(main()) == 4


def test_the_clients_own_retries_wait_for_leave_and_leave_their_place_to_others():
    heard = []

    class Service:
        async def respond(self, request, emit):
            await emit([Retrying(2, 0.0, "too many", status=429)])
            heard.append(now())
            return Response("r", "completed", ())

    async def main():
        throttle = Pace(requests_per_minute=60, start=1).throttle(1)
        model = Paced(Service(), throttle)
        await asyncio.gather(*[model.respond(REQUEST, nobody) for _ in range(2)])
        return throttle.refusals, throttle.busy

    assert virtually(main()) == (2, 0)
    assert heard[-1] == pytest.approx(3.0, abs=0.1)  # four requests, one a second


def test_what_the_model_has_besides_is_there_too():
    service = Bucket(1, 1)
    service.origin = "http://here"

    model = Paced(service, Pace().throttle(1), "price/name")

    assert (model.origin, model.name) == ("http://here", "price/name")
    assert not hasattr(model, "profile")


@pytest.mark.parametrize(
    "wrong", [{"requests_per_minute": 0}, {"tokens_per_minute": -1}, {"start": 0}, {"start": 0.5}]
)
def test_a_pace_of_nothing_is_refused(wrong):
    with pytest.raises(DefinitionError, match=next(iter(wrong))):
        Pace(**wrong)


def test_a_pace_is_shared_in_equal_parts():
    assert Pace(requests_per_minute=90, start=4).shared(3) == Pace(requests_per_minute=30, start=4)
    assert Pace(tokens_per_minute=90).shared(3) == Pace(tokens_per_minute=30)


async def test_over_http_what_is_refused_is_asked_again_and_every_document_answered():
    asked = []

    def say(turn):
        asked.append(turn)
        if len(asked) <= 12:
            raise RefusalError(429, "rate_limit_exceeded", "slower", headers={"retry-after": "0"})
        return {"number": 1}

    with serve(Function(say)) as endpoint:
        client = {"base_url": endpoint.base_url, "model": "m", "retry": Retry(wait=0)}
        async with Responses(**client) as model:
            letters = [f"letter {number}" for number in range(10)]
            found = [record async for record in extract_many(letters, Letter, model=model)]

    assert [record.value for record in found] == [Letter(number=1)] * 10
    assert len(asked) == 22
    assert sum(record.attempts for record in found) == 10
