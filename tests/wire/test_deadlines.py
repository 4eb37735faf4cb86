"""Deadlines in virtual time: what counts, what does not, and who ended the wait."""

import asyncio

import pytest
from toolstone_virtual import now, run_virtually

from toolstone.errors import DeadlineError
from toolstone.wire import Deadlines, Watch

FOREVER = 1e9


def watching(body, *, streamed=True, **deadlines):
    """Run `body(watch)`; the deadline that passed (or None), and when it was over."""

    async def main():
        wanted = {"first_byte": None, "idle": None, "total": None, **deadlines}
        try:
            with Watch(Deadlines(**wanted), streamed=streamed) as watch:
                await body(watch)
        except DeadlineError as error:
            return str(error).partition("Deadlines.")[2].partition(")")[0], round(now(), 6)
        return None, round(now(), 6)

    return run_virtually(main())


async def wait(watch):
    await asyncio.sleep(FOREVER)


async def events(watch, *, every, count, work=0.0):
    """A stream with an event every so often; the reader works on each."""
    watch.began()
    for _ in range(count):
        await asyncio.sleep(every)
        watch.hold()
        watch.heard()
        await asyncio.sleep(work)
        watch.wait()


async def comments(watch):
    """A stream of bytes that mean nothing."""
    watch.began()
    while True:
        await asyncio.sleep(1)
        watch.hold()
        watch.wait()


def test_an_answer_that_is_not_streamed_has_the_total_for_everything():
    assert watching(wait, streamed=False, first_byte=1, idle=2, total=30) == ("total", 30)


def test_the_headers_of_a_stream_have_the_first_byte_or_else_the_idle_time():
    assert watching(wait, first_byte=5, idle=20, total=30) == ("first_byte", 5)
    assert watching(wait, idle=20, total=30) == ("idle", 20)
    assert watching(wait, idle=20, total=10) == ("total", 10)


def test_after_the_headers_silence_counts():
    async def silent(watch):
        await asyncio.sleep(4)
        watch.began()
        await asyncio.sleep(FOREVER)

    assert watching(silent, first_byte=50, idle=3, total=600) == ("idle", 7)
    assert watching(silent, first_byte=5, idle=30, total=600) == ("idle", 34)


def test_what_means_nothing_is_silence():
    assert watching(comments, idle=5, total=600) == ("idle", 5)


def test_events_keep_a_stream_alive_up_to_the_total():
    async def lively(watch):
        await events(watch, every=4, count=1000)

    assert watching(lively, idle=5, total=600) == ("total", 600)


def test_an_event_just_in_time_is_in_time():
    async def lively(watch):
        await events(watch, every=4.99, count=20)

    assert watching(lively, idle=5, total=600) == (None, round(4.99 * 20, 6))


def test_deadlines_stand_still_while_the_reader_holds_the_stream_back():
    async def slow_reader(watch):
        await events(watch, every=1, count=10, work=100)

    assert watching(slow_reader, idle=2, total=10.5) == (None, 1010)
    assert watching(slow_reader, idle=2, total=9.5) == ("total", 909.5)


def test_no_deadline_is_no_deadline():
    async def long(watch):
        await asyncio.sleep(1e6)

    assert watching(long) == (None, 1e6)


def test_a_cancellation_from_outside_stays_one():
    async def main():
        async def body():
            with Watch(Deadlines(total=50), streamed=False):
                await asyncio.sleep(FOREVER)

        task = asyncio.create_task(body())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtually(main())


def test_a_cancellation_at_the_same_moment_is_not_lost():
    async def main():
        async def body():
            with Watch(Deadlines(total=5), streamed=False):
                await asyncio.sleep(FOREVER)

        task = asyncio.create_task(body())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(5, task.cancel)
        with pytest.raises((asyncio.CancelledError, DeadlineError)):
            await task
        assert task.cancelled() or task.exception()

    run_virtually(main())


def test_a_time_limit_around_a_deadline_is_its_owners():
    async def main():
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(3):
                with Watch(Deadlines(total=5), streamed=False):
                    await asyncio.sleep(FOREVER)
        assert not isinstance(caught.value, DeadlineError)
        assert asyncio.current_task().cancelling() == 0

    run_virtually(main())


def test_a_deadline_leaves_the_task_as_it_was():
    async def main():
        for _ in range(3):
            with pytest.raises(DeadlineError), Watch(Deadlines(total=5), streamed=False):
                await asyncio.sleep(FOREVER)
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(100)

    run_virtually(main())


def test_other_errors_pass_and_leave_no_timer():
    async def main():
        watch = Watch(Deadlines(total=5), streamed=False)
        with pytest.raises(ValueError, match="mine"), watch:
            raise ValueError("mine")
        await asyncio.sleep(100)

    run_virtually(main())


def test_a_watch_needs_a_task():
    with pytest.raises(RuntimeError, match=r"task|loop"):
        Watch(Deadlines(), streamed=False).__enter__()


@pytest.mark.parametrize(
    ("name", "phase"), [("total", "body"), ("idle", "stream"), ("first_byte", "headers")]
)
def test_the_error_says_how_long_and_what_to_raise(name, phase):
    async def main():
        deadlines = {"first_byte": 90, "idle": 90, "total": 90, name: 2.5}
        with Watch(Deadlines(**deadlines), streamed=True) as watch:
            if name != "first_byte":
                watch.began()
            await asyncio.sleep(FOREVER)

    with pytest.raises(
        DeadlineError, match=rf"within 2\.5 s \(Deadlines\.{name}\).*raise {name}="
    ) as e:
        run_virtually(main())

    assert (e.value.phase, e.value.retryable) == (phase, True)


def test_a_watch_outside_of_a_task_is_refused():
    async def main():
        seen = asyncio.get_running_loop().create_future()

        def enter():
            try:
                Watch(Deadlines(), streamed=False).__enter__()
            except RuntimeError as error:
                seen.set_result(str(error))

        asyncio.get_running_loop().call_soon(enter)
        assert "running task" in await seen

    run_virtually(main())


def test_holding_twice_counts_once():
    async def body(watch):
        await asyncio.sleep(3)
        watch.hold()
        watch.hold()
        await asyncio.sleep(100)
        watch.hold()
        watch.wait()
        await asyncio.sleep(FOREVER)

    assert watching(body, streamed=False, total=5) == ("total", 105)
