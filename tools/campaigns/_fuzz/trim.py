"""Of many inputs the few that reach every line: the corpus that is kept in the tree."""

from __future__ import annotations

import contextlib
import hashlib
import sys
from typing import TYPE_CHECKING, Any, Final

from campaigns._fuzz.targets import CORPUS, TARGETS, Target

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

Step = tuple[str, int, int]

_LONGEST: Final = 2_048


def trim(name: str, folder: Path, most: int) -> int:
    """Keep at most so many inputs of a folder, small ones first; how many were kept."""
    target = TARGETS[name]
    found = sorted((path.read_bytes() for path in folder.iterdir()), key=len)
    reached = {data: _steps(target, data) for data in found if len(data) <= _LONGEST}
    chosen: list[bytes] = []
    seen: set[Step] = set()
    while len(chosen) < most:
        best = max(reached, key=lambda data: (len(reached[data] - seen), -len(data)), default=b"")
        if not reached or not reached[best] - seen:
            break
        seen |= reached.pop(best)
        chosen.append(best)
    place = CORPUS / name
    place.mkdir(parents=True, exist_ok=True)
    for path in place.iterdir():
        path.unlink()
    for data in chosen:
        (place / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    return len(chosen)


def _steps(target: Target, data: bytes) -> set[Step]:
    """The steps from line to line of the package that an input makes."""
    found: set[Step] = set()

    def called(frame: FrameType, _event: str, _value: Any) -> Any:
        if "toolstone" not in frame.f_code.co_filename:
            return None
        before = 0

        def line(inner: FrameType, _event: str, _value: Any) -> Any:
            nonlocal before
            found.add((inner.f_code.co_filename, before, inner.f_lineno))
            before = inner.f_lineno
            return line

        return line

    sys.settrace(called)
    try:
        with contextlib.suppress(Exception):
            target.run(data)
    finally:
        sys.settrace(None)
    return found
