"""Everything that must hold: format, lint, types, tests, docs. The same here and in CI.

python tools/check.py            all of it
python tools/check.py lint types only these steps
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = sys.executable

STEPS = {
    "format": [PYTHON, "-m", "ruff", "format", "--check", "."],
    "lint": [PYTHON, "-m", "ruff", "check", "."],
    "types": [PYTHON, "-m", "mypy"],
    "audit": [PYTHON, "tools/audit.py"],
    "docs": [PYTHON, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", "{temporary}"],
    "tests": [PYTHON, "-m", "pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "worksteal"],
}
"""The tests come last: their closing line is the last thing printed."""


def main(wanted: list[str]) -> int:
    """Run the steps and say which failed; 0 if none did."""
    unknown = set(wanted) - set(STEPS)
    if unknown:
        print(f"no such step: {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
        return 2
    failed = [name for name in STEPS if name in (wanted or STEPS) and not _passes(name)]
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _passes(name: str) -> bool:
    print(f"--- {name}", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        command = [part.replace("{temporary}", temporary) for part in STEPS[name]]
        status = subprocess.run(command, cwd=ROOT, check=False).returncode
    print(f"--- {name}: {'ok' if status == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s")
    return status == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
