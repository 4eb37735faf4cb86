"""What a tool choice promises, and whether the model has kept to it. Pure.

Services take a `tool_choice` and do not always follow it. One that forces a call is over once such
a call has been made (responses-api.md §7); until then, no other is carried out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.items import Other

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toolstone.items import Item
    from toolstone.runs.state import Run
    from toolstone.tools.toolbox import Toolbox

__all__ = ["forces", "kept", "named", "permitted", "spelled"]

_WORDS: Final = frozenset({"auto", "none", "required"})
_OURS: Final = frozenset({"function", "custom"})
_ITEMS: Final = {
    "mcp": ("mcp_call", "mcp_approval_request"),
    "web_search": ("web_search_call",),
    "computer": ("computer_call",),
    "programmatic_tool_calling": ("program",),
}
"""The items that a tool of the service leaves, by the beginning of its type; else `TYPE_call`."""


def spelled(choice: Any, toolbox: Toolbox) -> Any:
    """A tool's plain name as the choice that asks for it; names of functions stay as they are."""
    if type(choice) is not str or choice in _WORDS or choice not in toolbox:
        return choice
    tool = toolbox[choice]
    return choice if tool.kind == "function" else tool.choice


def forces(choice: Any) -> bool:
    """Whether a tool choice says that there must be a call."""
    if isinstance(choice, str):
        return choice not in {"auto", "none"}
    if not isinstance(choice, dict):
        return False
    return choice.get("type") != "allowed_tools" or choice.get("mode") == "required"


def named(choice: Any) -> frozenset[str] | None:
    """The tools of ours that a tool choice leaves open; None for all."""
    if isinstance(choice, str):
        return None if choice in _WORDS else frozenset({choice})
    if not isinstance(choice, dict):
        return None
    if choice.get("type") in _OURS:
        return frozenset({str(choice.get("name"))})
    if choice.get("type") != "allowed_tools":
        return None
    tools = [tool for tool in choice.get("tools", ()) if isinstance(tool, dict)]
    if not all(tool.get("type") in _OURS for tool in tools):
        return None
    return frozenset(str(tool.get("name")) for tool in tools)


def kept(choice: Any, run: Run) -> bool:
    """Whether a call that the choice asks for has been made in this run."""
    names = named(choice)
    if any(names is None or call.name in names for call in run.calls) and not _of_service(choice):
        return True
    return names is None and _made_by_service(choice, run.history[run.told :])


def _of_service(choice: Any) -> bool:
    return isinstance(choice, dict) and choice.get("type") not in {*_OURS, "allowed_tools"}


def _made_by_service(choice: Any, items: Iterable[Item]) -> bool:
    """Whether the service itself has made a call that the choice asks for."""
    calls = [item for item in items if type(item) is Other and not item.type.endswith("_output")]
    if not _of_service(choice):
        return any(item.type.endswith("_call") for item in calls)
    kind = str(choice.get("type"))
    types = next((t for k, t in _ITEMS.items() if kind.startswith(k)), (f"{kind}_call",))
    label = choice.get("server_label")
    return any(
        item.type in types and (label is None or item.raw.get("server_label") == label)
        for item in calls
    )


def permitted(choice: Any, run: Run) -> frozenset[str] | None:
    """The tools that the open calls may be of while a call is forced; None for all offered."""
    names = named(choice)
    if names is None or not forces(choice):
        return None
    before = run.calls[: len(run.calls) - len(run.open)]
    return None if any(call.name in names for call in before) else names
