"""What a good endpoint says, as JSON, as events and as the bytes of HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from toolstone.testing.faults.steps import Asked

__all__ = [
    "END",
    "TEXT",
    "answer",
    "call",
    "chunk",
    "data",
    "encode",
    "fill",
    "frame",
    "good",
    "head",
    "message",
    "narrate",
    "renumber",
    "reply",
    "reply_json",
    "response",
    "stream",
]

JSON = dict[str, Any]

TEXT: Final = "It is 21 °C in Paris. 😀"
END: Final = b"0\r\n\r\n"
_USAGE: Final = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 3},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 2},
    "total_tokens": 18,
}
_PIECE: Final = 4


# ----------------------------------------------------------------------------------------- JSON


def message(text: str = TEXT, ident: str = "msg_0", **fields: Any) -> JSON:
    """A message of the model."""
    part = {"type": "output_text", "text": text, "annotations": []}
    said = {"role": "assistant", "status": "completed", "content": [part]}
    return {"type": "message", "id": ident, **said, **fields}


def call(name: str, arguments: str, number: int = 0, **fields: Any) -> JSON:
    """A call of a function."""
    return {
        "type": "function_call",
        "id": f"fc_{number}",
        "call_id": f"call_{number}",
        "name": name,
        "arguments": arguments,
        "status": "completed",
        **fields,
    }


def response(*items: JSON, **fields: Any) -> JSON:
    """A whole response."""
    return {
        "id": "resp_0",
        "object": "response",
        "created_at": 1_700_000_000,
        "status": "completed",
        "model": "faults",
        "output": list(items),
        "usage": _USAGE,
        "error": None,
        "incomplete_details": None,
        **fields,
    }


def fill(schema: Mapping[str, Any]) -> Any:
    """A value that fits a simple schema: null where it may be, else the least."""
    kinds = schema.get("type", "object" if "properties" in schema else "null")
    kinds = kinds if isinstance(kinds, list) else [kinds]
    options = schema.get("anyOf")
    if "null" in kinds or (options and any(one.get("type") == "null" for one in options)):
        return None
    if options:
        return fill(options[0])
    if "enum" in schema:
        return schema["enum"][0]
    if kinds[0] == "object":
        return {name: fill(one) for name, one in schema.get("properties", {}).items()}
    least = {"integer": 1, "number": 1.5, "string": "x", "boolean": True, "array": []}
    return least.get(kinds[0])


# --------------------------------------------------------------------------------------- events


def narrate(told: JSON) -> list[JSON]:
    """The events that tell a response, numbered."""
    begun = {**told, "status": "in_progress", "output": [], "usage": None}
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(told["output"]):
        events += _tell_item(index, item)
    events.append({"type": f"response.{told['status']}", "response": told})
    return renumber(events)


def renumber(events: Iterable[JSON]) -> list[JSON]:
    """The same events with numbers from 0."""
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _tell_item(index: int, item: JSON) -> Iterator[JSON]:
    where = {"output_index": index, "item_id": item.get("id")}
    blank: JSON = {**item, "status": "in_progress"}
    blank.update({name: type(item[name])() for name in ("content", "arguments") if name in item})
    yield {"type": "response.output_item.added", "output_index": index, "item": blank}
    if item["type"] == "function_call":
        kind = "response.function_call_arguments"
        for piece in _cut(item["arguments"]):
            yield {"type": f"{kind}.delta", **where, "delta": piece}
        yield {"type": f"{kind}.done", **where, "arguments": item["arguments"]}
    if item["type"] == "message":
        for number, part in enumerate(item["content"]):
            yield from _tell_part({**where, "content_index": number}, part)
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _tell_part(where: JSON, part: JSON) -> Iterator[JSON]:
    name = "refusal" if part["type"] == "refusal" else "text"
    kind = f"response.{part['type']}"
    yield {"type": "response.content_part.added", **where, "part": {**part, name: ""}}
    for piece in _cut(part[name]):
        yield {"type": f"{kind}.delta", **where, "delta": piece}
    yield {"type": f"{kind}.done", **where, name: part[name]}
    yield {"type": "response.content_part.done", **where, "part": part}


def _cut(text: str) -> list[str]:
    size = max(_PIECE, len(text) // 64)
    return [text[n : n + size] for n in range(0, len(text), size)]


def data(event: Any) -> bytes:
    """An event's JSON; characters stand as they are, halves of characters as escapes."""
    text = json.dumps(event, ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(event).encode()


def frame(event: JSON) -> bytes:
    """One event as server-sent event."""
    return b"event: %s\ndata: %s\n\n" % (str(event.get("type", "")).encode(), data(event))


def encode(events: Iterable[JSON]) -> bytes:
    """Events as server-sent events."""
    return b"".join(frame(event) for event in events)


# ----------------------------------------------------------------------------------------- HTTP


def reply(status: int, body: bytes, *headers: str) -> bytes:
    """A whole answer."""
    return _head(status, f"content-length: {len(body)}", *headers) + body


def reply_json(status: int, value: Any, *headers: str) -> bytes:
    """A whole answer of JSON."""
    return reply(status, data(value), "content-type: application/json", *headers)


def head(*headers: str, status: int = 200, kind: str = "text/event-stream") -> bytes:
    """The head of an answer in chunks."""
    return _head(status, f"content-type: {kind}", "transfer-encoding: chunked", *headers)


def _head(status: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "x-request-id: req_faults", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


def chunk(part: bytes) -> bytes:
    """One chunk of an answer in chunks."""
    return b"%x\r\n%s\r\n" % (len(part), part)


def stream(body: bytes) -> bytes:
    """A whole stream in one chunk."""
    return head() + chunk(body) + END


def answer(asked: Asked, told: JSON, events: Sequence[JSON] | None = None) -> bytes:
    """A response as it is asked for: plain, or as a stream."""
    if not asked.streams:
        return reply_json(200, told)
    return stream(encode(narrate(told) if events is None else events) + b"data: [DONE]\n\n")


def good(asked: Asked) -> bytes:
    """What a peer without a fault answers."""
    return answer(asked, response(message()))
