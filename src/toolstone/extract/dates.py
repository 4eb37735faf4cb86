"""Dates and times as people write them: months by name, in any order, without the year. Pure."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from toolstone._dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Date", "Dates", "date_of", "time_of", "times_in"]

Span = tuple[int, int]
Time = tuple[int, int, int]
"""Hour, minute and second."""


@dataclass(frozen=True, slots=True)
class Date:
    """A date as far as it is said.

    Attributes:
        months: The months that may be meant, each with the day that is then meant; a day of 0 is
            not said.
        year: The year; None if it is not said.
    """

    months: frozenset[tuple[int, int]]
    year: int | None

    @property
    def vague(self) -> bool:
        """Whether part of it is not said."""
        return self.year is None or any(day == 0 for _, day in self.months)

    def is_of(self, date: tuple[int, int, int]) -> bool:
        """Whether it may be this date; one without a day is the first of its month."""
        year, month, day = date
        if self.year is not None and self.year not in (year, year % 100):
            return False
        return (month, day) in self.months or (day == 1 and (month, 0) in self.months)


_ISO: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?")
_ISO_TIME: Final = re.compile(
    r"(?:.*[T ])?(\d{2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?(?:Z|[+-][\d:]{4,6})?"
)
_CLOCK: Final = re.compile(
    r"(\d(?<![\d:.]\d)\d?)(?:[:.h](\d{2})(?::(\d{2}))?)?(?:\s?([AaPp])\.?[Mm]\b|(?![\d:]))"
)
_YEAR_FIRST: Final = re.compile(r"(\d(?<!\d\d)\d{3})([-/.]?)(\d{1,2})\2(\d{1,2})(?!\d)")
_EASTERN_YEAR: Final = "\u5e74"
_EAST: Final = re.compile(r"(\d{4})\u5e74\s?(\d{1,2})\u6708\s?(\d{1,2})\u65e5")
_YEAR_LAST: Final = re.compile(r"(\d(?<!\d\d)\d?)([-/.])\s?(\d{1,2})(?:\2\s?(\d{4}|\d{2}))?(?!\d)")
_NAME: Final = r"([^\W\d_]{3,12})\.?"
_DAY_FIRST: Final = re.compile(
    rf"(\d(?<!\d\d)\d?)(?:st|nd|rd|th|er|\.|\u00ba)?[\s-]+(?:(?:day )?of |de )?{_NAME}"
    r"(?:(?:,|\s|-)+(?:de |of )?(\d{4}|'?\d{2})(?!\d))?"
)
_MONTH_FIRST: Final = re.compile(
    rf"(?<!\w){_NAME}\s(\d{{1,2}})(?:st|nd|rd|th)?(?!\d)(?:,?\s(\d{{4}})(?!\d))?"
)
_MONTH_YEAR: Final = re.compile(rf"(?<!\w){_NAME},?\s(?:de |of )?(\d{{4}})(?!\d)")

_MONTHS: Final = {
    name[:length]: number
    for number, names in enumerate(
        (
            "january januar januari janvier janner jaenner enero gennaio janeiro",
            "february februar februari fevrier febrero febbraio fevereiro",
            "march marz maerz mrz mars marzo maart marco",
            "april avril abril aprile",
            "may mai mayo maggio mei maio maj",
            "june juni juin junio giugno junho",
            "july juli juillet julio luglio julho",
            "august aout agosto augustus",
            "september septembre septiembre settembre setembro",
            "october oktober octobre octubre ottobre outubro",
            "november novembre noviembre novembro",
            "december dezember decembre diciembre dicembre dezembro",
        ),
        1,
    )
    for name in names.split()
    for length in range(3, len(name) + 1)
}
"""English, German, French, Spanish, Italian, Dutch and Portuguese, whole or cut short."""
_STARTS: Final = sorted({name[:3] for name in _MONTHS})
_LAST_MONTH: Final = 12
_LAST_DAY: Final = 31


def date_of(said: str) -> tuple[int, int, int] | None:
    """The year, month and day of a date as JSON has it, or of a time with its date."""
    found = _ISO.fullmatch(said)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def time_of(said: str) -> Time | None:
    """The hour, minute and second of a time as JSON has it, or of a date with its time."""
    found = _ISO_TIME.fullmatch(said)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3] or 0))


def times_in(text: str) -> Iterator[tuple[Span, Time]]:
    """Every time of day in a text, and its place; seconds that are not said are none."""
    for found in _CLOCK.finditer(text):
        if found[2] or found[4]:
            half = (found[4] or "").lower()
            hour = int(found[1]) % 12 + 12 * (half == "p") if half else int(found[1])
            yield found.span(), (hour, int(found[2] or 0), int(found[3] or 0))


class Dates:
    """The dates in a text, each kind looked for once, and only where it may be."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._years_first = list(_YEAR_FIRST.finditer(text))
        self._years_last = list(_YEAR_LAST.finditer(text))

    def numerals(self) -> Iterator[Span]:
        """Every day and month in figures, which are no numbers for themselves; a year may be."""
        for found in self._years_first:
            yield from (found.span(3), found.span(4))
        for found in self._years_last:
            if found[4] is not None:  # else it may be a range, or a fraction
                yield from (found.span(1), found.span(3))

    def __iter__(self) -> Iterator[tuple[Span, Date]]:
        """Every date, and its place."""
        text = self._text
        east = _EAST.finditer(text) if _EASTERN_YEAR in text else ()
        for found in (*self._years_first, *east):
            year, *rest = (int(one) for one in found.groups() if one and one.isdecimal())
            yield from _if_any(found, [(rest[0], rest[1])], year)
        for found in self._years_last:
            first, second = int(found[1]), int(found[3])
            yield from _if_any(found, [(second, first), (first, second)], _year(found[4]))
        if not _may_name_months(text):
            return
        for found in _DAY_FIRST.finditer(text):
            yield from _if_any(found, [(_month(found[2]), int(found[1]))], _year(found[3]))
        for found in _MONTH_FIRST.finditer(text):
            yield from _if_any(found, [(_month(found[1]), int(found[2]))], _year(found[3]))
        for found in _MONTH_YEAR.finditer(text):
            yield from _if_any(found, [(_month(found[1]), 0)], _year(found[2]))


def _if_any(
    found: re.Match[str], months: list[tuple[int, int]], year: int | None
) -> Iterator[tuple[Span, Date]]:
    possible = frozenset((m, d) for m, d in months if 1 <= m <= _LAST_MONTH and d <= _LAST_DAY)
    if possible:
        yield found.span(), Date(possible, year)


def _year(said: str | None) -> int | None:
    return None if not said else int(said.lstrip("'"))


def _month(name: str) -> int:
    """The number of a month by its name or the beginning of it; 0 if it is none."""
    return _MONTHS.get(_bare(name), 0)


def _may_name_months(text: str) -> bool:
    """Whether a month's name may begin somewhere; searching by pattern costs fifty times that."""
    bare = _bare(text)
    return any(start in bare for start in _STARTS)


def _bare(said: str) -> str:
    """In lower case and without accents."""
    low = said.lower()
    if low.isascii():
        return low
    spread = unicodedata.normalize("NFKD", low)
    return "".join(one for one in spread if not unicodedata.combining(one))
