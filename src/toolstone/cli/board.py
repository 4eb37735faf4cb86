"""What somebody who watches a run should see now: its events, folded. Pure."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from toolstone._dataclass import dataclass
from toolstone.cli.words import put_item
from toolstone.events import (
    Answered,
    ArgumentsDelta,
    Asked,
    Noted,
    Retrying,
    Returned,
    Started,
    TextDelta,
    ToolProgress,
)
from toolstone.items import CallKey, Message, Other
from toolstone.outcomes import unanswered
from toolstone.runs.state import CallState
from toolstone.schema.output import FINAL_ANSWER
from toolstone.schema.partial import PartialReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.events import Delta, Fact, Record
    from toolstone.schema.output import OutputType
    from toolstone.schema.partial import Partial

__all__ = ["Board", "CallLine"]


@dataclass(slots=True)
class CallLine:
    """One call, as far as it has gone. Times are seconds of the watcher's clock."""

    key: CallKey
    name: str
    arguments: str
    began: float | None = None
    ended: float | None = None
    output: Any = None
    failed: bool = False
    progress: Any = None

    @property
    def running(self) -> bool:
        """Whether it has begun and not come home."""
        return self.began is not None and self.ended is None

    def seconds(self, now: float) -> float:
        """How long it has taken."""
        return 0.0 if self.began is None else (self.ended or now) - self.began


@dataclass(slots=True)
class Board:
    """The present turn of a run.

    Attributes:
        output: The output type, for partials; None where the answer is text.
        asking: Whether the model is being waited for.
        text: What it has said in this turn so far.
        partial: The typed answer so far.
        calls: The calls of this turn that were or are being made, the service's own among them
            (their position is negative).
        hint: Something worth a line: a retry, a warning.
    """

    output: OutputType[Any] | None = None
    asking: bool = False
    text: str = ""
    partial: Partial[Any] | None = None
    calls: dict[CallKey, CallLine] = field(default_factory=dict)
    hint: str = ""
    responses: int = 0
    _reader: PartialReader[Any] | None = None

    def see(self, event: Fact | Delta, now: float) -> None:  # noqa: C901  one line an event
        """Take in the next event of the session."""
        match event:
            case Asked():
                self._ask()
            case TextDelta(text=text):
                self._grow(text)
            case ArgumentsDelta(text=text, name=name) if name == FINAL_ANSWER:
                self._grow_partial(text)
            case Retrying(attempt=attempt, wait=wait):
                self._ask()
                self.hint = f"asking again in {wait:.1f} s (attempt {attempt})"
            case Answered():
                self._answer(event, now)
            case Started(calls=keys):
                for key in keys:
                    self._line(key).began = now
            case Returned():
                self._return(event, now)
            case ToolProgress(call=key, value=value):
                self._line(key).progress = value
            case Noted(what=what, text=text) if what != "attempt":
                self.hint = text
            case _:
                pass

    def recall(self, records: Sequence[Record]) -> None:
        """Take in what happened before anybody watched: when it did is not known."""
        for record in records:
            self.see(record.fact, 0.0)
        self.asking = False
        for line in self.calls.values():
            line.began = None

    def _ask(self) -> None:
        self.asking = True
        self.text = self.hint = ""
        self.partial = None
        self.calls = {}
        typed = self.output is not None and self.output.format is not None
        self._reader = PartialReader(self.output) if typed and self.output is not None else None

    def _grow(self, text: str) -> None:
        self.text += text
        self._grow_partial(text)

    def _grow_partial(self, text: str) -> None:
        if self._reader is not None:
            self.partial = self._reader.feed(text) or self.partial

    def _answer(self, event: Answered, now: float) -> None:
        """The whole answer is here: it says more surely what the deltas said."""
        self.asking = False
        said = [item.text for item in event.items if isinstance(item, Message)]
        self.text = "".join(said)
        number, self.responses = self.responses, self.responses + 1
        wanted = unanswered(event.items)
        for n, item in enumerate(event.items):
            if isinstance(item, Other) and item.type.endswith("_call") and item not in wanted:
                key = CallKey(number, -1 - n)
                line = CallLine(key, item.type, put_item(item), ended=now)
                line.output = "by the service" + (f", {item.status}" if item.status else "")
                line.failed = item.status == "failed"
                self.calls[key] = line
        for n, item in enumerate(wanted):
            key = CallKey(number, n)
            call = CallState(key, item)
            told = put_item(item) if call.kind == "item" else call.arguments
            self.calls[key] = CallLine(key, call.name, told)

    def _return(self, event: Returned, now: float) -> None:
        line = self._line(event.call)
        line.ended = now
        if event.how == "settled":
            line.began = None  # it ended elsewhere, and nobody here knows when
        line.output = event.output
        line.failed = event.failed

    def _line(self, key: CallKey) -> CallLine:
        return self.calls.setdefault(key, CallLine(key, f"call {key}", ""))
