r"""What a tool returns, and what the model is told of it.

| returned                                   | told                                                |
|--------------------------------------------|-----------------------------------------------------|
| `str`                                      | as it is                                            |
| `None`, `bool`, `int`, `float`             | JSON: `null`, `true`, `3`, `21.5`                   |
| `Decimal`, `UUID`, `Path`, date, time, `timedelta` | their text: `1.10`, `2026-11-21`, `PT90S`   |
| `Enum`                                     | its value, by this table                            |
| `bytes`                                    | its text if it is UTF-8, else `base64:...`          |
| dict, list, tuple, deque, dataclass, Pydantic model | JSON               |
| set, frozenset                             | JSON array, sorted                                  |
| `Text`, `Image`, `File`, or a list that holds one | content parts                                |
| NaN, infinity                              | failure: JSON cannot say it                         |
| coroutine, generator, lazy proxy, any other object, a cycle | failure: names the type    |

Text longer than the limit is cut, with a marker and the true size. Lone surrogates are written as
visible escapes (`\ud800`), since no request can carry them.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import json
import math
import re
from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final

from pydantic_core import to_jsonable_python

from toolstone import limits
from toolstone.errors import InputError
from toolstone.parts import Part

__all__ = ["ResultProblem", "Told", "render_result"]

Told = str | list[dict[str, Any]]
"""Text, or content parts (responses-api.md §4.3)."""


class ResultProblem(ValueError):  # noqa: N818  it becomes a sentence for the model
    """A tool returned something that has no form a model could read."""


def render_result(value: Any, most: int | None = None) -> Told:
    """What the model is told, by the table above.

    Raises:
        ResultProblem: The value has no form a model could read; names its type.
    """
    kind = type(value)
    most = limits.TOOL_RESULT_BYTES if most is None else most
    if kind is str:
        return value if value.isascii() and len(value) <= most else _fit(value, most)
    if kind is bool:
        return "true" if value else "false"
    if kind is int and -_SHORT < value < _SHORT:
        return repr(value)
    if kind is float and value - value == 0:  # finite
        return repr(value)
    if kind is dict:
        return _fit(_words(value), most)
    if issubclass(kind, Part):
        return [_part(value)]
    if issubclass(kind, list | tuple) and any(issubclass(type(one), Part) for one in value):
        return [_part(one) if issubclass(type(one), Part) else _text(one, most) for one in value]
    return _fit(_words(value), most)


_SHORT: Final = 10**18


def _part(value: Part) -> dict[str, Any]:
    try:
        return value.render()
    except InputError as error:
        raise ResultProblem(f"a part that cannot be sent: {error}") from error


def _text(value: Any, most: int) -> dict[str, Any]:
    return {"type": "input_text", "text": render_result(value, most)}


def _no_plain_data(_value: Any) -> Any:
    raise TypeError  # what `json` says itself would ask a proxy for its class


_encode: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_no_plain_data
).encode


def _words(value: Any) -> str:
    if type(value) in {dict, list, tuple}:
        try:
            return _encode(value)  # plain data, in one go
        except (TypeError, ValueError, RecursionError):
            pass  # something rarer is in it; or wrong with it, and then it is told below
    try:
        plain = _plain(value, limits.JSON_DEPTH)
        return plain if isinstance(plain, str) else _encode(plain)
    except ResultProblem:
        raise
    except RecursionError as error:
        raise ResultProblem(f"a {_kind(value)} that is nested too deep, or holds itself") from error
    except Exception as error:  # a property or a serializer of the user's value failed
        raise ResultProblem(
            f"a {_kind(value)} that failed to be written: {_kind(error)}"
        ) from error


_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _fit(text: str, most: int) -> str:
    """The text as valid Unicode, cut to size with a marker."""
    try:
        raw = text.encode()
    except UnicodeEncodeError:
        text = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
        raw = text.encode()
    if len(raw) <= most:
        return text
    kept = raw[:most].decode(errors="ignore")
    return f"{kept}\n[cut: the first {most} of {len(raw)} bytes]"


def _kind(value: Any) -> str:
    return type(value).__name__


# -------------------------------------------------------------------------------- plain JSON data

_AS_IS: Final = frozenset({str, int, bool, type(None)})


def _plain(value: Any, room: int) -> Any:
    """The value as plain JSON data; at the top, text stays text."""
    kind = type(value)
    if kind in _AS_IS:
        return value
    if room == 0:
        raise ResultProblem("a value that is nested too deep, or holds itself")
    if kind is dict:
        return {_key(name): _plain(one, room - 1) for name, one in value.items()}
    if kind is list or kind is tuple:
        return [_plain(one, room - 1) for one in value]
    if _pretends(kind):
        raise ResultProblem(
            f"a {kind.__name__!r}, which stands for a value that may not be there yet; return the "
            "value itself"
        )
    return _rarer(value, room)


def _rarer(value: Any, room: int) -> Any:  # noqa: PLR0911  the table is a table
    from uuid import UUID  # noqa: PLC0415  it asks the platform for its name, which takes a while

    match value:
        case enum.Enum():
            return _plain(value.value, room - 1)
        case float():
            return _finite(value)
        case str():
            return str.__str__(value)
        case int():
            return int(value)
        case bytes() | bytearray() | memoryview():
            return _bytes(bytes(value))
        case Decimal():
            return _decimal(value)
        case UUID() | PurePath():
            return str(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case dt.timedelta():
            return to_jsonable_python(value)
        case _:
            return _composite(value, room)


def _pretends(kind: type) -> bool:
    """Whether asking a value for its class runs code: a proxy would do its work here."""
    return any("__class__" in vars(one) for one in kind.__mro__[:-1])


def _composite(value: Any, room: int) -> Any:
    if isinstance(value, AbstractSet):
        return sorted((_plain(one, room - 1) for one in value), key=_encode)
    if hasattr(type(value), "__pydantic_serializer__"):
        return _plain(type(value).__pydantic_serializer__.to_python(value, mode="json"), room - 1)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
        return _plain(told, room - 1)
    if isinstance(value, Mapping):
        return _plain(dict(value), room - 1)
    if isinstance(value, list | tuple | deque):
        return [_plain(one, room - 1) for one in value]
    raise ResultProblem(
        f"a {_kind(value)!r}, which has no form a model could read; return text, numbers, dicts, "
        "lists, dataclasses or Pydantic models"
    )


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ResultProblem(f"a float that is {float(value)!r}, which JSON cannot say")
    return float(value)


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise ResultProblem(f"a Decimal that is {value}, which JSON cannot say")
    return str(value)


def _bytes(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(value).decode()


def _key(name: Any) -> str:
    if type(name) is str:
        return name
    plain = _plain(name, 2)
    if isinstance(plain, str):
        return plain
    if plain is None or isinstance(plain, bool | int | float):
        return _encode(plain)
    raise ResultProblem(f"a dict with a key of type {_kind(name)!r}; JSON keys are text")
