"""Options of a job that are not what they should be: told at once, by name and value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from toolstone.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import UnionType

__all__ = ["Kind", "check_kinds"]


class Kind(NamedTuple):
    """What an option must be."""

    type: type | UnionType
    said: str
    """What to give, in words."""


def check_kinds(given: Mapping[str, Any], kinds: Mapping[str, Kind]) -> None:
    """See that options are of their kind.

    Raises:
        DefinitionError: One is not.
    """
    for name, (kind, said) in kinds.items():
        value = given[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            plain = isinstance(value, int | float | str)  # what else it is may hold a key
            shown = repr(value) if plain else type(value).__name__
            raise DefinitionError(f"{name}={shown}: give {said}")
