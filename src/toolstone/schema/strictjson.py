"""The strict JSON boundary: one whole JSON object and nothing else, or the exact reason why not.

Two readers. The quick one is a C scanner that sees what pydantic's does not mind: NaN, duplicate
keys, numbers out of range. Whatever it stumbles over goes to the slow one, which walks the text
once without recursion and says what is wrong, and where.
"""

from __future__ import annotations

import json
import re
from json.scanner import make_scanner
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from toolstone import limits

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JSONProblem", "check_object", "clean_name", "find_problem"]


class JSONProblem(ValueError):  # noqa: N818  it becomes a sentence for the model
    """Text that is not the JSON it should be; the message is one sentence with place and reason."""


class _Odd(Exception):  # noqa: N818  a private signal to look closely
    pass


def _no_constant(_name: str) -> NoReturn:
    raise _Odd


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Odd
    return found


_scan: Final[Callable[[str, int], tuple[Any, int]]] = make_scanner(
    cast("Any", json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant))
)
_search_big: Final = re.compile(r"\d{300}|[eE][+-]?\d\d\d").search


def check_object(text: str, most: int | None = None) -> bytes:
    """The text as bytes, if it is one strict JSON object.

    Lone surrogates written as escapes are left to pydantic's reader, which refuses them.

    Raises:
        JSONProblem: It is not.
    """
    most = limits.ARGUMENTS_BYTES if most is None else most
    try:
        raw = text.encode()
        short = not text[limits.JSON_DEPTH :]  # too short to be too long or too deep
        if short or len(raw) <= most:
            found, end = _scan(text, 0)
            bounded = _search_big(text) is None if short else _is_bounded(raw)
            if bounded and type(found) is dict and not text[end:]:
                return raw
    except (_Odd, StopIteration, ValueError, RecursionError):
        pass
    return _look_closely(text, most)


_AS_ZERO: Final = bytes.maketrans(b"123456789E", b"000000000e")
_BIG: Final = (b"0" * 300, b"e000", b"e+000", b"e-000")
_NO_MARKS: Final = bytes(set(range(256)) - set(b'[]{}"'))
_AS_ARRAYS: Final = bytes.maketrans(b"{}", b"[]")


def _is_bounded(raw: bytes) -> bool:
    """Whether a JSON text nests no deeper than the limit and has no number that may be too big.

    By searches of the bytes alone: a long answer is read as fast as it can be copied.
    """
    return _is_shallow(raw) and not (_has_big(raw) and _has_big(_without_strings(raw)))


def _has_big(raw: bytes) -> bool:
    zeros = raw.translate(_AS_ZERO)
    return any(big in zeros for big in _BIG)


def _is_shallow(raw: bytes) -> bool:
    if raw.count(b"[") + raw.count(b"{") <= limits.JSON_DEPTH:
        return True
    brackets = _without_strings(_without_escapes(raw).translate(_AS_ARRAYS, _NO_MARKS))
    for _ in range(limits.JSON_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"")  # the innermost level
    return not brackets


def _without_escapes(raw: bytes) -> bytes:
    return raw.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in raw else raw


def _without_strings(raw: bytes) -> bytes:
    """What stands outside of the strings."""
    return b"".join(_without_escapes(raw).replace(b'""', b"").split(b'"')[::2])


def _is_plain(text: str) -> bool:
    """Whether the quick reader sees at once that a text is strict JSON."""
    try:
        _, end = _scan(text, 0)
    except (_Odd, StopIteration, ValueError, RecursionError):
        return False
    sound = not text[end:] and "\\u" not in text and text.isascii()
    return sound and _is_bounded(text.encode())


def _look_closely(text: str, most: int) -> bytes:
    if problem := find_problem(text, most):
        raise JSONProblem(problem)
    return text.encode()


def find_problem(text: str, most: int | None = None, *, root: str | None = "object") -> str | None:
    """Why a text is not one strict JSON value (of the kind `root`), or None if it is."""
    most = limits.ARGUMENTS_BYTES if most is None else most
    if (size := len(text.encode(errors="surrogatepass"))) > most:
        return f"the JSON has {size} bytes, at most {most} are read"
    if root is None and _is_plain(text):
        return None
    try:
        kind = _Walk(text).value()
    except JSONProblem as problem:
        return str(problem)
    if root is not None and kind != root:
        return f"the JSON is {_KINDS[kind]}; send {_KINDS[root]}"
    return None


_KINDS: Final = {
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


class _Walk:
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


def spell_path(path: list[str | int]) -> str:
    """`items[0].name`; names from outside are made harmless."""
    spelled = ""
    for part in path[:32]:
        if isinstance(part, int):
            spelled += f"[{part}]"
        else:
            spelled += ("." if spelled else "") + clean_name(part)
    return spelled


_HARMLESS: Final = re.compile(r"[A-Za-z0-9_$-]{1,64}")


def clean_name(name: str, most: int = 64) -> str:
    """A name that came from outside, fit for a message: escaped and cut."""
    if _HARMLESS.fullmatch(name):
        return name
    shown = ascii(name[:most])[1:-1]
    return shown + (f"... ({len(name)} characters)" if len(name) > most else "")
