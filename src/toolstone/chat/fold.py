"""The chunks of a stream add up to the chat completion that a plain answer is. Pure.

Whose call a delta is of, where servers differ: its `index` says so, unless another id and name come
under the same index, which is another call; without an index its id says so; without either it
belongs to the call that was begun last. A name or an id that is said again says nothing new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.chat.answer import arguments_of, read_content, thoughts_in
from toolstone.chat.tags import Splitter
from toolstone.errors import ProtocolError
from toolstone.responses.decode import mend

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Call", "Fold"]

JSON = dict[str, Any]

_HEAD: Final = ("id", "created", "model", "service_tier", "system_fingerprint", "usage")
_KNOWN: Final = frozenset({"index", "id", "type", "function", "custom"})


class Call:
    """One call while it is being said.

    Attributes:
        index: Its `index`, if it has one.
        ident: Its id, as far as it was said.
        name: Its function's name, as far as it was said.
        pieces: Its arguments, or the input of a custom tool.
        kind: `function` or `custom`.
        more: Keys that we do not know.
        place: Its place among the items as they began.
    """

    __slots__ = ("ident", "index", "kind", "more", "name", "pieces", "place")

    def __init__(self, index: int | None, place: int) -> None:
        self.index, self.place = index, place
        self.ident = self.name = ""
        self.kind = "function"
        self.pieces: list[str] = []
        self.more: JSON = {}

    def whole(self) -> JSON:
        """The call as a plain answer has it."""
        field = "input" if self.kind == "custom" else "arguments"
        said = {"name": self.name, field: mend("".join(self.pieces), keep_halves=True)}
        return {**self.more, "id": self.ident or None, "type": self.kind, self.kind: said}


class Fold:
    """One completion in the making.

    Args:
        tag: The tag that thoughts stand in before the text, if they do.

    Attributes:
        finish: Its `finish_reason`, once that was said.
        places: How many items have begun.
    """

    def __init__(self, tag: str = "") -> None:
        self._splitter = Splitter(tag)
        self.finish: object = None
        self.places = 0
        self.head: JSON = {}
        self.text: list[str] = []
        self.refusal: list[str] = []
        self.thoughts: list[str] = []
        self._calls: list[Call] = []
        self._begun: dict[str, int] = {}
        self._annotations: list[Any] = []
        self._logprobs: list[Any] | None = None
        self._error: object = None

    def place(self, kind: str) -> int:
        """Where the message, or the thoughts, stand among the items as they began."""
        found = self._begun.get(kind)
        if found is None:
            found = self._begun[kind] = self._next()
        return found

    def greet(self, chunk: JSON) -> None:
        """What a chunk says of the whole; the first id and model count, the last of the rest."""
        head = self.head
        for name in _HEAD:
            value = chunk.get(name)
            if value is not None and (name not in ("id", "model") or not head.get(name)):
                head[name] = value

    def ended(self, choice: JSON) -> None:
        """What a choice says besides its delta."""
        self.finish = choice.get("finish_reason") or self.finish
        self._error = choice.get("error") or self._error
        weighed = choice.get("logprobs")
        if isinstance(weighed, dict) and isinstance(weighed.get("content"), list):
            self._logprobs = [*(self._logprobs or ()), *weighed["content"]]

    def said(self, delta: JSON) -> Iterator[tuple[list[str], str, str]]:
        """The texts in a delta: where each belongs, what it is, and what it says."""
        text, thoughts, refusal = read_content(delta.get("content"))
        refused = delta.get("refusal")
        yield self.thoughts, "thought", thoughts_in(delta) or thoughts
        if text:
            yield from self._told(self._splitter.feed(text))
        yield self.refusal, "refusal", refused if isinstance(refused, str) else refusal
        if isinstance(delta.get("annotations"), list):
            self._annotations += delta["annotations"]

    def held(self) -> Iterator[tuple[list[str], str, str]]:
        """What was held back of the text, as it might have become a tag."""
        yield from self._told(self._splitter.end())

    def _told(self, pieces: Sequence[tuple[str, str]]) -> Iterator[tuple[list[str], str, str]]:
        for kind, said in pieces:
            yield self.thoughts if kind == "thought" else self.text, kind, said

    def called(self, delta: JSON) -> Iterator[tuple[Call, str]]:
        """The calls in a delta, and what of each one's arguments is new.

        Raises:
            ProtocolError: One is no JSON object.
        """
        raw = delta.get("tool_calls") or ()
        if isinstance(delta.get("function_call"), dict):
            raw = [{"index": 0, "function": delta["function_call"]}]
        if not isinstance(raw, list | tuple) or not all(isinstance(one, dict) for one in raw):
            raise ProtocolError("tool_calls is not a list of JSON objects", phase="stream")
        for one in raw:
            yield self._call(one)

    def whole(self) -> JSON:
        """The completion, as far as it was said."""
        message: JSON = {"role": "assistant", "content": mend("".join(self.text)) or None}
        if self.refusal:
            message["refusal"] = mend("".join(self.refusal))
        if self.thoughts:
            message["reasoning_content"] = mend("".join(self.thoughts))
        if self._annotations:
            message["annotations"] = self._annotations
        if self._calls:
            message["tool_calls"] = [call.whole() for call in self._ordered()]
        choice: JSON = {"index": 0, "message": message, "finish_reason": self.finish}
        if self._logprobs is not None:
            choice["logprobs"] = {"content": self._logprobs}
        if self._error is not None:
            choice["error"] = self._error
        return {"object": "chat.completion", **self.head, "choices": [choice]}

    def _next(self) -> int:
        self.places += 1
        return self.places - 1

    def _call(self, one: JSON) -> tuple[Call, str]:
        inner = one.get("function") or one.get("custom")
        inner = inner if isinstance(inner, dict) else {}
        ident, name = one.get("id"), inner.get("name")
        ident = ident if isinstance(ident, str) else ""
        name = name if isinstance(name, str) else ""
        call = self._find(one.get("index"), ident, name)
        if one.get("custom") or one.get("type") == "custom":
            call.kind = "custom"
        call.ident = call.ident or ident
        if name and name != call.name and not call.pieces:
            call.name += name  # a few servers send it in pieces
        call.more |= {key: value for key, value in one.items() if key not in _KNOWN}
        text = arguments_of(inner.get("arguments", inner.get("input")))
        if text:
            call.pieces.append(text)
        return call, text

    def _find(self, index: object, ident: str, name: str) -> Call:
        number = index if type(index) is int else None
        if number is not None:
            known = [call for call in self._calls if call.index == number]
        elif ident:
            known = [call for call in self._calls if call.ident == ident]
        else:
            known = self._calls[-1:]
            if name and known and known[0].name:
                known = []
        if known and not (ident and name and known[-1].ident and known[-1].ident != ident):
            return known[-1]
        call = Call(number, self._next())
        self._calls.append(call)
        return call

    def _ordered(self) -> list[Call]:
        numbers = [call.index for call in self._calls]
        if None in numbers or len(set(numbers)) < len(numbers):
            return self._calls
        return sorted(self._calls, key=lambda call: call.index or 0)
