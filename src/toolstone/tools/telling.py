"""What the model is told of a call that ended: of its value, or of what it raised."""

from __future__ import annotations

import logging
import secrets
from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import ToolError
from toolstone.events import Returned
from toolstone.tools.refusals import explain_failure
from toolstone.tools.results import ResultProblem, render_result

if TYPE_CHECKING:
    from toolstone.items import CallKey

__all__ = ["tell_failure", "tell_value"]

_log: Final = logging.getLogger("toolstone.tools")


def tell_value(key: CallKey, value: Any) -> Returned:
    """A call that did not raise."""
    try:
        return Returned(key, render_result(value))
    except ResultProblem as problem:
        return Returned(key, f"the tool returned {problem}", failed=True, how="raised")


def tell_failure(key: CallKey, name: str, error: BaseException) -> Returned:
    """A call that raised: a `ToolError` word for word; of anything else the type and a reference.

    The traceback goes to the log `toolstone.tools` under that reference, without the arguments.
    """
    flat = _flat(error)
    if all(isinstance(one, ToolError) for one in flat):
        said = render_result("\n".join(str(one) for one in flat))
        return Returned(key, said, failed=True, how="raised")
    reference = secrets.token_hex(4)
    _log.warning("tool %s failed (reference %s)", name, reference, exc_info=error)
    kinds = ", ".join(type(one).__name__ for one in flat)
    return Returned(key, explain_failure(kinds, reference), failed=True, how="raised")


def _flat(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [deep for one in error.exceptions for deep in _flat(one)]
    ended = StopIteration | StopAsyncIteration
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, ended):
        return [error.__cause__]  # a coroutine cannot raise it as it is
    return [error]
