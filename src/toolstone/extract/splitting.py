"""Long texts in pieces: cut at paragraphs, else sentences, else words, with an overlap. Pure.

Tokens are estimated as everywhere in toolstone: one for three bytes, which errs on the high side,
so a piece is rather too short than too long. Pieces cover the text: nothing is left out, and what
stands in the overlap is read twice.
"""

from __future__ import annotations

import re
from typing import Final

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError
from toolstone.usage import estimate_tokens

__all__ = ["Piece", "Split", "pieces_of"]


@dataclass(frozen=True, slots=True)
class Split:
    """How a long text is cut.

    Attributes:
        tokens: A longer text is cut into pieces of at most so many, estimated.
        overlap: So many of a piece's last tokens are read again with the next one, so that what
            stands at the cut is whole in one of them.
    """

    tokens: int = limits.EXTRACT_PIECE_TOKENS
    overlap: int = limits.EXTRACT_OVERLAP_TOKENS

    def __post_init__(self) -> None:
        if self.tokens < 1 or not 0 <= self.overlap <= self.tokens // 2:
            raise DefinitionError(
                f"Split(tokens={self.tokens}, overlap={self.overlap}): a piece has at least 1 "
                "token, and the overlap is at most half of it"
            )


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and where it stands in it."""

    text: str
    start: int


def pieces_of(text: str, split: Split | None) -> tuple[Piece, ...]:
    """The pieces of a text, in order; the text itself if it is short enough or not to be cut."""
    if split is None or _tokens(text) <= split.tokens:
        return (Piece(text, 0),)
    found, start = [], 0
    while start < len(text):
        end = _end(text, start, split.tokens)
        found.append(Piece(text[start:end], start))
        if end == len(text):
            break
        again = _next_start(text, start, end, split.overlap)
        start = again if _end(text, again, split.tokens) > end else end
    return tuple(found)


def _tokens(text: str) -> int:
    return estimate_tokens(len(text.encode(errors="replace")))


_CUTS: Final = (
    re.compile(r"\n[ \t]*\n\s*"),
    re.compile(r"\n\s*"),
    re.compile(r"[.!?\u2026][\"')\]\u2019\u201d]*\s+|[\u3002\uff01\uff1f]"),
    re.compile(r"\s+"),
)
"""Where a text may be cut, best first: after a paragraph, a line, a sentence, a word."""


def _end(text: str, start: int, tokens: int) -> int:
    """Where a piece that begins at `start` ends: at the last good cut in its second half."""
    most = _reach(text, start, tokens)
    if most == len(text):
        return most
    least = start + (most - start) // 2
    for cut in _CUTS:
        last = None
        for found in cut.finditer(text, least, most):
            last = found.end()
        if last is not None:
            return last
    return most


def _next_start(text: str, start: int, end: int, overlap: int) -> int:
    """Where the next piece begins: at a cut so many tokens before the end of this one."""
    least = max(start + 1, end - max(1, _reach_back(text, end, overlap))) if overlap else end
    for cut in _CUTS:
        found = cut.search(text, least, end)
        if found is not None and found.end() < end:
            return found.end()
    spaced = overlap == 0 or any(one.isspace() for one in text[least:end])
    return end if spaced else least  # of words run together a part is better than nothing


def _reach(text: str, start: int, tokens: int) -> int:
    """The end of the longest piece of so many tokens that begins here: always goes on."""
    low, high = start + 1, min(len(text), start + 3 * tokens)
    while low < high:
        middle = (low + high + 1) // 2
        if _tokens(text[start:middle]) <= tokens:
            low = middle
        else:
            high = middle - 1
    return low


def _reach_back(text: str, end: int, tokens: int) -> int:
    """How many characters before `end` are so many tokens."""
    low, high = 0, min(end, 3 * tokens)
    while low < high:
        middle = (low + high + 1) // 2
        if _tokens(text[end - middle : end]) <= tokens:
            low = middle
        else:
            high = middle - 1
    return low
