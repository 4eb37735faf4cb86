"""Environments for other people's packages, made once and kept while the pins stay the same."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["python_with"]


def python_with(there: Path, packages: Sequence[str]) -> str:
    """The interpreter of an environment with these packages; it is made if it is not there.

    Raises:
        SystemExit: It cannot be made; says why.
    """
    python, pinned = there / "bin" / "python", there / "pinned"
    wanted = "\n".join(packages)
    if not pinned.exists() or pinned.read_text() != wanted:
        print(f"making {there}: {' '.join(packages)}", file=sys.stderr)
        _quietly([sys.executable, "-m", "venv", "--clear", str(there)])
        _quietly([str(python), "-m", "pip", "install", "-q", *packages])
        pinned.write_text(wanted)
    return str(python)


def _quietly(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")
