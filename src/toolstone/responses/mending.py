"""What is tried once before a refusal is final, at any endpoint: another history. Pure.

Which refusal has which mend says the table (`Row.mend`); each kind is tried once a request.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from toolstone.items import Reasoning

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from toolstone.items import Item
    from toolstone.ports import Request

__all__ = ["FORGOTTEN", "Mended", "fingerprint", "mend", "without_reasoning"]

FORGOTTEN: Final = "ask-anew"
"""The mend where the service does not know a background response any more."""


class Mended(NamedTuple):
    """The next request."""

    request: Request
    why: str
    """What is different, for people."""
    stripped: Sequence[Item] = ()
    """Items whose reasoning was refused, and is left out."""


def mend(request: Request, kind: str, tried: Collection[str]) -> Mended | None:
    """The request that may be answered instead; None if the refusal is final.

    Args:
        request: The one that was refused.
        kind: The mend that the refusal names.
        tried: Those that were tried.
    """
    make = _MENDS.get(kind)
    return None if make is None or kind in tried else make(request)


def without_reasoning(items: Sequence[Item], marks: Collection[int] | None = None) -> list[Item]:
    """The items without their reasoning, calls and outputs kept: all of it, or what has a mark."""
    return [
        item
        for item in items
        if type(item) is not Reasoning or (marks is not None and fingerprint(item) not in marks)
    ]


def fingerprint(item: Item) -> int:
    """A short mark of an item's encrypted content."""
    return hash(item.raw.get("encrypted_content") or item.raw.get("id"))


def _rebuild(request: Request) -> Mended | None:
    if request.previous is None or request.whole is None:
        return None
    whole = replace(request, items=request.whole, previous=None, whole=None)
    why = "the service has lost the response to go on from; the whole history was sent"
    return Mended(whole, why)


def _strip(request: Request) -> Mended | None:
    left = without_reasoning(request.items)
    if len(left) == len(request.items):
        return None
    why = "encrypted reasoning was refused, and left out"
    return Mended(replace(request, items=left), why, request.items)


def _ask_anew(request: Request) -> Mended | None:
    if request.accepted is None:
        return None
    why = "the service has forgotten the background response; it was asked for anew"
    return Mended(replace(request, accepted=None), why)


_MENDS: Final = {"rebuild": _rebuild, "strip-reasoning": _strip, FORGOTTEN: _ask_anew}
