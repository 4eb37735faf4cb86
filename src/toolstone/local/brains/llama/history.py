"""What a conversation comes to for the small model: the request, the calls, their results."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolstone._dataclass import dataclass
from toolstone.local.brain import RefusalError, Turn
from toolstone.local.brains.llama.custom import as_function
from toolstone.local.brains.llama.prompts import Fact, chat_prompt, spoken, tool_words

__all__ = ["Conversation", "check_read", "read_conversation"]

Item = Mapping[str, Any]

_SHORT = 40  # characters that fit into a sentence
_CALLS = ("function_call", "custom_tool_call")
_OUTPUTS = ("function_call_output", "custom_tool_call_output")
_UNREADABLE = {"input_image": "an image", "input_file": "a file"}


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as this brain sees it."""

    request: str
    """What the user said last."""
    messages: Sequence[tuple[str, str]]
    """Role and text of every message."""
    called: Sequence[str]
    """The tools called since, by name."""
    facts: Sequence[Fact]
    """What those calls were given and gave back."""
    returned: Sequence[str]
    """What those calls gave back, each as a line of words."""
    values: Sequence[str]
    """The short ones among those, which an answer can state as they are."""
    transcript: str
    """All that was read, for counting."""


def check_read(turn: Turn) -> str | None:
    """What of a conversation the model cannot read: "an image", "a file"; None if nothing.

    Raises:
        RefusalError: It is to fill a schema, or to call a tool, with what it cannot read.
    """
    found = _unreadable(turn)
    if found is None:
        return None
    what, param = found
    if turn.format["type"] == "text" and turn.choice.mode != "required":
        return what
    message = f"this model reads text only, and this is {what}; say it in words"
    raise RefusalError(400, "unsupported_value", message, param)


def _unreadable(turn: Turn) -> tuple[str, str] | None:
    """What cannot be read, and the path of it."""
    said = turn.body.get("input")
    given = said if isinstance(said, list) else ()
    placed = [(f"input[{index}]", item) for index, item in enumerate(given)]
    for where, item in placed:
        for path, what in _unread_parts(item):
            return what, f"{where}.{path}"
    for item in turn.items:  # what was said earlier has no place in this request
        for _, what in _unread_parts(item):
            return what, "input"
    return None


def read_conversation(turn: Turn) -> Conversation:
    """Read a conversation: its messages, and what was called since the user spoke last."""
    messages = [(item["role"], _text(item["content"])) for item in turn.items if _is_message(item)]
    asked = [text for role, text in messages if role == "user"]
    last = max((i for i, item in enumerate(turn.items) if _is_user(item)), default=-1)
    recent = turn.items[last + 1 :]
    exchanges = _exchanges(recent)
    tools = {tool["name"]: as_function(tool) for tool in turn.body.get("tools") or ()}
    return Conversation(
        request=asked[-1] if asked else "",
        messages=messages,
        called=[call["name"] for call, _ in exchanges],
        facts=[fact for call, output in exchanges for fact in _facts(call, output, tools)],
        returned=[_line(call, output) for call, output in exchanges],
        values=[said for _, output in exchanges if (said := _short(output))],
        transcript=_transcript(turn, messages),
    )


def _unread_parts(item: Item) -> Iterator[tuple[str, str]]:
    for key in ("content", "output"):
        parts = item.get(key)
        for index, part in enumerate(parts if isinstance(parts, list) else ()):
            found = _UNREADABLE.get(part.get("type", "")) if isinstance(part, Mapping) else None
            if found:
                yield f"{key}[{index}]", found


def _is_message(item: Item) -> bool:
    return bool(item["type"] == "message")


def _is_user(item: Item) -> bool:
    return _is_message(item) and item["role"] == "user"


def _text(content: object) -> str:
    """Give the text of a message or an output; what is no text is named in brackets."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    said = [part.get("text") or part.get("refusal") or f"[{part['type']}]" for part in parts]
    return " ".join(said)


def _exchanges(items: Sequence[Item]) -> list[tuple[Item, str]]:
    """Pair the calls with their outputs, in the order of the calls."""
    waiting: dict[str, int] = {}
    pairs: list[tuple[Item, str]] = []
    for item in items:
        if item["type"] in _CALLS:
            waiting[item["call_id"]] = len(pairs)
            made = {
                **item,
                "arguments": item["arguments"] if "arguments" in item else item["input"],
            }
            pairs.append((made, ""))
        elif item["type"] in _OUTPUTS and item["call_id"] in waiting:
            index = waiting.pop(item["call_id"])
            pairs[index] = (pairs[index][0], _text(item["output"]))
    return pairs


def _facts(call: Item, output: str, tools: Mapping[str, Item]) -> list[Fact]:
    """Give the values of a call: its arguments first, then what came back."""
    name = call["name"]
    purpose = tool_words(tools[name])[1] if name in tools else ""
    given = [Fact(key, "", value, given=False) for key, value in _leaves(_json(call["arguments"]))]
    about = f"{spoken(name)} {purpose}"
    back = [Fact(key, about, value, given=True) for key, value in _leaves(_json(output))]
    return given + back


def _json(text: str) -> Any:
    """Read JSON; what is none is a text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _leaves(value: Any, key: str = "") -> list[tuple[str, Any]]:
    """Give the values without values inside, by the key they stand under."""
    if isinstance(value, dict):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, name)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner, key)]
    return [] if value is None else [(key, value)]


def _short(output: str) -> str:
    """Give an output that is one short value, else nothing."""
    leaves = _leaves(_json(output))
    said = str(leaves[0][1]) if len(leaves) == 1 else ""
    plain = isinstance(_json(output), str | int | float) and output.strip()
    said = plain or said
    return said if len(said) <= _SHORT and "\n" not in said and "<" not in said else ""


def _line(call: Item, output: str) -> str:
    given = ", ".join(str(value) for _, value in _leaves(_json(call["arguments"])))
    return f"{spoken(call['name'])} of {given or 'it'}: {' '.join(output.split())[:400]}"


def _transcript(turn: Turn, messages: Sequence[tuple[str, str]]) -> str:
    rest = [item for item in turn.items if not _is_message(item)]
    shown = [turn.body.get("tools") or [], rest]
    return chat_prompt(messages, turn.instructions) + json.dumps(shown, default=str)
