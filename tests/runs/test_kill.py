"""kill -9, a real endpoint, a real file: what was acknowledged is there, nothing is doubled."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from toolstone import Agent, SQLiteLedger, tool
from toolstone.local import Script, call, serve

CHILD = """
import os, sys, time
from toolstone import Agent, SQLiteLedger, tool

url, ledger, effects = sys.argv[1:]

@tool(repeatable=False)
def act(n: int) -> str:
    "Act."
    with open(effects, "a") as file:
        file.write(f"{n}\\n")
        file.flush()
        os.fsync(file.fileno())
    return f"did {n}"

agent = Agent(f"responses+{url}#m", tools=[act], ledger=SQLiteLedger(ledger))
print("ready", flush=True)
agent.run_sync("go", session="s")
print("done", flush=True)
"""
SCRIPT = [[call("act", n=1), call("act", n=2)], call("act", n=3), call("act", n=4), "the end"]


@pytest.mark.parametrize("seed", range(12))
def test_a_killed_run_resumes_without_doubling_or_losing(tmp_path, seed):
    ledger, effects = str(tmp_path / "runs.sqlite"), tmp_path / "effects"
    effects.touch()
    with serve(Script(SCRIPT)) as endpoint:
        arguments = [sys.executable, "-c", CHILD, endpoint.base_url, ledger, str(effects)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout.readline() == "ready\n"
            wait_for_growth(ledger, random.Random(seed).randrange(1, 12), child)
            os.kill(child.pid, signal.SIGKILL)
        resume_until_done(f"responses+{endpoint.base_url}#m", ledger, effects)
    assert sorted(effects.read_text().split()) == ["1", "2", "3", "4"]


def wait_for_growth(ledger, size, child):
    """Until the ledger has so many facts, or the child is done: the moment to kill it."""
    while child.poll() is None:
        if Path(ledger).exists() and records(ledger) >= size:
            return


def records(ledger):
    try:
        with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT COUNT(*) FROM records").fetchone()[0]
    except sqlite3.Error:
        return 0  # it is just being made


def resume_until_done(model, ledger, effects):
    """As a person would: look at each unknown call's effect, and settle it by that."""

    @tool(repeatable=False)
    def act(n: int) -> str:
        """Act."""
        with effects.open("a") as file:
            file.write(f"{n}\n")
        return f"did {n}"

    store = SQLiteLedger(ledger)
    agent = Agent(model, tools=[act], ledger=store)
    result = agent.resume_sync("s")
    while result.outcome == "waiting":
        for unknown in result.waiting:
            assert unknown.state == "unknown"
            n = unknown.arguments.split(":")[1].strip(" }")
            if n in effects.read_text().split():
                agent.settle_sync("s", unknown, result=f"did {n}")
            else:
                agent.settle_sync("s", unknown, again=True)
        result = agent.resume_sync("s")
    assert result.output == "the end"
    store.close()
