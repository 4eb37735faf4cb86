"""What the model is told of a call that ended: of its value, or of what it raised."""

from __future__ import annotations

import logging
import os
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone._secrets import FORMS, holds_secret, redact, redact_json
from toolstone.errors import ToolError
from toolstone.events import Returned
from toolstone.schema.naming import clean_name
from toolstone.tools.refusals import explain_failure
from toolstone.tools.results import ResultProblem, render_result

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.items import CallKey
    from toolstone.tools.results import Told

__all__ = ["SPARING", "Sparing", "tell_failure", "tell_value"]


class Sparing(logging.Filter):
    """Keeps a storm of errors from filling the log: the same message so often, then a count.

    The same are those that differ in references alone: of one tool and one type of exception.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written; the last one for now says so, the next says how many were not."""
        first = record.args[:1] if isinstance(record.args, tuple) else ()
        key = (record.msg, first, record.exc_info and record.exc_info[0])
        now, most = self._clock(), limits.LOG_REPEATS
        began, count = self._seen.get(key, (now, 0))
        if now - began >= limits.LOG_SECONDS:
            if count > most:
                record.msg = f"{record.msg} (and {count - most} more before, not written)"
            began, count = now, 0
        if len(self._seen) >= limits.LOG_KINDS:
            self._seen.clear()
        self._seen[key] = began, count + 1
        if count == most - 1:
            seconds = limits.LOG_SECONDS - (now - began)
            record.msg = f"{record.msg} (for {seconds:.0f} s more of the same are only counted)"
        return count < most

    def forget(self) -> None:
        """Begin anew."""
        self._seen.clear()


SPARING: Final = Sparing()
"""For every logger that writes what a user's code raised."""

_log: Final = logging.getLogger("toolstone.tools")
_log.addFilter(SPARING)


def tell_value(key: CallKey, value: Any) -> Returned:
    """A call that did not raise. A live key in what it returned is struck out."""
    try:
        told = render_result(value)
        for form in [*FORMS]:  # another thread's secret may begin meanwhile
            if form in told or type(told) is list:
                told = redact_json(told)
                break
        return Returned(key, told)
    except ResultProblem as problem:
        return Returned(key, f"the tool returned {problem}", failed=True, how="raised")


def tell_failure(key: CallKey, name: str, error: BaseException) -> Returned:
    """A call that raised: a `ToolError` word for word; of anything else the type and a reference.

    The traceback goes to the log `toolstone.tools` under that reference, without the arguments.
    Whatever was raised, this does not raise.
    """
    flat = _flat(error)
    said = _said(flat)
    if said is not None:
        return Returned(key, said, failed=True, how="raised")
    reference = os.urandom(4).hex()
    _log_failure(name, reference, error)
    return Returned(key, explain_failure(_kinds(flat), reference), failed=True, how="raised")


def _flat(error: BaseException) -> list[BaseException]:
    """The members of a group, however deep; of a coroutine that stopped, what it wanted to say."""
    flat: list[BaseException] = []
    left = [error]
    while left:
        one = left.pop()
        if isinstance(one, BaseExceptionGroup):
            left += reversed(one.exceptions)
        elif isinstance(one, RuntimeError) and isinstance(one.__cause__, _ENDED):
            flat.append(one.__cause__)  # a coroutine cannot raise it as it is
        else:
            flat.append(one)
    return flat


_ENDED: Final = StopIteration | StopAsyncIteration


def _said(flat: list[BaseException]) -> Told | None:
    """What a tool says to the model; None if it has nothing to say."""
    if not all(isinstance(one, ToolError) for one in flat):
        return None
    try:
        return render_result(redact("\n".join(str(one) for one in flat)))
    except Exception:  # noqa: BLE001  a `__str__` of the user's own failed
        return None


_KINDS_TOLD: Final = 10


def _kinds(flat: list[BaseException]) -> str:
    """The types, each once, as text that no request and no log stumbles over."""
    kinds = list(dict.fromkeys(type(one).__name__ for one in flat))
    more = f" and {len(kinds) - _KINDS_TOLD} more" if len(kinds) > _KINDS_TOLD else ""
    return ", ".join(clean_name(kind) for kind in kinds[:_KINDS_TOLD]) + more


def _log_failure(name: str, reference: str, error: BaseException) -> None:
    """Write the traceback to the log; what the log makes of it is no matter of the run's.

    One in which a live key stands is written as text, without it.
    """
    try:
        whole = "".join(traceback.format_exception(error)) if FORMS else ""
        if holds_secret(whole):
            _log.warning("tool %s failed (reference %s)\n%s", name, reference, redact(whole))
            return
        _log.warning("tool %s failed (reference %s)", name, reference, exc_info=error)
    except Exception as problem:  # noqa: BLE001  a handler failed, or a group too deep to be written
        with suppress(Exception):
            _log.warning(
                "tool %s failed (reference %s); its traceback cannot be written: %s",
                *(name, reference, type(problem).__name__),
            )
