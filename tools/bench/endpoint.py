"""How fast the local endpoint is: small responses, streamed deltas, memory.

    python tools/bench/endpoint.py [--seconds N] [--requests N] [--json]
    python tools/bench/endpoint.py --rates    prints JSON, as drive.py does

The server runs in a process of its own with the script brain; what loads it over loopback is
`wrk` (Debian: apt-get install wrk), another process. Rates are per second of the server's own CPU
time, user and system, since the machine may be busy with other things. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

WANTED = {"responses_per_cpu_second": 1_500, "deltas_per_cpu_second": 30_000}
GROWTH = 1.05
"""The memory after all requests, beside that after the first fifth of them: flat, give or take."""
DELTAS = 500
CONNECTIONS = 8
SERVER = f"""
import json
from toolstone.local import Script, answer, run
def ready(url, stop):
    print(json.dumps(url), flush=True)
words = answer("word " * {DELTAS}, chunk=5)
run(Script(["pong", words], by="conversation"), ready=ready)
"""
SMALL: dict[str, Any] = {"model": "m", "input": "ping"}
STREAM: dict[str, Any] = {
    "model": "m",
    "stream": True,
    "input": [
        {"type": "message", "role": "user", "content": "ping"},
        {"type": "message", "role": "assistant", "content": "pong"},
        {"type": "message", "role": "user", "content": "say it all"},
    ],
}


@dataclass(frozen=True)
class Server:
    """The endpoint in its process."""

    pid: int
    url: str

    def cpu_seconds(self) -> float:
        """The CPU time it has taken, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory_kib(self) -> int:
        """What it holds in memory now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) if found else 0


def main(arguments: list[str]) -> int:
    """Measure and print; 0 if all is as wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10, help="of load for each rate")
    parser.add_argument("--requests", type=int, default=100_000, help="for the memory; 0: none")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rates", action="store_true", help="the two rates alone, 3 s each")
    options = parser.parse_args(arguments)
    if options.rates:
        options.seconds, options.requests = 3, 0
    wrk = shutil.which("wrk")
    if wrk is None:
        print("wrk is not on the PATH; apt-get install wrk", file=sys.stderr)
        return 2
    with served() as server:
        found: dict[str, Any] = {
            "python": platform.python_version(),
            "wrk_connections": CONNECTIONS,
        }
        found["one_event_one_write"] = one_event_one_write(server)
        rate(wrk, server, SMALL, 1)  # warm
        found["responses_per_cpu_second"] = rate(wrk, server, SMALL, options.seconds)
        found["deltas_per_cpu_second"] = DELTAS * rate(wrk, server, STREAM, options.seconds)
        if options.requests:
            found["memory_kib"] = memory(wrk, server, options.requests)
    if options.rates:
        print(json.dumps({name: found[name] for name in WANTED}))
        return 0  # who asked judges
    print(json.dumps(found, indent=2) if options.json else table(found))
    return 0 if as_wanted(found) else 1


@contextmanager
def served() -> Iterator[Server]:
    """Start the server, and end it."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            yield Server(process.pid, json.loads(line))
        finally:
            process.terminate()


def rate(wrk: str, server: Server, body: dict[str, Any], seconds: int) -> float:
    """Requests answered for each second of the server's CPU time."""
    began = server.cpu_seconds()
    done = load(wrk, server, body, seconds)
    return done / (server.cpu_seconds() - began)


def load(wrk: str, server: Server, body: dict[str, Any], seconds: int) -> int:
    """Send requests for so many seconds; how many were answered, all of them well."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f'wrk.method = "POST"\nwrk.body = [[{json.dumps(body)}]]\n')
        script.write('wrk.headers["Content-Type"] = "application/json"\n')
        script.flush()
        size = [f"-t1 -c{CONNECTIONS}".split(), ["-d", f"{seconds}s", "-s", script.name]]
        command = [wrk, *size[0], *size[1], f"{server.url}/responses"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(f"not all went well:\n{said}")
    found = re.search(r"(\d+) requests in", said)
    return int(found[1]) if found else 0


def memory(wrk: str, server: Server, requests: int) -> list[int]:
    """The memory after each fifth of so many requests."""
    held: list[int] = []
    done = 0
    while len(held) < 5:  # noqa: PLR2004  fifths
        done += load(wrk, server, SMALL, 2)
        if done >= requests * (len(held) + 1) / 5:
            held.append(server.memory_kib())
    return held


def one_event_one_write(server: Server) -> bool:
    """Whether each event comes in a chunk of its own, as the server wrote it."""
    host, port = re.findall(r"//([\d.]+):(\d+)/", server.url)[0]
    body = json.dumps(STREAM).encode()
    head = f"POST /v1/responses HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, int(port))) as client:
        client.sendall(head.encode() + body)
        raw = b"".join(iter(lambda: client.recv(1 << 16), b""))
    chunks = []
    rest = raw.partition(b"\r\n\r\n")[2]
    while (size := int(rest.partition(b"\r\n")[0], 16)) > 0:
        rest = rest.partition(b"\r\n")[2]
        chunks.append(rest[:size])
        rest = rest[size + 2 :]
    events = [chunk for chunk in chunks if chunk.startswith(b"event: ")]
    whole = all(chunk.count(b"\n\n") == 1 and chunk.endswith(b"\n\n") for chunk in chunks)
    return whole and len(events) == len(chunks) - 1 and len(events) > DELTAS


def as_wanted(found: dict[str, Any]) -> bool:
    """Whether every figure is at least what is wanted."""
    held = found.get("memory_kib") or [1]
    return (
        all(found[name] >= least for name, least in WANTED.items())
        and held[-1] <= held[0] * GROWTH
        and bool(found["one_event_one_write"])
    )


def table(found: dict[str, Any]) -> str:
    """The figures, for reading."""
    lines = [f"Python {found['python']}, wrk with {CONNECTIONS} connections"]
    for name, least in WANTED.items():
        words = name.replace("_per_cpu_second", " for each second of server CPU")
        lines.append(f"{found[name]:>10,.0f}  {words} (wanted: {least:,})")
    lines.append(f"{found['one_event_one_write']!s:>10}  one event, one write")
    if held := found.get("memory_kib"):
        lines.append(f"{' '.join(f'{kib / 1024:.1f}' for kib in held)}  MiB after each fifth")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
