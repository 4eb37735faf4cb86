"""Which scenario a request has come to, and whether it still meets the fault."""

from __future__ import annotations

import difflib
import re
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from toolstone.errors import InputError
from toolstone.testing.faults.steps import SCENARIOS, Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Desk", "Found", "listed"]

_WORD: Final = re.compile(r"(?P<name>[A-Z]\d\d(-[a-z0-9]+)?)(\.(?P<times>\d+))?(~\d+)?")


class Found(NamedTuple):
    """A scenario that a request has come to."""

    word: str
    """Name, times and label, as the path or the model's name says them."""
    scenario: Scenario
    times: int | None


class Desk:
    """Counts the requests of each base URL."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._labels = 0
        self._lock = threading.Lock()

    def label(self, scenario: str, times: int | None) -> str:
        """A word of a path that picks a scenario and has a count of its own.

        Raises:
            InputError: There is no such scenario.
        """
        if scenario not in SCENARIOS:
            near = difflib.get_close_matches(scenario, SCENARIOS, n=3)
            hint = f"; near it are {', '.join(near)}" if near else ""
            raise InputError(f"there is no scenario {scenario!r}{hint}")
        with self._lock:
            self._labels += 1
        return f"{scenario}{'' if times is None else f'.{times}'}~{self._labels}"

    def find(self, target: str, body: Mapping[str, Any] | None = None) -> Found | None:
        """The scenario that the path picks, or else the model's name."""
        path = target.strip("/").partition("/")[0]
        model = str((body or {}).get("model", "")).removeprefix("faults/")
        for word in (path, model):
            found = _WORD.fullmatch(word)
            if found and found["name"] in SCENARIOS:
                times = found["times"]
                return Found(word, SCENARIOS[found["name"]], int(times) if times else None)
        return None

    def count(self, found: Found) -> int:
        """Which request of its base URL this is, from 1."""
        with self._lock:
            self._counts[found.word] += 1
            return self._counts[found.word]

    def is_due(self, found: Found) -> bool:
        """Whether the next request meets the fault."""
        return found.times is None or self._counts[found.word] < found.times


def listed() -> list[dict[str, Any]]:
    """All scenarios, as an endpoint lists its models."""
    return [
        {"id": name, "object": "model", "description": one.says}
        for name, one in sorted(SCENARIOS.items())
    ]
