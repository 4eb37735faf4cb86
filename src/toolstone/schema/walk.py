"""The slow reader of strict JSON: one pass without recursion; says what is wrong, and where."""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

from toolstone import limits
from toolstone.schema.naming import JSONProblem, clean_name, spell_path

__all__ = ["KINDS", "Walk"]

KINDS: Final = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "number": "a number",
    "boolean": "a boolean",
    "null": "null",
}

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_STRING: Final = re.compile(r'"((?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"')
_STRING_START: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*')
_WORDS: Final = {"true": "boolean", "false": "boolean", "null": "null"}
_NOT_JSON: Final = re.compile(r"[-+]?(?:NaN|Infinity|None|True|False|undefined)")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Walk:
    """One pass over the text with a stack of its own."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.path: list[str | int] = []
        self.keys: list[set[str] | None] = []  # of each open object; None for an array
        self.due = False  # a member must come next: of what was just opened, or after a comma

    def value(self) -> str:
        """Walk the whole text; what kind its value is."""
        self._skip()
        if self.at == len(self.text):
            raise JSONProblem("the JSON is empty; send {} if there is nothing to say")
        kind = self._one()
        while self.keys:
            self._go_on()
        self._skip()
        if self.at < len(self.text):
            self._fail(f"{self._rest()} after the end of the JSON")
        return kind

    def _one(self) -> str:
        """Read a scalar, or open a container."""
        char = self.text[self.at : self.at + 1]
        if char in {"{", "["}:
            return self._open(char)
        if char == '"':
            self._string()
            return "string"
        for word, kind in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return kind
        if found := _NOT_JSON.match(self.text, self.at):
            self._fail(f"{found[0]} is not JSON")
        return self._number()

    def _open(self, char: str) -> str:
        if len(self.keys) == limits.JSON_DEPTH:
            self._fail(f"nested deeper than {limits.JSON_DEPTH} levels", path=False)
        self.at += 1
        self.keys.append(set() if char == "{" else None)
        self.path.append("" if char == "{" else -1)
        self._skip()
        if self.text.startswith("}" if char == "{" else "]", self.at):
            self._close()
        else:
            self.due = True
        return "object" if char == "{" else "array"

    def _go_on(self) -> None:
        """The next member, or what follows one: a comma, or the end of the container."""
        self._skip()
        if self.due:
            self._member()
            return
        char = self.text[self.at : self.at + 1]
        if char == ",":
            self.at += 1
            self.due = True
        elif char == ("}" if self.keys[-1] is not None else "]"):
            self._close()
        else:
            self._fail(
                f"expected a comma or the end of the {self._container()}, got {self._rest()}"
            )

    def _member(self) -> None:
        self.due = False
        keys = self.keys[-1]
        if keys is None:
            self.path[-1] = int(self.path[-1]) + 1
        else:
            self._key(keys)
        self._one()

    def _key(self, keys: set[str]) -> None:
        if not self.text.startswith('"', self.at):
            self._fail(f"expected a key in double quotes, got {self._rest()}")
        start = self.at
        key = self._string()
        if key in keys:
            self.at = start
            self._fail(f"the key {clean_name(key)!r} stands twice")
        keys.add(key)
        self.path[-1] = key
        self._skip()
        if not self.text.startswith(":", self.at):
            self._fail(f"expected a colon after the key, got {self._rest()}")
        self.at += 1
        self._skip()

    def _close(self) -> None:
        self.at += 1
        self.keys.pop()
        self.path.pop()

    def _string(self) -> str:
        found = _STRING.match(self.text, self.at)
        if found is None:
            self._bad_string()
        said = found[0]
        value: str = json.loads(said) if "\\" in said else said[1:-1]
        if not value.isascii() and _SURROGATE.search(value):
            self._fail("a lone surrogate is not a character")
        self.at = found.end()
        return value

    def _bad_string(self) -> NoReturn:
        start = _STRING_START.match(self.text, self.at)
        self.at = start.end() if start else self.at
        if self.at >= len(self.text):
            self._fail("the string does not end")
        if self.text[self.at] == "\\":
            self._fail("an escape that JSON does not know")
        self._fail("a control character in a string must be escaped")

    def _number(self) -> str:
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            self._fail(f"expected a value, got {self._rest()}")
        said, fraction, exponent = found[0], found[1], found[2]
        if (
            self.text[found.end() : found.end() + 1].isalnum()
            or self.text[found.end() : found.end() + 1] == "."
        ):
            self._fail("a number that is not written as JSON writes it")
        if not fraction and not exponent and len(said.lstrip("-")) > limits.INTEGER_DIGITS:
            self._fail(f"a number of {len(said)} digits, at most {limits.INTEGER_DIGITS} are read")
        if fraction or exponent:
            self._fits_float(said)
        self.at = found.end()
        return "number"

    def _fits_float(self, said: str) -> None:
        value = float(said)
        if value in {float("inf"), float("-inf")}:
            self._fail("a number too large for a float")
        if value == 0 and said.lower().partition("e")[0].strip("-0."):
            self._fail("a number too small for a float")

    def _skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _rest(self) -> str:
        left = len(self.text) - self.at
        if not left:
            return "the end of the text"
        return f"{left} more character{'s' if left > 1 else ''} ({self.text[self.at]!a})"

    def _container(self) -> str:
        return "array" if self.keys[-1] is None else "object"

    def _fail(self, reason: str, *, path: bool = True) -> NoReturn:
        line = self.text.count("\n", 0, self.at) + 1
        column = self.at - (self.text.rfind("\n", 0, self.at) + 1) + 1
        where = spell_path([p for p in self.path if p not in {"", -1}]) if path else ""
        place = f"line {line} column {column}" + (f" (at {where})" if where else "")
        raise JSONProblem(f"the JSON is broken at {place}: {reason}")
