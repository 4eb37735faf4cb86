"""The ids this server gives to items."""

import secrets
from collections.abc import Mapping
from typing import Any

__all__ = ["new_id", "with_id"]

_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
    "compaction": "cmp",
}


def new_id(prefix: str) -> str:
    """Make an id that no other has."""
    return f"{prefix}_{secrets.token_hex(16)}"


def with_id(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give an item with an id: its own, or a new one."""
    if item.get("id"):
        return item
    return {**item, "id": new_id(_PREFIXES.get(item["type"], "item"))}
