"""A job that goes on where it stopped: nothing is asked twice, and equal lines only once.

The log is made up: 300 lines, many of them the same. So is the model, a function behind an endpoint
on this machine that notes what it is asked.

Prints:
    1st run: 40 lines, asked 40 times
    2nd run: 300 lines, asked 35 times
    errors: auth 4, payments 4, search 4
"""

import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from toolstone import extract_many_sync
from toolstone.extract import Document
from toolstone.local import Function, Turn, serve

SERVICES = ("auth", "payments", "search")
LINES = [
    f"{'ERROR' if n % 25 == 0 else 'INFO'} {SERVICES[n % 3]}: answered in {n % 75 * 100} ms"
    for n in range(300)
]


class Line(BaseModel):
    """A line of a log."""

    level: Literal["info", "error"]
    service: str
    duration_ms: int


asked: list[str] = []


async def read(turn: Turn) -> dict[str, Any]:
    """What the model makes of a line."""
    text = turn.items[-1]["content"]
    asked.append(text)
    level, service, duration = re.findall(r"(INFO|ERROR) (\w+): answered in (\d+) ms", text)[0]
    return {"level": level.lower(), "service": service, "duration_ms": int(duration)}


with tempfile.TemporaryDirectory() as folder, serve(Function(read)) as endpoint:
    model = f"responses+{endpoint.base_url}#any"
    documents = [Document(f"line-{n}", text) for n, text in enumerate(LINES)]
    for run, until in ("1st", 40), ("2nd", 300):
        asked.clear()
        errors: Counter[str] = Counter()
        records = list(
            extract_many_sync(documents[:until], Line, model=model, job=Path(folder, "log.job"))
        )
        for record in records:
            if record.value is not None and record.value.level == "error":
                errors[record.value.service] += 1
        print(f"{run} run: {len(records)} lines, asked {len(asked)} times")
    said = ", ".join(f"{service} {count}" for service, count in sorted(errors.items()))
    print(f"errors: {said}")
