"""From a job to its output: each row that is kept is written once, whichever process writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import InputError
from toolstone.extract.files.write import LineWriter, check_output, is_output, write_parquet

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from toolstone.extract.job import Job

__all__ = ["Outbox"]

_ROWS_AT_ONCE: Final = 500


class Outbox:
    """What a job has kept and its output does not have yet.

    Rows are brought to the disk first, then the job notes the length of the file. A process that
    dies between the two leaves rows that are not noted: the next one cuts them off and writes them
    again. Parquet is written whole, in `finish`. An output that is gone is written again, from the
    rows that the job keeps.

    Args:
        job: The job, open.
        path: The output: `.jsonl`, `.ndjson`, `.csv` or `.parquet`.
        schema: The schema of what is extracted.
        anew: Whether an output that does not come from this job is written over.

    Raises:
        ConfigError: The extra that writes Parquet is not installed.
        DefinitionError: Two columns would have the same name.
        InputError: The output cannot be written there, or is a file of somebody else's.
        StorageError: It cannot be opened, or was changed since.
    """

    def __init__(
        self, job: Job, path: Path, schema: Mapping[str, Any], *, anew: bool = False
    ) -> None:
        self._job = job
        self._path = path
        self._schema = schema
        self._lines: LineWriter | None = None
        whole = check_output(path) == ".parquet"
        there = path.is_file() and path.stat().st_size > 0
        if there and not anew and not self._is_ours():
            raise InputError(
                f"{path.name!r} is there already and does not come from this job; move it "
                "away, name another file, or begin anew with --restart, which writes over it"
            )
        if there and anew and whole:
            path.unlink()
        if not there and job.output.offset:
            job.written(0, 0)  # it was moved away: all of it is written again
        if not whole:
            self._lines = LineWriter(path, schema, offset=job.output.offset)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._lines is not None:
            self._lines.close()

    def drain(self) -> None:
        """Bring what is kept and not yet written to the output.

        Raises:
            StorageError: The disk is full, or the like.
        """
        while self._lines is not None and (rows := self._job.unwritten(_ROWS_AT_ONCE)):
            for _, row in rows:
                self._lines.write(row)
            self._job.written(rows[-1][0], self._lines.sync())

    def finish(self) -> None:
        """Bring everything that is kept to the output.

        Raises:
            StorageError: The disk is full, or the like.
        """
        self.drain()
        if self._lines is None and self._first() is not None:
            write_parquet(self._path, self._schema, self._job.rows())

    def _is_ours(self) -> bool:
        first = self._first()
        return first is not None and is_output(self._path, self._schema, first)

    def _first(self) -> Mapping[str, Any] | None:
        return next(self._job.rows(), None)
