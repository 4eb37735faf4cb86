"""A custom tool, which takes text as it is, seen as a function of one text. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from toolstone.local.brain import RefusalError, Turn

__all__ = ["as_function", "callable_tools", "check_tools", "input_of", "is_custom"]

Tool = Mapping[str, Any]

_TEXT = "input"
_PARAMETERS: Tool = {
    "type": "object",
    "properties": {_TEXT: {"type": "string"}},
    "required": [_TEXT],
    "additionalProperties": False,
}


def check_tools(turn: Turn) -> None:
    """Check that the model can call every tool that is offered.

    Raises:
        RefusalError: It cannot.
    """
    for index, tool in enumerate(turn.body.get("tools") or ()):
        kind = tool["type"]
        if kind not in ("function", "custom"):
            message = f"this model calls functions and custom tools, not tools of type {kind!r}"
            raise RefusalError(400, "unsupported_value", message, f"tools[{index}].type")
        if kind == "custom" and (tool.get("format") or {}).get("type", "text") != "text":
            message = (
                "this model keeps to no grammar of a custom tool; offer a function whose "
                "parameters say the same"
            )
            raise RefusalError(400, "unsupported_value", message, f"tools[{index}].format")


def callable_tools(turn: Turn) -> Sequence[Tool]:
    """Give the tools that may be called in this turn, all of them as functions."""
    return [*turn.tools, *(as_function(tool) for tool in turn.custom_tools)]


def as_function(tool: Tool) -> Tool:
    """Give a custom tool as a function; a function as it is."""
    return {**tool, "parameters": _PARAMETERS} if is_custom(tool) else tool


def is_custom(tool: Tool) -> bool:
    """Tell whether a tool takes text as it is."""
    return bool(tool["type"] == "custom")


def input_of(arguments: str) -> str:
    """Give the text in the arguments of a custom tool seen as a function."""
    return str(json.loads(arguments)[_TEXT])
