"""An answer while it is still arriving: finished scalars, growing strings, and what is done.

Each piece of text is read once. A scalar appears when the character after it has come, so that
nobody sees `210000` on the way to `2100000`; so do strings that are one of a set (enum, date ...).
Free strings grow. One `feed` costs the length of its text, plus a shallow copy of the containers
that are still open and of the string that is growing: nothing finished is copied or walked again.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from toolstone import limits
from toolstone.schema.shapes import Shapes, free_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.schema.nodes import Schema
    from toolstone.schema.output import OutputType

__all__ = ["Partial", "PartialReader"]

T = TypeVar("T")


class Partial(Generic[T]):
    """What has arrived of an answer so far. It does not change any more.

    Fields of an object can be read as attributes: None while absent. A field that is called `data`,
    `done` or `whole` is found in `data`.

    Attributes:
        data: Plain JSON data: dicts, lists, finished scalars, strings so far.
        whole: Whether the answer has arrived to its end.

    Example:
        if "city" in partial.done:
            print(partial.city)
    """

    __slots__ = ("_count", "_fields", "_paths", "data", "whole")

    def __init__(
        self, data: Any, paths: list[str], fields: frozenset[str], *, whole: bool = False
    ) -> None:
        self.data = data
        self.whole = whole
        self._paths = paths  # grows on; only the first `_count` are ours
        self._count = len(paths)
        self._fields = fields

    @property
    def done(self) -> frozenset[str]:
        """The paths of what is finished: `city`, `items`, `items.0.name`."""
        return frozenset(islice(self._paths, self._count))

    def __getattr__(self, name: str) -> Any:
        if isinstance(self.data, dict) and (name in self.data or name in self._fields):
            return self.data.get(name)
        raise AttributeError(f"the answer has no field {name!r}")

    def __repr__(self) -> str:
        return f"<Partial {self._count} fields done{', whole' if self.whole else ''}>"


class _Open:
    """A container that has not ended: where the next value goes, and what it may be."""

    __slots__ = ("holder", "key", "nodes", "path")

    def __init__(self, holder: dict[str, Any] | list[Any], nodes: list[Schema], path: str) -> None:
        self.holder = holder
        self.nodes = nodes
        self.path = path
        self.key: str | int = ""


_SPACE: Final = re.compile(r"[ \t\n\r]*")
_TEXT: Final = re.compile(r'[^"\\]*')
_SCALAR: Final = re.compile(r"[^ \t\n\r,\]}]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_ESCAPES: Final = {
    '"': '"',
    "\\": "\\",
    "/": "/",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
}
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_ROOT: Final = ""


class _Broken(Exception):  # noqa: N818  a private signal: what follows is no JSON
    pass


class PartialReader(Generic[T]):
    """Reads an answer of one type as it arrives, piece by piece.

    Example:
        reader = PartialReader(OutputType.of(Report))
        for text in pieces:
            if (partial := reader.feed(text)) is not None:
                show(partial)
    """

    def __init__(self, output: OutputType[T]) -> None:
        self._wrapped = output.wrapped
        schema = dict(output.format.schema) if output.format is not None else None
        self._plain = schema is None
        self._shapes = Shapes((schema or {}).get("$defs", {}))
        self._root = self._shapes.flat([schema]) if schema else []
        answer = self._shapes.under(self._root, "value") if self._wrapped else self._root
        self._fields = frozenset(name for node in answer for name in node.get("properties", {}))
        self._top: dict[str, Any] = {}
        self._stack: list[_Open] = []
        self._paths: list[str] = []
        self._state: Callable[[str, int], int] = self._begin
        self._tail = ""  # read again with the next piece: an escape, not yet whole
        self._pieces: list[str] = []
        self._grows = False
        self._shown = False
        self._changed = False
        self._whole = False

    def feed(self, text: str) -> Partial[T] | None:
        """Read more text.

        Returns:
            The answer so far, or None if this text finished or grew nothing. Text that is no JSON
            ends the reading: whether the answer is right is said by `OutputType.read`, not here.
        """
        if self._plain:
            return self._feed_plain(text)
        text, at = self._tail + text, 0
        self._tail = ""
        try:
            while at < len(text):
                at = self._state(text, at)
        except (_Broken, ValueError):
            self._state = self._over
        self._grow()
        if not self._changed:
            return None
        self._changed = False
        return self._partial()

    def _feed_plain(self, text: str) -> Partial[T] | None:
        if not text:
            return None
        self._top["value"] = self._top.get("value", "") + text
        return Partial(self._top["value"], self._paths, self._fields)

    def _partial(self) -> Partial[T]:
        """A copy of the open containers, outermost last; what is closed is shared."""
        data: Any = None
        for level in reversed(self._stack):
            copied = level.holder.copy()
            if data is not None:
                copied[level.key] = data  # type: ignore[index]
            data = copied
        if data is None:
            data = self._top
        return Partial(
            data.get("value") if self._wrapped else data,
            self._paths,
            self._fields,
            whole=self._whole,
        )

    # ------------------------------------------------------------ states: from here, on to there

    def _begin(self, text: str, at: int) -> int:
        """Before the object: prose and a fence may stand there."""
        at = text.find("{", at)
        if at < 0:
            return len(text)
        return self._open(self._top, self._root, _ROOT, at)

    def _over(self, text: str, at: int) -> int:
        return max(at, len(text))

    def _member(self, text: str, at: int) -> int:
        """At the beginning of a member, or the end of an empty container."""
        at = _skip(text, at)
        if at == len(text):
            return at
        level = self._stack[-1]
        if text[at] == ("}" if isinstance(level.holder, dict) else "]"):
            return self._close(at)
        if isinstance(level.holder, dict):
            if text[at] != '"':
                raise _Broken
            self._pieces = []
            self._state = self._key
            return at + 1
        level.key = len(level.holder)
        return self._value(text, at)

    def _key(self, text: str, at: int) -> int:
        at, ended = self._string(text, at)
        if ended:
            self._stack[-1].key = "".join(self._pieces)
            self._state = self._colon
        return at

    def _colon(self, text: str, at: int) -> int:
        at = _skip(text, at)
        if at == len(text):
            return at
        if text[at] != ":":
            raise _Broken
        self._state = self._value
        return at + 1

    def _value(self, text: str, at: int) -> int:
        at = _skip(text, at)
        if at == len(text):
            self._state = self._value
            return at
        level = self._stack[-1]
        nodes = self._shapes.under(level.nodes, level.key)
        char = text[at]
        if char in "{[":
            holder: dict[str, Any] | list[Any] = {} if char == "{" else []
            self._put(holder)
            return self._open(holder, nodes, self._path(), at)
        self._pieces = []
        if char == '"':
            self._grows = free_text(nodes)
            self._shown = False
            self._state = self._text
            return at + 1
        self._state = self._scalar
        return at

    def _text(self, text: str, at: int) -> int:
        at, ended = self._string(text, at)
        if ended:
            self._put("".join(self._pieces))
            self._finish()
        return at

    def _scalar(self, text: str, at: int) -> int:
        found = _SCALAR.match(text, at)
        end = found.end() if found else at
        self._pieces.append(text[at:end])
        if end == len(text):
            return end
        self._put(_read_scalar("".join(self._pieces)))
        self._finish()
        return end

    def _after(self, text: str, at: int) -> int:
        """After a member."""
        at = _skip(text, at)
        if at == len(text):
            return at
        if text[at] == ",":
            self._state = self._member
            return at + 1
        if text[at] != ("}" if isinstance(self._stack[-1].holder, dict) else "]"):
            raise _Broken
        return self._close(at)

    # --------------------------------------------------------------------------------- the parts

    def _open(
        self, holder: dict[str, Any] | list[Any], nodes: list[Schema], path: str, at: int
    ) -> int:
        if len(self._stack) == limits.JSON_DEPTH:
            raise _Broken
        self._stack.append(_Open(holder, nodes, path))
        self._changed = True
        self._state = self._member
        return at + 1

    def _close(self, at: int) -> int:
        self._stack.pop()
        if self._stack:
            self._finish()
        else:
            self._whole = self._changed = True
            self._state = self._over
        return at + 1

    def _string(self, text: str, at: int) -> tuple[int, bool]:
        """Read on in a string; where that ends, and whether the string does."""
        while at < len(text):
            found = _TEXT.match(text, at)
            end = found.end() if found else at
            if end > at:
                self._pieces.append(text[at:end])
            if end == len(text):
                return end, False
            if text[end] == '"':
                return end + 1, True
            escape = _read_escape(text, end)
            if escape is None:
                self._tail = text[end:]
                return len(text), False
            said, at = escape
            self._pieces.append(said)
        return at, False

    def _put(self, value: Any) -> None:
        level = self._stack[-1]
        if isinstance(level.holder, dict):
            level.holder[str(level.key)] = value
        elif level.key == len(level.holder):
            level.holder.append(value)
        else:
            level.holder[-1] = value
        self._changed = True

    def _grow(self) -> None:
        """Show what there is of a free string."""
        if self._state != self._text or not self._grows:
            return
        if not self._shown or len(self._pieces) > 1:
            self._shown = True
            self._pieces = ["".join(self._pieces)]
            self._put(self._pieces[0])

    def _path(self) -> str:
        level = self._stack[-1]
        if self._wrapped and len(self._stack) == 1:
            return _ROOT
        return f"{level.path}.{level.key}" if level.path else str(level.key)

    def _finish(self) -> None:
        if path := self._path():
            self._paths.append(path)
        self._changed = True
        self._state = self._after


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _read_scalar(said: str) -> Any:
    if said in _WORDS:
        return _WORDS[said]
    if _NUMBER.fullmatch(said) is None or len(said) > limits.INTEGER_DIGITS:
        raise _Broken
    return json.loads(said)


def _read_escape(text: str, at: int) -> tuple[str, int] | None:
    """The character an escape stands for and where it ends; None if more text is needed."""
    kind = text[at + 1 : at + 2]
    if not kind:
        return None
    if kind != "u":
        if kind not in _ESCAPES:
            raise _Broken
        return _ESCAPES[kind], at + 2
    if len(text) < at + 6:
        return None
    first = int(text[at + 2 : at + 6], 16)
    if not 0xD800 <= first < 0xDC00:  # noqa: PLR2004  the high surrogates
        return ("\ufffd" if 0xDC00 <= first < 0xE000 else chr(first)), at + 6  # noqa: PLR2004
    rest = text[at + 6 : at + 12]
    if "\\u".startswith(rest[:2]) and len(rest) < len("\\uXXXX"):
        return None
    escaped = rest.startswith("\\u")
    second = int(rest[-4:], 16) if escaped else 0
    if not 0xDC00 <= second < 0xE000:  # noqa: PLR2004  the low ones
        return "\ufffd", at + 6
    return chr(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)), at + 12
