"""The same agent for the command line: watched, streaming, its sessions where they outlive us."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolstone.errors import StorageError
from toolstone.ledgers.memory import MemoryLedger
from toolstone.ledgers.sqlite import SQLiteLedger
from toolstone.ports import Settings

if TYPE_CHECKING:
    from toolstone.agent import Agent
    from toolstone.ports import Ledger, Observer

__all__ = ["fit_out", "lasting_ledger", "sessions_file"]


def fit_out(
    agent: Agent[Any], ledger: Ledger, *observers: Observer, stream: bool = False
) -> Agent[Any]:
    """A copy of the agent that keeps its sessions in `ledger` and is watched by more.

    Args:
        agent: The agent; it stays as it is.
        ledger: Where its sessions go.
        observers: Who watches besides its own observers.
        stream: Whether HTTP streams, unless the agent's own settings decide it.
    """
    return agent.with_(
        ledger=ledger,
        observers=(*agent.observers, *observers),
        settings=Settings(stream=stream or None) | agent.settings,
    )


def lasting_ledger(agent: Agent[Any]) -> Ledger | None:
    """The agent's own ledger; None without one, or if it forgets when the process ends."""
    return None if isinstance(agent.ledger, MemoryLedger) else agent.ledger


def sessions_file() -> SQLiteLedger:
    """The ledger of agents that have none: a file of the user's, `0600`.

    `$XDG_STATE_HOME/toolstone/sessions.sqlite`, or below `~/.local/state`.

    Raises:
        StorageError: Its folder cannot be made.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    state = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state"
    folder = state / "toolstone"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"cannot make {str(folder)!r} for sessions: {error.strerror}; "
            "name a file of your own: --ledger FILE"
        ) from error
    return SQLiteLedger(folder / "sessions.sqlite")
