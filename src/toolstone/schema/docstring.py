"""A docstring, read: what the function does, and what each parameter is. Nothing else leaks."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from toolstone.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Documentation", "read_docstring"]

LONGEST: Final = 64 * 1024  # characters; a longer docstring is a mistake

_OTHER_SECTIONS: Final = ["Note", "Notes", "Warning", "Warnings", "Warns", "Todo", "References", "Usage", "Caution", "Danger", "Error", "Hint", "Important", "Tip", "Return", "Yield", "Raise", "Deprecated", "Version"]
_GOOGLE: Final = re.compile(
    r"^(?:Arguments|Args|Parameters|Params|Keyword Arg(?:ument)?s|Other Parameters|Raises|"
    r"Exceptions|Except|Attributes|Examples?|Returns?|Yields?|Notes?|Warnings?|Warns|Todo|"
    r"References|See Also|Usage):[ \t]*$",
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


@dataclass(frozen=True, slots=True)
class Documentation:
    """What a docstring says to a model.

    Attributes:
        text: Summary and description; empty if there is none.
        parameters: The text of each parameter or attribute that has one.
    """

    text: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


_NOTHING: Final = Documentation()


@lru_cache(maxsize=4096)
def read_docstring(doc: str | None) -> Documentation:
    """Read a docstring in Google, NumPy, reST or Epydoc style.

    Raises:
        DefinitionError: It is longer than 64 KiB.
    """
    if not doc or not doc.strip():
        return _NOTHING
    if len(doc) > LONGEST:
        raise DefinitionError(
            f"a docstring of {len(doc)} characters: at most {LONGEST} are read; shorten it"
        )
    clean = inspect.cleandoc(doc)
    starts = [(found.start(), style) for style, mark in _STYLES if (found := mark.search(clean))]
    if not starts:
        return Documentation(_prose(clean))
    start, style = min(starts)
    return Documentation(_prose(clean[:start]), _parameters(clean[start:], style))


def _parameters(sections: str, style: Style) -> dict[str, str]:
    """The parameters' texts; a malformed section tells nothing rather than something wrong."""
    from docstring_parser import ParseError  # noqa: PLC0415  loads at the first docstring with sections

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


@cache
def _parser(style: Style) -> Callable[[str], Any]:
    from docstring_parser import epydoc, google, numpydoc, rest  # noqa: PLC0415  as above

    if style == "google":
        single, many = google.SectionType.SINGULAR, google.SectionType.MULTIPLE
        sections = [
            *google.DEFAULT_SECTIONS,
            google.Section("Keyword Args", "param", many),
            google.Section("Keyword Arguments", "param", many),
            google.Section("Other Parameters", "param", many),
            google.Section("See Also", "examples", single),
            *(google.Section(title, "examples", single) for title in _OTHER_SECTIONS),
        ]
        return google.GoogleParser(sections).parse
    return {"numpy": numpydoc.parse, "rest": rest.parse, "epydoc": epydoc.parse}[style]


_MARKED: Final = re.compile(r"[-*+•] |\d+[.)] |\s|[|+]")


def _prose(text: str) -> str:
    """Paragraphs with their line breaks mended; lists keep theirs, doctests go."""
    blocks = re.split(r"\n[ \t]*\n", inspect.cleandoc(text).strip())
    return "\n\n".join(_reflow(b) for b in blocks if b.strip() and not b.lstrip().startswith(">>>"))


def _reflow(block: str) -> str:
    lines: list[str] = []
    for line in block.splitlines():
        if not lines or _MARKED.match(line):
            lines.append(line.rstrip())
        else:
            lines[-1] += " " + line.strip()
    return "\n".join(lines)
