"""Extraction: ours beside instructor and pydantic-ai, on the same local endpoint.

    python tools/bench/extract.py cpu [--rounds N] [--documents N]
    python tools/bench/extract.py records [--half tuning] [--wrong]
    both: [--env DIR] [--only TOOLKIT|WAY ...] [--json FILE] (`records` goes on with what is in it)

`cpu`: generated invoices, 100 at once, answered by a script in a process of its own; CPU per
document (user and system, of the client) and documents per second, rounds interleaved. `records`:
the ninety texts of tests/data/extract, or rather one half of them, read by the real small model;
how many records are valid and how many of their fields right. All toolkits are told the same, have
the same schemas, the same cap on what is written and the same number of re-asks. The exit code is 1
if ours misses a target or a peer did not run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from extract_columns import READERS, Reader
from extract_report import costs, scores
from instructions import counter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE: Final = Path(__file__).parent
DATA: Final = HERE.parents[1] / "tests" / "data" / "extract"
SECONDS: Final = 7_200
"""For one measurement; the model may have to share the machine."""
RECORD: Final = {
    "number": "2026-114",
    "supplier": "Harbour Paper Ltd",
    "customer": "Quill & Sons",
    "issued": "2026-03-02",
    "due": None,
    "total": 416.0,
    "currency": "GBP",
    "lines": [
        {"description": "box of copy paper", "quantity": 12, "amount": 180.0},
        {"description": "toner cartridge", "quantity": 4, "amount": 236.0},
    ],
}
SERVER: Final = """
import json, sys
from toolstone.local import Script, call, run
record, tool = json.loads(sys.argv[1]), sys.argv[2]
def ready(url, stop):
    print(json.dumps(url), flush=True)
run(Script([call(tool, **record) if tool else record]), ready=ready)
"""


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("cpu", "records"))
    parser.add_argument("--env", type=Path, default=Path(tempfile.gettempdir()) / "toolstone-bench")
    parser.add_argument("--only", nargs="+", help="toolkits, or ways as the table names them")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=1_000, help="for each measurement")
    parser.add_argument("--half", choices=("tuning", "untouched"), default="untouched")
    parser.add_argument("--wrong", action="store_true", help="print each field that is wrong")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    readers = [one for one in READERS if not given.only or {one.name, one.toolkit} & {*given.only}]
    if given.what == "cpu":
        found: Any = cpu(readers, pythons(readers, given.env), given.rounds, given.documents)
        table, met = costs(found)
    else:
        readers = [one for one in readers if one.scored]
        rows = [json.loads(row) for row in (DATA / f"{given.half}.jsonl").read_text().splitlines()]
        found = records(readers, pythons(readers, given.env), rows, given.json)
        table, met = scores(found, rows, shapes(), wrong=given.wrong)
    print(table)
    _keep(found, given.json)
    return 0 if met else 1


def pythons(readers: Sequence[Reader], folder: Path) -> dict[str, str]:
    """The interpreter of each toolkit, its environment made if it is not there."""
    columns = {one.toolkit: one.column for one in readers}
    return {name: column.python(folder) for name, column in columns.items()}


def shapes() -> dict[str, Any]:
    """The schemas of the ninety texts."""
    sys.path.append(str(DATA))
    found: dict[str, Any] = importlib.import_module("schemas").SCHEMAS
    return found


def cpu(
    readers: Sequence[Reader], pythons: dict[str, str], rounds: int, documents: int
) -> list[dict[str, dict[str, float]]]:
    """For each round what each way cost; the order turns around with each round."""
    found: list[dict[str, dict[str, float]]] = []
    for number in range(rounds):
        found.append({})
        for one in readers if number % 2 == 0 else readers[::-1]:
            with scripted(one.tool) as url:
                found[-1][one.name] = _cost(one, pythons[one.toolkit], documents, url)
            print(one.name, json.dumps(found[-1][one.name]), file=sys.stderr, flush=True)
    return found


def _cost(one: Reader, python: str, documents: int, url: str) -> dict[str, float]:
    """CPU and rate of one way, and the instructions where they can be counted."""
    command = driver(one, python, f"cpu:{documents}", url, "script")
    with counter(command, whole=False) as counted:
        said: dict[str, float] = driven(one, counted.command, environment=counted.environment)
        return {**said, **counted.millions(documents)}


def records(
    readers: Sequence[Reader],
    pythons: dict[str, str],
    rows: Sequence[dict[str, Any]],
    kept: Path | None = None,
) -> dict[str, Any]:
    """What each way made of each row, by the real small model; what is kept is not asked again."""
    from toolstone.local.spawn import endpoint, stop  # noqa: PLC0415  the other half needs no model

    asked = "\n".join(json.dumps({**row, "gold": None}) for row in rows)
    found: dict[str, Any] = json.loads(kept.read_text()) if kept and kept.exists() else {}
    try:
        url = endpoint("smollm2")
        for one in readers:
            if one.name in found:
                continue
            command = driver(one, pythons[one.toolkit], "records", url, "smollm2")
            found[one.name] = driven(one, command, asked)
            print(one.name, "done", file=sys.stderr, flush=True)
            _keep(found, kept)
    finally:
        stop()
    return found


def _keep(found: Any, file: Path | None) -> None:
    if file is not None:
        file.write_text(json.dumps(found, indent=1))


def driver(one: Reader, python: str, scenario: str, url: str, model: str) -> list[str]:
    """What measures, in the toolkit's own environment."""
    return [python, str(HERE / "extract_drive.py"), one.module, one.way, scenario, url, model]


def driven(
    one: Reader,
    command: Sequence[str],
    given: str = "",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Any:
    """What one measurement says."""
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, **environment, "OPENAI_API_KEY": "none"},
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{one.name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


@contextmanager
def scripted(tool: str) -> Iterator[str]:
    """An endpoint that says the same record always, as JSON text or as a call of this tool."""
    command = [sys.executable, "-c", SERVER, json.dumps(RECORD), tool]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            yield json.loads(line)
        finally:
            process.terminate()


if __name__ == "__main__":
    sys.exit(main())
