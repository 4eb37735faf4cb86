"""The runs of words in a text that could be the value of a slot, as grammar rules. Pure."""

from collections.abc import Collection, Sequence

from toolstone import limits
from toolstone.local.brains.llama.grammar import literal
from toolstone.local.brains.llama.words import Word, dates, words

__all__ = ["span_rules"]

_LONGEST = 8  # words in one value
_WITHIN = frozenset({"of", "the", "a", "an", "de", "la", "van", "von"})
"""Function words that stand inside a value; the others part what is asked from how."""


def span_rules(text: str, *, without: Collection[str] = ()) -> str | None:
    """Write the rules of `span`: any run of words of the text that could be a value.

    A run neither begins nor ends with a function word, does not cross a sentence mark or a
    preposition, and holds none of the words in `without`.

    Returns:
        The rules, or None if no run of words is left.
    """
    found = words(text)[: limits.LOCAL_SPAN_WORDS]
    banned = {word.lower() for word in without}
    starts: list[str] = []
    rules: list[str] = []
    for index, word in enumerate(found):
        if not _usable(word, banned):
            continue
        rules.append(f"w{index} ::= {_from(found, index, banned)}")
        if not word.empty:
            starts.append(f"w{index}")
    if not starts:
        return None
    return "\n".join([f"span ::= {' | '.join(starts)}", *rules])


def _usable(word: Word, banned: Collection[str]) -> bool:
    if '"' in word.text or "\\" in word.text or dates(word.text):
        return False
    return word.text.lower() not in banned


def _from(found: Sequence[Word], index: int, banned: Collection[str]) -> str:
    """Write the word and what may follow: nothing, if it can end a value, or the next word."""
    word = found[index]
    following = index + 1
    more = not word.breaks and following < len(found) and _goes_on(found, following, banned)
    said = literal(word.text)
    if not more:
        return said
    rest = f"{literal(' ')} w{following}"
    return f"{said} {rest}" if word.empty else f"{said} ({rest})?"


def _goes_on(found: Sequence[Word], index: int, banned: Collection[str]) -> bool:
    """Tell whether a value that reaches this word can still end on a word with a meaning."""
    for word in found[index : index + _LONGEST]:
        if not _usable(word, banned):
            return False
        if not word.empty:
            return True
        if word.breaks or word.text.lower() not in _WITHIN:
            return False
    return False
