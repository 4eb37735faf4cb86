"""JSON from a server, decoded once. Pure."""

from __future__ import annotations

import re
from typing import Any, Final, NoReturn

from pydantic_core import from_json

from toolstone.errors import ProtocolError

__all__ = ["decode", "mend"]

_SURROGATE: Final = re.compile(rb"\\u[dD][89A-Fa-f]")


def decode(data: bytes, *, phase: str = "body") -> Any:
    """The JSON value that the bytes are.

    A byte order mark is passed over. A lone surrogate in an escape, which servers that cut text
    by UTF-16 units send, stays in the text: see `mend`.

    Raises:
        ProtocolError: They are no JSON (NaN and Infinity are none), or not UTF-8; says where.
    """
    try:
        return from_json(data, allow_inf_nan=False)
    except ValueError as error:
        return _decode_again(data, error, phase)


def _decode_again(data: bytes, first: ValueError, phase: str) -> Any:
    import json  # noqa: PLC0415  the slow way

    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProtocolError(
            f"the answer of {len(data)} bytes is not UTF-8 at byte {error.start}", phase=phase
        ) from error
    try:
        if data.startswith(b"\xef\xbb\xbf"):
            return decode(data[3:], phase=phase)
        if _SURROGATE.search(data):
            return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _no_json(data, str(error), phase) from error
    raise _no_json(data, str(first), phase) from first


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _no_json(data: bytes, why: str, phase: str) -> ProtocolError:
    return ProtocolError(
        f"the answer of {len(data)} bytes is not JSON: {why}", phase=phase, body=data[:1024]
    )


def mend(text: str, *, keep_halves: bool = False) -> str:
    """Join the halves of characters that were sent apart.

    A half left alone becomes U+FFFD; or stays, in text that must not be changed unnoticed.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        alone = "surrogatepass" if keep_halves else "replace"
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", alone)
    return text
