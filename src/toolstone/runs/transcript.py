"""A conversation as text that any model can read, for one that is to sum it up. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_core import to_json

from toolstone import limits
from toolstone.items import FunctionCall, Message, Reasoning
from toolstone.outcomes import answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.items import Item

__all__ = ["transcript"]


def transcript(items: Sequence[Item], room: int) -> str:
    """What was said and done, one paragraph for each item.

    Args:
        items: The conversation.
        room: Characters it may have, about: long texts are cut in the middle, and of many
            paragraphs the ones in the middle are left out.
    """
    told = [text for item in items if (text := _paragraph(item))]
    return "\n\n".join(_fitting(told, room))


def _fitting(told: list[str], room: int) -> list[str]:
    """The first of them, and as many of the last as there is room for; one at least."""
    if not told or sum(map(len, told)) <= room:
        return told
    first, last = told[0][: room // 2], told[-1][: room // 2]
    left, start = room - len(first) - len(last), len(told) - 1
    while start > 1 and left >= len(told[start - 1]):
        start -= 1
        left -= len(told[start])
    gap = [f"[{start - 1} paragraphs are left out here]"] if start > 1 else []
    return [first, *gap, *told[start:-1], last] if len(told) > 1 else [told[0][:room]]


def _paragraph(item: Item) -> str:
    if type(item) is Message:
        parts = [_part(part) for part in item.parts]
        return f"{item.role}: {_short(' '.join(part for part in parts if part))}"
    if type(item) is Reasoning:
        return f"assistant (thinking): {_short(item.text)}" if item.text else ""
    if type(item) is FunctionCall:
        return f"assistant calls {item.name}: {_short(item.arguments)}"
    if item.type == "custom_tool_call":
        return f"assistant calls {item.raw.get('name')}: {_short(str(item.raw.get('input')))}"
    if answers(item) is not None:
        return f"result: {_short(_output(item.raw.get('output')))}"
    if item.type == "compaction":
        return ""
    return f"{item.type}: {_short(_words(item.raw))}"


def _output(output: object) -> str:
    if isinstance(output, list):
        return " ".join(_part(part) if isinstance(part, dict) else str(part) for part in output)
    return output if isinstance(output, str) else _words(output)


def _part(part: dict[str, object]) -> str:
    for key in ("text", "refusal"):
        if isinstance(said := part.get(key), str):
            return said
    if part.get("type") in {"input_image", "input_file", "input_video", "input_audio"}:
        return f"[{str(part['type']).removeprefix('input_')}]"
    return _words(part)


def _words(raw: object) -> str:
    return to_json(raw, inf_nan_mode="constants", fallback=str).decode()


def _short(text: str) -> str:
    """Long texts say the most at both ends."""
    most = limits.SUMMED_CHARACTERS
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} [{len(text) - most} characters left out] {text[-most // 2 :]}"
