"""What somebody who waits for `toolstone extract` sees: how far it is, and what it came to."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, Protocol

from toolstone._dataclass import dataclass
from toolstone.cli.words import put_count, shorten
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress as Bar

    from toolstone.extract.records import Record
    from toolstone.runs.budget import Price

__all__ = ["Progress", "Tally", "choose_progress", "put_summary"]

_TOLD: Final = 5  # failures that are told in words
_EVERY: Final = 10.0  # seconds between two lines where nothing can move


@dataclass(slots=True)
class Tally:
    """What has come of a job so far.

    Attributes:
        price: What the model costs, if that was said.
        earlier: Records that an earlier process had made of the same job.
        usage: What was spent on the job, by all its processes.
        again: Records that are not kept: the next run of the same command tries them again.
        told: What the first failures say.
    """

    price: Price | None = None
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    earlier: int = 0
    same: int = 0
    again: int = 0
    told: list[str] = field(default_factory=list)
    ungrounded: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock()

    def add(self, record: Record[Any]) -> None:
        """Take in a record."""
        self.done += 1
        self.same += record.same_as is not None
        self.ungrounded += sum(not one.grounded for one in record.evidence)
        if record.error is not None:
            self.failures[record.error.kind] += 1
            self.again += record.error.retryable or record.error.kind == "unreadable"
            if len(self.told) < _TOLD:
                why = f"{record.error.kind}: {shorten(record.error.message, 200)}"
                self.told.append(f"  {shorten(record.id)}: {why}")
        self.usage += record.usage

    @property
    def seconds(self) -> float:
        """Since it began."""
        return self.clock() - self.began

    @property
    def rate(self) -> float:
        """Documents a second, of those that were asked now."""
        return max(0, self.done - self.earlier) / max(self.seconds, 1e-9)

    @property
    def failed(self) -> int:
        """Documents without a value."""
        return self.failures.total()

    @property
    def dollars(self) -> float | None:
        """What the job has cost, if there is a price."""
        return None if self.price is None else self.price.of(self.usage)

    def as_data(self) -> dict[str, Any]:
        """All of it as JSON."""
        return {
            "documents": self.done,
            "extracted": self.done - self.failed,
            "failed": dict(self.failures),
            "not_kept": self.again,
            "same_as_another": self.same,
            "from_earlier_run": self.earlier,
            "values_without_evidence": self.ungrounded,
            "requests": self.usage.requests,
            "input_tokens": self.usage.input_tokens,
            "cached_tokens": self.usage.cached_tokens,
            "output_tokens": self.usage.output_tokens,
            "dollars": self.dollars,
            "seconds": round(self.seconds, 3),
        }


def put_summary(tally: Tally) -> str:
    """What a job came to, in two or three lines."""
    extracted = tally.done - tally.failed
    first = f"{put_count(tally.done, 'document')}: {extracted:,} extracted, {_failures(tally)}"
    if tally.same:
        first += f"; {tally.same:,} the same as another"
    if tally.earlier:
        first += f"; {tally.earlier:,} from an earlier run"
    lines = [first, _bill(tally)]
    if tally.ungrounded:
        lines.append(f"{put_count(tally.ungrounded, 'value')} without evidence in the text")
    lines += tally.told
    lines += ["  ..."] if tally.failed > len(tally.told) else []
    if tally.again:
        lines.append(f"{tally.again:,} of the failed without a row: the same command tries again")
    return "".join(f"{line}\n" for line in lines)


def _failures(tally: Tally) -> str:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in tally.failures.most_common())
    return f"{tally.failed:,} failed ({kinds})" if kinds else "none failed"


def _bill(tally: Tally) -> str:
    usage, dollars = tally.usage, tally.dollars
    cached = f" ({usage.cached_tokens:,} cached)" if usage.cached_tokens else ""
    cost = "" if dollars is None else f", ${dollars:.4f}"
    told = f"{put_count(usage.requests, 'request')}, {usage.input_tokens:,} tokens in{cached}, "
    told += f"{usage.output_tokens:,} out{cost}"
    now = f"{tally.seconds:.1f} s, {tally.rate:.1f} documents/s"
    return f"in all {told}; now {now}" if tally.earlier else f"{told}, {now}"


class Progress(Protocol):
    """Somebody who is shown a tally now and then."""

    def show(self, tally: Tally) -> None:
        """See how far it is."""
        ...

    def close(self) -> None:
        """There is nothing more to see."""
        ...


def choose_progress(total: int | None, *, quiet: bool) -> Progress:
    """Who fits the one who reads stderr: a bar at a terminal, a line now and then elsewhere."""
    if quiet:
        return _Silent()
    moves = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return _Moving(total) if moves else _Lines(total)


class _Silent:
    def show(self, tally: Tally) -> None:
        """Nothing is shown."""

    def close(self) -> None:
        """Nothing was."""


class _Lines:
    """A line to stderr every ten seconds."""

    def __init__(self, total: int | None) -> None:
        self._of = "" if total is None else f" of {total:,}"
        self._next = _EVERY

    def show(self, tally: Tally) -> None:
        """See `Progress`."""
        if tally.seconds >= self._next:
            self._next = tally.seconds + _EVERY
            sys.stderr.write(f"{tally.done:,}{self._of} documents; {_now(tally)}\n")

    def close(self) -> None:
        """See `Progress`."""


class _Moving:
    """A bar at the bottom of the terminal."""

    def __init__(self, total: int | None) -> None:
        self._bar = _bar()
        self._task = self._bar.add_task("", total=total, now="")
        self._bar.start()

    def show(self, tally: Tally) -> None:
        """See `Progress`."""
        self._bar.update(self._task, completed=tally.done, now=_now(tally))

    def close(self) -> None:
        """See `Progress`."""
        self._bar.stop()


def _bar() -> Bar:
    from rich.console import Console  # noqa: PLC0415  only at a terminal
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
        TimeRemainingColumn(compact=True),
        console=Console(stderr=True, highlight=False),
    )


def _now(tally: Tally) -> str:
    """Rate, tokens, cost and errors in a few words."""
    dollars = tally.dollars
    told = [f"{tally.rate:.1f}/s", f"{_short(tally.usage.total_tokens)} tokens"]
    told += [] if dollars is None else [f"${dollars:.2f}"]
    return ", ".join([*told, f"{tally.failed} failed"])


def _short(number: int) -> str:
    for size, name in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.1f}{name}"
    return str(number)
