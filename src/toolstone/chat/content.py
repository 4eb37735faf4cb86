"""Content parts of items, as the messages of Chat Completions have them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import Unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["render_parts", "render_text"]

JSON = dict[str, Any]

_TEXTS: Final = frozenset({"input_text", "output_text", "text"})
_MARK: Final = "prompt_cache_breakpoint"


def render_parts(content: object) -> str | list[JSON]:
    """What a message holds: text as it is, or its parts.

    Raises:
        Unsupported: A part cannot be said.
    """
    return _joined(content, _part)


def render_text(content: object) -> str | list[JSON]:
    """The same, for messages that hold text alone: those of tools, system and developer.

    Raises:
        Unsupported: A part is no text.
    """
    return _joined(content, _text_part)


def _joined(content: object, render: Callable[[Mapping[str, Any]], JSON]) -> str | list[JSON]:
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    parts = [render(part) for part in content if isinstance(part, dict)]
    alone = len(parts) == 1 and parts[0].keys() == {"type", "text"}
    return str(parts[0]["text"]) if alone else parts or ""


def _text_part(part: Mapping[str, Any]) -> JSON:
    if part.get("type") not in _TEXTS:
        raise Unsupported(
            f"a content part of type {part.get('type')!r} can stand in user messages alone in Chat "
            "Completions; nothing was sent. Let the tool return text, and hand the rest in as input"
        )
    return _marked({"type": "text", "text": part.get("text", "")}, part)


def _part(part: Mapping[str, Any]) -> JSON:
    kind = part.get("type")
    if kind in _TEXTS:
        return _text_part(part)
    if kind == "input_image" and part.get("image_url"):
        image = {"url": part["image_url"]}
        if part.get("detail"):
            image["detail"] = part["detail"]
        return _marked({"type": "image_url", "image_url": image}, part)
    if kind == "input_file" and not part.get("file_url"):
        names = ("file_data", "file_id", "filename")
        file = {name: part[name] for name in names if part.get(name)}
        return _marked({"type": "file", "file": file}, part)
    if kind == "input_audio" and "input_audio" in part:
        return {"type": "input_audio", "input_audio": part["input_audio"]}
    what = "file_url" if part.get("file_url") else "file_id" if part.get("file_id") else "this"
    raise Unsupported(
        f"a content part of type {kind!r} with {what} cannot be said in Chat Completions; nothing "
        "was sent. Hand images in by URL or bytes, files by bytes, and anything else as text"
    )


def _marked(made: JSON, part: Mapping[str, Any]) -> JSON:
    return {**made, _MARK: part[_MARK]} if part.get(_MARK) else made
