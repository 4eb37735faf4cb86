"""What a model is told about a call that is not made: one sentence each, names made harmless."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from toolstone.schema.naming import clean_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "explain_denied",
    "explain_failure",
    "explain_kind",
    "explain_limit",
    "explain_timeout",
    "explain_unknown",
]

_NAMES_TOLD: Final = 50


def explain_unknown(name: str, names: Sequence[str]) -> str:
    """There is no tool of this name, or it is not offered in this turn."""
    said = f"there is no tool named '{clean_name(name)}'" if name else "the call names no tool"
    if not names:
        return f"{said}; no tools are offered now"
    near = difflib.get_close_matches(name[:64], names, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    told = ", ".join(sorted(names)[:_NAMES_TOLD])
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return f"{said}{hint} (tools: {told}{more})"


def explain_kind(name: str, kind: str) -> str:
    """The tool is called as what it is not."""
    takes = "free text: call it as a custom tool" if kind == "custom" else "JSON arguments"
    return f"'{clean_name(name)}' takes {takes}; nothing was run, call it again that way"


def explain_limit(most: int) -> str:
    """More calls in one turn than are made."""
    return f"not called: at most {most} calls are made in one turn; call again in the next"


def explain_timeout(seconds: float) -> str:
    """The call took too long; what it did meanwhile is not known."""
    return f"timed out after {seconds:g} s; outcome unknown"


def explain_denied(reason: str) -> str:
    """A person, or the calling program, said no."""
    return f"denied: {reason}" if reason else "denied"


def explain_failure(kind: str, reference: str) -> str:
    """The tool raised something; what it says stays in the log, under the reference."""
    return f"the tool failed: {kind} (reference {reference})"
