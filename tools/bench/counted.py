"""The part of a measured process in which instructions are counted; see `instructions.py`."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["counted"]


@contextmanager
def counted() -> Iterator[None]:
    """Whoever counts is told when to begin and to end, through two pipes."""
    folder = os.environ.get("TOOLSTONE_BENCH_PERF")
    if folder is None:
        yield
        return
    with Path(folder, "ack").open("rb+", 0) as ack, Path(folder, "control").open("wb", 0) as told:

        def tell(word: bytes) -> None:
            told.write(word)
            if not ack.readline():
                raise SystemExit("nobody counts")

        tell(b"enable\n")
        yield
        tell(b"disable\n")
