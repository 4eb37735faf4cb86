"""How values are put into the words people read: calls, results, tokens, seconds."""

from __future__ import annotations

import json
import unicodedata
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.items import Item
    from toolstone.runs.result import ToolCall
    from toolstone.usage import Usage

__all__ = [
    "clean",
    "in_words",
    "put_bill",
    "put_call",
    "put_count",
    "put_item",
    "put_output",
    "put_result",
    "put_value",
    "put_waiting",
    "shorten",
]

_SHORT = 60


def clean(text: str) -> str:
    """The text without what could steer a terminal: control characters become visible."""
    if text.isascii() and text.isprintable():
        return text
    return "".join([_visible(c) for c in text])


def _visible(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in {"Cc", "Cs"}:
        return character
    return f"\\x{ord(character):02x}"


def shorten(text: str, most: int = _SHORT) -> str:
    """One line of at most so many characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def put_call(name: str, arguments: str, most: int = _SHORT) -> str:
    """A call as one would write it: `weather(city="Paris")`."""
    try:
        given = json.loads(arguments or "{}")
    except ValueError:
        return f"{clean(name)}({shorten(arguments, most)})"
    if not isinstance(given, dict):
        return f"{clean(name)}({shorten(arguments, most)})"
    said = ", ".join(
        f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items()
    )
    return f"{clean(name)}({shorten(said, most)})"


def put_item(item: Item) -> str:
    """What an item asks for, as JSON: all of it but the ids."""
    told = {key: value for key, value in item.raw.items() if key not in _IDS}
    return json.dumps(told, ensure_ascii=False)


_IDS = {"type", "id", "call_id", "status"}


def put_result(output: str | list[dict[str, Any]] | None, most: int = _SHORT) -> str:
    """What a tool gave, in one short line."""
    if isinstance(output, list):
        return ", ".join(str(part.get("type", "part")) for part in output)
    return shorten(output or "", most)


def put_output(output: Any) -> str:
    """A run's output: text as it is, anything else as indented JSON."""
    if isinstance(output, str):
        return output
    try:
        return to_json(output, indent=2).decode()
    except PydanticSerializationError:
        return repr(output)


def put_value(output: Any) -> Any:
    """A run's output as plain JSON data."""
    return to_jsonable_python(output, fallback=repr)


def put_count(number: int, thing: str) -> str:
    """`1 request`, `2,310 requests`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def put_bill(usage: Usage, seconds: float, cost: float | None = None) -> str:
    """What a run took: `2 requests, 310 tokens in, 42 out, 1.8 s`."""
    dollars = "" if cost is None else f", ${cost:.4f}"
    requests = put_count(usage.requests, "request")
    return (
        f"{requests}, {usage.input_tokens:,} tokens in, {usage.output_tokens:,} out, "
        f"{seconds:.1f} s{dollars}"
    )


def put_waiting(calls: Sequence[ToolCall]) -> str:
    """Calls that have not returned, one a line, each with its key and why."""
    return "\n".join(
        f"  {call.key}  {put_call(call.name, in_words(call))}  ({call.state})" for call in calls
    )


def in_words(call: ToolCall) -> str:
    """What a call asks for: its arguments, or what else stands in the item."""
    is_item = call.item is not None and call.item.type == call.name
    return put_item(call.item) if is_item and call.item is not None else call.arguments
