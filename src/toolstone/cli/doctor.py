"""`toolstone doctor`: the findings of `toolstone.bedrock.doctor`, drawn as they come."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from toolstone.bedrock.doctor import CHECKS, QUESTIONS, diagnose
from toolstone.cli.failures import FAILED
from toolstone.cli.words import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.bedrock.doctor import Finding

__all__ = ["see_doctor", "usual_model"]

_COLOURS: Final = {"pass": "green", "warn": "yellow", "fail": "bold red", "skipped": "dim"}
_USUAL: Final = "openai.gpt-oss-120b"
_WIDTH: Final = max(len(check.name) for check in (*CHECKS, *QUESTIONS))


def usual_model() -> str:
    """What is examined if nothing is named: `TOOLSTONE_MODEL`, or the model of AWS's own page.

    That one is reached as the environment says: by OpenAI's variables, if they are set.
    """
    scheme = "openai" if os.environ.get("OPENAI_BASE_URL") else "bedrock"
    return os.environ.get("TOOLSTONE_MODEL") or f"{scheme}/{_USUAL}"


def see_doctor(
    model: str, *, region: str | None, deep: bool, offline: bool, aws: bool | None, as_json: bool
) -> int:
    """Examine a model, show every finding as it comes, and count them.

    Returns:
        The exit code: 1 if anything failed, 0 otherwise.

    Raises:
        ConfigError: The model string cannot be read.
    """
    put = _put_json if as_json else _put_row if sys.stdout.isatty() else _put_line
    if not as_json:
        sys.stdout.write(f"{clean(model)}\n")
    found = asyncio.run(_look(model, region, put, deep=deep, offline=offline, aws=aws))
    if not as_json:
        sys.stdout.write(_summary(found))
    return FAILED if any(one.status == "fail" for one in found) else 0


async def _look(
    model: str,
    region: str | None,
    put: Callable[[Finding], None],
    *,
    deep: bool,
    offline: bool,
    aws: bool | None,
) -> list[Finding]:
    found = []
    look = diagnose(model, region=region, deep=deep, offline=offline, ask_aws=aws)
    async for one in look:
        put(one)
        sys.stdout.flush()
        found.append(one)
    return found


def _summary(found: list[Finding]) -> str:
    counted = {status: sum(one.status == status for one in found) for status in _COLOURS}
    return ", ".join(f"{n} {status}" for status, n in counted.items() if n) + "\n"


def _put_json(one: Finding) -> None:
    sys.stdout.write(json.dumps(asdict(one), ensure_ascii=False) + "\n")


def _put_line(one: Finding) -> None:
    sys.stdout.write(f"{one.status:<7}  {one.check:<{_WIDTH}}  {clean(one.seen)}\n")
    if one.next:
        sys.stdout.write(f"{'':7}  {'':{_WIDTH}}  next: {clean(one.next)}\n")


def _put_row(one: Finding) -> None:
    """A row of a table whose columns are as wide in every row, so that it can grow."""
    from rich.console import Console  # noqa: PLC0415  only at a terminal
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(width=7)
    table.add_column(width=_WIDTH)
    table.add_column(ratio=1, overflow="fold")
    told = Text(clean(one.seen))
    if one.next:
        told.append(f"\n→ {clean(one.next)}", style="bold" if one.status == "fail" else "")
    table.add_row(Text(one.status, style=_COLOURS[one.status]), one.check, told)
    Console(highlight=False, markup=False).print(table)
