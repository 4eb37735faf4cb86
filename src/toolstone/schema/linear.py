r"""Patterns of JSON Schema on a linear engine: what they mean there, and what they cost.

A schema's patterns are ECMAScript's (json-schema-core 2020-12 §6.4). They run on pydantic's Rust
engine, which never backtracks, and never on `re`. What is written alike and means something else
there is translated (`\d` is ten digits, `[[]` is a bracket, `.` stops at every line end); what
the engine cannot do is refused. Linear is not yet cheap: a counted repetition is laid out state by
state, and each character of a text may visit every state, so states are counted and bounded too.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from pydantic_core import SchemaError, SchemaValidator

from toolstone import limits

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pattern", "PatternProblem", "compile_pattern", "pattern_problem"]


class PatternProblem(ValueError):  # noqa: N818  it becomes part of a sentence
    """Why a pattern is not run."""


class Pattern(NamedTuple):
    """A pattern, compiled: whether it is found in a text, and how many states that may visit."""

    found_in: Callable[[str], bool]
    states: int


def pattern_problem(pattern: str) -> str | None:
    """Why a pattern cannot run on the linear engine, or None if it can."""
    try:
        compile_pattern(pattern)
    except PatternProblem as problem:
        return str(problem)
    return None


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Pattern:
    """Compile a pattern.

    Raises:
        PatternProblem: It is too long, too large, or needs an engine that backtracks.
    """
    if len(pattern) > limits.PATTERN_CHARACTERS:
        raise PatternProblem(
            f"a pattern of {len(pattern)} characters is longer than {limits.PATTERN_CHARACTERS} "
            "(limits.PATTERN_CHARACTERS)"
        )
    try:
        said, states = _Translation(pattern).whole()
        found = SchemaValidator({"type": "str", "pattern": said, "regex_engine": "rust-regex"})
    except (_NotLinearError, SchemaError) as error:
        reason = str(error).strip().splitlines()[-1].strip().removeprefix("error: ")
        raise PatternProblem(
            f"pattern {pattern!r} does not run on a linear engine ({reason})"
        ) from None
    return Pattern(found.isinstance_python, states)


class _NotLinearError(Exception):
    pass


_CLASSES: Final = {
    "d": "0-9",
    "w": "0-9A-Za-z_",
    "s": r"\t\n\x0B\f\r \u{a0}\u{1680}\u{2000}-\u{200a}"
    r"\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}",
}
_REPEAT: Final = re.compile(r"(?:[*+?]|\{(\d{1,9})(,(\d{0,9}))?\})\??", re.ASCII)
_PROPERTY: Final = re.compile(r"\\[pP](\{[A-Za-z0-9_=]{1,60}\})", re.ASCII)
_HEX: Final = re.compile(r"x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}", re.ASCII)
_GROUP: Final = re.compile(r"\(\?(?::|i:|P?<[A-Za-z_][A-Za-z0-9_]{0,63}>)", re.ASCII)
_LETTERS: Final = frozenset("tnrfv")
_ANY: Final = r"[^\n\r\u{2028}\u{2029}]"
_SET_STATES, _PROPERTY_STATES = 3, 60  # about; a set outside ASCII takes several bytes


class _Translation:
    """One pass over a pattern: the same in the engine's words, and its states."""

    def __init__(self, pattern: str) -> None:
        self.text = pattern
        self.at = 0
        self.out: list[str] = []

    def whole(self) -> tuple[str, int]:
        """The translation, and how many states it has once repetitions are laid out."""
        before: list[int] = []  # the states that stand before each open group
        total = last = 0  # of all but the last part, and of that: what a repetition repeats
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "(":
                before.append(total + last)
                total, last = 0, 1
                self._group()
            elif char == ")":
                if not before:
                    self._fail("a ')' without its '('")
                total, last = before.pop(), total + last + 1
                self._copy(1)
            elif repeat := _REPEAT.match(self.text, self.at):
                last *= self._times(repeat)
            else:
                total, last = total + last, self._atom(char)
            if total + last > limits.PATTERN_STATES:
                self._fail(f"more than {limits.PATTERN_STATES} states: limits.PATTERN_STATES")
        if before:
            self._fail("a '(' without its ')'")
        return "".join(self.out), total + last + 1

    def _times(self, repeat: re.Match[str]) -> int:
        """How often a repetition lays its part out."""
        self._copy(len(repeat[0]))
        if _REPEAT.match(self.text, self.at):
            self._fail("a repetition of a repetition")
        least, comma, most = repeat[1], repeat[2], repeat[3]
        if least is None:
            return 1
        return max(1, int(least) if comma is None else int(most) if most else int(least) + 1)

    def _atom(self, char: str) -> int:
        """Write one thing that is no group; how many states it has."""
        if char == "[":
            return self._set()
        if char == "\\":
            return self._escape()
        if char == ".":
            self._write(_ANY, 1)
            return _SET_STATES
        if char in "{}":
            self._fail(f"a {char!r} that counts nothing; write it as '\\{char}'")
        self._write(r"\]" if char == "]" else char, 1)
        return 1

    def _group(self) -> None:
        if not self.text.startswith("(?", self.at):
            self._write("(?:", 1)
            return
        found = _GROUP.match(self.text, self.at)
        if found is None:
            self._fail("look-around, flags and other special groups")
        self._write("(?i:" if found[0] == "(?i:" else "(?:", len(found[0]))

    def _escape(self) -> int:
        char = self.text[self.at + 1 : self.at + 2]
        if char == "b":
            self._write(r"(?-u:\b)", 2)
            return 1
        if char and char.lower() in _CLASSES:
            negated = "^" if char.isupper() else ""
            self._write(f"[{negated}{_CLASSES[char.lower()]}]", 2)
            return _SET_STATES
        if found := _PROPERTY.match(self.text, self.at):
            self._copy(len(found[0]))
            return _PROPERTY_STATES
        self.out.append(self._character())
        return 1

    def _character(self) -> str:
        """An escape that stands for one character."""
        char = self.text[self.at + 1 : self.at + 2]
        if found := _HEX.match(self.text, self.at + 1):
            self.at += 1 + len(found[0])
            return f"\\u{{{found[1] or found[2] or found[3]}}}"
        if char == "c" and self.text[self.at + 2 : self.at + 3].isascii():
            letter = self.text[self.at + 2 : self.at + 3]
            if letter.isalpha():
                self.at += 3
                return f"\\x{ord(letter) % 32:02X}"
        self.at += 2
        if char == "0" and not self.text[self.at : self.at + 1].isdigit():
            return r"\x00"
        if char in _LETTERS:
            return "\\" + char
        if not char or char.isalnum() or not char.isascii():
            what = "a back-reference" if char.isdigit() else f"the escape \\{char}"
            self._fail(what)
        return f"\\x{ord(char):02X}"

    def _set(self) -> int:
        """`[...]`, in which every character stands for itself, ranges and escapes apart."""
        negated = self.text.startswith("[^", self.at)
        self.at += 2 if negated else 1
        written: list[str] = []
        states = _SET_STATES
        while not self._at_end_of_set():
            said, many = self._member()
            states += many
            if self.text[self.at : self.at + 1] == "-":
                self.at += 1
                if self._at_end_of_set():
                    written += [said, r"\x2D"]
                    break
                end, more = self._member()
                states += more
                written += [said, r"\x2D", end] if many or more else [f"{said}-{end}"]
            else:
                written.append(said)
        self.at += 1
        if not written:  # nothing, or anything: the engine writes neither so
            written.append(r"\x00-\u{10FFFF}")
            negated = not negated
        self.out.append(f"[{'^' if negated else ''}{''.join(written)}]")
        return states

    def _at_end_of_set(self) -> bool:
        if self.at >= len(self.text):
            self._fail("a '[' without its ']'")
        return self.text[self.at] == "]"

    def _member(self) -> tuple[str, int]:
        """One character of a set, or a class in it; the states of a class."""
        char, named = self.text[self.at], self.text[self.at + 1 : self.at + 2]
        if char != "\\":
            self.at += 1
            plain = char.isalnum() or not char.isascii()
            return (char if plain else f"\\x{ord(char):02X}"), 0
        if named and named.lower() in _CLASSES:
            self.at += 2
            inside = _CLASSES[named.lower()]
            return (f"[^{inside}]" if named.isupper() else inside), _SET_STATES
        if found := _PROPERTY.match(self.text, self.at):
            self.at += len(found[0])
            return found[0], _PROPERTY_STATES
        if named == "b":
            self.at += 2
            return r"\x08", 0
        return self._character(), 0

    def _copy(self, count: int) -> None:
        self._write(self.text[self.at : self.at + count], count)

    def _write(self, said: str, count: int) -> None:
        self.out.append(said)
        self.at += count

    def _fail(self, reason: str) -> NoReturn:
        raise _NotLinearError(reason)
