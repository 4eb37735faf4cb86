"""What the whole suite reaches, branches too: `pip install coverage`, and half an hour's patience.

Also counted is what other processes reach that the tests start, unless they are killed or given an
environment of their own. The floors are for all of the package, and for each of its choke points,
which are those of the mutation campaign. Tests that fail are named and do not fail the campaign:
some are about cost, and measuring costs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from campaigns.mutation import CHOKE_POINTS

if TYPE_CHECKING:
    import argparse

_ROOT: Final = Path(__file__).parent.parent.parent
_WHOLE: Final = 100.0
_OVERALL: Final = 97.0
_CHOKE_POINT: Final = _WHOLE


def options(parser: argparse.ArgumentParser) -> None:
    """Which tests, and how many at once."""
    parser.add_argument("tests", nargs="*", help="such as tests/wire; all unless named")
    parser.add_argument("--processes", type=int, default=2, help="tests run at once")
    parser.add_argument("--missing", action="store_true", help="say which lines are not reached")


def run(given: argparse.Namespace) -> int:
    """Run the tests and say what they reach; 0 if that is enough."""
    if importlib.util.find_spec("coverage") is None:
        print("coverage is not installed here: pip install coverage")
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        many = ["-n", str(given.processes), "--dist", "worksteal"] if given.processes > 1 else []
        _coverage(place, "run", "-m", "pytest", *many, *given.tests)
        _coverage(place, "combine", "--quiet")
        _coverage(place, "json", "--quiet", "-o", str(place / "told.json"))
        told = json.loads((place / "told.json").read_text())
    return 0 if _say(told, missing=given.missing) else 1


def _coverage(place: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "coverage", *arguments],
        cwd=_ROOT,
        env={**os.environ, "COVERAGE_FILE": str(place / "data")},
        check=False,
    )


def _say(told: dict[str, Any], *, missing: bool) -> bool:
    """Print each module that is not reached whole, and the floors; whether these are kept."""
    reached: dict[str, float] = {}
    for file, found in sorted(told["files"].items()):
        name = file.replace(os.sep, "/").rpartition("toolstone/")[2]
        reached[name] = found["summary"]["percent_covered"]
        if reached[name] < _WHOLE:
            left = f"  {found['missing_lines']} {found['missing_branches']}" if missing else ""
            print(f"{reached[name]:6.1f} %  {name}{left}")
    low = [name for name in CHOKE_POINTS if reached[name] < _CHOKE_POINT]
    overall = told["totals"]["percent_covered"]
    print(f"choke points below {_CHOKE_POINT:.0f} %: {', '.join(low) or 'none'}")
    print(f"all: {overall:.2f} % of {len(reached)} modules; the floor is {_OVERALL:.0f} %")
    return overall >= _OVERALL and not low
