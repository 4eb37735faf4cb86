"""Rows out of JSON lines, CSV and Parquet, one at a time."""

from __future__ import annotations

import codecs
import csv
import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.errors import InputError
from toolstone.extract.files.texts import check_plain, missing_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from io import TextIOWrapper
    from pathlib import Path
    from types import ModuleType

__all__ = ["TABLE_SUFFIXES", "count_rows", "load_pyarrow", "rows_of", "standard_input"]

Row = dict[str, Any]
_ROWS_AT_ONCE: Final = 256  # of a Parquet file


def rows_of(path: Path) -> Iterator[Row | str]:
    """The rows of a table, by its suffix; of JSON lines also texts.

    Raises:
        ConfigError: The extra that reads Parquet is not installed.
        InputError: It cannot be read, or a line of it is no row.
    """
    return TABLE_SUFFIXES[path.suffix.lower()](path)


def count_rows(path: Path) -> int | None:
    """How many rows there are, where that is soon known; else None.

    Raises:
        ConfigError: The extra that reads Parquet is not installed.
        InputError: It cannot be read.
    """
    if path.suffix.lower() == ".parquet":
        with _parquet(path) as table:
            count: int = table.metadata.num_rows
            return count
    if path.suffix.lower() not in _LINES:
        return None
    if check_plain(path) > limits.DOCUMENT_BYTES:
        return None
    with path.open("rb") as lines:
        return sum(not line.isspace() for line in lines)


def json_rows(lines: Iterable[str], name: str) -> Iterator[Row | str]:
    """The objects and strings of JSON lines; empty lines are passed over.

    Raises:
        InputError: A line is neither; says which.
    """
    for number, line in enumerate(_decoded(lines, name), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{name}, line {number} ({len(line)} characters) is no JSON; one object or one "
                "string a line"
            ) from error
        if not isinstance(row, dict | str):
            raise InputError(
                f"{name}, line {number} is JSON of type {type(row).__name__}; write an object with "
                'a "text" and an "id", or a string'
            )
        yield row


def standard_input() -> Iterator[Row | str]:
    """The objects and strings of JSON lines on standard input, in UTF-8 whatever the locale.

    Raises:
        InputError: A line is neither; says which.
    """
    return json_rows(codecs.iterdecode(sys.stdin.buffer, "utf-8-sig"), "standard input")


def _decoded(lines: Iterable[str], name: str) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is no UTF-8; convert it: iconv -f ITS-ENCODING") from error


def _json_file(path: Path) -> Iterator[Row | str]:
    with _opened(path) as lines:
        yield from json_rows(lines, repr(path.name))


def _opened(path: Path, newline: str | None = None) -> TextIOWrapper:
    check_plain(path)
    try:
        return path.open(encoding="utf-8-sig", newline=newline)
    except OSError as error:
        raise InputError(f"{path.name!r} cannot be read: {error.strerror}") from error


def _csv(path: Path) -> Iterator[Row]:
    return _separated(path, ",")


def _tsv(path: Path) -> Iterator[Row]:
    return _separated(path, "\t")


def _separated(path: Path, delimiter: str) -> Iterator[Row]:
    """Rows under the names of the first line. The cells are texts, and empty ones too."""
    csv.field_size_limit(max(csv.field_size_limit(), limits.DOCUMENT_BYTES))  # the process's own
    name = repr(path.name)
    with _opened(path, newline="") as lines:
        reader = csv.reader(_decoded(lines, name), delimiter=delimiter, strict=True)
        try:
            names = next(reader, [])
            if len(set(names)) != len(names):
                raise InputError(f"{name}: two columns of one name in its first line")
            for cells in reader:
                if cells and len(cells) != len(names):
                    raise InputError(
                        f"{name}, line {reader.line_num}: {len(cells)} cells under {len(names)} "
                        "names; is a comma or a quote not quoted?"
                    )
                if cells:
                    yield dict(zip(names, cells, strict=True))
        except csv.Error as error:
            raise InputError(f"{name}, line {reader.line_num} is no CSV: {error}") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    with _parquet(path) as table:
        for batch in table.iter_batches(batch_size=_ROWS_AT_ONCE):
            yield from batch.to_pylist()


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    arrow = load_pyarrow()
    check_plain(path)
    try:
        with arrow.parquet.ParquetFile(path) as table:
            yield table
    except OSError as error:
        why = error.strerror or "its pages are damaged"
        raise InputError(f"{path.name!r} cannot be read: {why}") from error
    except (arrow.ArrowException, UnicodeDecodeError) as error:
        raise InputError(f"{path.name!r} cannot be read as Parquet") from error


def load_pyarrow() -> ModuleType:
    """The one place where pyarrow is imported.

    Raises:
        ConfigError: The extra is not installed.
    """
    import importlib  # noqa: PLC0415  beside it: pyarrow has no types

    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ModuleNotFoundError as error:
        raise missing_extra(error, "Parquet", "tables") from error


_LINES: Final = (".jsonl", ".ndjson")
TABLE_SUFFIXES: Final[dict[str, Callable[[Path], Iterator[Row | str]]]] = {
    ".jsonl": _json_file,
    ".ndjson": _json_file,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet_rows,
}
"""What is read as a document for each row, and how."""
