"""Which events of a stream say more of a part, and which say the whole of it. Pure."""

from __future__ import annotations

from typing import Final

__all__ = ["DELTAS", "PARTS", "WHOLE"]

PARTS: Final = {
    "response.content_part.added": "content_index",
    "response.reasoning_summary_part.added": "summary_index",
}
"""Events that announce a part: the field with its index."""
DELTAS: Final[dict[str, tuple[str, str]]] = {
    "response.output_text.delta": ("text", "content_index"),
    "response.refusal.delta": ("refusal", "content_index"),
    "response.reasoning_text.delta": ("thought", "content_index"),
    "response.reasoning.delta": ("thought", "content_index"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index"),
    "response.function_call_arguments.delta": ("arguments", ""),
    "response.custom_tool_call_input.delta": ("input", ""),
}
"""Events that say more of a part: its kind, the field with its index."""
WHOLE: Final[dict[str, tuple[str, str, str]]] = {
    "response.output_text.done": ("text", "content_index", "text"),
    "response.refusal.done": ("refusal", "content_index", "refusal"),
    "response.reasoning_text.done": ("thought", "content_index", "text"),
    "response.reasoning.done": ("thought", "content_index", "text"),
    "response.reasoning_summary_text.done": ("summary", "summary_index", "text"),
    "response.function_call_arguments.done": ("arguments", "", "arguments"),
    "response.custom_tool_call_input.done": ("input", "", "input"),
}
"""Events that say the whole of a part: its kind, the field with its index, and with the text."""
