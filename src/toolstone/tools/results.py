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
| `Image`, `File`, or a list that holds one  | content parts                                       |
| NaN, infinity                              | failure: JSON cannot say it                         |
| exception, coroutine, generator, any other object, a cycle | failure: names the type, no address |

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
import mimetypes
import re
from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Final, Literal
from uuid import UUID

from pydantic_core import to_jsonable_python

from toolstone import limits

__all__ = ["File", "Image", "ResultProblem", "Told", "render_result"]

Told = str | list[dict[str, Any]]
"""Text, or content parts (responses-api.md §4.3)."""


class ResultProblem(ValueError):  # noqa: N818  it becomes a sentence for the model
    """A tool returned something that has no form a model could read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image for the model to look at: its bytes, a URL, or a file on this machine.

    Attributes:
        data: The bytes of the image.
        url: Where the service finds it, `https:` or `data:`.
        path: A file that is read when the tool returns.
        media_type: Such as `image/png`; guessed from the path, or from the first bytes.
        detail: `low`, `high` or `auto`.
    """

    data: bytes | None = dataclasses.field(default=None, repr=False)
    url: str | None = dataclasses.field(default=None, repr=False)
    path: str | PurePath | None = None
    media_type: str | None = None
    detail: Literal["low", "high", "auto"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file for the model to read: its bytes, a URL, or a file on this machine.

    Attributes:
        data: The bytes of the file.
        url: Where the service finds it.
        path: A file that is read when the tool returns.
        name: The name the model is told; by default that of the path.
        media_type: Such as `application/pdf`; guessed from the name.
    """

    data: bytes | None = dataclasses.field(default=None, repr=False)
    url: str | None = dataclasses.field(default=None, repr=False)
    path: str | PurePath | None = None
    name: str | None = None
    media_type: str | None = None


def render_result(value: Any, most: int = limits.TOOL_RESULT_BYTES) -> Told:
    """What the model is told, by the table above.

    Raises:
        ResultProblem: The value has no form a model could read; names its type.
    """
    kind = type(value)
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
    if isinstance(value, Image | File):
        return [_part(value)]
    if isinstance(value, list | tuple) and any(isinstance(one, Image | File) for one in value):
        return [_part(one) if isinstance(one, Image | File) else _text(one, most) for one in value]
    return _fit(_words(value), most)


_SHORT: Final = 10**18


def _text(value: Any, most: int) -> dict[str, Any]:
    return {"type": "input_text", "text": render_result(value, most)}


_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


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
    return _rarer(value, room)


def _rarer(value: Any, room: int) -> Any:  # noqa: PLR0911  the table is a table
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


# ---------------------------------------------------------------------------------- content parts

_MAGIC: Final = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


def _part(value: Image | File) -> dict[str, Any]:
    given = [one for one in (value.data, value.url, value.path) if one is not None]
    if len(given) != 1:
        raise ResultProblem(
            f"{'an Image' if isinstance(value, Image) else 'a File'} with {len(given)} of data=, "
            "url= and path=; give exactly one"
        )
    return _image(value) if isinstance(value, Image) else _file(value)


def _image(image: Image) -> dict[str, Any]:
    url = image.url
    if url is None:
        data = _content(image)
        guessed = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
        url = _data_url(image.media_type or guessed or _guess(image.path, "image/png"), data)
    part = {"type": "input_image", "image_url": url}
    return {**part, "detail": image.detail} if image.detail else part


def _file(file: File) -> dict[str, Any]:
    if file.url is not None:
        return {"type": "input_file", "file_url": file.url}
    name = file.name or (PurePath(file.path).name if file.path is not None else "file")
    url = _data_url(file.media_type or _guess(name, "application/octet-stream"), _content(file))
    return {"type": "input_file", "filename": name, "file_data": url}


def _content(value: Image | File) -> bytes:
    if value.data is not None:
        return value.data
    try:
        with open(value.path or "", "rb") as file:  # noqa: PTH123  any path-like
            return file.read()
    except OSError as error:
        raise ResultProblem(f"a file that cannot be read: {type(error).__name__}") from error


def _guess(name: str | PurePath | None, otherwise: str) -> str:
    return mimetypes.guess_type(str(name))[0] or otherwise


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
