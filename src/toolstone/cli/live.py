"""A run at a terminal: what moves now at the bottom, what is settled above it for good."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console, Group
from rich.json import JSON
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from toolstone.cli.board import Board
from toolstone.cli.words import clean, put_bill, put_call, put_output, put_result, shorten
from toolstone.events import Asked, Finished

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from rich.console import RenderableType

    from toolstone.cli.board import CallLine
    from toolstone.events import Delta, Fact, Record
    from toolstone.runs.result import Result
    from toolstone.schema.output import OutputType
    from toolstone.schema.partial import Partial

__all__ = ["LiveView"]


class LiveView:
    """Calls side by side with state and time, the answer as it grows, the bill at the end."""

    streams = True
    asks = True

    def __init__(
        self,
        output: OutputType[Any],
        model: str,
        *,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console or Console(highlight=False)
        ascii_only = self._console.options.ascii_only
        self._marks = ("ok", "x ") if ascii_only else ("✓", "✗")
        dots = "line" if ascii_only else "dots"
        self._spinner = Spinner(dots, Text(f"asking {clean(model)}", style="dim"), style="cyan")
        self._turning = Spinner(dots, style="cyan")
        self._clock = clock
        self._lock = threading.Lock()  # the screen is drawn from a thread of its own
        self._board = Board(output)
        self._shown: set[tuple[int, int]] = set()
        self._live: Live | None = None

    def recall(self, records: Sequence[Record]) -> None:
        """See `View`."""
        self._board.recall(records)
        self._shown.update(
            line.key for line in self._board.calls.values() if line.ended is not None
        )

    def observe(self, _run: str, event: Fact | Delta, /) -> None:
        """Draw it; when a turn ends, what it came to is printed above."""
        if isinstance(event, Asked | Finished):
            self._settle()
        with self._lock:
            self._board.see(event, self._clock())

    def __enter__(self) -> Self:
        self._live = Live(
            get_renderable=self._draw, console=self._console, refresh_per_second=12, transient=True
        )
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._board.asking = False
        self._settle()
        with self._lock:
            self._board.calls = {k: v for k, v in self._board.calls.items() if v.ended is None}
        if self._live is not None:
            self._live.stop()
            self._live = None

    def busy(self, what: str) -> AbstractContextManager[Any]:
        """See `View`."""
        return self._console.status(Text(what, style="dim"))

    def finish(self, result: Result[Any], seconds: float) -> None:
        """The answer in full, and the bill; nothing while the run waits."""
        if result.outcome != "complete":
            return
        said = put_output(result.output)
        text: RenderableType = Text(clean(said))
        if not isinstance(result.output, str):
            text = JSON(said, ensure_ascii=False)
        self._console.print(text, soft_wrap=True)
        bill = put_bill(result.usage, seconds, result.cost)
        self._console.print(Text(bill, style="dim"))

    def fail(self, error: Exception) -> None:
        """What had arrived of the answer."""
        partial = getattr(getattr(error, "result", None), "partial", "")
        if partial:
            self._console.print(Text(clean(partial), style="dim"), soft_wrap=True)

    # ------------------------------------------------------------------------------ for good

    def _settle(self) -> None:
        """Print what is settled of this turn above the moving part."""
        with self._lock:
            home = [
                line
                for line in self._board.calls.values()
                if line.ended is not None and line.key not in self._shown
            ]
            text = self._board.text if home and not self._shown & self._keys() else ""
            self._shown.update(line.key for line in home)
            now = self._clock()
        if text:
            self._console.print(Text(clean(text)), soft_wrap=True)
        for line in home:
            self._console.print(self._settled(line, now))
        if len(home) > 1:
            self._console.print(Text(_side_by_side(home), style="dim"))

    def _keys(self) -> set[tuple[int, int]]:
        return {line.key for line in self._board.calls.values()}

    def _settled(self, line: CallLine, now: float) -> Text:
        good, bad = self._marks
        mark = Text(bad, style="red") if line.failed else Text(good, style="green")
        call = put_call(line.name, line.arguments, self._console.width // 2)
        taken = "  " if line.began is None else f"  {line.seconds(now):.2f} s  "
        room = max(20, self._console.width - len(call) - len(taken) - 4)
        said = Text(put_result(line.output, room), style="red" if line.failed else "")
        return Text.assemble(mark, " ", (call, "bold"), (taken, "dim"), said)

    # --------------------------------------------------------------------------- what moves

    def _draw(self) -> RenderableType:
        with self._lock:
            board, now = self._board, self._clock()
            parts: list[RenderableType] = []
            moving = [line for line in board.calls.values() if line.key not in self._shown]
            if moving:
                parts.append(self._draw_calls(moving, now))
            elif board.partial is not None:
                parts.append(_draw_partial(board.partial, self._marks[0]))
            elif board.text and board.partial is None:
                parts.append(self._draw_text(board.text))
            if board.hint:
                parts.append(Text(shorten(board.hint, self._console.width - 1), style="yellow"))
            if board.asking and not (board.text or board.partial):
                parts.append(self._spinner)
            return Group(*parts)

    def _draw_calls(self, lines: Sequence[CallLine], now: float) -> Table:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(no_wrap=True, width=2)
        grid.add_column(no_wrap=True, overflow="ellipsis", style="bold")
        grid.add_column(no_wrap=True, justify="right", style="dim")
        grid.add_column(no_wrap=True, overflow="ellipsis")
        most = max(self._console.height - 4, 4)
        frame = self._frame()
        for line in lines[:most]:
            grid.add_row(*self._row(line, now, frame))
        if len(lines) > most:
            grid.add_row("", f"and {len(lines) - most} more")
        return grid

    def _row(self, line: CallLine, now: float, frame: Text) -> tuple[RenderableType, ...]:
        good, bad = self._marks
        call = put_call(line.name, line.arguments, self._console.width // 2)
        if line.began is None:
            return (Text(" "), call, "", Text("waits", style="dim"))
        taken = f"{line.seconds(now):.1f} s"
        if line.running:
            note = "" if line.progress is None else shorten(str(line.progress))
            return (frame, call, taken, Text(note, style="dim"))
        mark = Text(bad, style="red") if line.failed else Text(good, style="green")
        return (mark, call, taken, put_result(line.output))

    def _frame(self) -> Text:
        drawn = self._turning.render(self._console.get_time())
        return drawn if isinstance(drawn, Text) else Text("*")

    def _draw_text(self, text: str) -> Text:
        """The end of a text that may be longer than the screen."""
        shown = Text(clean(text))
        lines = shown.wrap(self._console, self._console.width)
        return Text("\n").join(lines[-max(self._console.height - 3, 3) :])


def _draw_partial(partial: Partial[Any], mark: str) -> RenderableType:
    """The fields of a typed answer so far; the finished ones are marked."""
    if not isinstance(partial.data, dict):
        return Text(shorten(put_output(partial.data), 200))
    grid = Table.grid(padding=(0, 1))
    for name, value in partial.data.items():
        done = name in partial.done
        said = shorten(value if isinstance(value, str) else put_output(value))
        grid.add_row(Text(mark if done else " ", style="green"), f"{clean(name)}:", Text(said))
    return grid


def _side_by_side(lines: Sequence[CallLine]) -> str:
    began = [line.began for line in lines if line.began is not None]
    ended = [line.ended for line in lines if line.ended is not None]
    if not began:
        return f"  {len(lines)} calls"
    together = max(ended) - min(began)
    one_by_one = sum(line.seconds(together) for line in lines)
    return (
        f"  {len(lines)} calls side by side: {together:.2f} s "
        f"({one_by_one:.2f} s one after another)"
    )
