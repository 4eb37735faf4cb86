"""The memory of a job: one SQLite file that knows what was answered, and what of it was written.

A record is kept before anybody sees it, so what was answered once is not asked again, whenever the
process dies. What of it stands in the output is noted beside: a length of the output, and the
number of the last record in it, in one transaction, after the rows have reached the disk. A process
that dies in between leaves rows that nobody noted; whoever goes on cuts them off and writes them
again. So each row stands in the output once.

Commits survive the death of the process. A power cut may take the last of them with it, together
(https://sqlite.org/pragma.html#pragma_synchronous): those documents are asked again, and no row is
doubled.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import to_json

from toolstone.errors import ConfigError, ConflictError, StorageError
from toolstone.ledgers.leases import Leases
from toolstone.ledgers.private import connect_private, transaction
from toolstone.usage import Usage

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from toolstone.extract.records import Document

__all__ = ["Answer", "Job", "Output", "fingerprint"]

_MARK: Final = 1953458786  # in the file's header, as `_TABLES` writes it: this is a job
_VERSION: Final = 1
_LEASE: Final = "job"
_DIGEST: Final = 16  # bytes
_PAGE: Final = 1_000  # rows that are read at once
_TABLES: Final = (
    "CREATE TABLE told (name TEXT PRIMARY KEY, digest TEXT)",
    "CREATE TABLE records (number INTEGER PRIMARY KEY, place BLOB UNIQUE, text BLOB, row TEXT)",
    "CREATE INDEX texts ON records (text)",
    "CREATE TABLE output (offset INTEGER, number INTEGER)",
    "CREATE TABLE spent (input INTEGER, output INTEGER, cached INTEGER, requests INTEGER)",
    "INSERT INTO output VALUES (0, 0)",
    "INSERT INTO spent VALUES (0, 0, 0, 0)",
    "PRAGMA application_id = 1953458786",
    "PRAGMA user_version = 1",
)
_SEEN: Final = "CREATE TEMP TABLE seen (place BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID"


class Answer(NamedTuple):
    """What is kept of a document."""

    place: bytes
    """Its identity in the job: see `Job.place`."""
    text: bytes
    """That of its text: see `fingerprint`."""
    row: Mapping[str, Any]
    """Its record: see `Record.as_row`."""


class Output(NamedTuple):
    """How much of a job stands in its output."""

    offset: int
    """Its length in bytes; what comes after was not noted."""
    number: int
    """Of the last record in it."""


def fingerprint(text: str) -> bytes:
    """What tells one text from another."""
    return blake2b(text.encode(errors="surrogatepass"), digest_size=_DIGEST).digest()


class Job:
    """A job's file, open and ours alone; use it as a context manager.

    Args:
        path: The file; it is made if it is not there, for its owner alone.
        restart: Whether to forget everything that is kept in it.

    Attributes:
        path: The file.
        kept: How many records it had when it was opened.

    Raises:
        ConflictError: Another process, or another part of this one, works on it.
        StorageError: It cannot be opened, or is something else.

    Example:
        with Job("invoices.job") as job:
            for record in extract_many_sync(texts, Invoice, model=..., job=job):
                ...
    """

    def __init__(self, path: str | Path, *, restart: bool = False) -> None:
        self.path = Path(path)
        self.kept = 0
        self._busy = threading.Lock()
        self._leases = Leases.of(self.path)
        with self._guarded():
            self._hold()
            try:
                self._connection = self._open(restart=restart)
            except BaseException:
                self._leases.release(_LEASE)
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Job({str(self.path)!r})"

    def close(self) -> None:
        """Let go of the file; no error if that is done already."""
        with self._busy:
            self._connection.close()
            self._leases.release(_LEASE)

    # ------------------------------------------------------------------------- what was answered

    def begin(self, told: Mapping[str, str]) -> None:
        """Note what the answers depend on, or see that it is what it was.

        Args:
            told: Each thing by its name, with a digest.

        Raises:
            ConfigError: Something has changed: its answers would not go with those kept.
        """
        with self._writing() as connection:
            kept = dict(connection.execute("SELECT name, digest FROM told"))
            if not kept:
                connection.executemany("INSERT INTO told VALUES (?, ?)", told.items())
                return
        changed = sorted(name for name in {*kept, *told} if kept.get(name) != told.get(name))
        if changed:
            raise ConfigError(
                f"job {str(self.path)!r} was begun with another {' and another '.join(changed)}: "
                "its answers do not go with new ones. Put it back as it was, name another job, or "
                "begin anew with Job(path, restart=True), which forgets them (--restart)"
            )

    def place(self, document: Document) -> bytes:
        """The identity of a document in this job: its id, its text, and which of equal ones it is.

        To be asked once for each document, in their order: it counts.
        """
        text = fingerprint(document.text)
        known = blake2b(text, digest_size=_DIGEST)
        known.update(document.id.encode(errors="surrogatepass"))
        (count,) = self._one(
            "INSERT INTO seen VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1"
            " RETURNING count",
            known.digest(),
        )
        known.update(b"\0%d" % count)
        return known.digest()

    def find(self, place: bytes) -> dict[str, Any] | None:
        """The row that is kept of a document; None if there is none."""
        return self._row("SELECT row FROM records WHERE place = ?", place)

    def alike(self, text: bytes) -> dict[str, Any] | None:
        """The row that was kept first of the documents with this text, by `fingerprint`."""
        return self._row("SELECT row FROM records WHERE text = ? ORDER BY number LIMIT 1", text)

    def keep(self, place: bytes, text: bytes, row: Mapping[str, Any]) -> None:
        """Keep a row; see `keep_all`."""
        self.keep_all([Answer(place, text, row)])

    def keep_all(self, answers: Sequence[Answer]) -> None:
        """Keep rows, all or none, and count what they cost; when this returns they are kept.

        Raises:
            StorageError: The disk is full, or the like.
        """
        rows = [(place, text, to_json(row).decode()) for place, text, row in answers]
        spent = sum((Usage(**row["usage"]) for _, _, row in answers), Usage())
        with self._writing() as connection:
            connection.executemany("INSERT INTO records (place, text, row) VALUES (?, ?, ?)", rows)
            self._charge(connection, spent)

    def charge(self, usage: Usage) -> None:
        """Count what was spent on a document that will be asked again."""
        with self._writing() as connection:
            self._charge(connection, usage)

    @property
    def usage(self) -> Usage:
        """What was spent, by all processes together, as far as it was heard of."""
        found = self._one("SELECT input, output, cached, requests FROM spent")
        return Usage(found[0], found[1], cached_tokens=found[2], requests=found[3])

    def rows(self) -> Iterator[dict[str, Any]]:
        """Everything that is kept, in the order in which it was."""
        number = 0
        while found := self._after(number, _PAGE):
            for number, row in found:  # noqa: B007  the last one counts
                yield row

    # -------------------------------------------------------------------------- what was written

    @property
    def output(self) -> Output:
        """How much of it stands in the output."""
        return Output(*self._one("SELECT offset, number FROM output"))

    def unwritten(self, limit: int = _PAGE) -> list[tuple[int, dict[str, Any]]]:
        """The next rows that do not stand in the output yet, each with its number."""
        return self._after(self.output.number, limit)

    def written(self, number: int, offset: int) -> None:
        """Note that the rows up to this number have reached the disk.

        Args:
            number: Of the last one.
            offset: The output's length.

        Raises:
            StorageError: It cannot be noted.
        """
        with self._writing() as connection:
            connection.execute("UPDATE output SET offset = ?, number = ?", (offset, number))

    # -------------------------------------------------------------------------------- the file

    def _after(self, number: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        query = "SELECT number, row FROM records WHERE number > ? ORDER BY number LIMIT ?"
        with self._busy, self._guarded():
            found = self._connection.execute(query, (number, limit)).fetchall()
        return [(number, self._read(said)) for number, said in found]

    def _row(self, query: str, key: bytes) -> dict[str, Any] | None:
        with self._busy, self._guarded():
            found = self._connection.execute(query, (key,)).fetchone()
        return None if found is None else self._read(found[0])

    def _read(self, said: str) -> dict[str, Any]:
        try:
            row: dict[str, Any] = json.loads(said)
        except ValueError:
            raise self._damaged("a record in it is no JSON any more") from None
        return row

    def _one(self, query: str, *values: Any) -> tuple[Any, ...]:
        with self._busy, self._guarded():
            found: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
        if found is None:
            raise self._damaged("it has lost a row that is always there")
        return found

    def _charge(self, connection: sqlite3.Connection, usage: Usage) -> None:
        if usage.requests or usage.total_tokens:
            connection.execute(
                "UPDATE spent SET input = input + ?, output = output + ?, cached = cached + ?,"
                " requests = requests + ?",
                (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.requests),
            )

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._busy, self._guarded(), transaction(self._connection):
            yield self._connection

    def _hold(self) -> None:
        try:
            self._leases.hold(_LEASE)
        except ConflictError:
            raise ConflictError(
                f"job {str(self.path)!r} is being worked on, by another process or by another part "
                "of this one; wait until it is done, or name another job"
            ) from None

    def _open(self, *, restart: bool) -> sqlite3.Connection:
        connection = connect_private(self.path)
        try:
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.execute("PRAGMA secure_delete=ON")
            connection.execute("PRAGMA cell_size_check=ON")
            self._prepare(connection, restart=restart)
            connection.execute(_SEEN)
            (self.kept,) = connection.execute("SELECT COUNT(*) FROM records").fetchone()
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection, *, restart: bool) -> None:
        with transaction(connection):
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
            tables = [
                name for (name,) in connection.execute("SELECT name FROM sqlite_schema LIMIT 1")
            ]
            if tables and mark != _MARK:
                raise self._damaged("it is another program's database")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > _VERSION:
                raise StorageError(
                    f"job {str(self.path)!r} has version {version}; this toolstone reads up to "
                    f"{_VERSION}: upgrade"
                )
            if not tables:
                for statement in _TABLES:
                    connection.execute(statement)
            if restart:
                _forget(connection)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        import sqlite3  # noqa: PLC0415  first use of a job's file

        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"job {str(self.path)!r}: {type(error).__name__}: {error}; check that it is a "
                "toolstone job, its directory writable and the disk not full"
            ) from error

    def _damaged(self, what: str) -> StorageError:
        return StorageError(
            f"job {str(self.path)!r}: {what}; name another file, or take this one from a backup"
        )


def _forget(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM records")
    connection.execute("DELETE FROM told")
    connection.execute("UPDATE output SET offset = 0, number = 0")
    connection.execute("UPDATE spent SET input = 0, output = 0, cached = 0, requests = 0")
