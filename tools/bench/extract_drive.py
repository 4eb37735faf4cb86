"""One measurement of one way of extracting, in a process and an environment of its own.

    python extract_drive.py MODULE WAY SCENARIO URL MODEL

`cpu:N` reads N generated invoices, 100 at once, and prints CPU per document and documents per
second as JSON; `records` reads rows of {"id", "schema", "text"} from standard input and prints what
became of each.
Imports the standard library itself, and pydantic for the schemas.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from counted import counted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    Row = tuple[str, Any, str]
    """Id, record or None, why there is none."""

ASKED: Final = "Read the text into the record. What the text does not say is null."
"""What every toolkit is told."""
TOKENS: Final = 400
"""What every toolkit may have written for one answer."""
REASKS: Final = 2
"""How often every toolkit may ask again."""
AT_ONCE: Final = 100
WARM: Final = 100
DATA: Final = Path(__file__).parents[2] / "tests" / "data" / "extract"


async def side_by_side(
    one: Callable[[str], Awaitable[Any]], texts: Mapping[str, str], at_once: int
) -> AsyncIterator[Row]:
    """What somebody would write around a toolkit: so many workers at one list of texts."""
    left, done = iter(texts.items()), []

    async def work() -> None:
        for name, text in left:
            try:
                done.append((name, await one(text), ""))
            except Exception as error:  # noqa: BLE001  a toolkit raises what it likes
                done.append((name, None, f"{type(error).__name__}: {error}"[:300]))

    await asyncio.gather(*(work() for _ in range(at_once)))
    for row in done:
        yield row


def patience(at_once: int) -> float:
    """Seconds for one answer: a script's comes at once, a model's when it has the machine."""
    return 30 if at_once > 1 else 600


def invoices(count: int, seed: int) -> dict[str, str]:
    """Texts of which no two are the same, and which say what the script reads out of them."""
    return {f"{seed}-{number}": _INVOICE.format(f"{seed}-{number}") for number in range(count)}


_INVOICE: Final = """\
Invoice 2026-114 from Harbour Paper Ltd to Quill & Sons. Issued 2026-03-02.
12 x box of copy paper 180.00
4 x toner cartridge 236.00
Total 416.00 GBP. Our reference {}; please name it when you write to us.
"""


async def cpu(read: Any, shape: Any, count: int) -> dict[str, float]:
    """CPU of a document, user and system, all threads; and documents per second of the clock."""

    async def over(texts: dict[str, str]) -> None:
        wrong = [why async for _, value, why in read(shape, texts, AT_ONCE) if value is None]
        if wrong:
            raise SystemExit(f"{len(wrong)} of {len(texts)} failed, the first: {wrong[0]}")

    await over(invoices(WARM, 1))
    texts = invoices(count, 2)
    with counted():
        began, clock = time.process_time(), time.monotonic()
        await over(texts)
        took, waited = time.process_time() - began, time.monotonic() - clock
    return {"cpu_ms": took * 1e3 / count, "per_second": count / waited}


async def records(read: Any, shapes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What became of each row; one text at a time, since there is one model."""
    kinds: dict[str, dict[str, str]] = defaultdict(dict)
    for row in map(json.loads, sys.stdin):
        kinds[row["schema"]][row["id"]] = row["text"]
    made = []
    for kind, texts in kinds.items():
        async for name, value, why in read(shapes[kind], texts, 1):
            plain = None if value is None else value.model_dump(mode="json")
            made.append({"id": name, "value": plain, "error": why})
    return made


def main(module: str, way: str, scenario: str, url: str, model: str) -> None:
    """Measure, and print JSON."""
    sys.modules["extract_drive"] = sys.modules["__main__"]  # the columns import their shared part
    sys.path.append(str(DATA))
    shapes = importlib.import_module("schemas").SCHEMAS
    column = importlib.import_module(module)

    def read(shape: Any, texts: dict[str, str], at_once: int) -> AsyncIterator[Row]:
        found: AsyncIterator[Row] = column.read(url, model, way, shape, texts, at_once)
        return found

    doing: Any
    if scenario.startswith("cpu:"):
        doing = cpu(read, shapes["invoice"], int(scenario[4:]))
    else:
        doing = records(read, shapes)
    print(json.dumps(asyncio.run(doing)))


if __name__ == "__main__":
    main(*sys.argv[1:])
    sys.stdout.flush()
    os._exit(0)  # the toolkits leave their clients open
