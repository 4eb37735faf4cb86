"""JSON from a server, decoded once. Pure."""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

from pydantic_core import from_json

from toolstone.errors import ProtocolError

__all__ = ["decode", "mend", "whole"]

_SURROGATE: Final = re.compile(rb"\\u[dD][89A-Fa-f]")
_HALF: Final = re.compile("[\ud800-\udfff]")


def decode(data: bytes, *, phase: str = "body") -> Any:
    """The JSON value that the bytes are.

    A byte order mark is passed over. Half a character, which servers that cut text by UTF-16 units
    send, is mended (see `whole`); in an event of a stream it stays, until its other half is there.

    Raises:
        ProtocolError: They are no JSON (NaN and Infinity are none), or not UTF-8; says where.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        return _decode_again(data, error, phase)


def _decode_again(data: bytes, first: ValueError, phase: str) -> Any:
    import json  # noqa: PLC0415  the slow way

    text, at = _text(data)
    if text is None:
        raise ProtocolError(
            f"the answer of {len(data)} bytes is not UTF-8 at byte {at}", phase=phase
        )
    try:
        if data.startswith(b"\xef\xbb\xbf"):
            return decode(data[3:], phase=phase)
        if _SURROGATE.search(data):
            value = json.loads(text, parse_constant=_no_constant)
            return value if phase == "stream" else whole(value)
    except (ValueError, RecursionError) as error:
        first = ValueError(str(error))  # the error itself holds the whole answer
    raise _no_json(data, str(first), phase) from first


def _text(data: bytes) -> tuple[str | None, int]:
    """The text; or where it is none. The error that says so would hold the whole answer."""
    try:
        return data.decode("utf-8-sig"), 0
    except UnicodeDecodeError as error:
        return None, error.start


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_json(data: bytes, why: str, phase: str) -> ProtocolError:
    return ProtocolError(
        f"the answer of {len(data)} bytes is not JSON: {why}", phase=phase, body=data[:1024]
    )


def whole(value: Any, key: str = "") -> Any:
    """A decoded value whose texts can all be written again: see `mend`."""
    if isinstance(value, dict):
        return {mend(name): whole(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    return mend(value, keep_halves=key == "arguments") if isinstance(value, str) else value


def mend(text: str, *, keep_halves: bool = False) -> str:
    """Join the halves of characters that were sent apart.

    A half left alone becomes U+FFFD; or, in a call's arguments, which must not be changed
    unnoticed, the escape that says it in JSON: then it is refused there, and can go back.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        units = text.encode("utf-16-le", "surrogatepass")
        if not keep_halves:
            return units.decode("utf-16-le", "replace")
        joined = units.decode("utf-16-le", "surrogatepass")
        return _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", joined)
    return text
