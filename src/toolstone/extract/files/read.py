"""Documents out of a directory, a glob, a file of texts or rows, or standard input; streamed."""

from __future__ import annotations

import glob
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolstone._dataclass import dataclass
from toolstone.errors import InputError
from toolstone.extract.files.tables import TABLE_SUFFIXES, count_rows, rows_of, standard_input
from toolstone.extract.files.texts import TEXT_SUFFIXES, read_text
from toolstone.extract.records import Document

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = ["Documents", "Unread", "read_documents", "row_document"]

_STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Unread:
    """A file whose text is read when its turn comes."""

    id: str
    path: Path

    def read(self) -> Document:
        """The document. Blocking: a large PDF takes seconds.

        Raises:
            ConfigError: The extra that reads such files is not installed.
            InputError: It cannot be read, is not what its suffix says, or holds no text.
        """
        return Document(self.id, read_text(self.path), str(self.path))


@dataclass(frozen=True, slots=True)
class Documents:
    """What a source holds, in the order of its names and rows; may be gone through again.

    Attributes:
        where: A directory, a glob, one file, or `-` (JSON lines from standard input, once).
        text: The column that holds the text of a row; else `text`, else all of them.
        id: The column that names a row; else `id`, else what it says.
        leave_out: Files of a directory or a glob that are no part of it, such as the output.
    """

    where: str
    text: str | None = None
    id: str | None = None
    leave_out: frozenset[Path] = frozenset()

    def __iter__(self) -> Iterator[Document | Unread]:
        if self.where == _STDIN:
            yield from self._documents(standard_input(), "")
            return
        root = _root(self.where)
        for path in self._files():
            name = path.relative_to(root).as_posix()
            if path.suffix.lower() in TABLE_SUFFIXES:
                prefix = "" if path == Path(self.where) else f"{name}:"
                yield from self._documents(rows_of(path), prefix)
            else:
                yield Unread(name, path)

    def count(self) -> int | None:
        """How many there are; None if only reading would tell.

        Raises:
            InputError: A file is of a kind that is not read.
        """
        if self.where == _STDIN:
            return None
        found = 0
        for path in self._files():
            rows = count_rows(path) if path.suffix.lower() in TABLE_SUFFIXES else 1
            if rows is None:
                return None
            found += rows
        return found

    def check(self) -> None:
        """Look at the names of all files, and at nothing in them.

        Raises:
            InputError: There are none, or one is of a kind that is not read.
        """
        if self.where == _STDIN:
            return
        known = TEXT_SUFFIXES.keys() | TABLE_SUFFIXES.keys()
        total, strange = 0, []
        for path in self._files():
            total += 1
            if path.suffix.lower() not in known:
                strange.append(path)
        if strange:
            raise InputError(_strange(strange, _root(self.where)))
        if not total:
            raise InputError(f"there is nothing to read at {self.where!r}; hidden files are not")

    def _documents(self, rows: Iterator[Any], prefix: str) -> Iterator[Document]:
        for row in rows:
            document = row_document(row, text=self.text, id=self.id)
            if prefix:
                document = Document(f"{prefix}{document.id}", document.text, prefix[:-1])
            yield document

    def _files(self) -> Iterator[Path]:
        where = Path(self.where)
        if where.exists() and not where.is_dir():
            return iter([where])
        found = _walk(where, _real(where)) if where.is_dir() else _matches(self.where)
        return (path for path in found if _real(path) not in self.leave_out)


def read_documents(
    where: str | Path,
    *,
    text: str | None = None,
    id: str | None = None,  # noqa: A002  the word of `Document`
    leave_out: Collection[Path] = (),
) -> Documents:
    """The documents at a place, for `extract_many`; nothing is held but the one being read.

    Files are read by their suffix: `.txt .text .log .md .markdown .html .htm .pdf` as one document
    each, whose id is its path below the directory; `.jsonl .ndjson .csv .tsv .parquet` as a
    document for each row. Hidden files are left out; links are followed within the directory.

    Args:
        where: A directory, a glob (`inbox/**/*.pdf`), one file, or `-`: JSON lines from standard
            input, each an object or a string.
        text: The column that holds the text of a row. Without it, `text` if there is one, or all
            columns, one a line.
        id: The column that names a row. Without it, `id` if there is one, or else a digest of it.
        leave_out: Files of a directory or a glob that are no part of it, such as the output.

    Raises:
        InputError: There is nothing, a file is of another kind, or it is a URL: these are never
            fetched.
    """
    place = str(where)
    if "://" in place:
        raise InputError("URLs are never fetched: download what is to be read, and name the file")
    documents = Documents(place, text, id, frozenset(map(_real, leave_out)))
    documents.check()
    return documents


def row_document(
    row: Mapping[str, Any] | str,
    *,
    text: str | None = None,
    id: str | None = None,  # noqa: A002  the word of `Document`
) -> Document:
    """The document that a row is: see `read_documents` for its text and its id.

    Raises:
        InputError: It has no such column, or what stands there is no text (null is an empty one)
            or no name.
    """
    if isinstance(row, str):
        return Document.of(row)
    said = _text_of(row, text)
    named = _cell(row, id) if id is not None else row.get("id")
    if named is None or named == "":
        return Document.of(said)
    if isinstance(named, bool) or not isinstance(named, str | int):
        raise InputError(
            f"column {id or 'id'!r} holds a {type(named).__name__}: a row is named by text or by a "
            "whole number"
        )
    return Document(str(named), said)


def _text_of(row: Mapping[str, Any], column: str | None) -> str:
    if column is None and "text" not in row:
        return "".join(f"{name}: {_put(value)}\n" for name, value in row.items() if name != "id")
    said = _cell(row, column or "text")
    if said is None:
        return ""  # no text: a failed record, and not the end of the job
    if not isinstance(said, str):
        raise InputError(
            f"column {column or 'text'!r} holds a {type(said).__name__}: the text of a row is text"
        )
    return said


def _cell(row: Mapping[str, Any], column: str) -> Any:
    if column not in row:
        raise InputError(f"a row has no column {column!r}; it has: {', '.join(map(repr, row))}")
    return row[column]


def _put(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _walk(folder: Path, root: Path) -> Iterator[Path]:
    """The files below a folder that are not hidden, by name."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{str(folder)!r} cannot be read: {error.strerror}") from error
    for entry in found:
        if entry.name.startswith("."):
            continue
        path = folder / entry.name
        if entry.is_symlink():
            _check_link(path, root)
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(path, root)
        elif not path.is_dir():
            yield path


def _matches(pattern: str) -> Iterator[Path]:
    if not glob.has_magic(pattern):
        raise InputError(f"there is no {pattern!r}: give a directory, a file, a glob or '-'")
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207  it may begin anywhere
    root = _real(_root(pattern))
    for path in map(Path, sorted(names)):
        _check_link(path, root)
        if not path.is_dir():
            yield path


def _check_link(path: Path, root: Path) -> None:
    if not _real(path).is_relative_to(root):
        raise InputError(f"{str(path)!r} leads out of the directory by a link; remove that")


def _real(path: Path) -> Path:
    """Where links lead; unlike `Path.resolve`, also of a link to itself."""
    return Path(os.path.realpath(path))


def _root(where: str) -> Path:
    """What the names of the files are relative to."""
    if not glob.has_magic(where) or Path(where).exists():
        return Path(where) if Path(where).is_dir() else Path(where).parent
    fixed: list[str] = []
    for part in Path(where).parts:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return Path(*fixed)


def _strange(paths: list[Path], root: Path) -> str:
    few = ", ".join(repr(path.relative_to(root).as_posix()) for path in paths[:3])
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""  # noqa: PLR2004  as shown
    known = " ".join([*TEXT_SUFFIXES, *TABLE_SUFFIXES])
    return f"no document of a kind that is read: {few}{more}; there are {known}; name a glob"
