"""The public JSON parsing suite (nst), from your own clone of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from toolstone.errors import ProtocolError
from toolstone.responses.decode import decode
from toolstone.schema.strictjson import find_problem

if TYPE_CHECKING:
    import argparse


def options(parser: argparse.ArgumentParser) -> None:
    """Where the suite is."""
    parser.add_argument("folder", type=Path, help="its test_parsing folder")


def run(given: argparse.Namespace) -> int:
    """Put every file of the suite to both boundaries, and count."""
    counts: Counter[tuple[str, str, str]] = Counter()
    unlike: list[str] = []
    for path in sorted(given.folder.glob("*.json")):
        data, kind = path.read_bytes(), path.name[0]
        try:
            strict = find_problem(data.decode(), root=None) is None
        except UnicodeDecodeError:
            strict = False
        try:
            decode(data)
        except ProtocolError:
            wire = False
        else:
            wire = True
        for boundary, read in (("strict", strict), ("wire", wire)):
            counts[kind, boundary, "read" if read else "refused"] += 1
            if (kind, read) in {("y", False), ("n", True)}:
                unlike.append(f"{boundary} {'reads' if read else 'refuses'} {path.name}")
    for (kind, boundary, what), count in sorted(counts.items()):
        print(f"{kind} {boundary:6} {what:8} {count}")
    print("\n".join(unlike))
    return 0 if counts else 1
