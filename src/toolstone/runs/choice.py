"""What a tool choice promises, and whether the model has kept to it. Pure.

Services take a `tool_choice` and do not always follow it. One that forces a call is over once such
a call has been made (responses-api.md §7); until then, no other is carried out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolstone.runs.state import Run

__all__ = ["forces", "kept", "named", "permitted"]


def forces(choice: Any) -> bool:
    """Whether a tool choice says that there must be a call."""
    if isinstance(choice, str):
        return choice not in {"auto", "none"}
    if not isinstance(choice, dict):
        return False
    return choice.get("type") == "function" or choice.get("mode") == "required"


def named(choice: Any) -> frozenset[str] | None:
    """The functions that a tool choice leaves open; None for all."""
    if isinstance(choice, str):
        return None if choice in {"auto", "none", "required"} else frozenset({choice})
    if not isinstance(choice, dict):
        return None
    if choice.get("type") == "function":
        return frozenset({str(choice.get("name"))})
    if choice.get("type") != "allowed_tools":
        return None
    tools = [tool for tool in choice.get("tools", ()) if isinstance(tool, dict)]
    if not all(tool.get("type") == "function" for tool in tools):
        return None
    return frozenset(str(tool.get("name")) for tool in tools)


def kept(choice: Any, run: Run) -> bool:
    """Whether a call that the choice asks for has been made in this run."""
    names = named(choice)
    return any(names is None or call.name in names for call in run.calls)


def permitted(choice: Any, run: Run) -> frozenset[str] | None:
    """The functions that the open calls may be of while a call is forced; None for all offered."""
    names = named(choice)
    if names is None or not forces(choice):
        return None
    before = run.calls[: len(run.calls) - len(run.open)]
    return None if any(call.name in names for call in before) else names
