"""Rows into JSON lines, CSV or Parquet, so that after any crash each stands there once.

Lines are appended and brought to the disk; then whoever keeps the job notes how long the file is
(`LineWriter.sync`). Opened again it is cut to that length: what was written and not noted goes, and
is written again. Parquet has its index at its end: it is made at the end, from all rows, beside its
place, and moved there whole.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final, Self

from toolstone.errors import InputError, StorageError
from toolstone.extract.files.columns import Column, cells, columns_of, fitted, put_json
from toolstone.extract.files.tables import load_pyarrow
from toolstone.extract.records import digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["LineWriter", "check_output", "is_output", "write_parquet"]

Row = Mapping[str, Any]
_SUFFIXES: Final = (".jsonl", ".ndjson", ".csv", ".parquet")
_ROWS_AT_ONCE: Final = 1_000  # of a row group
_MARK: Final = b"toolstone.extract"
"""In the metadata of a Parquet file: the digest of its first row."""


def check_output(path: Path) -> str:
    """The suffix of an output that can be written.

    Raises:
        ConfigError: It is Parquet, and the extra that writes it is not installed.
        InputError: It has another suffix, or its directory is not there.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise InputError(f"{path.name!r}: what is written ends in one of {', '.join(_SUFFIXES)}")
    if not path.parent.is_dir():
        raise InputError(f"{path.name!r}: its directory {str(path.parent)!r} is not there; make it")
    if suffix == ".parquet":
        load_pyarrow()
    return suffix


def is_output(path: Path, schema: Mapping[str, Any], first: Row) -> bool:
    """Whether a file is an output that begins with this row, or a piece of such a beginning.

    Raises:
        DefinitionError: Two columns would have the same name.
        StorageError: It cannot be read.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return _mark_in(path) == _mark(first)
        columns = _columns(path, schema)
        head = _heading(columns) + _line(first, columns)
        with path.open("rb") as file:
            return head.startswith(file.read(len(head)))
    except OSError as error:
        raise StorageError(f"{path.name!r} cannot be read: {error.strerror}") from error


class LineWriter:
    """An output that grows by whole rows: JSON lines or CSV.

    Args:
        path: The file; it is made if it is not there.
        schema: The schema of what is extracted; it gives a CSV its columns.
        offset: How long it was when that was last noted; what stands behind is cut off.

    Raises:
        DefinitionError: Two columns would have the same name.
        StorageError: It cannot be opened, or is shorter than was noted.
    """

    def __init__(self, path: Path, schema: Mapping[str, Any], *, offset: int = 0) -> None:
        self._path = path
        self._columns = _columns(path, schema)
        try:
            self._file = _opened(path)
            with ExitStack() as undo:
                undo.callback(self._file.close)
                self._cut(offset)
                undo.pop_all()
        except OSError as error:
            raise StorageError(f"{path.name!r} cannot be opened: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def write(self, row: Row) -> None:
        """Add a row, as `Record.as_row` gives it; before the first one, the heading of a CSV.

        Raises:
            StorageError: The disk is full, or the like.
        """
        try:
            if self._file.tell() == 0:
                self._file.write(_heading(self._columns))
            self._file.write(_line(row, self._columns))
        except OSError as error:
            raise _unwritten(self._path, error) from error

    def sync(self) -> int:
        """Bring all that was written to the disk; how many bytes it is.

        Raises:
            StorageError: The disk is full, or the like.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            return self._file.tell()
        except OSError as error:
            raise _unwritten(self._path, error) from error

    def close(self) -> None:
        """Close the file; what was not brought to the disk is not counted on."""
        with suppress(OSError):
            self._file.close()

    def _cut(self, offset: int) -> None:
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, offset - 1))
        if size < offset or (offset and self._file.read(1) != b"\n"):
            raise StorageError(
                f"{self._path.name!r} has {size:,} bytes, and its job has written {offset:,}: "
                "somebody else has changed it; move it away, and the same command writes all "
                "rows again, without asking"
            )
        self._file.truncate(offset)
        self._file.seek(offset)


def write_parquet(path: Path, schema: Mapping[str, Any], rows: Iterable[Row]) -> int:
    """Make a Parquet file of all rows and put it in its place; how many there were.

    Raises:
        ConfigError: The extra is not installed.
        DefinitionError: Two columns would have the same name.
        StorageError: It cannot be written, or a number is too large for a column of Parquet.
    """
    arrow = load_pyarrow()
    columns = columns_of(schema)
    made = path.with_name(f".{path.name}.part")
    types = arrow.schema([(column.name, _arrow_type(arrow, column)) for column in columns])
    several, count = iter(rows), 0
    first = list(islice(several, 1))
    marked = types.with_metadata({_MARK: _mark(first[0])} if first else {})
    try:
        with arrow.parquet.ParquetWriter(made, marked) as writer:
            for batch in _batches(chain(first, several)):
                count += len(batch)
                writer.write_table(_table(arrow, marked, columns, batch))
        with made.open("rb") as file:
            os.fsync(file.fileno())
        made.replace(path)
    except (OSError, OverflowError, arrow.ArrowException) as error:
        with suppress(OSError):
            made.unlink(missing_ok=True)
        raise StorageError(
            f"{path.name!r} cannot be written ({type(error).__name__}); the rows are kept in the "
            "job: write them to another place or kind of file, such as .jsonl"
        ) from error
    return count


def _table(arrow: Any, types: Any, columns: tuple[Column, ...], batch: list[Row]) -> Any:
    found = zip(*(cells(row, columns) for row in batch), strict=True)
    arrays = [
        arrow.array([_fit(value, column) for value in values], type=field.type)
        for values, column, field in zip(found, columns, types, strict=True)
    ]
    return arrow.Table.from_arrays(arrays, schema=types)


def _fit(value: Any, column: Column) -> Any:
    """The value as Arrow takes it: no whole number for a float, no half characters."""
    if column.kind == "list" and isinstance(value, list):
        entry = Column(column.name, column.path, column.item)
        return [_fit(fitted(one, column.item), entry) for one in value]
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return float(value) if column.kind == "number" and isinstance(value, int) else value


def _arrow_type(arrow: Any, column: Column) -> Any:
    types = {
        "text": arrow.string(),
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "boolean": arrow.bool_(),
        "json": arrow.string(),
    }
    return arrow.list_(types[column.item]) if column.kind == "list" else types[column.kind]


def _opened(path: Path) -> io.BufferedRandom:
    """The file for reading and writing from its start; its name is on the disk too."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    file = os.fdopen(handle, "r+b")
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return file


def _unwritten(path: Path, error: OSError) -> StorageError:
    return StorageError(
        f"{path.name!r} cannot be written: {error.strerror}; what was answered is kept in the job: "
        "the same command goes on"
    )


def _mark(first: Row) -> bytes:
    return digest(json.dumps(first)).encode()


def _mark_in(path: Path) -> bytes | None:
    arrow = load_pyarrow()
    try:
        found: Mapping[bytes, bytes] | None = arrow.parquet.read_metadata(path).metadata
    except arrow.ArrowException:
        return None
    return None if found is None else found.get(_MARK)


def _columns(path: Path, schema: Mapping[str, Any]) -> tuple[Column, ...]:
    return columns_of(schema) if path.suffix.lower() == ".csv" else ()


def _heading(columns: tuple[Column, ...]) -> bytes:
    return _csv_line([column.name for column in columns]) if columns else b""


def _line(row: Row, columns: tuple[Column, ...]) -> bytes:
    return _csv_line(cells(row, columns)) if columns else _json_line(row)


def _json_line(row: Row) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a character: JSON can say it, UTF-8 cannot
        return json.dumps(row).encode() + b"\n"


def _csv_line(values: list[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(map(_csv_cell, values))
    return line.getvalue().encode(errors="replace")


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return put_json(value)
    return value


def _batches(rows: Iterable[Row], size: int = _ROWS_AT_ONCE) -> Iterator[list[Row]]:
    several = iter(rows)
    while batch := list(islice(several, size)):
        yield batch
