"""The toolkits that are compared: what is installed for each, and its driver."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from environments import python_with

DRIVERS: Final = Path(__file__).parent / "drivers"
_START_SECONDS: Final = 120


@dataclass(frozen=True)
class Peer:
    """A toolkit: its name, its driver, and what is installed for it, pinned."""

    name: str
    driver: str
    packages: tuple[str, ...] = ()

    def python(self, folder: Path) -> str:
        """Its interpreter, in an environment that is made if it is not there; ours is this one."""
        if not self.packages:
            return sys.executable
        return python_with(folder / self.name, self.packages)


PEERS: Final = (
    Peer("toolstone", "with_toolstone.py"),
    Peer("openai-agents", "with_openai_agents.py", ("openai-agents==0.24.0", "openai==3.54.0")),
    Peer(
        "pydantic-ai", "with_pydantic_ai.py", ("pydantic-ai-slim[openai]==2.68.0", "openai==3.54.0")
    ),
    Peer("strands", "with_strands.py", ("strands-agents[openai]==1.62.0",)),
    Peer(
        "langchain",
        "with_langchain.py",
        (
            "langchain==1.4.7",
            "langchain-openai==1.7.3",
            "langgraph==1.2.22",
            "langgraph-checkpoint-sqlite==3.1.2",
        ),
    ),
)


class Driver:
    """A driver in a process of its own: a line in, a line out, SIGKILL when it is late.

    Args:
        peer: The toolkit.
        folder: Where the environments are.
        log: What it writes to stderr goes here.
    """

    def __init__(self, peer: Peer, folder: Path, log: Path) -> None:
        self._command = [peer.python(folder), str(DRIVERS / peer.driver)]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.versions: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def ask(self, given: dict[str, Any], seconds: float) -> dict[str, Any]:
        """What it saw; `hung` or `died` if it does not say so in time."""
        process = self._started()
        began = time.monotonic()
        line = b""
        try:
            _write(process, json.dumps(given))
            line = _read(process, seconds)
        except BrokenPipeError:
            pass
        if line:
            found: dict[str, Any] = json.loads(line)
            return found
        spent = time.monotonic() - began
        ended = "hung" if process.poll() is None and spent >= seconds else "died"
        self.kill()
        return {"ended": ended, "seconds": spent, "ran": [], "typed": False}

    def kill(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env={**kept, "OPENAI_API_KEY": "none", "NO_PROXY": "*"},
                    bufsize=0,
                )
            line = _read(self._process, _START_SECONDS)
            if not line:
                raise SystemExit(f"{self._command} does not start; see {self._log}")
            self.versions = json.loads(line)["versions"]
        return self._process


def _write(process: subprocess.Popen[bytes], line: str) -> None:
    if process.stdin is not None:
        process.stdin.write(line.encode() + b"\n")


def _read(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """A line, or nothing if none comes in time."""
    deadline, line = time.monotonic() + seconds, b""
    while process.stdout is not None and not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            return b""
        piece = os.read(process.stdout.fileno(), 65_536)
        if not piece:
            return b""
        line += piece
    return line
