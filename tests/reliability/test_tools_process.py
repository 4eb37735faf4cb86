"""Block T: threads, processes and event loops under tools that hang, block, break or leave traces."""

import asyncio
import faulthandler
import gc
import json
import locale
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from toolstone_acting import BOTH, DOORS, acting, eventually, told

from toolstone import Agent
from toolstone.observers import Watchdog
from toolstone.testing import Leftovers, Scripted, call
from toolstone.tools.threads import run_in_thread

HERE = Path(__file__).parent
LAG = 0.05  # p99, the catalogue's


@pytest.fixture(scope="module")
def measured():
    """Three times at most: another program may have kept the machine from everybody."""
    for _ in range(3):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-W", "error", HERE / "tools_process.py"],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        found = {**json.loads(done.stdout), "stderr": done.stderr, "took": time.monotonic() - began}
        if found["p99"] < LAG:
            break
    return found


def test_t07_a_time_out_is_told_on_time_and_the_process_ends(measured):
    assert measured["told"] == ["timed out after 0.2 s; outcome unknown"] * 3
    assert 0.2 <= measured["after"] < 2
    assert measured["abandoned"] == 3
    assert measured["took"] < 30
    assert measured["stderr"] == ""


def test_t08_while_a_blocking_tool_blocks_the_loop_goes_on(measured):
    assert measured["home"] == "came home"
    assert measured["looks"] > 100
    assert measured["p99"] < LAG
    assert measured["streams"] > 3


# -------------------------------------------------------------------------------- the event loop


@DOORS
async def test_t09_an_async_tool_that_blocks_the_loop_is_named_while_it_does(door, caplog):
    def named():
        return [one.getMessage() for one in caplog.records if one.name == "toolstone.tools"]

    def act():
        end = time.monotonic() + 10
        while not named() and time.monotonic() < end:
            time.sleep(0.01)
        return "blocked"

    with caplog.at_level(logging.WARNING, "toolstone.tools"), Watchdog(0.05):
        assert await told([acting(act, name="slow")], call("slow"), door=door) == ["blocked"]

    (text,) = named()
    assert text.startswith("tool slow has kept the event loop busy for 0.05 s at ")
    assert Path(__file__).name in text


def test_t09_the_loop_of_the_blocking_doors_is_watched_too(caplog):
    def act():
        end = time.monotonic() + 10
        while not caplog.records and time.monotonic() < end:
            time.sleep(0.01)
        return "blocked"

    agent = Agent(Scripted(call("slow"), "done"), tools=[acting(act, name="slow")])
    with Watchdog(0.05):
        agent.run_sync("go")

    assert "tool slow has kept the event loop busy" in caplog.text


async def test_t09_what_lets_the_loop_breathe_is_not_named(caplog):
    async def breathes() -> str:
        for _ in range(20):
            await asyncio.sleep(0.01)
        return "fine"

    with Watchdog(5.0):
        assert await told([breathes], call("breathes")) == ["fine"]
    with Watchdog():
        pass

    assert caplog.records == []
    assert "toolstone-watchdog" not in {one.name for one in threading.enumerate()}


# ------------------------------------------------------------------------------ broken and exhausted


async def test_t19_a_system_that_gives_no_thread_fails_the_call_and_the_next_one_runs(monkeypatch):
    from toolstone.tools import threads

    ran, real = [], threading.Thread.start
    monkeypatch.setattr(threads, "_pools", {})  # a pool that has no thread yet

    def refuse(self):
        if self.name.startswith("toolstone-tool"):
            raise RuntimeError("can't start new thread")
        real(self)

    act = acting(lambda: ran.append(True), waits=False)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    (text,) = await told([act], call("acts"))
    assert text.startswith("the tool failed: RuntimeError")
    monkeypatch.setattr(threading.Thread, "start", real)

    assert await told([act], call("acts")) == ["null"]
    assert ran == [True], "the call that failed was made after all"


async def test_t19_with_some_threads_left_the_others_wait_for_them(monkeypatch):
    from toolstone.tools import threads

    monkeypatch.setattr(threads, "_pools", {})
    await run_in_thread(lambda: None, {})
    real = threading.Thread.start

    def refuse(self):
        if self.name.startswith("toolstone-tool"):
            raise RuntimeError("can't start new thread")
        real(self)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    texts = await told([acting(lambda: "ran", waits=False)], *[call("acts")] * 5)

    assert texts == ["ran"] * 5


@pytest.mark.parametrize("breaks", ["exit", "segfault"])
async def test_t19_a_broken_pool_of_processes_is_a_failure_of_the_tool(breaks):
    """The pool is the tool's own, and so is making a new one; the run goes on."""

    def act():
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            if breaks == "exit":
                return pool.submit(os._exit, 1).result(30)
            return pool.submit(faulthandler._sigsegv).result(30)

    def fine():
        return "fine"

    broken, after = acting(act, waits=False), acting(fine, waits=False, name="fine")
    texts = await told([broken, after], call("acts"), call("fine"))

    assert texts[0].startswith("the tool failed: BrokenProcessPool")
    assert texts[1] == "fine"


# ------------------------------------------------------------------------------------- leftovers


def _interrupt(*_):
    pass


def _close():
    sys.stdout.close()


TRACES = {
    "the working directory": (lambda: os.chdir("/"), "changed the working directory from"),
    "the environment": (lambda: os.environ.update(T22="canary"), "changed the environment: T22"),
    "the locale": (lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"), "changed the locale"),
    "the recursion limit": (lambda: sys.setrecursionlimit(3210), "changed the recursion limit from 1000 to 3210"),
    "a signal handler": (lambda: signal.signal(signal.SIGUSR1, _interrupt), "changed signal handlers: SIGUSR1"),
    "the collector": (gc.disable, "changed the garbage collector"),
    "standard output": (_close, "changed standard output from 'open' to 'closed'"),
    "a thread": (lambda: threading.Thread(target=KEPT.wait, args=(30,), name="left", daemon=True).start(), "left thread 'left' running"),
    "a task": (lambda: TASKS.append(asyncio.create_task(forever())), "left task 'forever' running"),
}  # fmt: skip
KEPT, TASKS = threading.Event(), []


async def forever():
    await asyncio.Event().wait()


@pytest.fixture
def untouched(monkeypatch):
    """Whatever is changed is put back."""
    folder, handler = Path.cwd(), signal.getsignal(signal.SIGUSR1)
    limit, was = sys.getrecursionlimit(), locale.setlocale(locale.LC_ALL)
    sys.setrecursionlimit(1_000)
    monkeypatch.delenv("T22", raising=False)
    KEPT.clear()
    yield
    os.chdir(folder)
    signal.signal(signal.SIGUSR1, handler)
    sys.setrecursionlimit(limit)
    locale.setlocale(locale.LC_ALL, was)
    gc.enable()
    KEPT.set()
    os.environ.pop("T22", None)


@pytest.mark.parametrize("what", TRACES)
async def test_t22_what_a_tool_changes_of_the_process_is_told_in_strict_mode(
    what, untouched, monkeypatch, tmp_path
):
    act, says = TRACES[what]
    monkeypatch.setattr(sys, "stdout", (tmp_path / "out").open("w"))

    def trace():
        act()
        return "done"

    leftovers = Leftovers()
    with pytest.raises(AssertionError, match=f"tool acts {says}") as caught, leftovers:
        model = Scripted(call("fine"), call("acts"), "done")
        tools = [acting(trace), acting(lambda: "fine", name="fine")]
        await Agent(model, tools=tools, observers=[leftovers]).run("go")

    assert len(leftovers.found) == 1
    assert "canary" not in str(caught.value)
    sys.stdout.close()
    while TASKS:
        TASKS.pop().cancel()


@DOORS
@BOTH
async def test_t22_a_tool_that_leaves_nothing_is_not_told_of(door, waits):
    with Leftovers() as leftovers:
        act = acting(lambda: "fine", waits=waits)
        assert await told([act], *[call("acts")] * 3, door=door, observers=[leftovers]) == ["fine"] * 3  # fmt: skip

    assert leftovers.found == []


async def test_t17_the_run_neither_waits_for_nor_ends_a_task_that_is_not_its_own():
    """What a tool starts with asyncio is the program's; in strict mode it is told of (T22)."""
    release, ended = asyncio.Event(), []

    async def background():
        await release.wait()
        ended.append(True)

    def act():
        TASKS.append(asyncio.create_task(background()))
        return "started"

    assert await told([acting(act)], call("acts")) == ["started"]
    assert ended == []
    release.set()
    await eventually(lambda: ended)
    TASKS.clear()
