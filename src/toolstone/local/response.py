"""The Response object: every key the protocol asks of a server. Pure."""

from collections.abc import Mapping
from typing import Any

__all__ = ["render_response"]

_FURTHER = (
    *("context_management", "conversation", "prompt_cache_options", "prompt_cache_retention"),
    "user",
)
"""Echoed if they were sent; Open Responses does not know them."""


def render_response(body: Mapping[str, Any], *, response_id: str, now: int) -> dict[str, Any]:
    """Make the response to a request before anything is in it: all 31 keys, the settings echoed.

    See: responses API reference, "The Response object".
    """
    reasoning = body.get("reasoning") or {}
    further = {key: body[key] for key in _FURTHER if body.get(key) is not None}
    if isinstance(further.get("conversation"), str):
        further["conversation"] = {"id": further["conversation"]}
    return {
        "id": response_id,
        "object": "response",
        "created_at": now,
        "completed_at": None,
        "status": "in_progress",
        "incomplete_details": None,
        "model": body["model"],
        "previous_response_id": body.get("previous_response_id"),
        "instructions": body.get("instructions"),
        "output": [],
        "error": None,
        "tools": [_tool(tool) for tool in body.get("tools") or ()],
        "tool_choice": _given(body, "tool_choice", "auto"),
        "truncation": _given(body, "truncation", "disabled"),
        "parallel_tool_calls": _given(body, "parallel_tool_calls", default=True),
        "text": _text(body.get("text") or {}),
        "top_p": _given(body, "top_p", 1.0),
        "presence_penalty": _given(body, "presence_penalty", 0.0),
        "frequency_penalty": _given(body, "frequency_penalty", 0.0),
        "top_logprobs": _given(body, "top_logprobs", 0),
        "temperature": _given(body, "temperature", 1.0),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "usage": None,
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": body.get("max_tool_calls"),
        "store": _given(body, "store", default=True),
        "background": _given(body, "background", default=False),
        "service_tier": "default",
        "metadata": body.get("metadata") or {},
        "safety_identifier": body.get("safety_identifier"),
        "prompt_cache_key": body.get("prompt_cache_key"),
        **further,
    }


def _given(body: Mapping[str, Any], key: str, default: object) -> object:
    value = body.get(key)
    return default if value is None else value


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool["type"] != "function":
        return dict(tool)
    shown = {"description": None, "parameters": None, **tool}
    return {**shown, "strict": tool.get("strict") is True}


def _text(text: Mapping[str, Any]) -> dict[str, Any]:
    wanted = dict(text.get("format") or {"type": "text"})
    if wanted["type"] == "json_schema":
        # Open Responses' schema admits nothing but null here; OpenAI echoes the whole schema
        shown = {"schema": None, "strict": wanted.get("strict") is True}
        wanted = {"description": None, **wanted, **shown}
    return {"format": wanted, "verbosity": text.get("verbosity") or "medium"}
