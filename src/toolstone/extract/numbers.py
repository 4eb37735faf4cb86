"""Numbers as people write them: grouped, in words, with a percent sign or a scale. Pure."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["number_of", "numbers_in"]

_DIGITS_MOST: Final = 40
"""Of a number that is looked for; a longer one is a code, and found as one."""
_PLAIN: Final = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")
_GAP: Final = "\u0020\u00a0\u2009\u202f'\u2019"
"""What groups digits besides point and comma."""
# Each begins with its first digit and looks back then: a search that begins with looking back is
# four times as slow, since it cannot go from digit to digit.
_GROUPED: Final = re.compile(rf"\d(?<!\d\d)\d{{0,2}}(?:[{_GAP}.,]\d{{2,3}})+(?:[.,]\d+)?(?!\d)")
_SIMPLE: Final = re.compile(r"\d(?<!\d\d)(?<!\d[.,]\d)\d*(?:[.,]\d+)?(?![.,]?\d)")
_AFTER: Final = re.compile(
    r"[ \u00a0\u202f-]?(%|percent|k|thousand|tsd|m|mn|mio|million(?:s|en)?|bn|billion|mrd)\b|\s?%",
    re.IGNORECASE,
)
_MINUS: Final = "-\u2212\u2013"
_SCALES: Final = {
    **dict.fromkeys(("k", "thousand", "tsd"), 1_000),
    **dict.fromkeys(("m", "mn", "mio", "million", "millions", "millionen"), 1_000_000),
    **dict.fromkeys(("bn", "billion", "mrd"), 1_000_000_000),
}
_WORDS: Final = {
    word: Decimal(number)
    for number, word in enumerate(
        (
            *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen"),
            *("seventeen", "eighteen", "nineteen", "twenty"),
        )
    )
}
_WORD: Final = re.compile(r"\b[a-z]{3,9}\b", re.IGNORECASE | re.ASCII)
_PARTS: Final = re.compile(r"[.,]")
_THOUSANDS: Final = 3


def number_of(said: str) -> Decimal | None:
    """The number that a value is, as JSON or Python write it; None if it is none."""
    if len(said) > _DIGITS_MOST or not _PLAIN.fullmatch(said):
        return None
    return Decimal(said)


def numbers_in(text: str) -> Iterator[tuple[tuple[int, int], frozenset[Decimal]]]:
    """Every number in a text: its place, and what it may mean."""
    for pattern in (_GROUPED, _SIMPLE):
        for found in pattern.finditer(text):
            yield _read(text, found)
    low = text.lower()
    if not any(word in low for word in _WORDS):
        return
    for word in _WORD.finditer(text):
        if (number := _WORDS.get(word[0].lower())) is not None:
            yield word.span(), frozenset((number,))


def _read(text: str, found: re.Match[str]) -> tuple[tuple[int, int], frozenset[Decimal]]:
    start, end = found.span()
    readings = _readings(found[0])
    after = _AFTER.match(text, end)
    if after is not None:
        end = after.end()
        readings |= _scaled(readings, (after[1] or "%").lower())
    if _negative(text, start):
        readings = {-one for one in readings}
        start -= 1
    elif text[start - 1 : start] == "(" and text[end : end + 1] == ")":
        readings |= {-one for one in readings}  # as bookkeepers write it, or just in brackets
    return (start, end), frozenset(readings)


def _negative(text: str, start: int) -> bool:
    """Whether a minus stands before it that is no hyphen and no range."""
    return (
        start > 0
        and text[start - 1] in _MINUS
        and (start == 1 or not (text[start - 2].isalnum() or text[start - 2] in ").,"))
    )


def _readings(said: str) -> set[Decimal]:
    """What a number without sign may mean: the last of point and comma may be the decimal one."""
    if said.isdecimal():
        return _decimals(said)
    bare = re.sub(f"[{_GAP}]", "", said)
    marks = _PARTS.findall(bare)
    if not marks:
        return _decimals(bare)
    whole, _, rest = bare.rpartition(marks[-1])
    joined = _PARTS.sub("", whole)
    if len(set(marks)) > 1:
        return _decimals(f"{joined}.{rest}")
    if len(marks) > 1:
        return _decimals(joined + rest)
    found = _decimals(f"{joined}.{rest}")
    return found | _decimals(joined + rest) if len(rest) == _THOUSANDS else found


def _decimals(said: str) -> set[Decimal]:
    try:
        return {Decimal(said)} if len(said) <= _DIGITS_MOST else set()
    except InvalidOperation:  # pragma: no cover  the patterns leave digits alone
        return set()


def _scaled(readings: set[Decimal], word: str) -> set[Decimal]:
    if word in {"%", "percent"}:
        return {one / 100 for one in readings}
    scale = _SCALES[word]
    return {one * scale for one in readings}
