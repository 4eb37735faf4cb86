"""What a message or a tool result may hold besides plain text: `Text`, `Image`, `File`.

A part is a wish; it becomes a content part of the wire (responses-api.md §4.3) when the message or
the result it stands in is rendered, and only then is a file read.
"""

from __future__ import annotations

import base64
import mimetypes
import os
import stat
from dataclasses import field
from pathlib import PurePath
from typing import Any, Final, Literal

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import InputError

__all__ = ["File", "Image", "Part", "Text", "render_content"]

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """Text, where something is to be said about it besides the words.

    Attributes:
        text: The words.
        cache_breakpoint: Whether a prompt cache may end here; `"30m"` and the like say how long it
            is kept. Services that do not know it refuse it (`docs/capabilities.md`).
    """

    text: str = field(repr=False)
    cache_breakpoint: bool | str = False

    def render(self) -> JSON:
        """The part as the wire has it.

        Raises:
            InputError: It is too long.
        """
        part: JSON = {"type": "input_text", "text": _fitting(self.text)}
        if self.cache_breakpoint:
            until = {} if self.cache_breakpoint is True else {"ttl": self.cache_breakpoint}
            part["prompt_cache_breakpoint"] = {"mode": "explicit", **until}
        return part


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image for the model to look at; give one of `path`, `data`, `url` and `file_id`.

    Attributes:
        path: A file on this machine, read when the message is made or the tool has returned.
        data: The bytes of the image.
        url: Where the service finds it: `https:`, `http:` or `data:`.
        file_id: Of a file that the service has.
        media_type: Such as `image/png`; guessed from the first bytes, or from the path.
        detail: `low`, `high`, `auto` or `original`.

    Example:
        agent.run_sync(["What is this?", Image(path="photo.jpg")])
    """

    data: bytes | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    path: str | PurePath | None = None
    media_type: str | None = None
    detail: Literal["low", "high", "auto", "original"] | None = None
    file_id: str | None = None

    def render(self) -> JSON:
        """The part as the wire has it.

        Raises:
            InputError: Not exactly one source is given, or it cannot be: the file cannot be read,
                is empty or too large, the URL is not one that the service could open.
        """
        match _source(self):
            case "file_id":
                part: JSON = {"type": "input_image", "file_id": self.file_id}
            case "url":
                url = _reachable(self, limits.IMAGE_URL_CHARACTERS)
                part = {"type": "input_image", "image_url": url}
            case _:
                data = _content(self, limits.IMAGE_URL_CHARACTERS)
                part = {"type": "input_image", "image_url": _data_url(self._kind(data), data)}
        return {**part, "detail": self.detail} if self.detail else part

    def _kind(self, data: bytes) -> str:
        kind = self.media_type or _image_type(data) or _guess(self.path, "image/png")
        if not kind.startswith("image/"):
            raise InputError(
                f"{_who(self)} has the media type {kind!r}, and an image's begins with 'image/'; "
                "give it as a File, or say media_type="
            )
        return kind


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file for the model to read; give one of `path`, `data`, `url` and `file_id`.

    Attributes:
        path: A file on this machine, read when the message is made or the tool has returned.
        data: The bytes of the file.
        url: Where the service finds it: `https:`, `http:` or `data:`.
        file_id: Of a file that the service has.
        name: The name the model is told; by default that of the path.
        media_type: Such as `application/pdf`; guessed from the name.
        detail: How closely its pages are looked at, where a service takes that: `low`, `high`.
    """

    data: bytes | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    path: str | PurePath | None = None
    name: str | None = None
    media_type: str | None = None
    file_id: str | None = None
    detail: Literal["low", "high", "auto"] | None = None

    def render(self) -> JSON:
        """The part as the wire has it.

        Raises:
            InputError: Not exactly one source is given, or it cannot be: the file cannot be read,
                is empty or too large, the URL is not one that the service could open.
        """
        match _source(self):
            case "file_id":
                part: JSON = {"type": "input_file", "file_id": self.file_id}
            case "url":
                part = self._by_url(_reachable(self, limits.FILE_DATA_CHARACTERS))
            case _:
                data = _content(self, limits.FILE_DATA_CHARACTERS)
                name = self._told_name(data)
                kind = self.media_type or _guess(name, "application/octet-stream")
                url = _data_url(kind, data)
                part = {"type": "input_file", "filename": name, "file_data": url}
        return {**part, "detail": self.detail} if self.detail else part

    def _by_url(self, url: str) -> JSON:
        if url[:5].lower() != "data:":
            named = {} if self.name is None else {"filename": self.name}
            return {"type": "input_file", **named, "file_url": url}
        return {"type": "input_file", "filename": self.name or "file", "file_data": url}

    def _told_name(self, data: bytes) -> str:
        if self.name is not None:
            return self.name
        if self.path is not None:
            return PurePath(self.path).name
        return "file.pdf" if data.startswith(b"%PDF-") else "file"


Part = Text | Image | File
"""What may stand in a message beside plain text."""


def render_content(content: Any) -> str | list[JSON]:
    """The content of a message: text as it is; of several parts, each as the wire has it.

    Raises:
        InputError: Something in it is no part, or cannot be sent.
    """
    if isinstance(content, str):
        return _fitting(content)
    if isinstance(content, Part):
        return [content.render()]
    try:
        return [_render(one) for one in content]
    except TypeError as error:
        raise InputError(
            f"content of type {type(content).__name__!r}: give text, Text, Image, File, or a list "
            "of these"
        ) from error


def _render(one: Any) -> JSON:
    if isinstance(one, Part):
        return one.render()
    if isinstance(one, str):
        return {"type": "input_text", "text": _fitting(one)}
    if isinstance(one, dict):
        return one
    raise InputError(
        f"content holds a {type(one).__name__!r}: give text, Text, Image, File, or a dict as the "
        "wire has it"
    )


def _fitting(text: str) -> str:
    if len(text) > limits.TEXT_CHARACTERS:
        raise InputError(
            f"a text of {len(text)} characters: at most {limits.TEXT_CHARACTERS} can be sent; "
            "shorten it, or give it as a File"
        )
    return text


# ---------------------------------------------------------------------------------- the sources

_SOURCES: Final = ("path", "data", "url", "file_id")
_SCHEMES: Final = ("https://", "http://", "data:")


def _source(part: Image | File) -> str:
    """The one source that was given."""
    given = [name for name in _SOURCES if getattr(part, name) is not None]
    if len(given) != 1:
        raise InputError(
            f"{_who(part)} with {len(given)} of path=, data=, url= and file_id=; give exactly one"
        )
    return given[0]


def _content(part: Image | File, most: int) -> bytes:
    """The bytes, if their base64 fits into so many characters."""
    if part.data is not None:
        if not isinstance(part.data, bytes | bytearray | memoryview):
            raise InputError(f"{_who(part)}: data= is a {type(part.data).__name__!r}; give bytes")
        _check_size(part, len(part.data), most)
        return _some(part, bytes(part.data))
    try:
        with open(os.fspath(part.path or ""), "rb", opener=_without_waiting) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise InputError(f"{_who(part)} is not a file")
            _check_size(part, about.st_size, most)
            return _some(part, file.read())
    except OSError as error:
        raise InputError(f"{_who(part)} cannot be read: {type(error).__name__}") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a pipe that nobody writes to without waiting for somebody."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_size(part: Image | File, size: int, most: int) -> None:
    if size * 4 // 3 > most:
        raise InputError(
            f"{_who(part)} has {size} bytes, and at most {most * 3 // 4} can be sent; make it "
            "smaller, or upload it and give file_id= or url="
        )


def _some(part: Image | File, data: bytes) -> bytes:
    if not data:
        raise InputError(f"{_who(part)} is empty; give one that holds something")
    return data


def _reachable(part: Image | File, most: int) -> str:
    """The URL, if the service could open it."""
    url = part.url or ""
    if not url[:8].lower().startswith(_SCHEMES):
        raise InputError(
            f"{_who(part)}: its URL of {len(url)} characters begins with none of 'https:', 'http:' "
            "and 'data:', so the service cannot open it; for a file on this machine give path="
        )
    if len(url) > most:
        raise InputError(
            f"{_who(part)}: its URL has {len(url)} characters, at most {most} can be sent"
        )
    return url


def _who(part: Image | File) -> str:
    kind = type(part).__name__
    return f"an {kind}" if part.path is None and kind == "Image" else _named(kind, part.path)


def _named(kind: str, path: str | PurePath | None) -> str:
    return f"a {kind}" if path is None else f"{kind}(path={str(path)!r})"


def _image_type(data: bytes) -> str | None:
    if data.startswith(b"RIFF"):
        return "image/webp" if data[8:12] == b"WEBP" else None
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)


_MAGIC: Final = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
)


def _guess(name: str | PurePath | None, otherwise: str) -> str:
    return mimetypes.guess_type(str(name))[0] or otherwise


def _data_url(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
