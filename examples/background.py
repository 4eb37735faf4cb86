"""A long answer is made by the service itself; who waits for it dies, and another one goes on.

The service is the endpoint on this machine; OpenAI's and Bedrock's mantle host do the same. A
program that may die keeps its sessions in a file.

Prints:
    the first process ended with 9, its response was accepted
    A long report.
    the model was asked 1 time
"""

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from toolstone import Agent, Settings, SQLiteLedger
from toolstone.events import Accepted
from toolstone.local import Function, Turn, serve

dead = threading.Event()
asked: list[Turn] = []


def write(turn: Turn) -> str:
    """The model: it takes so long that the process that asked is dead before it answers."""
    asked.append(turn)
    dead.wait(60)
    return "A long report."


class Dying:
    """An observer: the power goes as soon as the response was accepted."""

    def observe(self, _run: str, event: object) -> None:
        """See one event."""
        if isinstance(event, Accepted):
            os._exit(9)


def make_agent(url: str, path: str) -> Agent[str]:
    """The same agent in both processes."""
    return Agent(
        f"responses+{url}#any",
        settings=Settings(background=True),
        ledger=SQLiteLedger(path),
        observers=[Dying()] if "--dies" in sys.argv else [],
    )


if "--dies" in sys.argv:
    make_agent(*sys.argv[1:3]).run_sync("Write a long report", session="report")

with serve(Function(write)) as endpoint, tempfile.TemporaryDirectory() as folder:
    path = str(Path(folder) / "runs.sqlite")
    command = [sys.executable, __file__, endpoint.base_url, path, "--dies"]
    died = subprocess.run(command, check=False)  # noqa: S603  this very file
    print(f"the first process ended with {died.returncode}, its response was accepted")
    dead.set()

    result = make_agent(endpoint.base_url, path).resume_sync("report")
    print(result.output)
    print("the model was asked", len(asked), "time")
