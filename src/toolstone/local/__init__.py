"""A Responses endpoint on your own machine: for tests, for examples, and to begin with."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolstone.local.brain import Brain, Piece, RefusalError, Turn, Usage
    from toolstone.local.brains.answers import (
        Answer,
        answer,
        call,
        custom,
        empty,
        error,
        failed,
        incomplete,
        item,
        message,
        refusal,
        thought,
    )
    from toolstone.local.brains.function import Function
    from toolstone.local.brains.proxy import Proxy
    from toolstone.local.brains.recorded import Recording, Replay
    from toolstone.local.brains.script import Script
    from toolstone.local.profiles import (
        ALWAYS,
        Account,
        Allowance,
        Habits,
        HostProfile,
        LoopbackTransport,
        Statement,
    )
    from toolstone.local.server import Served, run, serve
    from toolstone.local.store import Store

__all__ = [
    "ALWAYS",
    "Account",
    "Allowance",
    "Answer",
    "Brain",
    "Function",
    "Habits",
    "HostProfile",
    "LoopbackTransport",
    "Piece",
    "Proxy",
    "Recording",
    "RefusalError",
    "Replay",
    "Script",
    "Served",
    "Statement",
    "Store",
    "Turn",
    "Usage",
    "answer",
    "call",
    "custom",
    "empty",
    "error",
    "failed",
    "incomplete",
    "item",
    "message",
    "refusal",
    "run",
    "serve",
    "thought",
]

_HOMES = {
    "toolstone.local.brain": ("Brain", "Piece", "RefusalError", "Turn", "Usage"),
    "toolstone.local.brains.answers": (
        *("Answer", "answer", "call", "custom", "empty", "error", "failed", "incomplete"),
        *("item", "message", "refusal", "thought"),
    ),
    "toolstone.local.brains.function": ("Function",),
    "toolstone.local.brains.proxy": ("Proxy",),
    "toolstone.local.brains.recorded": ("Recording", "Replay"),
    "toolstone.local.brains.script": ("Script",),
    "toolstone.local.profiles": (
        *(
            "ALWAYS",
            "Account",
            "Allowance",
            "Habits",
            "LoopbackTransport",
            "HostProfile",
            "Statement",
        ),
    ),
    "toolstone.local.server": ("Served", "run", "serve"),
    "toolstone.local.store": ("Store",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a name when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib  # noqa: PLC0415  only when a name is asked for

    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
