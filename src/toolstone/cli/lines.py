"""A run for a program: one JSON object a line on stdout, the result or the error last."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Self

from pydantic_core import to_jsonable_python

from toolstone.cli.words import put_value
from toolstone.errors import RunError
from toolstone.events import (
    ArgumentsDelta,
    ReasoningDelta,
    Record,
    RefusalDelta,
    Retrying,
    TextDelta,
    ToolProgress,
    encode_record,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from toolstone.events import Delta, Fact
    from toolstone.runs.result import Result, ToolCall

__all__ = ["LinesView"]

_DELTAS = {
    TextDelta: "text_delta",
    RefusalDelta: "refusal_delta",
    ReasoningDelta: "reasoning_delta",
    ArgumentsDelta: "arguments_delta",
    ToolProgress: "tool_progress",
    Retrying: "retrying",
}


_FLEETING = (TextDelta, RefusalDelta, ReasoningDelta, ArgumentsDelta, ToolProgress, Retrying)


class LinesView:
    """One JSON object a line on stdout: every event, and last the result or the error."""

    streams = True
    asks = False

    def __init__(self) -> None:
        self._seq = 0

    def recall(self, records: Sequence[Record]) -> None:
        """Records are numbered on from those there are."""
        self._seq = len(records)

    def observe(self, run: str, event: Fact | Delta, /) -> None:
        """Write a fact as a ledger keeps it, a delta under its name."""
        if isinstance(event, _FLEETING):
            data = {"type": _DELTAS[type(event)], "run": run, **_plain(event)}
            self._write(json.dumps(data, ensure_ascii=False))
            return
        record = Record(self._seq, time.time(), run, event)
        self._seq += 1
        self._write(encode_record(record).decode())

    def busy(self, _what: str) -> AbstractContextManager[Any]:
        """See `View`."""
        return nullcontext()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def finish(self, result: Result[Any], seconds: float) -> None:
        """Write the result."""
        self._write(json.dumps(_result(result, seconds), ensure_ascii=False))

    def fail(self, error: Exception) -> None:
        """Write the error."""
        data = {
            "type": "error",
            "error": type(error).__name__,
            "kind": getattr(error, "kind", "bug"),
            "message": str(error),
        }
        if isinstance(error, RunError):
            data |= {"outcome": error.outcome, "session": error.session}
        self._write(json.dumps(data, ensure_ascii=False))

    def _write(self, line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _plain(event: Any) -> dict[str, Any]:
    data = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    if "call" in data:
        data["call"] = str(data["call"])
    return {name: to_jsonable_python(value, fallback=repr) for name, value in data.items()}


def _result(result: Result[Any], seconds: float) -> dict[str, Any]:
    usage = {
        field.name: getattr(result.usage, field.name) for field in dataclasses.fields(result.usage)
    }
    return {
        "type": "result",
        "outcome": result.outcome,
        "output": put_value(result.output),
        "output_mode": result.output_mode,
        "session": result.session,
        "usage": usage,
        "cost": result.cost,
        "seconds": round(seconds, 3),
        "calls": [_call(call) for call in result.calls],
        "waiting": [str(call.key) for call in result.waiting],
    }


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "call": str(call.key),
        "name": call.name,
        "arguments": call.arguments,
        "output": call.output,
        "failed": call.failed,
        "state": call.state,
    }
