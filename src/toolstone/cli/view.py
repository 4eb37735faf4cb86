"""Who watches a run at the command line: what a view is, and which one fits who reads stdout."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Protocol, Self

from toolstone.cli.lines import LinesView
from toolstone.cli.plain import PlainView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from toolstone.events import Delta, Fact, Record
    from toolstone.runs.result import Result
    from toolstone.schema.output import OutputType

__all__ = ["View", "at_terminal", "choose_view"]


class View(Protocol):
    """An observer that is open while a run goes, and shows its end."""

    streams: bool
    """Whether it shows what is fleeting."""
    asks: bool
    """Whether there is somebody to ask."""

    def observe(self, run: str, event: Fact | Delta, /) -> None:
        """See one event."""
        ...

    def recall(self, records: Sequence[Record]) -> None:
        """Learn what happened before, without showing it again."""
        ...

    def busy(self, what: str) -> AbstractContextManager[Any]:
        """Show that something else takes its time, until the block is left."""
        ...

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def finish(self, result: Result[Any], seconds: float) -> None:
        """Show how it ended."""
        ...

    def fail(self, error: Exception) -> None:
        """Show what it got to before this; the message itself is shown by who catches it."""
        ...


def at_terminal() -> bool:
    """Whether a person reads stdout on a terminal that can move its cursor."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def choose_view(output: OutputType[Any], model: str, *, as_json: bool) -> View:
    """The view that fits who reads stdout."""
    if as_json:
        return LinesView()
    if at_terminal():
        from toolstone.cli.live import LiveView  # noqa: PLC0415  only for who sees it

        return LiveView(output, model)
    return PlainView()
