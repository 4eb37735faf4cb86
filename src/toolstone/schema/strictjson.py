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
from toolstone.schema.naming import JSONProblem

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["JSONProblem", "check_object", "find_problem"]


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
    from toolstone.schema.walk import KINDS, Walk  # noqa: PLC0415  for what is not plain

    try:
        kind = Walk(text).value()
    except JSONProblem as problem:
        return str(problem)
    if root is not None and kind != root:
        return f"the JSON is {KINDS[kind]}; send {KINDS[root]}"
    return None
