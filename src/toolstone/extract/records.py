"""What goes in and what comes out: documents, and a record for each; with their JSON."""

from __future__ import annotations

from dataclasses import field, fields
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json, to_jsonable_python

from toolstone._dataclass import dataclass
from toolstone.errors import InputError, OutputError, RunError, ToolstoneError
from toolstone.schema.typeddicts import modern
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Document", "Evidence", "Failure", "Record", "as_json", "digest", "sayable"]

T = TypeVar("T")

_DIGITS: Final = 16
_GOING_ON: Final = ". Go on with "
"""What a run's error says last: a record has no session to go on with."""


def digest(text: str) -> str:
    """The identity of a text: 16 hexadecimal digits of its SHA-256."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def sayable(name: str) -> str:
    """A name as JSON can hold it: half characters, such as of a file's name, written out."""
    return name.encode(errors="backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class Document:
    """A text to be read.

    Attributes:
        id: Its name in the job and in the output: given, or the digest of the text. Half
            characters in it are written out, as in `sayable`.
        text: All of it.
        source: Where it came from, for people: a path, a row's number.
    """

    id: str
    text: str = field(repr=False)
    source: str | None = None

    def __post_init__(self) -> None:
        if not self.id.isascii():
            object.__setattr__(self, "id", sayable(self.id))

    @classmethod
    def of(cls, text: str) -> Document:
        """A text without a name: named by its digest."""
        return cls(digest(text), text)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where a value stands in its document.

    Attributes:
        path: The value: `lines[0].amount`.
        quote: The words it was read from, as they stand there; of an invented quote, as the model
            gave it; empty where nothing was found.
        start: The first character of the quote in `Document.text`; None if it is not there.
        end: The first character after it; None if it is not there.
    """

    path: str
    quote: str = field(repr=False)
    start: int | None = None
    end: int | None = None

    @property
    def grounded(self) -> bool:
        """Whether the quote stands in the document."""
        return self.start is not None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document has no value.

    Attributes:
        kind: In one word: `refused`, `truncated`, `empty`, `unreadable` (a file, whose record no
            job keeps), or the kind of the error: `validation`, `limit`, `transport`, `model` ...
            (`ToolstoneError.kind`).
        message: In a sentence, without the document's content.
        paths: The fields it is about; empty where it is about none.
        retryable: Whether asking again may succeed, if only after something else was mended: a job
            does not keep such a failure.
    """

    kind: str
    message: str
    paths: tuple[str, ...] = ()
    retryable: bool = False

    @classmethod
    def of(cls, error: ToolstoneError) -> Failure:
        """What an error means for the document it befell."""
        kind: str = error.kind
        if isinstance(error, RunError) and error.outcome in {"refused", "truncated", "empty"}:
            kind = error.outcome
        problems = error.problems if isinstance(error, OutputError) else ()
        paths = tuple(dict.fromkeys(path for one in problems if (path := _path(one))))
        again = error.retryable or error.kind in _UNANSWERED or _is_foreign(error)
        return cls(kind, str(error).partition(_GOING_ON)[0], paths, again)


_UNANSWERED: Final = frozenset({"transport", "protocol"})
"""Kinds of errors that say nothing of the document: a proxy, a certificate ..."""


def _is_foreign(error: ToolstoneError) -> bool:
    """Whether a run ended by an error that is not ours, such as one of a model that you wrote."""
    cause = error.__cause__
    return (
        isinstance(error, RunError) and cause is not None and not isinstance(cause, ToolstoneError)
    )


def _path(problem: str) -> str:
    """The field that a sentence such as `due: required, but missing` is about."""
    path, colon, _ = problem.partition(": ")
    return path if colon and " " not in path else ""


@dataclass(frozen=True, slots=True)
class Record(Generic[T]):
    """What became of one document: a value, or why there is none.

    Attributes:
        id: The document's.
        value: What was read; None if there is an error.
        error: Why there is no value.
        evidence: Where each value stands in the document.
        usage: Tokens of all requests for this document.
        attempts: Requests for it.
        same_as: The document with the same text whose answer this is: this one was not asked.
        warnings: What a reader should know: a conflict between two parts, no majority ...
    """

    id: str
    value: T | None = field(default=None, repr=False)
    error: Failure | None = None
    evidence: tuple[Evidence, ...] = field(default=(), repr=False)
    usage: Usage = field(default_factory=Usage)
    attempts: int = 0
    same_as: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.error is None

    def as_row(self) -> dict[str, Any]:
        """The record as JSON data, every key always there; `from_row` reads it again."""
        return {
            "id": self.id,
            "value": as_json(self.value),
            "error": None if self.error is None else _plain(self.error),
            "evidence": [_plain(one) for one in self.evidence],
            "usage": _plain(self.usage),
            "attempts": self.attempts,
            "same_as": self.same_as,
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_row(cls, row: Mapping[str, Any], type: Any) -> Record[Any]:  # noqa: A002  what it is
        """Read what `as_row` gave.

        Args:
            row: It.
            type: The type of the value, or its JSON Schema.

        Raises:
            InputError: It is no such row, or its value is none of this type.
        """
        try:
            error, evidence = row["error"], row["evidence"]
            return cls(
                str(row["id"]),
                None if error is not None else _typed(row["value"], type),
                None if error is None else Failure(**{**error, "paths": tuple(error["paths"])}),
                tuple([Evidence(**one) for one in evidence]),
                Usage(**row["usage"]),
                int(row["attempts"]),
                row["same_as"],
                tuple(row["warnings"]),
            )
        except ValidationError as problem:
            where = "; ".join(_where(one["loc"]) for one in problem.errors(include_input=False))
            raise InputError(
                f"a kept record's value does not fit the type any more, at {where}; was the type "
                "changed, or has it an alias for output alone?"
            ) from None
        except (KeyError, TypeError, ValueError) as problem:
            raise InputError(
                f"a row is no kept record: {type_name(problem)}; rows are made by Record.as_row"
            ) from None


def type_name(error: Exception) -> str:
    """An error in a word: what it says may be content."""
    return error.__class__.__name__


def as_json(value: Any) -> Any:
    """A value as JSON data, under the names that the schema has for its fields."""
    return to_jsonable_python(value, by_alias=True, round_trip=True)


def _plain(part: Failure | Evidence | Usage) -> dict[str, Any]:
    named = [(name, getattr(part, name)) for name in _FIELDS[type(part)]]
    return {name: list(one) if isinstance(one, tuple) else one for name, one in named}


_FIELDS: Final = {
    kind: tuple([one.name for one in fields(kind)]) for kind in (Failure, Evidence, Usage)
}


def _typed(data: Any, kind: Any) -> Any:
    if isinstance(kind, dict):
        return data
    return _adapter(kind).validate_json(to_json(data), by_alias=True, by_name=True)


@lru_cache(maxsize=64)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(modern(kind))


def _where(loc: tuple[int | str, ...]) -> str:
    return ".".join(map(str, loc)) or "its root"
