"""A turn becomes a request to another model: all that the client said, and nothing else. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from toolstone.items import Item, parse_item
from toolstone.local.brain import Turn
from toolstone.ports import OutputFormat, Request, Settings, ToolSpec

__all__ = ["HERE", "request_of"]

JSON = Mapping[str, Any]

HERE: Final = "_here_"
"""Stands in the ids of items that were told before the other side had said their own."""

_SETTINGS: Final = frozenset(
    {
        *("temperature", "top_p", "max_output_tokens", "parallel_tool_calls", "service_tier"),
        *("include", "top_logprobs", "max_tool_calls", "truncation", "metadata"),
        *("safety_identifier", "prompt_cache_key", "prompt_cache_options"),
    }
)
"""Fields that `Settings` has under the same name."""
_OWN: Final = frozenset(
    {
        *("model", "input", "instructions", "tools", "tool_choice", "text", "reasoning"),
        *("stream", "stream_options", "store", "background", "background_options"),
        *("previous_response_id", "conversation", "context_management"),
    }
)
"""Fields that stand elsewhere in the request, or that are between the client and this endpoint."""
_EMPTY: Final[JSON] = {"type": "object", "properties": {}}
_FUNCTION: Final = frozenset({"type", "name", "description", "parameters", "strict"})


def request_of(turn: Turn) -> Request:
    """Give the request that a turn comes to.

    The items go as they came, the history before them, without ids that the other side has not
    given; what is stored is stored here. A field that `Settings` does not know goes as it is.
    """
    body = turn.body
    wanted = turn.format
    return Request(
        items=tuple(_item(item) for item in turn.items),
        instructions=turn.instructions or None,
        tools=tuple(_spec(tool) for tool in body.get("tools") or ()),
        tool_choice=body.get("tool_choice"),
        output=_output(wanted) if wanted["type"] == "json_schema" else None,
        settings=_settings(body, json_mode=wanted["type"] == "json_object"),
        stream=body.get("stream") is True,
    )


def _item(raw: JSON) -> Item:
    foreign = raw.get("role", "assistant") == "assistant" and not raw["type"].endswith("_output")
    if foreign and HERE not in str(raw.get("id")):
        return parse_item(dict(raw))
    return parse_item({key: value for key, value in raw.items() if key != "id"})


def _settings(body: JSON, *, json_mode: bool) -> Settings:
    said = {name: body[name] for name in _SETTINGS if body.get(name) is not None}
    reasoning = body.get("reasoning") or {}
    known = {"effort", "summary"}
    extra = {k: v for k, v in body.items() if k not in _SETTINGS | _OWN and v is not None}
    if reasoning.keys() - known:
        extra["reasoning"] = reasoning
        reasoning = {}
    return Settings(
        **said,
        effort=reasoning.get("effort"),
        summary=reasoning.get("summary"),
        verbosity=(body.get("text") or {}).get("verbosity"),
        json_mode=json_mode or None,
        store=False,
        extra=extra,
    )


def _spec(tool: JSON) -> ToolSpec:
    """A tool as it came: its definition is kept where a `ToolSpec` would say more, or less."""
    plain = tool["type"] == "function" and tool.get("strict") is not None
    return ToolSpec(
        str(tool.get("name") or tool["type"]),
        tool.get("description") or "",
        tool.get("parameters") or _EMPTY,
        tool.get("strict") is True,
        raw=None if plain and not tool.keys() - _FUNCTION else tool,
    )


def _output(wanted: JSON) -> OutputFormat:
    return OutputFormat(
        wanted["name"], wanted["schema"], wanted.get("strict") is True, wanted.get("description")
    )
