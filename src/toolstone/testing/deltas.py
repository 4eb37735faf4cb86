"""The deltas that items would have arrived in. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolstone.events import ArgumentsDelta, ReasoningDelta, RefusalDelta, TextDelta
from toolstone.items import FunctionCall, Message, Reasoning

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from toolstone.events import Delta
    from toolstone.items import Item

__all__ = ["deltas_of"]


def deltas_of(items: Sequence[Item], chunk: int = 12) -> Iterator[Delta]:
    """Cut the items into deltas of so many characters."""
    for n, item in enumerate(items):
        if type(item) is Message:
            for part in item.parts:
                yield from (TextDelta(cut, n) for cut in _cuts(part.get("text"), chunk))
                yield from (RefusalDelta(cut, n) for cut in _cuts(part.get("refusal"), chunk))
        elif type(item) is Reasoning:
            for key in ("summary", "content"):
                for part in item.raw.get(key) or ():
                    cuts = _cuts(part.get("text"), chunk)
                    yield from (ReasoningDelta(cut, n, summary=key == "summary") for cut in cuts)
        elif type(item) is FunctionCall:
            cuts = _cuts(item.arguments, chunk)
            yield from (ArgumentsDelta(cut, n, item.name) for cut in cuts)


def _cuts(text: Any, size: int) -> Iterator[str]:
    if isinstance(text, str):
        yield from (text[at : at + size] for at in range(0, len(text), size))
