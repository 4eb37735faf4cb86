"""What stands in a text: its words, numbers and dates, as values a slot could take. Pure."""

import re
from collections.abc import Iterable, Sequence

from toolstone._dataclass import dataclass

__all__ = ["FUNCTION_WORDS", "Word", "dates", "numbers", "related", "stems", "words"]

_FUNCTION = """
    a an the of in on at to for from by with into about and or but so as is are was were be been
    am do does did done has have had will would can could shall should may might must i you he she
    it we they me him her us them my your his its our their this that these those there here what
    which who whom whose when where why how not no yes please tell show give get let much many more
    most some any each every all if then than also just now today right want need like says say
    called take takes place there's what's it's i'm i'd named goes go one's under over per
"""
FUNCTION_WORDS = frozenset(_FUNCTION.split())
"""Words that make a sentence but are no value by themselves."""

_COUNTED = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
    sixteen seventeen eighteen nineteen twenty
"""
_TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100}
_NUMBER_WORDS = {word: value for value, word in enumerate(_COUNTED.split())} | _TENS
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_TIME = re.compile(r"\b\d{1,2}:\d{2}(?::\d{2})?\b")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?![\w]*-\d)")
_WORD = re.compile(r"[^\s]+")
_QUOTES = "\u2018\u2019\u201c\u201d\u00ab\u00bb"
_EDGES = " \t\n.,;:!?\"'()[]{}<>\u2026" + _QUOTES
_TITLES = frozenset({"mr.", "mrs.", "ms.", "dr.", "st.", "prof."})


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text; `breaks` tells that a sentence mark follows it."""

    text: str
    breaks: bool

    @property
    def empty(self) -> bool:
        """Whether it is a function word, no value by itself."""
        return self.text.lower() in FUNCTION_WORDS


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a text: as JSON would write it, with the words around it."""

    json: str
    before: str
    after: str

    @property
    def whole(self) -> bool:
        """Whether an integer slot may take it."""
        return "." not in self.json


def words(text: str) -> list[Word]:
    """Split a text into words without the marks around them."""
    found = []
    for match in _WORD.finditer(text):
        raw = match.group()
        core = raw.strip(_EDGES)
        if raw.lower() in _TITLES:
            found.append(Word(raw, breaks=False))
        elif core:
            plain = re.sub("['\u2019]s$", "", core)
            found.append(Word(plain, breaks=not raw.endswith(core) or plain != core))
    return found


def numbers(text: str) -> list[Number]:
    """Find the numbers in a text, in order: digits, and number words up to a hundred."""
    plain = _TIME.sub(lambda m: "_" * len(m[0]), _DATE.sub(lambda m: "_" * len(m[0]), text))
    found: list[tuple[int, int, str]] = [
        (m.start(), m.end(), m.group().replace(",", "")) for m in _NUMBER.finditer(plain)
    ]
    for match in re.finditer(r"[A-Za-z]+", plain):
        value = _NUMBER_WORDS.get(match.group().lower())
        if value is not None:
            found.append((match.start(), match.end(), str(value)))
    return [
        Number(_canonical(number), _last_word(plain[:start]), _first_word(plain[end:]))
        for start, end, number in sorted(found)
    ]


def dates(text: str) -> list[str]:
    """Find the dates written as 2026-12-24."""
    return _DATE.findall(text)


def stems(text: str) -> set[str]:
    """Give the content words of a text, shortened so that near forms agree."""
    split = re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower())
    return {_stem(word) for word in split if word not in FUNCTION_WORDS and len(word) > 1}


def related(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two sets of stems share one, where `temp` and `temperatur` agree."""
    others = list(other)
    return any(_agree(a, b) for a in one for b in others)


def overlap(one: Sequence[str] | set[str], other: Sequence[str] | set[str]) -> int:
    """Count the stems of the first that agree with one of the second."""
    return sum(any(_agree(a, b) for b in other) for a in one)


def _agree(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return short == long or (len(short) > 3 and long.startswith(short))  # noqa: PLR2004  shorter ones mean nothing


def _stem(word: str) -> str:
    for ending in ("ations", "ation", "ings", "ing", "ies", "ied", "es", "ed", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) > 2:  # noqa: PLR2004  a stem has three letters
            return word[: -len(ending)]
    return word


def _canonical(number: str) -> str:
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    whole, dot, fraction = digits.partition(".")
    return f"{sign}{whole.lstrip('0') or '0'}{dot}{fraction}"


def _last_word(text: str) -> str:
    found = re.findall(r"[A-Za-z]+", text)
    return found[-1].lower() if found else ""


def _first_word(text: str) -> str:
    found = re.match(r"[\s%°$€£-]*([A-Za-z]+)?", text)
    if found and "%" in found[0]:
        return "percent"
    return (found[1] or "").lower() if found else ""
