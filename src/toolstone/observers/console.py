"""A run in one line an event, for people who read a log."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from toolstone.events import (
    Answered,
    Asked,
    Began,
    Finished,
    Noted,
    Retrying,
    Returned,
    Ruled,
    Started,
    ToolProgress,
)

if TYPE_CHECKING:
    from toolstone.events import Delta, Fact

__all__ = ["Console"]

_RUN_CHARACTERS = 8


class Console:
    """Writes what happens, without any content: names, counts, tokens, outcomes.

    Args:
        file: Where to; standard error unless said otherwise.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        self._file = file

    def observe(self, run: str, event: Fact | Delta, /) -> None:
        """Write a line for a fact, or for the few deltas worth one."""
        line = _line(event)
        if line is not None:
            print(f"{run[:_RUN_CHARACTERS]}  {line}", file=self._file or sys.stderr, flush=True)


def _line(event: Fact | Delta) -> str | None:
    match event:
        case Began(resumed=resumed):
            return "resumed" if resumed else "began"
        case Asked(number=number):
            return f"asked ({number})"
        case Answered(status=status, items=items, usage=usage):
            kinds = ", ".join(item.type for item in items) or "nothing"
            return f"answered {status}: {kinds}; {usage.input_tokens}+{usage.output_tokens} tokens"
        case Started(calls=calls):
            return f"started {', '.join(map(str, calls))}"
        case Returned(call=call, failed=failed, how=how):
            return f"returned {call}" + (f" failed ({how})" if failed else "")
        case _:
            return _rarer_line(event)


def _rarer_line(event: Fact | Delta) -> str | None:
    match event:
        case Ruled(call=call, ruling=ruling):
            return f"ruled {call}: {ruling}"
        case Noted(what=what):
            return f"noted {what}"
        case Retrying(attempt=attempt, wait=wait):
            return f"retrying (attempt {attempt}) in {wait:.1f} s"
        case ToolProgress(call=call):
            return f"progress of {call}"
        case Finished(outcome=outcome):
            return f"finished: {outcome}"
        case _:
            return None
