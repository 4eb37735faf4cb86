"""Evidence: where a value, or a quote, stands in a text. Pure.

Looked for in this order, each only if the one before has found nothing: to the letter; as a date
(`2026-12-01` is `1 December 2026`, `12/1/26`); without regard to case, accents, spaces and
punctuation; as a number (`1234.5` is `1,234.50`, `1.234,50`, `$1.2345k`). What is found is a whole
word or number, never a part of one, and its place is one in the text as it was given.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.extract.dates import Dates, date_of, time_of, times_in
from toolstone.extract.numbers import number_of, numbers_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from toolstone.extract.dates import Date, Time

__all__ = ["Source", "Span"]

Span = tuple[int, int]
"""The first character, and the first one after."""

_BESIDE: Final = range(6)
"""Characters between a date and its time: `T`, a space, ` at `."""
_LONG_NUMBER: Final = 7
"""Digits: a number of so many is the same however it is grouped (telephone, IBAN)."""
_LONG_WORD: Final = 5
"""Letters: a word of so many is also found inside a compound."""
_DIGITS: Final = re.compile(r"\d+")
_RUNS: Final = re.compile(r"[A-Za-z0-9]+|[^\x00-\x7f]+")


class Source:
    """A text that values are looked for in; what has to be prepared is, when first needed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: dict[tuple[bool, str], list[Span]] = {}

    def places(self, value: Any) -> list[Span]:
        """Where a value stands: everywhere, up to a limit, the plainest places first.

        Args:
            value: A string or number, as it stands in JSON.
        """
        if isinstance(value, bool) or value is None or value == "":
            return []
        said = value if isinstance(value, str) else repr(value)
        known = said is value, said
        if known not in self._found:
            self._found[known] = self._places(said, value)[: limits.EXTRACT_PLACES]
        return self._found[known]

    def quote_places(self, quote: str) -> list[Span]:
        """Where these words stand. Numbers and dates are words here."""
        quote = quote.strip()
        return (self._exact(quote) or self._loose(quote)) if quote else []

    def _places(self, said: str, value: Any) -> list[Span]:
        if isinstance(value, str) and (found := self._exact(said)):
            return found
        if (date := date_of(said)) is not None:
            return self._moments(date, time_of(said))
        if (time := time_of(said)) is not None:
            return self._times.get(time, [])
        if isinstance(value, str) and (found := self._loose(said)):
            return found
        if (number := number_of(said)) is not None:
            found = self._numbers.get(number, [])
            alone = [span for span in found if not self._continues(span)]
            return alone or (found if said is not value else [])
        return self._inside(said) if isinstance(value, str) else []

    # -------------------------------------------------------------------------------- as words

    def _exact(self, said: str) -> list[Span]:
        return _some(span for span in _all(self.text, said) if self._whole(span))

    def _loose(self, said: str) -> list[Span]:
        """The same letters and digits, whatever stands between them."""
        wanted = "".join(map(_folded, said))
        if not wanted:
            return []
        letters, places = self._letters
        spans = ((places[start], places[end - 1] + 1) for start, end in _all(letters, wanted))
        whole = (span for span in spans if self._whole(span))
        return _some(span for span in whole if _same_numbers(said, self.text[slice(*span)]))

    def _inside(self, said: str) -> list[Span]:
        """A long word inside a longer one."""
        long = len(said) >= _LONG_WORD and said.isalpha()
        return _some(_all(self.text, said)) if long else []

    def _whole(self, span: Span) -> bool:
        """Whether no word or number goes on at either end."""
        start, end = span
        before, after = self.text[start - 1 : start + 1], self.text[end - 1 : end + 1]
        return not ((start > 0 and _glued(before)) or _glued(after))

    def _continues(self, span: Span) -> bool:
        """Whether letters run into it: `A7` is no 7, though `EUR7` may be."""
        return span[0] > 0 and self.text[span[0] - 1].isalpha()

    @cached_property
    def _letters(self) -> tuple[str, list[int]]:
        """The letters and digits of the text, and where each stands."""
        letters: list[str] = []
        places: list[int] = []
        for run in _RUNS.finditer(self.text):
            start, end = run.span()
            if run[0].isascii():
                letters.append(run[0].lower())
                places += range(start, end)
                continue
            for place in range(start, end):
                folded = _folded(self.text[place])
                letters.append(folded)
                places += [place] * len(folded)
        return "".join(letters), places

    # ------------------------------------------------------------------------ as numbers, dates

    @cached_property
    def _numbers(self) -> dict[Decimal, list[Span]]:
        """Where each number stands."""
        numerals = frozenset(self._written.numerals())
        found: dict[Decimal, list[Span]] = {}
        for span, readings in numbers_in(self.text):
            if span not in numerals:
                for number in readings:
                    found.setdefault(number, []).append(span)
        return found

    def _moments(self, date: tuple[int, int, int], time: Time | None) -> list[Span]:
        """Where a date stands, with its time if it stands beside; a time must stand somewhere."""
        _, month, day = date
        named = [*self._dates.get((month, day), ()), *self._dates.get((month, 0), ())]
        days = [span for span, read in named if read.is_of(date)]
        if time is None or not any(time):
            return days
        hours = self._times.get(time, [])
        begin, end = dict(hours), {end: start for start, end in hours}
        after = [(d[0], begin[at]) for d in days for gap in _BESIDE if (at := d[1] + gap) in begin]
        before = [(end[at], d[1]) for d in days for gap in _BESIDE if (at := d[0] - gap) in end]
        return after or before or (days if hours else [])

    @cached_property
    def _written(self) -> Dates:
        return Dates(self.text)

    @cached_property
    def _dates(self) -> dict[tuple[int, int], list[tuple[Span, Date]]]:
        """Where each month and day stands, those with a year first; a day of 0 is not said."""
        found: dict[tuple[int, int], list[tuple[Span, Date]]] = {}
        for one in sorted(self._written, key=lambda one: one[1].vague):
            for said in one[1].months:
                found.setdefault(said, []).append(one)
        return found

    @cached_property
    def _times(self) -> dict[Time, list[Span]]:
        """Where each time of day stands."""
        found: dict[Time, list[Span]] = {}
        for span, time in times_in(self.text):
            found.setdefault(time, []).append(span)
        return found


def _all(text: str, wanted: str) -> Iterator[Span]:
    start = text.find(wanted)
    while start >= 0:
        yield start, start + len(wanted)
        start = text.find(wanted, start + 1)


def _some(spans: Iterator[Span]) -> list[Span]:
    """As many of them as are compared."""
    return list(islice(spans, limits.EXTRACT_PLACES))


def _same_numbers(said: str, found: str) -> bool:
    """Whether the digits are grouped alike, where that makes a difference: `1.5` is not `15`."""
    ours, theirs = _DIGITS.findall(said), _DIGITS.findall(found)
    return ours == theirs or len("".join(ours)) >= _LONG_NUMBER


def _glued(two: str) -> bool:
    """Whether these two characters are of one word or one number."""
    if len(two) != 2 or not two.isalnum():  # noqa: PLR2004  characters
        return False
    return two.isascii() or not any(map(_is_unspaced, two))


_UNSPACED: Final = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x9FFF))
_UNSPACED_LATER: Final = ((0xAC00, 0xD7AF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF))


def _is_unspaced(character: str) -> bool:
    """Whether its script runs words together: Thai, Burmese, Khmer, Chinese, Japanese ..."""
    code = ord(character)
    return any(low <= code <= high for low, high in (*_UNSPACED, *_UNSPACED_LATER))


@lru_cache(maxsize=4096)
def _folded(character: str) -> str:
    """A letter without case and accents; nothing for what is no letter or digit."""
    spread = unicodedata.normalize("NFKD", character).casefold()
    return "".join(one for one in spread if one.isalnum())
