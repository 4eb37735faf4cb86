"""Pieces of an answer, told as the events of the protocol and folded into one Response. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from toolstone.local.brain import Arguments, Call, Decline, End, Item, Message, Piece, Text, Usage

__all__ = ["Event", "Narration"]

Event = dict[str, Any]

_PARTS = {"output_text": "text", "refusal": "refusal"}


class Narration:
    """One response on its way out.

    The same pieces give the same response whether its events are sent or not:
    `start`, `tell` and `crash` return the events, `response` is what they add up to.

    Args:
        response: The skeleton with every key of the wire, as `render_response` makes it.
        new_id: Makes an id with the prefix it is given.
        clock: Gives the time in unix seconds.
    """

    def __init__(
        self, response: dict[str, Any], *, new_id: Callable[[str], str], clock: Callable[[], int]
    ) -> None:
        self.response = response
        self.over = False
        self._new_id = new_id
        self._clock = clock
        self._sequence = 0
        self._item: dict[str, Any] | None = None  # the item that is open
        self._part: dict[str, Any] | None = None  # the content part that is open in it

    def start(self) -> list[Event]:
        """Say that the response exists and is being worked on."""
        return [
            self._event("response.created", response={**self.response, "output": []}),
            self._event("response.in_progress", response={**self.response, "output": []}),
        ]

    def tell(self, piece: Piece) -> list[Event]:
        """Say one piece.

        Raises:
            ValueError: The piece cannot come here: arguments without a call, or after the end.
        """
        if self.over:
            raise ValueError(f"{type(piece).__name__} came after End; an answer ends once")
        match piece:
            case Message(phase):
                return self._close() + self._open_message(phase)
            case Text(delta):
                return self._say("output_text", delta)
            case Decline(delta):
                return self._say("refusal", delta)
            case Call(name, call_id):
                return self._close() + self._open_call(name, call_id)
            case Arguments(delta):
                return self._argue(delta)
            case Item(item):
                return self._close() + self._whole(item)
            case End():
                return self._end(piece)
            case _:
                assert_never(piece)

    def crash(self, code: str, message: str) -> list[Event]:
        """Say that the response failed here."""
        return self.tell(End(status="failed", error={"code": code, "message": message}))

    def _event(self, kind: str, **fields: Any) -> Event:
        event = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return event

    def _of_item(self, kind: str, **fields: Any) -> Event:
        item = self._item or {}
        index = len(self.response["output"])
        return self._event(kind, item_id=item.get("id"), output_index=index, **fields)

    def _open(self, item: dict[str, Any]) -> list[Event]:
        self._item = item
        index = len(self.response["output"])
        shown = {**item, "content": []} if item["type"] == "message" else dict(item)
        return [self._event("response.output_item.added", output_index=index, item=shown)]

    def _open_message(self, phase: str | None) -> list[Event]:
        item = {
            "id": self._new_id("msg"),
            "type": "message",
            "role": "assistant",
            "status": "in_progress",
            "content": [],
        }
        return self._open(item | ({"phase": phase} if phase else {}))

    def _open_call(self, name: str, call_id: str | None) -> list[Event]:
        return self._open(
            {
                "id": self._new_id("fc"),
                "type": "function_call",
                "status": "in_progress",
                "call_id": self._new_id("call") if call_id is None else call_id,
                "name": name,
                "arguments": "",
            }
        )

    def _say(self, kind: str, delta: str) -> list[Event]:
        events: list[Event] = []
        if self._item is None or self._item["type"] != "message":
            events += self._close() + self._open_message(None)
        if self._part is None or self._part["type"] != kind:
            events += self._close_part() + self._open_part(kind)
        if self._part is None or not delta:
            return events
        self._part[_PARTS[kind]] += delta
        extra: Event = {"logprobs": []} if kind == "output_text" else {}
        return [*events, self._of_part(f"response.{kind}.delta", delta=delta, **extra)]

    def _of_part(self, kind: str, **fields: Any) -> Event:
        content = self._item["content"] if self._item else []
        return self._of_item(kind, content_index=len(content) - 1, **fields)

    def _open_part(self, kind: str) -> list[Event]:
        empty: dict[str, Any] = {"type": kind, _PARTS[kind]: ""}
        if kind == "output_text":
            empty |= {"annotations": [], "logprobs": []}
        self._part = empty
        if self._item is not None:
            self._item["content"].append(empty)
        return [self._of_part("response.content_part.added", part=dict(empty))]

    def _close_part(self) -> list[Event]:
        part = self._part
        if part is None:
            return []
        key = _PARTS[part["type"]]
        extra: Event = {"logprobs": []} if key == "text" else {}
        events = [
            self._of_part(f"response.{part['type']}.done", **{key: part[key]}, **extra),
            self._of_part("response.content_part.done", part=dict(part)),
        ]
        self._part = None
        return events

    def _argue(self, delta: str) -> list[Event]:
        if self._item is None or self._item["type"] != "function_call":
            raise ValueError("Arguments came while no call is open; a Call opens one")
        if not delta:
            return []
        self._item["arguments"] += delta
        return [self._of_item("response.function_call_arguments.delta", delta=delta)]

    def _whole(self, item: Mapping[str, Any]) -> list[Event]:
        whole = {"id": self._new_id("item"), **item}
        events = self._open(whole)
        return events + self._done()

    def _close(self, status: str = "completed") -> list[Event]:
        if self._item is None:
            return []
        events = self._close_part()
        self._item["status"] = status
        if self._item["type"] == "function_call":
            text = self._item["arguments"]
            events.append(self._of_item("response.function_call_arguments.done", arguments=text))
        return events + self._done()

    def _done(self) -> list[Event]:
        item = self._item or {}
        index = len(self.response["output"])
        event = self._event("response.output_item.done", output_index=index, item=item)
        self.response["output"].append(item)
        self._item = None
        return [event]

    def _end(self, end: End) -> list[Event]:
        completed = end.status == "completed"
        events = self._close("completed" if completed else "incomplete")
        self.over = True
        self.response |= {
            "status": end.status,
            "completed_at": self._clock() if completed else None,
            "incomplete_details": {"reason": end.reason} if end.status == "incomplete" else None,
            "error": dict(end.error or {}) if end.status == "failed" else None,
            "usage": _usage(end.usage),
        }
        return [*events, self._event(f"response.{end.status}", response=dict(self.response))]


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
