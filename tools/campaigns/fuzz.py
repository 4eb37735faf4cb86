"""Coverage-guided fuzzing of the boundaries, with atheris: `pip install atheris==3.0.0`.

Each target is in tools/campaigns/_fuzz, its small corpus in tests/data/fuzz; the tests replay
that corpus, and a Hypothesis version of each target. What atheris finds is kept beside its work
(`--work`), one file for each kind of failure; `--replay FILE` shows it again.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from campaigns._fuzz.targets import TARGETS, feed, kept
from campaigns._fuzz.trim import trim

if TYPE_CHECKING:
    import argparse

_TOOLS: Final = Path(__file__).parent.parent
_LONGEST: Final = 4_096


def options(parser: argparse.ArgumentParser) -> None:
    """Which target, for how long, and where to work."""
    parser.add_argument("target", nargs="*", choices=[*TARGETS, []], help="all unless named")
    parser.add_argument("--minutes", type=float, default=20.0, help="for each target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help="keeps the corpus and findings; else temporary")
    parser.add_argument("--replay", type=Path, nargs="+", help="inputs to be given once more")
    parser.add_argument("--trim", type=int, help="keep so many inputs in tests/data/fuzz")


def run(given: argparse.Namespace) -> int:
    """Fuzz; 0 if nothing was found."""
    names = list(given.target or TARGETS)
    if given.replay:
        for path in given.replay:
            feed(TARGETS[names[0]], path.read_bytes())
            print(f"{path.name}: nothing wrong")
        return 0
    if importlib.util.find_spec("atheris") is None:
        print("atheris is not installed here: pip install atheris==3.0.0 (CPython 3.11 to 3.13)")
        return 2
    with tempfile.TemporaryDirectory() as temporary:
        work = given.work or Path(temporary)
        found = sum(_fuzz(name, given.minutes, given.seed, work) for name in names)
        if given.trim:
            for name in names:
                print(f"{name}: kept {trim(name, work / name / 'corpus', given.trim)} inputs")
    return 1 if found else 0


def _fuzz(name: str, minutes: float, seed: int, work: Path) -> int:
    """Fuzz one target and say what came of it; how many kinds of failure there are."""
    corpus, findings, log = (work / name / part for part in ("corpus", "findings", "log.txt"))
    corpus.mkdir(parents=True, exist_ok=True)
    for path in kept(name):
        (corpus / path.name).write_bytes(path.read_bytes())
    words = work / name / "words.txt"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in TARGETS[name].words))
    command = [sys.executable, "-m", "campaigns._fuzz.drive", name, str(findings)]
    command += [
        f"-max_total_time={round(minutes * 60)}",
        f"-seed={seed}",
        f"-max_len={_LONGEST}",
        "-timeout=60",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-artifact_prefix={work / name}/",
        *([f"-dict={words}"] if TARGETS[name].words else []),
        str(corpus),
    ]
    before = _cpu_seconds()
    paths = (str(_TOOLS), os.environ.get("PYTHONPATH"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with log.open("w") as told:
        code = subprocess.run(
            command, cwd=_TOOLS, env=environment, stdout=told, stderr=told, check=False
        ).returncode
    kinds = [json.loads(path.read_text()) for path in sorted(findings.glob("*.json"))]
    ran = re.search(r"stat::number_of_executed_units:\s+(\d+)", log.read_text(errors="replace"))
    inputs = int(ran[1]) if ran else 0
    print(
        f"{name}: {inputs:,} inputs in {_cpu_seconds() - before:,.0f} s of CPU, seed {seed}, "
        f"corpus {len(list(corpus.iterdir()))}, findings {len(kinds)}, exit {code}",
        flush=True,
    )
    for one in kinds:
        print(f"  {one['kind']}: {one['says'][:200]}")
    return len(kinds) + (code != 0)


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02X}" for byte in word)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
