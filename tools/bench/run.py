"""The bench: ours beside others and beside hand-written loops, rounds interleaved.

    python tools/bench/run.py [--env DIR] [--peers ...] [--only ...] [--rounds N]
                              [--json FILE] [--markdown FILE]

Each column runs in a process and an environment of its own, made in DIR when it is not there; the
order turns around with each round. Printed are CPU times (user and system, of the client), least
and median over the rounds, ratios taken within a round, instructions where Linux's perf is there,
and which bars (bars.toml) are met. A bar
whose peer did not run is not measured. The exit code is 1 if a bar is missed, or if openai-agents,
pydantic-ai or a bare loop is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any, Final

from columns import COLUMNS, DRIVEN, NEEDED, Column
from counts import function_calls, modules, tasks
from instructions import counter
from report import Found, missed, render

HERE: Final = Path(__file__).parent
OWN: Final = ("doors", "ledger")
ENDPOINT: Final = "endpoint"
FURTHER: Final = (*OWN, ENDPOINT, "install")
ONCE: Final = {"long", "paced"}
"""Measured in the first round only: they take minutes with some columns."""
WHOLE: Final = {"first-agent", "cold"}
"""Counted from the start of the process; the others say when they begin and end."""
SECONDS: Final = 300
"""For one measurement; then it is given up."""


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", type=Path, default=Path(tempfile.gettempdir()) / "toolstone-bench")
    parser.add_argument("--peers", nargs="+", choices=[one.name for one in COLUMNS])
    parser.add_argument("--only", nargs="+", choices=[*DRIVEN, *FURTHER])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    given = parser.parse_args()
    columns = [one for one in COLUMNS if given.peers is None or one.name in given.peers]
    pythons = {one.name: one.python(given.env) for one in columns}
    found = _measured(columns, pythons, given.only or [*DRIVEN, *FURTHER], given.rounds)
    about = _about(given.rounds)
    table = render(found, about)
    print(table)
    if given.markdown:
        given.markdown.write_text(table)
    if given.json:
        given.json.write_text(json.dumps({**about, "rounds": found}, indent=1))
    lacking = sorted(NEEDED - set(pythons))
    if lacking:
        print(f"not measured beside {', '.join(lacking)}", file=sys.stderr)
    return 1 if lacking or missed(found) else 0


def _measured(
    columns: list[Column], pythons: dict[str, str], only: list[str], rounds: int
) -> Found:
    """What each round found: scenario, column, value."""
    found: Found = []
    with subprocess.Popen(
        [sys.executable, HERE / "server.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        if server.stdout is None or server.stdin is None:
            raise SystemExit("the server has no pipes")
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        for number in range(rounds):
            order = columns if number % 2 == 0 else columns[::-1]
            found.append({})
            for scenario in only:
                if number and scenario in ONCE:
                    continue
                made = {one.name: _one(scenario, one, pythons[one.name], url) for one in order}
                found[-1][scenario] = {name: value for name, value in made.items() if value}
        server.stdin.close()
    return found


def _one(scenario: str, column: Column, python: str, url: str) -> dict[str, float]:
    """One measurement; empty if the column has no such scenario."""
    if scenario == "install":
        return column.installed(python)
    command = _command(scenario, column, python, url)
    if not command:
        return {}
    environment = {**column.environment, "OPENAI_API_KEY": "none"}
    try:
        value = _counted(scenario, command, environment)
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as error:
        said = str(error.stderr or error)[-800:]
        print(f"{scenario}, {column.name}: failed\n{said}", file=sys.stderr)
        return {}
    print(f"{scenario:12} {column.name:18} {json.dumps(value)}", file=sys.stderr, flush=True)
    return value


def _counted(scenario: str, command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """What one process says, and the instructions it took where they can be counted."""
    if scenario not in DRIVEN:
        return _said(command, environment)
    with counter(command, whole=scenario in WHOLE) as counted:
        said = _said(counted.command, {**environment, **counted.environment})
        units = said.pop("units", 1)
        return {**said, **counted.millions(units)}


def _said(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, **environment},
        check=True,
    )
    said: dict[str, float] = json.loads(done.stdout)
    return said


def _command(scenario: str, column: Column, python: str, url: str) -> list[str]:
    """What measures it; empty if the column has no such scenario."""
    if scenario == ENDPOINT:
        measure = [sys.executable, str(HERE / "endpoint.py"), "--rates"]
        return measure if column.name == "toolstone" and shutil.which("wrk") else []
    if scenario in OWN:
        return [python, str(HERE / "own.py"), scenario, url] if column.ours else []
    if not column.has(scenario):
        return []
    return [python, str(HERE / "drive.py"), column.module, scenario, url]


def _about(rounds: int) -> dict[str, Any]:
    return {
        "date": date.today().isoformat(),  # noqa: DTZ011  the day as people here call it
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": os.getloadavg()[0],
        "rounds measured": rounds,
        "function calls": function_calls(),
        "tasks": tasks(),
        "modules": modules(),
    }


if __name__ == "__main__":
    sys.exit(main())
