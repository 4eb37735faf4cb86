"""A response that is whole already, told piece by piece as if it arrived just now. Pure."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from toolstone.local.brain import (
    Arguments,
    Call,
    Custom,
    Decline,
    End,
    Input,
    Item,
    Message,
    Piece,
    Reasoning,
    Settle,
    Summary,
    Text,
    Thought,
    Usage,
)
from toolstone.local.brains.answers import CHUNK
from toolstone.ports import Response
from toolstone.usage import Usage as Counted

__all__ = ["response_json", "retell", "retell_end", "retell_item", "words_of"]

JSON = Mapping[str, Any]


def response_json(response: Response) -> dict[str, Any]:
    """Give a response as the wire has it, as far as our client keeps it."""
    usage = response.usage
    return {
        "id": response.id,
        "status": response.status,
        "model": response.model or None,
        "output": [item.raw for item in response.items],
        "usage": {
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {
                "cached_tokens": usage.cached_tokens,
                "cache_write_tokens": usage.cache_write_tokens,
            },
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.total_tokens,
        },
        "incomplete_details": {"reason": response.reason} if response.reason else None,
        "error": response.error,
        "service_tier": response.service_tier,
    }


def retell(response: JSON) -> Iterator[Piece]:
    """Tell a response: each item in deltas, then as it is, and the end last."""
    for item in response.get("output") or ():
        yield from retell_item(item)
    yield retell_end(response)


def retell_item(item: JSON) -> Iterator[Piece]:
    """Tell an item in deltas, and close it as it is; what deltas cannot tell comes whole."""
    match item.get("type"):
        case "message" if _tellable(item):
            yield Message(item.get("phase"), item.get("id"))
            yield from _message(item)
        case "function_call":
            yield Call(_text(item, "name"), item.get("call_id"), item.get("id"))
            yield from (Arguments(cut) for cut in _cuts(_text(item, "arguments")))
        case "custom_tool_call":
            yield Custom(_text(item, "name"), item.get("call_id"), item.get("id"))
            yield from (Input(cut) for cut in _cuts(_text(item, "input")))
        case "reasoning":
            yield Reasoning(item.get("id"))
            yield from _thoughts(item)
        case _:
            yield Item(item)
            return
    yield Settle(item)


def retell_end(response: JSON) -> End:
    """Tell how a response ended."""
    status = response.get("status")
    details, error = response.get("incomplete_details"), response.get("error")
    usage, tier = response.get("usage"), response.get("service_tier")
    if status == "incomplete":
        reason = details.get("reason") if isinstance(details, Mapping) else None
        return End(_usage(usage), "incomplete", reason or "unknown", service_tier=tier)
    if status == "completed":
        return End(_usage(usage), service_tier=tier)
    said = error if isinstance(error, Mapping) else {}
    told = {
        "code": str(said.get("code") or "server_error"),
        "message": str(said.get("message") or f"the response ended as {status!r}"),
    }
    return End(_usage(usage), "failed", error=told, service_tier=tier)


def words_of(item: JSON) -> str:
    """Give all that deltas say of a message, or of thoughts."""
    parts = [*_parts(item, "summary"), *_parts(item, "content")]
    return "".join(_text(part, "text") or _text(part, "refusal") for part in parts)


def _tellable(item: JSON) -> bool:
    """Tell whether deltas can say a message's parts: none empty, no two of a kind in a row."""
    said = [
        (part.get("type"), _text(part, "text") or _text(part, "refusal"))
        for part in _parts(item, "content")
    ]
    known = all(kind in ("output_text", "refusal") and text for kind, text in said)
    return known and all(a[0] != b[0] for a, b in itertools.pairwise(said))


def _message(item: JSON) -> Iterator[Piece]:
    for part in _parts(item, "content"):
        if part.get("type") == "refusal":
            yield from (Decline(cut) for cut in _cuts(_text(part, "refusal")))
        else:
            yield from (Text(cut) for cut in _cuts(_text(part, "text")))


def _thoughts(item: JSON) -> Iterator[Piece]:
    for n, part in enumerate(_parts(item, "summary")):
        yield from (Summary(cut, n) for cut in _cuts(_text(part, "text")))
    for part in _parts(item, "content"):
        yield from (Thought(cut) for cut in _cuts(_text(part, "text")))


def _parts(item: JSON, key: str) -> list[JSON]:
    found = item.get(key)
    return [p for p in found if isinstance(p, Mapping)] if isinstance(found, list) else []


def _text(item: JSON, key: str) -> str:
    found = item.get(key)
    return found if isinstance(found, str) else ""


def _cuts(text: str) -> Iterator[str]:
    yield from (text[at : at + CHUNK] for at in range(0, len(text), CHUNK))


def _usage(raw: Any) -> Usage:
    read = Counted.parse(raw)
    return Usage(
        read.input_tokens,
        read.output_tokens,
        read.cached_tokens,
        read.reasoning_tokens,
        read.cache_write_tokens,
    )
