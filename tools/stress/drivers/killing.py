"""kill -9 while an agent pays, once for each trial, and going on in another process.

Each trial is a fork of the driver, so that nothing is imported again.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asking import Library  # type: ignore[import-not-found]  # beside it


def kill(library: Library, given: dict[str, Any]) -> dict[str, Any]:
    """Kill a child so many times, go on in another, and compare what was paid with what was due."""
    if not library.keeps:
        return {"ended": "answer", "keeps": ""}
    chance = random.Random(given["seed"])  # noqa: S311  it is to be the same again
    whole = max(_trial(library, given, None)["took"] for _ in range(3))
    counts: dict[str, Any] = dict.fromkeys(
        ("kills", "doubled", "lost", "broken", "named", "after"), 0
    )
    why: dict[str, int] = {}
    while counts["kills"] < given["kills"]:
        found = _trial(library, given, chance.uniform(0.0, whole))
        if not found["killed"]:
            continue
        counts["kills"] += 1
        for name in ("doubled", "lost", "broken", "named"):
            counts[name] += bool(found[name])
        if found["broken"]:
            why[found["broken"][:160]] = why.get(found["broken"][:160], 0) + 1
    return {"ended": "answer", "keeps": library.keeps, **counts, "why": why, "whole": whole}


def _trial(library: Library, given: dict[str, Any], after: float | None) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp())
    try:
        began = time.monotonic()
        child = _fork(library, given, folder)
        killed = False
        if after is not None:
            time.sleep(after)
            killed = os.waitpid(child, os.WNOHANG)[0] == 0
            if killed:
                os.kill(child, signal.SIGKILL)
        if after is None or killed:
            os.waitpid(child, 0)
        took = time.monotonic() - began
        if killed:
            _finish(_fork(library, given, folder))
        return {"took": took, "killed": killed, **_compare(folder, given["steps"])}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _finish(child: int, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        time.sleep(0.005)


def _compare(folder: Path, steps: int) -> dict[str, Any]:
    paid = (folder / "paid").read_text().split() if (folder / "paid").exists() else []
    ended = json.loads((folder / "ended").read_text()) if (folder / "ended").exists() else {}
    broken = ended.get("error", "") or ("" if ended else "hung")
    return {
        "doubled": len(paid) != len(set(paid)),
        "lost": not broken and set(paid) != {str(n) for n in range(steps)},
        "broken": broken,
        "named": ended.get("named", []),
    }


def _fork(library: Library, given: dict[str, Any], folder: Path) -> int:
    child = os.fork()
    if child:
        return child
    try:
        _pay_all(library, given, folder)
    finally:
        os._exit(0)


def _pay_all(library: Library, given: dict[str, Any], folder: Path) -> None:
    """In the child: pay one after the other, or go on where the records end."""
    paid = folder / "paid"

    def pay(number: int) -> str:
        """Pay.

        Args:
            number: Which payment.
        """
        time.sleep(0.002)
        with paid.open("a") as file:
            file.write(f"{number}\n")
            file.flush()
            os.fsync(file.fileno())
        time.sleep(0.002)
        return f"paid {number}"

    def is_paid(number: int) -> bool:
        return paid.exists() and str(number) in paid.read_text().split()

    try:
        agent = library.agent(given, [pay], None, folder)
        named = library.go_on(agent, "Pay all of them.", is_paid)
        ended: dict[str, Any] = {"named": named}
    except BaseException as error:  # noqa: BLE001  as above
        ended = {"error": f"{type(error).__name__}: {error}"}
    (folder / "ended.new").write_text(json.dumps(ended))
    (folder / "ended.new").rename(folder / "ended")
