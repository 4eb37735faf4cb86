"""How long an answer may take, in virtual time, from the highest door."""

import asyncio
import json

import pytest
import toolstone_wire_data as wire
from toolstone_virtual import Scripted, now, run_virtually

from toolstone.errors import DeadlineError
from toolstone.events import Retrying
from toolstone.items import user
from toolstone.ports import Request
from toolstone.responses import Responses
from toolstone.wire import Deadlines, Retry

EVENTS = [wire.encode([event]) for event in wire.narrate(wire.RESPONSES["text"])]
STREAMED, PLAIN = Request((user("hi"),), stream=True), Request((user("hi"),))
FOREVER = 1e9


async def nobody(deltas):
    pass


def ask(transport, request=STREAMED, emit=nobody, **options):
    options.setdefault("retry", Retry(attempts=1))
    model = Responses(model="m", base_url="https://x.example", transport=transport, **options)

    async def main():
        return await model.respond(request, emit), now()

    return run_virtually(main())


def slowly(seconds):
    return [step for event in EVENTS for step in (seconds, event)]


def test_a_slow_stream_arrives():
    response, when = ask(Scripted(*slowly(40)))

    assert (response.status, when) == ("completed", 40 * len(EVENTS))


def test_a_stream_that_drips_for_ever_ends_at_the_total():
    numberless = [wire.encode([e]) for e in wire.narrate(wire.RESPONSES["text"], numbers=False)]
    drops = [*numberless[:4], *[s for _ in range(200) for s in (5, numberless[4])]]
    with pytest.raises(DeadlineError, match=r"600 s \(Deadlines\.total\)") as caught:
        ask(Scripted(*drops))

    assert caught.value.outcome == "partial"
    assert len(caught.value.partial.text) > 100


def test_keep_alives_do_not_keep_it_alive():
    pings = [step for _ in range(200) for step in (10, b": ping\n\n")]
    with pytest.raises(DeadlineError, match=r"300 s \(Deadlines\.idle\)") as caught:
        ask(Scripted(*EVENTS[:5], *pings))

    assert caught.value.partial.text


def test_a_reader_may_take_all_the_time_it_wants():
    async def slow(deltas):
        await asyncio.sleep(5000)

    response, when = ask(Scripted(*slowly(1)), emit=slow)

    assert response.status == "completed"
    assert when > 5000


def test_a_plain_answer_may_think_for_the_whole_total():
    inner = json.dumps(wire.RESPONSES["text"]).encode()
    response, when = ask(Scripted(inner, before=599, kind="application/json"), PLAIN)
    assert (response.status, when) == ("completed", 599)
    with pytest.raises(DeadlineError, match="total"):
        ask(Scripted(inner, before=601, kind="application/json"), PLAIN)


def test_each_attempt_has_the_time_of_one():
    seen = []

    async def emit(deltas):
        seen.extend(d for d in deltas if type(d) is Retrying)

    with pytest.raises(DeadlineError) as caught:
        ask(
            Scripted(before=FOREVER),
            emit=emit,
            deadlines=Deadlines(first_byte=10),
            retry=Retry(random=lambda: 1.0, clock=lambda: 0.0),
        )

    assert (caught.value.attempts, [r.wait for r in seen]) == (3, [0.5, 1.0])
    assert [r.status for r in seen] == [None, None]


def test_a_stream_that_stays_open_after_its_end_is_left():
    response, when = ask(Scripted(*EVENTS, FOREVER))

    assert (response.status, when) == ("completed", 0.1)
