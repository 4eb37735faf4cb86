"""Block X: what the system gives no more of (files, memory, threads), each in a process."""

import json
import subprocess
import sys
import textwrap

import pytest

START = """
import json, os, resource, sys
import tenacity  # loads at the first retry: without files it could not
from toolstone import Agent, Responses, RunError, ToolstoneError
from toolstone.testing import Scripted, call
from toolstone.wire import HttpxTransport

def book(seats: int) -> str:
    "Book seats."
    return "booked"

kept = []

def run():
    connections = HttpxTransport()  # of its own: nothing is open yet
    kept.append(connections)  # and nothing is closed meanwhile
    model = Responses(base_url=sys.argv[1], model="any", api_key="none", transport=connections)
    try:
        return Agent(model, tools=[book]).run_sync("go").output
    except ToolstoneError as error:
        return f"{type(error).__name__} {error} | {type(error.__cause__).__name__}"

found = {"before": run()}
"""
END = """
found["after"] = run()
print(json.dumps(found))
"""
GOOD = "It is 21 °C in Paris. 😀"


@pytest.fixture
def child(peer):
    def run(code, scenario="H41"):
        program = START + textwrap.dedent(code) + END
        done = subprocess.run(
            [sys.executable, "-c", program, peer.base_url(scenario)],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_x06_no_more_files_are_a_typed_error_and_pass(child):
    found = child("""
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held = []
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
    found["without"] = run()
    for one in held:
        os.close(one)
    """)

    assert found["before"] == found["after"] == GOOD
    assert found["without"].startswith(("DroppedError ", "FailedError "))
    assert found["without"].endswith("| TransportError")


def test_x06_no_more_memory_is_a_typed_error_and_passes(child):
    found = child("""
    def remember() -> str:
        "Remember a lot."
        return str(len(b"x" * (1 << 30)))

    def talk():
        agent = Agent(Scripted(call("remember"), "done"), tools=[remember])
        return agent.run_sync("go").calls[0].output

    talk()
    used = int(open("/proc/self/statm").read().split()[0]) * 4096
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), hard))
    found["without"] = talk()
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    """)

    assert found["before"] == found["after"] == GOOD
    assert found["without"].startswith("the tool failed: MemoryError")


def test_x06_no_more_memory_for_an_answer_is_a_typed_error_and_passes(child):
    found = child(
        """
    found["before"] = "skipped"
    used = int(open("/proc/self/statm").read().split()[0]) * 4096
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (16 << 20), hard))
    found["without"] = run()
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    """,
        scenario="H32",
    )

    for name in ("without", "after"):
        assert found[name].startswith("FailedError "), found[name]
    assert "limits.BODY_BYTES" in found["after"]


def test_x06_no_more_threads_are_told_and_pass(child):
    """As somebody who is not root: root has no such limit."""
    found = child("""
    def look() -> str:
        "Look."
        return "seen"

    def talk():
        agent = Agent(Scripted(call("look"), "done"), tools=[look])
        try:
            return agent.run_sync("go").calls[0].output
        except ToolstoneError as error:
            return f"{type(error).__name__} {error}"

    from toolstone.tools import threads
    found["warm"] = talk()
    threads._pools.clear()  # as if no thread for tools had been there yet
    if os.geteuid() == 0:
        os.seteuid(65534)
        os.setresuid(65534, 65534, 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, hard))
    found["without"] = talk()
    resource.setrlimit(resource.RLIMIT_NPROC, (soft, hard))
    found["again"] = talk()
    """)

    assert found["before"] == found["after"] == GOOD
    assert (found["warm"], found["again"]) == ("seen", "seen")
    assert found["without"].startswith("the tool failed: RuntimeError")
