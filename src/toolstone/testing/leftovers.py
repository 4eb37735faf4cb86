"""A strict eye on tools under test: what of the process a call has changed, and left running."""

from __future__ import annotations

import asyncio
import gc
import locale
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Self

from toolstone.events import Answered, Returned, Started

if TYPE_CHECKING:
    from types import TracebackType

    from toolstone.events import Delta, Fact
    from toolstone.items import CallKey

__all__ = ["Leftovers"]


class Leftovers:
    """Fails a test whose tools change the process, or leave tasks or threads behind.

    Give it to the agent as an observer and run the agent inside the block. Changes are told when a
    call comes home: the working directory, the environment (names alone), the locale, the recursion
    limit, signal handlers, the garbage collector, closed standard streams, and tasks and threads
    that go on. Of calls that run side by side any may have done it.

    Attributes:
        found: What was left, one sentence each.

    Raises:
        AssertionError: At the end of the block, when anything was left.

    Example:
        with Leftovers() as leftovers:
            Agent(model, tools=[tidy], observers=[leftovers]).run_sync("go")
    """

    def __init__(self) -> None:
        self.found: list[str] = []
        self._names: dict[str, list[list[str]]] = {}
        self._state: dict[str, Any] = {}
        self._running: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self.found:
            raise AssertionError("; ".join(self.found))

    def observe(self, run: str, event: Fact | Delta, /) -> None:
        """Look at the process when calls begin, and when one comes home."""
        match event:
            case Answered(items=items):
                names = [str(one.raw.get("name")) for one in items if "call_id" in one.raw]
                self._names.setdefault(run, []).append(names)
            case Started():
                self._state, self._running = _state(), _running()
            case Returned(call=call):
                self._compare(self._name(run, call))
            case _:
                pass

    def _name(self, run: str, call: CallKey) -> str:
        answers = self._names.get(run, [])
        if call.response < len(answers) and call.position < len(answers[call.response]):
            return answers[call.response][call.position]
        return str(call)

    def _compare(self, name: str) -> None:
        state, running = _state(), _running()
        for what, before in self._state.items():
            if state[what] != before:
                self.found.append(f"tool {name} changed {what}{_how(before, state[what])}")
        for one in running.keys() - self._running.keys():
            self.found.append(f"tool {name} left {running[one]} running")
        self._state, self._running = state, running


def _how(before: Any, now: Any) -> str:
    if not isinstance(before, dict):
        return f" from {before!r} to {now!r}"
    names = sorted(name for name in before.keys() | now if before.get(name) != now.get(name))
    return f": {', '.join(names)}"  # never the values


def _state() -> dict[str, Any]:
    """The process as it is."""
    signals = [one for one in signal.valid_signals() if isinstance(one, signal.Signals)]
    return {
        "the working directory": os.getcwd(),  # noqa: PTH109  as the process has it
        "the environment": dict(os.environ),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the recursion limit": sys.getrecursionlimit(),
        "signal handlers": {one.name: signal.getsignal(one) for one in signals},
        "the garbage collector": (gc.isenabled(), *gc.get_threshold()),
        "standard output": "closed" if sys.stdout.closed else "open",
        "standard error": "closed" if sys.stderr.closed else "open",
    }


def _running() -> dict[int, str]:
    """What goes on beside calls of tools, by its identity."""
    found = {
        id(one): f"thread {one.name!r}"
        for one in threading.enumerate()
        if not one.name.startswith("toolstone-")
    }
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:
        return found
    for task in tasks:
        name = getattr(task.get_coro(), "__qualname__", task.get_name())
        if name != "_Batch._one":
            found[id(task)] = f"task {name!r}"
    return found
