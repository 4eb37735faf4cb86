"""One look at a value with a compiled schema: its steps are counted, its problems told.

The same check answers and explains. `Look.told` is a list where problems are to be told; inside
`anyOf`, `not` and the like it is None, and the first problem ends the matter. Every step is
counted, so that no value can keep a schema busy for long. `seen` is where members that have been
evaluated are noted, and only if an `unevaluated...` above asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from toolstone.schema.naming import spell_path

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Check",
    "Child",
    "Look",
    "Node",
    "Path",
    "Seen",
    "ToldEnoughError",
    "TooManyStepsError",
    "all_fit",
    "every",
]

MOST_TOLD: Final = 8
"""Problems that are told at once."""

Path = tuple[Any, Any] | None
"""Where a value is: its holder's path and its name or number there."""
Seen = set[Any] | None
"""Names and numbers of members that have been evaluated."""


class TooManyStepsError(Exception):
    """The value would take too long to check."""


class ToldEnoughError(Exception):
    """As many problems have been found as are told."""


class Look:
    """One validation: the steps it has left, and what it has found."""

    __slots__ = ("left", "told")

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.told: list[str] | None = []

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            TooManyStepsError: There were too many.
        """
        self.left -= steps
        if self.left < 0:
            raise TooManyStepsError

    def tell(self, at: Path, reason: str) -> None:
        """Note a problem, if problems are told."""
        if self.told is None:
            return
        parts: list[str | int] = []
        while at is not None:
            at, part = at
            parts.append(part)
        said = f"{spell_path(parts[::-1]) or 'the arguments'}: {reason}"
        if said not in self.told:
            self.told.append(said)
        if len(self.told) == MOST_TOLD:
            raise ToldEnoughError

    def quietly(self, node: Node, value: Any, seen: Seen) -> bool:
        """Whether a value fits a node; why not is not told."""
        if self.told is None:
            return node.fits(self, value, None, seen)
        told, self.told = self.told, None
        try:
            return node.fits(self, value, None, seen)
        finally:
            self.told = told


Check = Callable[[Look, Any, Path, Seen], bool]


class Node:
    """One schema, compiled."""

    __slots__ = ("checks", "own_seen", "says")

    def __init__(self, says: Any) -> None:
        self.says = says
        """The schema it was."""
        self.checks: list[Check] = []
        self.own_seen = isinstance(says, dict) and not says.keys().isdisjoint(_UNEVALUATED)

    def fits(self, look: Look, value: Any, at: Path, seen: Seen) -> bool:
        """Whether a value fits; problems are told where they are asked for."""
        look.left -= 1
        if look.left < 0:
            raise TooManyStepsError
        if self.own_seen:
            outer, seen = seen, set()
        good = True
        for check in self.checks:
            if not check(look, value, at, seen):
                good = False
                if look.told is None:
                    return False
        if self.own_seen and outer is not None and seen is not None:
            outer |= seen
        return good


_UNEVALUATED: Final = frozenset({"unevaluatedItems", "unevaluatedProperties"})

Child = Callable[[Any], Node]
"""The node of a schema that stands inside another."""


def all_fit(look: Look, members: Iterable[tuple[Any, Any, Node]], at: Path) -> bool:
    """Whether each member fits its node; all are asked where problems are told."""
    good = True
    for part, value, node in members:
        if not node.fits(look, value, (at, part), None):
            good = False
            if look.told is None:
                return False
    return good


def every(answers: Iterable[bool]) -> bool:
    """Whether all are true; each is asked, for what it tells."""
    return all(list(answers))
