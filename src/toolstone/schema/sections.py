"""The sections of a docstring of several lines: its style, its parameters, its prose."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["read_sections"]

_GOOGLE: Final = re.compile(
    r"^(?:(Arguments|Args|Parameters|Params|Keyword Arg(?:ument)?s|Other Parameters|Attributes)|"
    r"Raises?|Exceptions|Except|Examples?|Returns?|Yields?|Notes?|Warnings?|Warns|Todo|References|"
    r"See Also|Usage|Caution|Danger|Hint|Important|Tip):[ \t]*$",
    re.MULTILINE,
)
_NUMPY: Final = re.compile(r"^[A-Z][\w ]+\n[ \t]*-{3,}[ \t]*$", re.MULTILINE)
_REST: Final = re.compile(
    r"^[ \t]*:(?:param|parameter|arg|argument|key|keyword|type|returns?|rtype|raises?|yields?|"
    r"attribute|ivar|var|cvar)\b[^:\n]*:",
    re.MULTILINE,
)
_EPYDOC: Final = re.compile(
    r"^[ \t]*@(?:param|type|returns?|rtype|raises?|keyword)\b[^:\n]*:", re.MULTILINE
)
Style = Literal["google", "numpy", "rest", "epydoc"]
_STYLES: Final[tuple[tuple[Style, re.Pattern[str]], ...]] = (
    ("google", _GOOGLE),
    ("numpy", _NUMPY),
    ("rest", _REST),
    ("epydoc", _EPYDOC),
)


def read_sections(clean: str) -> tuple[str, dict[str, str]]:
    """The prose of a docstring without indentation, and the text of each parameter that has one."""
    starts = [(found.start(), style) for style, mark in _STYLES if (found := mark.search(clean))]
    if not starts:
        return _clean_prose(clean), {}
    start, style = min(starts)
    text, sections = _clean_prose(clean[:start]), clean[start:]
    everyday = _everyday(sections) if style == "google" else None
    return text, _parameters(sections, style) if everyday is None else everyday


_ARGUMENTS: Final = re.compile(r"Args:\n((?:    +\S[^\n]*(?:\n|\Z))+)")
_ARGUMENT: Final = re.compile(
    r"    (\w+)(?: \([^()\n]*\))?: ?(\S[^\n]*(?:\n     +\w[^\n]*)*)(?:\n|\Z)"
)


def _everyday(sections: str) -> dict[str, str] | None:
    """The plainest Google style, `Args:` first and four spaces; None if it is anything else.

    Most docstrings are this; the library reads it too, at five times the price.
    """
    block = _ARGUMENTS.match(sections)
    if block is None:
        return None
    rest = sections[block.end() :].lstrip("\n")
    if (rest and not _GOOGLE.match(rest)) or any(_GOOGLE.findall(rest)):
        return None
    found: dict[str, str] = {}
    at = 0
    body = block[1]
    while at < len(body):
        one = _ARGUMENT.match(body, at)
        if one is None:
            return None
        found[one[1]] = _WRAPPED.sub(" ", one[2]).rstrip()
        at = one.end()
    return found


_WRAPPED: Final = re.compile(r"\s*\n +")


def _parameters(sections: str, style: Style) -> dict[str, str]:
    """The parameters' texts; a malformed section tells nothing rather than something wrong."""
    from docstring_parser import ParseError  # noqa: PLC0415  loads at the first such docstring

    if style == "google":
        sections = _google_arguments(sections)
    try:
        found = _parser(style)("x\n\n" + sections)
    except (ParseError, ValueError, IndexError, AttributeError):
        return {}
    return {
        name.lstrip("*"): _prose(one.description)
        for one in found.params
        for name in one.arg_name.split(", ")
        if one.description and one.description.strip()
    }


def _google_arguments(sections: str) -> str:
    """The sections that describe parameters, under one title; each ends where its indent does."""
    heads = list(_GOOGLE.finditer(sections))
    ends = [*(head.start() for head in heads[1:]), len(sections)]
    bodies = [
        _OUTDENT.split(sections[head.end() : end].lstrip("\n"), maxsplit=1)[0].rstrip()
        for head, end in zip(heads, ends, strict=True)
        if head[1]
    ]
    return "Args:\n" + "\n".join(bodies)


_OUTDENT: Final = re.compile(r"\n(?=\S)")


@cache
def _parser(style: Style) -> Callable[[str], Any]:
    from docstring_parser import epydoc, google, numpydoc, rest  # noqa: PLC0415  as above

    parsers = {"google": google, "numpy": numpydoc, "rest": rest, "epydoc": epydoc}
    parse: Callable[[str], Any] = parsers[style].parse
    return parse


_BLANK: Final = re.compile(r"\n[ \t]*\n")
_MARKED: Final = re.compile(r"[-*+•] |\d+[.)] |\s|[|+]")


def _prose(text: str) -> str:
    """Paragraphs with their line breaks mended; lists keep theirs, doctests go."""
    return _clean_prose(inspect.cleandoc(text) if "\n" in text else text)


def _clean_prose(text: str) -> str:
    text = text.strip()
    if "\n" not in text and ">>>" not in text:
        return text
    blocks = _BLANK.split(text)
    return "\n\n".join(_reflow(b) for b in blocks if b.strip() and not b.lstrip().startswith(">>>"))


def _reflow(block: str) -> str:
    lines: list[str] = []
    for line in block.splitlines():
        if not lines or _MARKED.match(line):
            lines.append(line.rstrip())
        else:
            lines[-1] += " " + line.strip()
    return "\n".join(lines)
