"""The bench: ours beside hand-written loops on the same transport, rounds interleaved.

    python tools/bench/run.py [--rounds N] [--runs N] [--at-once N] [--json]

Prints CPU time per 3-turn 12-call run, least and median, and ratios taken within a round.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from counts import function_calls, modules

HERE = Path(__file__).parent
COLUMNS = ["loop-httpx", "toolstone-httpx", "loop-aiohttp", "toolstone-aiohttp"]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rounds = _rounds(options.rounds, options.runs, options.at_once)
    found = {
        "python": sys.version.split()[0],
        "runs": options.runs,
        "at_once": options.at_once,
        "cpu_ms_per_run": {c: [r[c] for r in rounds] for c in COLUMNS},
        "function_calls": function_calls(),
        "modules": modules(),
    }
    print(json.dumps(found, indent=2) if options.json else _table(found, rounds))


def _rounds(rounds: int, runs: int, at_once: int) -> list[dict[str, float]]:
    with subprocess.Popen(
        [sys.executable, HERE / "server.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        if server.stdout is None or server.stdin is None:
            raise SystemExit("the server has no pipes")
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        found = []
        for number in range(rounds):
            order = COLUMNS if number % 2 == 0 else COLUMNS[::-1]
            found.append({c: _measure(c, url, runs, at_once) for c in order})
        server.stdin.close()
    return found


def _measure(column: str, url: str, runs: int, at_once: int) -> float:
    command = [sys.executable, str(HERE / "client.py"), column, url, str(runs), str(at_once)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    cost: float = json.loads(done.stdout)["cpu_ms"]
    return cost


def _table(found: dict[str, object], rounds: list[dict[str, float]]) -> str:
    lines = [
        "| column | least CPU ms/run | median | median ratio to its loop |",
        "|---|--:|--:|--:|",
    ]
    for column in COLUMNS:
        base = f"loop-{column.split('-')[1]}"
        costs = [r[column] for r in rounds]
        ratio = statistics.median(r[column] / r[base] for r in rounds)
        lines.append(
            f"| {column} | {min(costs):.2f} | {statistics.median(costs):.2f} | {ratio:.2f} |"
        )
    lines += ["", f"function calls per run above a canned transport: {found['function_calls']}"]
    lines += [f"modules loaded: {found['modules']}"]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
