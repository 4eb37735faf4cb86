"""Write the lock files of CI anew: exact versions with hashes, none younger than a week.

python tools/lock.py             as of today; needs uv (pip install uv)
python tools/lock.py 2026-11-22  as of a day
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
AGE: Final = timedelta(days=7)
"""A version that is younger is not taken: what is wrong with one is mostly found within days."""
CHOSEN: Final = {"openai": "2026-11-18", "ruff": "2026-11-20"}
"""Taken younger, because somebody has asked for that very version in pyproject.toml: until when."""
LOCKS: Final = {
    ".ci/plain.lock": ["pyproject.toml"],
    ".ci/dev.lock": ["pyproject.toml", "--extra", "dev"],
}
"""What a user of the package gets, and what CI installs."""


def command(lock: str, today: date) -> list[str]:
    """How a lock file is made, as of a day."""
    newest = today - AGE
    made = ["uv", "pip", "compile", "--universal", "--python-version", "3.11", "--quiet"]
    made += ["--generate-hashes", "--only-binary", ":all:", "--no-emit-index-url", "--no-header"]
    made += ["--exclude-newer", f"{newest}T00:00:00Z"]
    for name, until in CHOSEN.items():
        made += ["--exclude-newer-package", f"{name}={max(until, str(newest))}T00:00:00Z"]
    return [*made, "--upgrade", "--output-file", lock, *LOCKS[lock]]


def main(arguments: list[str]) -> int:
    """Write both."""
    today = date.fromisoformat(arguments[0]) if arguments else datetime.now(tz=UTC).date()
    for lock in LOCKS:
        subprocess.run(command(lock, today), cwd=ROOT, check=True)
        path = ROOT / lock
        head = f"# As of {today}, nothing younger than {AGE.days} days: python tools/lock.py\n"
        path.write_text(head + path.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
