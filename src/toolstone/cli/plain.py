"""A run for a file or a pipe: the answer on stdout, the rest on stderr, no colours, no movement."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self

from toolstone.cli.board import Board
from toolstone.cli.words import clean, put_bill, put_call, put_output, put_result
from toolstone.events import Answered, Retrying, Returned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from toolstone.events import Delta, Fact, Record
    from toolstone.runs.result import Result

__all__ = ["PlainView"]


class PlainView:
    """The answer on stdout; a line for each call, and the bill, on stderr."""

    streams = False
    asks = False

    def __init__(self) -> None:
        self._board = Board()

    def recall(self, records: Sequence[Record]) -> None:
        """See `View`."""
        self._board.recall(records)

    def observe(self, _run: str, event: Fact | Delta, /) -> None:
        """Say what is worth a line."""
        now = time.monotonic()
        self._board.see(event, now)
        if isinstance(event, Returned):
            line = self._board.calls[event.call]
            call = put_call(line.name, line.arguments)
            mark = "failed" if line.failed else "returned"
            taken = "" if line.began is None else f" in {line.seconds(now):.2f} s"
            _note(f"{call} {mark}{taken}: {put_result(line.output)}")
        elif isinstance(event, Answered):
            for line in self._board.calls.values():
                if line.key.position < 0:
                    _note(f"{put_call(line.name, line.arguments)} {put_result(line.output)}")
        elif isinstance(event, Retrying):
            _note(self._board.hint)

    def busy(self, _what: str) -> AbstractContextManager[Any]:
        """See `View`."""
        return nullcontext()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        sys.stderr.flush()

    def finish(self, result: Result[Any], seconds: float) -> None:
        """The answer and the bill."""
        if result.outcome == "complete":
            sys.stdout.write(put_output(result.output) + "\n")
            sys.stdout.flush()
        _note(put_bill(result.usage, seconds, result.cost))

    def fail(self, error: Exception) -> None:
        """What had arrived of the answer."""
        partial = getattr(getattr(error, "result", None), "partial", "")
        if partial:
            _note(f"what had arrived: {clean(partial)}")


def _note(line: str) -> None:
    sys.stderr.write(f"{line}\n")
