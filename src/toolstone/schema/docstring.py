"""A docstring, read: what the function does, and what each parameter is. Nothing else leaks."""

from __future__ import annotations

import inspect
from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Documentation", "read_docstring"]

LONGEST: Final = 64 * 1024  # characters; a longer docstring is a mistake


@dataclass(frozen=True, slots=True)
class Documentation:
    """What a docstring says to a model.

    Attributes:
        text: Summary and description; empty if there is none.
        parameters: The text of each parameter or attribute that has one.
    """

    text: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


_MARKS: Final = ":@"
"""What a section of reST or Epydoc begins with; it may be all there is."""
_NOTHING: Final = Documentation()


@lru_cache(maxsize=4096)
def read_docstring(doc: str | None) -> Documentation:
    """Read a docstring in Google, NumPy, reST or Epydoc style.

    Raises:
        DefinitionError: It is longer than 64 KiB.
    """
    if not isinstance(doc, str) or not doc.strip():
        return _NOTHING
    if len(doc) > LONGEST:
        raise DefinitionError(
            f"a docstring of {len(doc)} characters: at most {LONGEST} are read; shorten it"
        )
    clean = inspect.cleandoc(doc).rstrip()
    if "\n" not in clean and ">>>" not in clean and clean[0] not in _MARKS:
        return Documentation(clean)
    from toolstone.schema.sections import read_sections  # noqa: PLC0415  not for a single sentence

    return Documentation(*read_sections(clean))
