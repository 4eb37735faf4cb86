"""Our client against real servers that disagree with each other: one command, one table.

    python tools/interop.py                    llama.cpp alone: it is in the environment already
    python tools/interop.py --make DIR         makes LiteLLM and transformers in DIR first (2 GB)
    python tools/interop.py --env DIR          uses what was made there
    python tools/interop.py --only tool        the rows with this in their name; --json for machines

Servers listen on loopback, on free ports, and end with the command. Exit code 1 if a cell fails.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime as dt
import json
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import interop_servers as servers
from interop_rows import ROWS, Column

import toolstone

if TYPE_CHECKING:
    from collections.abc import Sequence

CELL_SECONDS = 240
APIS = ("responses", "chat")


@dataclass(frozen=True)
class Cell:
    """How one row went on one server: ok, degraded or fails, and in what."""

    state: str
    why: str = ""
    seconds: float = 0.0


def main() -> int:
    """Start what is there, ask, print."""
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # else the servers would stay
    with contextlib.ExitStack() as stack:
        served = _start(options, stack)
        columns = [Column(one, api) for one in served for api in options.api or APIS]
        rows = [label for label in ROWS if any(text in label for text in options.only or [""])]
        cells = {c.name: {label: _ask(c, label) for label in rows} for c in columns}
    if options.json:
        print(json.dumps(_report(columns, cells, options), indent=1))
    else:
        print(table(columns, rows, cells))
    return int(any(cell.state == "fails" for found in cells.values() for cell in found.values()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--make", type=Path, metavar="DIR", help="make the environments there")
    where.add_argument("--env", type=Path, metavar="DIR", help="use the environments there")
    parser.add_argument("--server", action="append", help="only this one; may be repeated")
    parser.add_argument("--api", action="append", choices=APIS, help="only this protocol")
    parser.add_argument("--only", action="append", metavar="TEXT", help="rows with this in them")
    parser.add_argument("--gguf", type=Path, help="another model's file")
    parser.add_argument("--template", type=Path, default=servers.TEMPLATE, help="its template")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _start(options: argparse.Namespace, stack: contextlib.ExitStack) -> list[servers.Served]:
    """What can be started, in the order of the columns; llama.cpp stands behind LiteLLM too."""
    wanted = options.server or ["llama.cpp", *servers.PACKAGES]
    made = [here for name in servers.PACKAGES if name in wanted and (here := _made(name, options))]
    llama = stack.enter_context(servers.llama_cpp(options.gguf, options.template))
    started = [llama] if "llama.cpp" in wanted else []
    for here in made:
        one = servers.litellm(here, llama) if here.name == "litellm" else servers.transformers(here)
        started.append(stack.enter_context(one))
    return started


def _made(name: str, options: argparse.Namespace) -> Path | None:
    """Where a server's environment is, made now if that was asked for; None without one."""
    folder = options.make or options.env
    here: Path | None = None if folder is None else folder.resolve() / name
    if here is not None and options.make and not servers.is_made(here):
        servers.make(here, options.gguf, options.template)
    if here is not None and servers.is_made(here):
        return here
    print(f"interop: {name} is not there; --make DIR makes it", file=sys.stderr)
    return None


def _ask(column: Column, label: str) -> Cell:
    began = time.monotonic()
    try:
        why = asyncio.run(asyncio.wait_for(_bounded(column, label), CELL_SECONDS))
    except TimeoutError:
        state, why = "fails", f"no end within {CELL_SECONDS} s"
    except Exception as error:  # noqa: BLE001  whatever comes is the cell
        state, why = "fails", f"{type(error).__name__}: {error}"
    else:
        state = "degraded" if why else "ok"
    cell = Cell(state, why or "", round(time.monotonic() - began, 2))
    print(f"interop: {column.name}: {label}: {state} {cell.why[:200]}", file=sys.stderr)
    return cell


async def _bounded(column: Column, label: str) -> str | None:
    return await ROWS[label](column)


def table(columns: Sequence[Column], rows: Sequence[str], cells: dict[str, dict[str, Cell]]) -> str:
    """The matrix in Markdown; what is degraded or fails is told below."""
    notes: list[str] = []

    def shown(cell: Cell) -> str:
        if not cell.why:
            return cell.state
        if cell.why not in notes:
            notes.append(cell.why)
        return f"{cell.state} [{notes.index(cell.why) + 1}]"

    lines = [
        "| asked | " + " | ".join(column.name for column in columns) + " |",
        "| --- |" + " --- |" * len(columns),
        *(
            f"| {label} | " + " | ".join(shown(cells[c.name][label]) for c in columns) + " |"
            for label in rows
        ),
    ]
    versions = {column.served.name: column.served.version for column in columns}
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    below = [f"{n}. {' '.join(why.split())[:240]}" for n, why in enumerate(notes, 1)]
    return "\n".join([f"Measured {today}: {told}.", "", *lines, "", *below])


def _report(
    columns: Sequence[Column], cells: dict[str, dict[str, Cell]], options: argparse.Namespace
) -> dict[str, object]:
    return {
        "date": dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        "toolstone": toolstone.__version__,
        "model": str(options.gguf or servers.NAME),
        "columns": {
            column.name: {
                "version": column.served.version,
                "cells": {label: asdict(cell) for label, cell in cells[column.name].items()},
            }
            for column in columns
        },
    }


if __name__ == "__main__":
    sys.exit(main())
