"""The items of a history as the messages of Chat Completions, each made once. Pure.

What an assistant said in one turn is several items, and one message: thoughts, text and calls that
stand side by side are gathered until something else follows. A history grows at its end, so what
was made stays, and a turn costs what is new in it.

- Thoughts stay here, unless the profile says that the server wants them (`replays_thoughts`).
- What a server's own tools did (`web_search_call` ...) is left out, with a note: what came of it
  stands in the answer.
- Any other item that has no form here is `Unsupported`: without it the model would answer something
  else.
"""

from __future__ import annotations

import threading
from operator import is_ as _same
from typing import TYPE_CHECKING, Any, Final, assert_never

from toolstone.chat.content import render_parts, render_text
from toolstone.errors import Unsupported
from toolstone.events import Noted
from toolstone.items import FunctionCall, FunctionCallOutput, Message, Other, Reasoning
from toolstone.responses.bodies import write
from toolstone.responses.render import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.items import Item
    from toolstone.ports import Profile

__all__ = ["Scribe"]

JSON = dict[str, Any]

_KEPT: Final = 16
"""Histories of runs side by side whose beginnings are not gone through again."""
_CALL: Final = frozenset(
    {"id", "type", "call_id", "name", "arguments", "input", "status"}
    | {"namespace", "caller", "async"}
)
_SERVERS: Final = frozenset(
    {
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "mcp_call",
        "mcp_list_tools",
        "tool_search_call",
        "tool_search_output",
        "program",
        "program_output",
    }
)


class Scribe:
    """Makes messages of items for one server; safe to share between threads."""

    __slots__ = ("_known", "_lock", "_profile")

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._known: dict[int, _History] = {}
        self._lock = threading.Lock()

    def messages(self, items: Sequence[Item]) -> tuple[bytes, tuple[Noted, ...]]:
        """The messages, joined by commas, and what was left out that was not before.

        Raises:
            Unsupported: An item cannot be said.
            InputError: An item cannot be written as JSON.
        """
        if not items:
            return b"", ()
        with self._lock:
            known = self._history(items)
            try:
                known.extend(items[len(known.items) :])
                return known.told(), known.noted()
            except BaseException:
                del self._known[id(items[0])]  # half an item may be in it
                raise

    def _history(self, items: Sequence[Item]) -> _History:
        key = id(items[0])
        known = self._known.get(key)
        if known is not None and known.begins(items):
            return known
        if len(self._known) >= _KEPT:
            self._known.pop(next(iter(self._known)))
        fresh = self._known[key] = _History(self._profile)
        return fresh


class _Turn:
    """What an assistant said in one go."""

    __slots__ = ("calls", "parts", "refusals", "thoughts")

    def __init__(self) -> None:
        self.thoughts: list[str] = []
        self.parts: list[JSON] = []
        self.refusals: list[str] = []
        self.calls: list[JSON] = []

    def say(self, message: Message) -> None:
        for part in message.parts:
            if isinstance(part.get("refusal"), str):
                self.refusals.append(part["refusal"])
            else:
                text = render_text([part])
                self.parts += [{"type": "text", "text": text}] if isinstance(text, str) else text

    def told(self, thoughts: str) -> bytes:
        """The message; `thoughts` is the field that they go into."""
        alone = len(self.parts) == 1 and self.parts[0].keys() == {"type", "text"}
        content = self.parts[0]["text"] if alone else self.parts or None
        message: JSON = {"role": "assistant", "content": content}
        if self.refusals:
            message["refusal"] = "".join(self.refusals)
        if self.thoughts:
            message[thoughts] = "\n".join(self.thoughts)
        if self.calls:
            message["tool_calls"] = self.calls
        return write(message, "an answer of the history")


class _History:
    """One history as far as it was gone through."""

    __slots__ = ("_messages", "_notes", "_profile", "_turn", "items")

    def __init__(self, profile: Profile) -> None:
        self.items: list[Item] = []
        self._profile = profile
        self._messages: list[bytes] = []
        self._turn: _Turn | None = None
        self._notes: list[Noted] = []

    def begins(self, items: Sequence[Item]) -> bool:
        """Whether these items begin with the very items that are known."""
        known = self.items
        return len(items) >= len(known) and all(map(_same, known, items))

    def extend(self, items: Sequence[Item]) -> None:
        """Go through what is new."""
        for item in items:
            self._take(item)
            self.items.append(item)

    def told(self) -> bytes:
        """All messages; the last one may be an assistant's that could still go on."""
        if self._turn is None:
            return b",".join(self._messages)
        return b",".join([*self._messages, self._turn.told(self._thoughts)])

    def noted(self) -> tuple[Noted, ...]:
        """What is to be said of it, once."""
        notes, self._notes = tuple(self._notes), []
        return notes

    @property
    def _thoughts(self) -> str:
        return self._profile.spelt.get("reasoning_content", "reasoning_content")

    def _take(self, item: Item) -> None:
        match item:
            case Message():
                self._message(item)
            case FunctionCall():
                self._open().calls.append(self._call(item))
            case FunctionCallOutput():
                self._output(item)
            case Reasoning():
                self._think(item)
            case Other():
                self._other(item)
            case _:
                assert_never(item)

    def _message(self, item: Message) -> None:
        if item.role == "assistant":
            self._open().say(item)
            return
        content = item.raw.get("content")
        if item.role == "user":
            self._add({"role": "user", "content": render_parts(content)})
            return
        if item.role not in ("system", "developer"):
            raise self._unsaid(f"a message of the role {item.role!r}")
        spelt = self._profile.spelt
        role = spelt.get(item.role, spelt.get("system", "system"))
        self._add({"role": role, "content": render_text(content)})

    def _output(self, item: FunctionCallOutput | Other) -> None:
        content = render_text(item.raw.get("output", ""))
        call_id = str(item.raw.get("call_id", ""))
        self._add({"role": "tool", "tool_call_id": call_id, "content": content})

    def _call(self, item: FunctionCall) -> JSON:
        raw = readable(item.raw) if self._profile.reads_arguments else item.raw
        function = {"name": item.name, "arguments": raw.get("arguments", "")}
        return {**_more(item), "id": item.call_id, "type": "function", "function": function}

    def _think(self, item: Reasoning) -> None:
        content = item.raw.get("content")
        if self._profile.replays_thoughts and isinstance(content, list):
            said = [part.get("text") for part in content if isinstance(part, dict)]
            self._open().thoughts += [text for text in said if isinstance(text, str)]

    def _other(self, item: Other) -> None:
        if item.type == "custom_tool_call_output":
            self._output(item)
        elif item.type == "custom_tool_call" and "custom_tools" not in self._profile.unsupported:
            raw = item.raw
            custom = {"name": raw.get("name"), "input": raw.get("input", "")}
            call = {**_more(item), "id": raw.get("call_id"), "type": "custom", "custom": custom}
            self._open().calls.append(call)
        elif item.type in _SERVERS:
            text = f"an item of type {item.type!r} was left out: Chat Completions cannot say it"
            self._notes.append(Noted("dropped_item", text, data={"type": item.type}))
        else:
            raise self._unsaid(f"of type {item.type!r}")

    def _unsaid(self, what: str) -> Unsupported:
        return Unsupported(
            f"item {len(self.items)} of the history is {what}, which Chat Completions cannot say; "
            "nothing was sent. Begin a new session, or go on with a model that speaks Responses"
        )

    def _open(self) -> _Turn:
        if self._turn is None:
            self._turn = _Turn()
        return self._turn

    def _add(self, message: JSON) -> None:
        made = write(message, f"a message of the role {message['role']!r}")
        if self._turn is not None:
            self._messages.append(self._turn.told(self._thoughts))
            self._turn = None
        self._messages.append(made)


def _more(item: Item) -> JSON:
    """Keys of a call that we do not know, which go back as they came."""
    return {key: value for key, value in item.raw.items() if key not in _CALL}
