"""The mutation score of the choke points, with mutmut: `pip install mutmut==3.8.1`.

Each module is mutated in a copy of the tree, and met by the tests that are about it alone. A
mutant that no test notices is printed with its difference; those that change nothing one could
notice stand in docs/reliability.md, with the reason.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse

_ROOT: Final = Path(__file__).parent.parent.parent
_TARGET: Final = 0.90
_LEDGERS: Final = "tests/ledgers/test_ledgers.py"
CHOKE_POINTS: Final = {
    "wire/sse.py": ["tests/wire/test_sse.py"],
    "schema/strictjson.py": ["tests/schema/test_strictjson.py", "tests/reliability/test_json.py"],
    "responses/slots.py": ["tests/responses/test_slots.py", "tests/responses/test_stream.py"],
    "responses/stream.py": [
        "tests/responses/test_stream.py",
        "tests/responses/test_stream_says.py",
        "tests/responses/test_slots.py",
    ],
    "responses/numbering.py": ["tests/responses/test_numbering.py"],
    "schema/arguments.py": ["tests/schema/test_arguments.py"],
    "tools/results.py": ["tests/tools/test_results.py"],
    "outcomes.py": ["tests/test_outcomes.py"],
    "rulings.py": ["tests/test_rulings.py"],
    "runs/soundness.py": ["tests/runs/test_soundness.py"],
    "ledgers/sqlite.py": [
        "tests/ledgers/test_sqlite.py",
        f"{_LEDGERS}::test_the_sqlite_ledger_passes_the_contract",
        f"{_LEDGERS}::test_a_file_kept_before_there_were_checksums_is_gone_on_with",
    ],
    "ledgers/memory.py": ["tests/ledgers/test_memory.py"],
    "ledgers/leases.py": ["tests/ledgers/test_leases.py"],
    "ledgers/private.py": ["tests/ledgers/test_private.py"],
    "schema/linear.py": ["tests/schema/test_linear.py"],
    "schema/foreign.py": ["tests/schema/test_foreign.py"],
    "schema/lint.py": ["tests/schema/test_lint.py"],
    "responses/address.py": ["tests/responses/test_address.py"],
    "responses/failures.py": ["tests/responses/test_failures.py"],
}
"""The most important first: each module, and the tests that are about it."""
_COPIED: Final = ("src", "tests", "tools", "docs", "examples", "pyproject.toml", "README.md")


def options(parser: argparse.ArgumentParser) -> None:
    """Which modules."""
    parser.add_argument("module", nargs="*", help="such as wire/sse.py; all unless named")
    parser.add_argument("--children", type=int, default=1, help="mutants met at once")


def run(given: argparse.Namespace) -> int:
    """Mutate, and say the scores; 0 if each reaches 90 %."""
    if importlib.util.find_spec("mutmut") is None:
        print("mutmut is not installed here: pip install mutmut==3.8.1")
        return 2
    names = given.module or list(CHOKE_POINTS)
    return 0 if min([_score(name, given.children) for name in names]) >= _TARGET else 1


def _score(name: str, children: int) -> float:
    """The share of a module's mutants that its tests notice; prints the others."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for one in _COPIED:
            copied = shutil.copytree if (_ROOT / one).is_dir() else shutil.copyfile
            copied(_ROOT / one, place / one)
        with (place / "pyproject.toml").open("a") as settings:
            settings.write(_settings(name))
        _mutmut(place, "run", "--max-children", str(children))
        _mutmut(place, "export-cicd-stats")
        if not (place / "mutants" / "mutmut-cicd-stats.json").exists():
            return 0.0  # it has said why
        told = json.loads((place / "mutants" / "mutmut-cicd-stats.json").read_text())
        missed = [line.split(":") for line in _mutmut(place, "results").splitlines() if ":" in line]
        for mutant, how in missed:
            if "not checked" in how:
                continue
            print(f"--- {how.strip()}\n{_mutmut(place, 'show', mutant.strip())}", flush=True)
    noticed, total = told["killed"] + told["timeout"], told["total"]
    if left := told.get("not_checked", 0):
        print(f"{name}: {left} of {total} mutants were not met: the tests do not pass unmutated?")
    score = noticed / total if total else 0.0
    print(f"{name}: {noticed} of {total} mutants noticed, {score:.1%}", flush=True)
    return score


def _settings(name: str) -> str:
    tests = json.dumps(CHOKE_POINTS[name])
    copied = json.dumps([one for one in _COPIED if one not in ("src", "tests")])
    return (
        f'\n[tool.mutmut]\nsource_paths = ["src"]\nonly_mutate = ["src/toolstone/{name}"]\n'
        f"pytest_add_cli_args_test_selection = {tests}\nalso_copy = {copied}\n"
        'pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]\n'
    )


def _mutmut(place: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mutmut", *arguments],
        cwd=place,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and arguments[0] == "run":
        print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
    return done.stdout
