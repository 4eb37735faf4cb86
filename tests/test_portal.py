"""The blocking doors: from a script, a running loop, many threads, after other loops, forked."""

import asyncio
import contextvars
import os
import subprocess
import sys
import threading

import pytest

from toolstone import Agent, Budget, UsageError
from toolstone._portal import block
from toolstone.testing import Scripted, call

who = contextvars.ContextVar("who", default="nobody")


def agent(*turns, **options):
    return Agent(Scripted(*turns), **options)


def test_from_a_script():
    assert agent("hi").run_sync("go").output == "hi"


async def test_inside_a_running_loop():
    assert agent("hi").run_sync("go").output == "hi"


def test_after_another_loop_has_closed():
    asyncio.run(asyncio.sleep(0))
    shared = Agent(Scripted("a", "b", "c"))
    assert shared.run_sync("go").output == "a"
    assert asyncio.run(shared.run("go")).output == "b"
    assert shared.run_sync("go").output == "c"


def test_from_sixteen_threads_at_once_with_one_agent():
    barrier = threading.Barrier(16)
    shared = Agent(Scripted(*["hi"] * 16))
    found = []

    def work():
        barrier.wait(5)
        found.append(shared.run_sync("go").output)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == ["hi"] * 16


def test_the_callers_context_variables_travel_into_sync_and_async_tools():
    def sync_tool() -> str:
        return who.get()

    async def async_tool() -> str:
        return who.get()

    token = who.set("somebody")
    try:
        turns = [[call("sync_tool"), call("async_tool")], "done"]
        result = agent(*turns, tools=[sync_tool, async_tool]).run_sync("go")
    finally:
        who.reset(token)
    assert [c.output for c in result.calls] == ["somebody", "somebody"]


def test_a_blocking_door_on_the_portals_own_thread_raises_instead_of_hanging():
    async def mistaken() -> str:
        return agent("x").run_sync("go").output

    with pytest.raises(UsageError, match="await the async twin"):
        block(mistaken)


def test_a_blocking_door_inside_a_sync_tool_works():
    inner = agent("inner")

    def ask() -> str:
        return inner.run_sync("go").output

    result = agent(call("ask"), "done", tools=[ask]).run_sync("go")
    assert result.calls[0].output == "inner"


def test_streaming_without_an_event_loop():
    with agent("hello world").stream_sync("go") as stream:
        assert "".join(stream.text()) == "hello world"
        assert stream.result().output == "hello world"
    with agent("hello").stream_sync("go") as stream:
        assert len(list(stream.events())) > 3
    with agent({"value": [1, 2]}, output=list[int]).stream_sync("go") as stream:
        assert list(stream.partials())
        assert stream.result().output == [1, 2]


def test_leaving_a_blocking_stream_early_stops_it():
    with agent("x" * 1000).stream_sync("go") as stream:
        for _ in stream.text():
            break
    assert agent("still works").run_sync("go").output == "still works"


def test_rulings_and_resume_have_blocking_twins():
    from toolstone import tool

    @tool(approve=True)
    def pay() -> str:
        """Pay."""
        return "paid"

    one = agent(call("pay"), "done", tools=[pay])
    one.run_sync("go", session="s")
    one.approve_sync("s", "0.0")
    assert one.resume_sync("s").output == "done"
    assert agent("5", output=int).extract_sync("five") == 5
    two = agent(call("pay"), "done", tools=[pay])
    two.run_sync("go", session="s")
    two.deny_sync("s", "0.0", "no")
    assert two.resume_sync("s", budget=Budget(requests=3)).calls[0].failed


def test_a_forked_child_gets_a_portal_of_its_own():
    assert agent("hi").run_sync("go").output == "hi"
    child = os.fork()
    if child == 0:
        ok = False
        try:
            ok = agent("hi").run_sync("go").output == "hi"
        finally:
            os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert agent("hi").run_sync("go").output == "hi"


INTERRUPTED = """
import asyncio, os, signal, threading
from toolstone import Agent
from toolstone.testing import Scripted, call

cleaned = []
async def endless() -> None:
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        await asyncio.Event().wait()
    finally:
        cleaned.append(True)

try:
    Agent(Scripted(call("endless")), tools=[endless]).run_sync("go")
except KeyboardInterrupt:
    print("interrupted", cleaned)
"""


def test_ctrl_c_cancels_the_run_and_then_raises():
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("interrupted [True]\n", "")


def test_a_tool_that_exits_ends_the_run_and_not_the_portal():
    def leave() -> None:
        sys.exit(3)

    with pytest.raises(SystemExit):
        agent(call("leave"), tools=[leave]).run_sync("go")
    stream = agent(call("leave"), tools=[leave]).stream_sync("go")
    with stream, pytest.raises(SystemExit):
        stream.result()
    assert agent("still works").run_sync("go").output == "still works"


def test_a_process_that_used_a_blocking_door_ends_with_its_connections_closed(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from toolstone import Agent\n"
        "from toolstone.local import Script, serve\n"
        "with serve(Script(['hello'])) as endpoint:\n"
        "    agent = Agent(f'responses+{endpoint.base_url}#any')\n"
        "    print(agent.run_sync('hi').output)\n"
    )

    done = subprocess.run([sys.executable, "-W", "error", script], capture_output=True, text=True)

    assert (done.stdout, done.stderr) == ("hello\n", "")
