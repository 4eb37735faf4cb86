"""The message of a chat completion becomes items, as a Responses server would have said them. Pure.

One order, whatever the server's: thoughts, message, calls. What servers differ in:
- raw thoughts come as `reasoning_content`, `reasoning`, `thinking` parts of the content, or in a
  tag before the text;
- arguments come as JSON text, or as the object itself;
- a call's id may be missing or come twice: it is given one that differs, and echoed;
- the oldest servers make one call, in `function_call`.
Keys of a call that we do not know (a signature, say) stay with its item and go back with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic_core import to_json

from toolstone import limits
from toolstone.chat.tags import split_thoughts
from toolstone.errors import ProtocolError
from toolstone.items import parse_item

if TYPE_CHECKING:
    from toolstone.items import Item

__all__ = ["Content", "arguments_of", "read_content", "read_message", "thoughts_in"]

JSON = dict[str, Any]

_CALL: Final = frozenset({"id", "type", "index", "function", "custom"})
_THOUGHTS: Final = ("reasoning_content", "reasoning")


class Content(NamedTuple):
    """What a message's `content` says."""

    text: str = ""
    thoughts: str = ""
    refusal: str = ""


def read_content(raw: object) -> Content:
    """Text, or a list of parts; null and parts of other types say nothing.

    Raises:
        ProtocolError: It is neither.
    """
    if raw is None:
        return Content()
    if isinstance(raw, str):
        return Content(raw)
    if not isinstance(raw, list):
        raise ProtocolError(f"the content is a JSON {type(raw).__name__}; it must be text or parts")
    said = [_part(part) for part in raw]
    return Content(*("".join(pieces) for pieces in zip(*said, strict=True)) if said else ())


def _part(part: object) -> Content:
    if isinstance(part, str):
        return Content(part)
    if not isinstance(part, dict):
        return Content()
    if part.get("type") == "thinking":
        return Content(thoughts=read_content(part.get("thinking")).text)
    return Content(_text(part.get("text")), refusal=_text(part.get("refusal")))


def thoughts_in(message: JSON) -> str:
    """The raw thoughts beside the content; servers that send them under two names say it twice."""
    return next((text for name in _THOUGHTS if (text := _text(message.get(name)))), "")


def read_message(
    message: JSON, *, ident: str, logprobs: object, cut: bool, tag: str = ""
) -> tuple[Item, ...]:
    """The items of an assistant's message.

    Args:
        message: As it came, or as the deltas of a stream add up.
        ident: The completion's id: calls without one are named after it.
        logprobs: Of the choice.
        cut: Whether the answer was cut: its last item is then incomplete.
        tag: The tag that thoughts stand in before the text, if they do.

    Raises:
        ProtocolError: The content or a call is of no known shape.
    """
    content = read_content(message.get("content"))
    tagged, text = split_thoughts(content.text, tag)
    items = _reasoning((thoughts_in(message) or content.thoughts) + tagged)
    refusal = _text(message.get("refusal")) or content.refusal
    items += _message(text, refusal, message.get("annotations"), logprobs)
    items += _calls(message, ident)
    if cut and items:
        items[-1]["status"] = "incomplete"
    return tuple([parse_item(item) for item in items])


def _reasoning(thoughts: str) -> list[JSON]:
    if not thoughts:
        return []
    content = [{"type": "reasoning_text", "text": thoughts}]
    return [{"type": "reasoning", "summary": [], "content": content}]


def _message(text: str, refusal: str, annotations: object, logprobs: object) -> list[JSON]:
    parts: list[JSON] = []
    if text:
        part: JSON = {"type": "output_text", "text": text, "annotations": _cited(annotations)}
        weighed = logprobs.get("content") if isinstance(logprobs, dict) else None
        if isinstance(weighed, list):
            part["logprobs"] = weighed
        parts.append(part)
    if refusal:
        parts.append({"type": "refusal", "refusal": refusal})
    if not parts:
        return []
    return [{"type": "message", "role": "assistant", "content": parts, "status": "completed"}]


def _cited(annotations: object) -> list[JSON]:
    """Annotations, flat as Responses has them."""
    found = annotations if isinstance(annotations, list) else []
    return [_flat(one) for one in found if isinstance(one, dict)]


def _flat(annotation: JSON) -> JSON:
    kind = annotation.get("type")
    inner = annotation.get(kind) if isinstance(kind, str) else None
    return {"type": kind, **inner} if isinstance(inner, dict) else annotation


def _calls(message: JSON, ident: str) -> list[JSON]:
    raw = message.get("tool_calls")
    if not raw and isinstance(message.get("function_call"), dict):
        raw = [{"function": message["function_call"]}]
    if raw is None:
        return []
    if not isinstance(raw, list) or not all(isinstance(call, dict) for call in raw):
        raise ProtocolError("tool_calls is not a list of JSON objects")
    taken: set[str] = set()
    return [_call(call, _name(call.get("id"), ident, n, taken)) for n, call in enumerate(raw)]


def _call(call: JSON, call_id: str) -> JSON:
    item: JSON = {"type": "function_call", "call_id": call_id}
    inner = call.get("function")
    if call.get("type") == "custom" and isinstance(call.get("custom"), dict):
        item["type"], inner = "custom_tool_call", call["custom"]
        said = {"name": _text(inner.get("name")), "input": _text(inner.get("input"))}
    elif isinstance(inner, dict):
        arguments = arguments_of(inner.get("arguments"))
        said = {"name": _text(inner.get("name")), "arguments": arguments}
    else:
        raise ProtocolError(f"a tool call has the keys {sorted(call)[:8]}, and no function")
    more = {key: value for key, value in call.items() if key not in _CALL}
    return {**more, **item, **said, "status": "completed"}


def arguments_of(raw: object) -> str:
    """Arguments as JSON text, as a model wrote them; some servers have parsed it already."""
    if isinstance(raw, str):
        return raw
    return "" if raw is None else to_json(raw).decode()


def _name(given: object, ident: str, number: int, taken: set[str]) -> str:
    """A call's id, one that no other call of this answer has."""
    name = given if isinstance(given, str) else ""
    if not name or name in taken:
        most = limits.CALL_ID_CHARACTERS - 12
        name = f"call_{(name or ident)[-most:]}_{number}"
    taken.add(name)
    return name


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""
