"""How what came from outside is named in a message: a place in JSON, a key, what is wrong there."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["JSONProblem", "clean_name", "spell_path"]


class JSONProblem(ValueError):  # noqa: N818  it becomes a sentence for the model
    """Text that is not the JSON it should be; the message is one sentence with place and reason."""


def spell_path(path: list[str | int]) -> str:
    """`items[0].name`; names from outside are made harmless."""
    spelled = ""
    for part in path[:32]:
        if isinstance(part, int):
            spelled += f"[{part}]"
        else:
            spelled += ("." if spelled else "") + clean_name(part)
    return spelled


_HARMLESS: Final = re.compile(r"[A-Za-z0-9_$-]{1,64}")


def clean_name(name: str, most: int = 64) -> str:
    """A name that came from outside, fit for a message: escaped and cut."""
    if _HARMLESS.fullmatch(name):
        return name
    shown = ascii(name[:most])[1:-1]
    return shown + (f"... ({len(name)} characters)" if len(name) > most else "")
