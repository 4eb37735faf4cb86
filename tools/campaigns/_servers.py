"""The local endpoint and the fault peer, each in a process of its own (a census is of ours)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from toolstone.errors import SetupError
from toolstone.local import serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolstone.local import Brain

_SECONDS: Final = 30.0
_TOOLS: Final = Path(__file__).parent.parent
_LABELS: Final = count(1)


class Servers(NamedTuple):
    """Where they are."""

    local: str
    """The local endpoint's base URL."""
    faults: str
    """The fault peer's origin."""

    def fault(self, scenario: str, times: int | None = None) -> str:
        """The base URL of a scenario, with a count of its own."""
        word = scenario if times is None else f"{scenario}.{times}"
        return f"{self.faults}/{word}~{next(_LABELS)}/v1"


@contextmanager
def servers(*, pace: float = 0.001) -> Iterator[Servers]:
    """Both, until the block is left.

    Args:
        pace: How many real seconds a second of a fault's scenario lasts.
    """
    faults = ["-m", "toolstone.testing.faults", "--json", "--pace", str(pace)]
    with _started(["-m", "campaigns._endpoint"]) as local, _started(faults) as peer:
        yield Servers(local, peer)


@contextmanager
def forked(brain: Brain) -> Iterator[str]:
    """An endpoint with this brain, in a fork: this process may have no threads, and gets none."""
    said, says = os.pipe()
    stays, leaves = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(leaves)
        with serve(brain) as endpoint:
            os.write(says, endpoint.base_url.encode())
            os.close(says)
            os.read(stays, 1)  # until the other side is gone
        os._exit(0)
    os.close(says)
    os.close(stays)
    try:
        yield os.read(said, 4096).decode()
    finally:
        os.close(leaves)
        os.waitpid(pid, 0)
        os.close(said)


@contextmanager
def relayed(origin: str) -> Iterator[str]:
    """A relay in front of an origin, in a process of its own; see `_relay`."""
    with _started(["-m", "campaigns._relay", origin]) as relay:
        yield relay


@contextmanager
def _started(words: list[str]) -> Iterator[str]:
    """A server that says where it is in its first line; what it says later goes to a file."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, *words],
            stdin=subprocess.PIPE,
            stdout=said,
            start_new_session=True,
            cwd=_TOOLS,  # where `-m` looks first
        )
        try:
            yield _first_line(process, said)["base_url"]
        finally:
            if process.stdin is not None:
                process.stdin.close()
            process.terminate()
            process.wait(_SECONDS)


def _first_line(process: subprocess.Popen[bytes], said: IO[bytes]) -> Any:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        said.seek(0)
        line = said.readline()
        if line.endswith(b"\n"):
            said.seek(0, 2)
            return json.loads(line)
        time.sleep(0.02)
    raise SetupError(f"{process.args!r} did not start; it said why on stderr")
