"""C14, C15: the tests of calls and streams again, on other event loops.

uvloop; asyncio in debug mode, where a slow callback is an error; and eager tasks, which Python has
from 3.12 on. On 3.11 a factory of our own stands for them: it begins a coroutine before its task.
"""

import asyncio
import contextvars
import logging
import sys
from collections.abc import Coroutine

import pytest
from toolstone_load import load_tests

from toolstone import Agent
from toolstone.local import Script, call, serve

LOOPS = ["uvloop", "debug", "eager"]
SLOW = 1.0  # seconds of one callback; asyncio's own 0.1 is no fault on a busy machine

NOT_HERE = {
    "test_time_in_which_the_reader_holds_the_run_back_is_not_the_runs",  # the clock is its own
    "test_the_result_of_a_stream_that_was_left_at_once_is_a_mistake_and_no_hang",  # eager: it ends
    "test_an_abandoned_thread_keeps_its_place_until_it_ends",  # a thread must begin in 10 ms
    "test_one_task_a_call_and_none_else",  # a task factory of its own
}

run_calls = load_tests("tools/conftest.py").run_calls
for path in ("tools/test_calling.py", "runs/test_stream.py"):
    globals().update(
        {
            name: test
            for name, test in vars(load_tests(path)).items()
            if name.startswith("test_") and name not in NOT_HERE and not hasattr(test, "hypothesis")
        }
    )


def eager(loop, coroutine, **options):
    """Run a coroutine up to where it first waits, and make a task of the rest."""
    if not loop.is_running():
        return asyncio.Task(coroutine, loop=loop, **options)
    context = contextvars.copy_context()
    try:
        waited = context.run(coroutine.send, None)
    except StopIteration as ended:
        done = _Done(loop=loop)
        done.set_result(ended.value)
        return done
    except Exception as error:
        done = _Done(loop=loop)
        done.set_exception(error)
        return done
    return asyncio.Task(_Rest(coroutine, waited), loop=loop, context=context, **options)


class _Done(asyncio.Future):
    """A task that has ended before it was one."""

    def set_name(self, name):
        self.name = name


class _Rest(Coroutine):
    """A coroutine that has begun and waits for something."""

    def __init__(self, coroutine, waited):
        self.coroutine, self.waited = coroutine, [waited]

    def send(self, value):
        return self.waited.pop() if self.waited else self.coroutine.send(value)

    def throw(self, *error):
        self.waited.clear()
        return self.coroutine.throw(*error)

    def close(self):
        self.coroutine.close()

    def __await__(self):
        return self


def new_loop(kind):
    if kind == "uvloop":
        return pytest.importorskip("uvloop").new_event_loop()
    loop = asyncio.new_event_loop()
    if kind == "debug":
        loop.slow_callback_duration = SLOW
    else:
        factory = asyncio.eager_task_factory if sys.version_info >= (3, 12) else eager
        loop.set_task_factory(factory)
    return loop


@pytest.fixture(autouse=True, params=LOOPS)
def kind(request, monkeypatch):
    """What `asyncio.run` runs on."""
    told = []

    class Listening(logging.Handler):
        def emit(self, record):
            told.append(record.getMessage())

    def run(coroutine, *, debug=None):
        with asyncio.Runner(
            debug=request.param == "debug", loop_factory=lambda: new_loop(request.param)
        ) as runner:
            return runner.run(coroutine)

    monkeypatch.setattr(asyncio, "run", run)
    log, listening = logging.getLogger("asyncio"), Listening(logging.WARNING)
    log.addHandler(listening)
    yield request.param
    log.removeHandler(listening)
    assert told == []


async def running():
    """The loop as it is: its type, whether it debugs, and whether its tasks are eager."""
    loop, seen = asyncio.get_running_loop(), []

    async def begins():
        seen.append(True)

    task = loop.create_task(begins())
    begun = bool(seen)
    await task
    return type(loop).__module__.partition(".")[0], loop.get_debug(), begun


async def test_c14_the_tests_of_this_file_run_on_uvloop_too(kind):
    assert (await running())[0] == ("uvloop" if kind == "uvloop" else "asyncio")


async def test_c15_and_in_debug_mode_and_with_eager_tasks(kind):
    assert (await running())[1:] == (kind == "debug", kind == "eager")


async def test_c15_a_call_that_is_home_before_the_next_has_begun_is_made_once():
    """Eager tasks come home while the batch still begins; nothing may be begun twice."""
    from toolstone.testing import Scripted
    from toolstone.testing import call as scripted

    ran = []

    async def quick(n: int) -> int:
        ran.append(n)
        return n

    model = Scripted([scripted("quick", n=n) for n in range(20)], "done")
    result = await Agent(model, tools=[quick], concurrency=3).run("go")

    assert ran == list(range(20))
    assert [one.output for one in result.calls] == [str(n) for n in range(20)]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def test_c14_over_http_plain_and_streamed_give_the_same(kind):
    if kind == "eager" and sys.version_info < (3, 12):
        return  # anyio needs a current task, which a factory of our own cannot give
    with serve(Script([call("add", a=1, b=2), "three"])) as endpoint:
        agent = Agent(f"responses+{endpoint.base_url}#m", tools=[add])
        plain = await agent.run("1+2")
        async with agent.stream("1+2") as stream:
            text = "".join([piece async for piece in stream.text()])
            streamed = await stream.result()

    assert plain.output == streamed.output == text == "three"
