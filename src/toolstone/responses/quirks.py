"""What a server's habits make of a request before it is sent, and of its answer. Pure.

Nothing of it happens by itself: each habit is a field of the server's `Profile`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from toolstone.events import Noted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolstone.ports import Profile, Request, Response, ToolSpec

__all__ = ["fitted", "honest"]


def fitted(request: Request, profile: Profile) -> Request:
    """The request as this server understands it.

    Where a `tool_choice` has no effect, it is said by what is offered: the tools that it names
    alone, or none.
    """
    choice = request.settings.tool_choice if request.tool_choice is None else request.tool_choice
    if choice is None or "tool_choice" not in profile.ignores or not request.tools:
        return request
    if choice == "none":
        return _choosing(request, (), None)
    names, mode = _named(choice)
    if names is None:
        return request
    offered = _narrowed(request.tools, names)
    return _choosing(request, offered, mode) if offered else request


def honest(response: Response, request: Request, profile: Profile) -> Response:
    """The response as it is, where the server says `completed` of one that was cut off."""
    most = request.settings.max_output_tokens
    if most is None or not profile.hides_cuts or response.status != "completed":
        return response
    if response.usage.output_tokens < most:
        return response
    note = Noted(
        "warning",
        f"{profile.name} says completed; the answer has {response.usage.output_tokens} tokens, as "
        f"many as max_output_tokens allows, and counts as cut off",
    )
    return replace(
        response,
        status="incomplete",
        reason="max_output_tokens",
        notes=(*response.notes, note),
    )


def _choosing(request: Request, tools: tuple[ToolSpec, ...], choice: str | None) -> Request:
    settings = replace(request.settings, tool_choice=None)
    return replace(request, tools=tools, tool_choice=choice, settings=settings)


@lru_cache(maxsize=64)
def _narrowed(tools: tuple[ToolSpec, ...], names: frozenset[str]) -> tuple[ToolSpec, ...]:
    """The same tuple for the same tools, so that what is rendered of it is kept."""
    return tuple(tool for tool in tools if tool.name in names)


def _named(choice: str | Mapping[str, Any]) -> tuple[frozenset[str] | None, str | None]:
    """The tools that a choice names, None for all, and the word that is left of the choice."""
    if isinstance(choice, str):
        return (
            (None, choice) if choice in ("auto", "required") else (frozenset({choice}), "required")
        )
    if choice.get("type") == "allowed_tools":
        tools = choice.get("tools") or ()
        named = frozenset(str(tool.get("name")) for tool in tools if isinstance(tool, dict))
        return named, "required" if choice.get("mode") == "required" else None
    inner = choice.get(str(choice.get("type")))  # as Chat Completions nest it
    name = inner.get("name") if isinstance(inner, dict) else choice.get("name")
    return frozenset({str(name)}), "required"
