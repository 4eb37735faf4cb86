"""A conversation made shorter: what is kept, what is clipped, and how it is opened again. Pure.

Nobody is asked for a summary: the messages of the user stay as they are, what the model said and
what tools returned is clipped, thoughts are dropped, and the newest items stay whole. The shorter
conversation travels sealed inside a `compaction` item and stands in its place when it comes back.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from toolstone import limits
from toolstone.local.ids import with_id
from toolstone.local.listing import shown
from toolstone.local.request import Items, refuse
from toolstone.local.seals import Seals

__all__ = ["compacted", "opened", "retained", "shorter"]

Item = Mapping[str, Any]

_THEIRS = ("user", "system", "developer")
_INCLUDE = ("message.input_image.image_url",)


def compacted(items: Items) -> list[Item]:
    """Make a conversation shorter, its calls still paired with their outputs."""
    cut = max(len(items) - limits.LOCAL_WHOLE_ITEMS, 0)
    older = [_clipped(item) for item in items[:cut] if item["type"] != "reasoning"]
    return [with_id(item) for item in (*older, *items[cut:])]


def retained(items: Items) -> list[Item]:
    """Give the messages of the user, which stay visible beside the compaction item."""
    return [shown(item, _INCLUDE) for item in items if item.get("role") == "user"]


def opened(items: Items, seals: Seals, *, fresh: int, strict: bool) -> list[Item]:
    """Put what compaction items stand for in their place, and thoughts back into reasoning.

    Args:
        items: All that went in.
        seals: What opens them.
        fresh: How many of the items came with this request; a refusal names one of those.
        strict: Refuse what another service sealed; otherwise it is left as it is.

    Raises:
        RefusalError: 400 `invalid_encrypted_content`.
    """
    window: list[Item] = []
    for index, item in enumerate(items):
        at = f"input[{index - len(items) + fresh}].encrypted_content"
        if item["type"] == "compaction_trigger":
            continue
        sealed = item.get("encrypted_content")
        inside = _unsealed(sealed, seals, at) if isinstance(sealed, str) else None
        if item["type"] == "compaction":
            if inside is None and strict:
                refuse("invalid_encrypted_content", f"{at}: another service made it", at)
            window = _instead(window, inside) if inside is not None else [*window, item]
        elif item["type"] == "reasoning" and inside is not None:
            window.append({**inside, **item})
        else:
            window.append(item)
    return window


def shorter(items: Items) -> list[Item] | None:
    """Drop the older half of what may be dropped; None if nothing may.

    A user's message goes together with all that came of it; instructions stay, and so does the
    last message of the user.
    """
    starts = [index for index, item in enumerate(items) if item.get("role") == "user"]
    if len(starts) < 2:  # noqa: PLR2004  one is the question itself
        return None
    keep = starts[len(starts) // 2]
    return [i for i in items[:keep] if i.get("role") in ("system", "developer")] + [*items[keep:]]


def _unsealed(blob: str, seals: Seals, at: str) -> Any:
    if not seals.ours(blob):
        return None
    try:
        return seals.open(blob)
    except ValueError as error:
        refuse("invalid_encrypted_content", f"{at}: {error}; leave this item out", at)


def _instead(window: Sequence[Item], inside: Sequence[Item]) -> list[Item]:
    """Give what a compaction item stands for, after messages that it does not hold itself."""
    ids, texts = {item["id"] for item in inside}, {_words(item) for item in inside}
    others = [
        item
        for item in window
        if item.get("role") in _THEIRS and item.get("id") not in ids and _words(item) not in texts
    ]
    return [*others, *inside]


def _words(item: Item) -> str:
    if item["type"] != "message":
        return ""
    return json.dumps([item["role"], shown(item, _INCLUDE)["content"]])


def _clipped(item: Item) -> Item:
    if item["type"] == "message" and item["role"] == "assistant":
        return {**item, "content": _short(item["content"])}
    if item["type"] in ("function_call_output", "custom_tool_call_output"):
        return {**item, "output": _short(item["output"])}
    return item


def _short(content: Any) -> Any:
    if isinstance(content, str):
        left = len(content) - limits.LOCAL_CLIP_CHARACTERS
        if left <= 0:
            return content
        return f"{content[: limits.LOCAL_CLIP_CHARACTERS]} [{left} characters left out]"
    return [_short_part(part) for part in content]


def _short_part(part: Item) -> Item:
    if "text" in part:
        return {**part, "text": _short(part["text"])}
    if part["type"] in ("input_image", "input_file"):
        return {"type": "input_text", "text": f"[{part['type']} left out]"}
    return part
