"""Pieces of an answer, told as the events of the protocol and folded into one Response. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, assert_never

from toolstone.local.brain import (
    Annotate,
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
from toolstone.local.wording import ARGUMENTS, PARTS, Wording

__all__ = ["Event", "Narration", "render_usage"]

Event = dict[str, Any]


class Narration:
    """One response on its way out.

    The same pieces give the same response whether its events are sent or not:
    `start`, `tell` and `crash` return the events, `response` is what they add up to.

    Args:
        response: The skeleton with every key of the wire, as `render_response` makes it.
        new_id: Makes an id with the prefix it is given.
        clock: Gives the time in unix seconds.
        logprobs: Tell the likelihoods of tokens that the brain gives.
        seal: Makes the `encrypted_content` of reasoning that has none; None: it goes without.
    """

    def __init__(
        self,
        response: dict[str, Any],
        *,
        new_id: Callable[[str], str],
        clock: Callable[[], int],
        logprobs: bool = False,
        seal: Callable[[Mapping[str, Any]], str] | None = None,
    ) -> None:
        self.response = response
        self.over = False
        self._new_id = new_id
        self._clock = clock
        self._logprobs = logprobs
        self._seal = seal
        self._sequence = 0
        self._item: dict[str, Any] | None = None  # the item that is open
        self._part: dict[str, Any] | None = None  # the part that is open in it
        self._place: Event = {}  # where the open part stands, as each of its events says
        self._said: list[str] = []  # what the open part or call holds so far

    def start(self, *, queued: bool = False) -> list[Event]:
        """Say that the response exists and is being worked on."""
        if not queued:
            return [self._event("response.created", response=self._bare("in_progress")), self.go()]
        waiting = self._bare("queued")
        return [
            self._event("response.created", response=waiting),
            self._event("response.queued", response=waiting),
        ]

    def go(self) -> Event:
        """Say that a response which waited is being worked on."""
        self.response["status"] = "in_progress"
        return self._event("response.in_progress", response=self._bare("in_progress"))

    def tell(self, piece: Piece) -> list[Event]:  # noqa: C901, PLR0911  one case a piece
        """Say one piece.

        Raises:
            ValueError: The piece cannot come here: arguments without a call, or after the end.
        """
        if self.over:
            raise ValueError(f"{type(piece).__name__} came after End; an answer ends once")
        match piece:
            case Text(delta, logprobs):
                return self._say("output_text", delta, logprobs if self._logprobs else ())
            case Arguments(delta) | Input(delta):
                return self._argue(piece, delta)
            case Thought(delta):
                return self._say("reasoning_text", delta)
            case Summary(delta, part):
                return self._say("summary_text", delta, index=part)
            case Decline(delta):
                return self._say("refusal", delta)
            case Message() | Call() | Custom() | Reasoning():
                return self._close() + self._open(piece)
            case Annotate(annotation):
                return self._annotate(annotation)
            case Item(item):
                return self._close() + self._whole(item)
            case Settle(item):
                return self._settle(item)
            case End():
                return self._end(piece)
            case _:
                assert_never(piece)

    def crash(self, code: str, message: str, fault: Mapping[str, Any] | None = None) -> list[Event]:
        """Say that the response failed here.

        Args:
            code: The machine's word for it.
            message: What went wrong.
            fault: `{type, code, message, param}`, said by an event of its own just before.
        """
        events = self._close("incomplete")
        if fault is not None:
            events.append(self._event("error", error=dict(fault)))
        return events + self.tell(End(status="failed", error={"code": code, "message": message}))

    def cancel(self) -> list[Event]:
        """Break off; the protocol has no event that says so, only the response does."""
        events = self._close("incomplete")
        self.over = True
        self.response["status"] = "cancelled"
        return events

    def _bare(self, status: str) -> dict[str, Any]:
        return {**self.response, "output": [], "status": status}

    def _event(self, kind: str, **fields: Any) -> Event:
        event = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return event

    @property
    def _index(self) -> int:
        return len(self.response["output"])

    # --- items

    def _open(self, piece: Message | Call | Custom | Reasoning) -> list[Event]:
        self._item = item = self._opened(piece)
        lists: Event = {key: [] for key in ("content", "summary") if key in item}
        event = self._event(
            "response.output_item.added", output_index=self._index, item={**item, **lists}
        )
        self._place = {"item_id": item["id"], "output_index": self._index}
        return [event]

    def _opened(self, piece: Message | Call | Custom | Reasoning) -> dict[str, Any]:
        match piece:
            case Message(phase, name):
                shown: Event = {"phase": phase} if phase else {}
                item = {"id": name or self._new_id("msg"), "type": "message", "role": "assistant"}
                return {**item, "status": "in_progress", "content": [], **shown}
            case Call(name, call_id, own):
                item = {"id": own or self._new_id("fc"), "type": "function_call"}
                return {**item, **self._paired(name, call_id), "arguments": ""}
            case Custom(name, call_id, own):
                item = {"id": own or self._new_id("ctc"), "type": "custom_tool_call"}
                return {**item, **self._paired(name, call_id), "input": ""}
            case Reasoning(name):
                return {"id": name or self._new_id("rs"), "type": "reasoning", "summary": []}

    def _paired(self, name: str, call_id: str | None) -> dict[str, Any]:
        call_id = self._new_id("call") if call_id is None else call_id
        return {"status": "in_progress", "call_id": call_id, "name": name}

    def _whole(self, item: Mapping[str, Any]) -> list[Event]:
        whole = {"id": self._new_id("item"), **item}
        self._item = whole
        added = self._event(
            "response.output_item.added", output_index=self._index, item=dict(whole)
        )
        return [added, *self._done()]

    def _settle(self, item: Mapping[str, Any]) -> list[Event]:
        if self._item is None:
            return self._whole(item)
        events = self._close_part() + self._conclude()
        self._item = {"id": self._item["id"], **item}
        return events + self._done()

    def _close(self, status: str = "completed") -> list[Event]:
        if self._item is None:
            return []
        events = self._close_part()
        self._item["status"] = status
        return events + self._conclude() + self._done()

    def _conclude(self) -> list[Event]:
        """Say what a call holds."""
        wording = ARGUMENTS.get((self._item or {})["type"])
        if self._item is None or wording is None:
            return []
        self._item[wording.key] = text = self._take()
        return [self._event(wording.done, **self._place, **{wording.key: text})]

    def _done(self) -> list[Event]:
        item = self._item or {}
        if self._seal and item["type"] == "reasoning" and not item.get("encrypted_content"):
            item["encrypted_content"] = self._seal(item)
        event = self._event("response.output_item.done", output_index=self._index, item=item)
        self.response["output"].append(item)
        self._item = None
        return [event]

    # --- what is in them

    def _argue(self, piece: Arguments | Input, delta: str) -> list[Event]:
        wanted = "function_call" if isinstance(piece, Arguments) else "custom_tool_call"
        if self._item is None or self._item["type"] != wanted:
            name = type(piece).__name__
            raise ValueError(f"{name} came while no {wanted} is open; open one before it")
        if not delta:
            return []
        self._said.append(delta)
        return [self._event(ARGUMENTS[wanted].delta, **self._place, delta=delta)]

    def _say(
        self, kind: str, delta: str, logprobs: Sequence[Mapping[str, Any]] = (), index: int = 0
    ) -> list[Event]:
        wording = PARTS[kind]
        events: list[Event] = []
        if self._item is None or self._item["type"] != wording.item:
            opening = Message() if wording.item == "message" else Reasoning()
            events += self._close() + self._open(opening)
        another = kind == "summary_text" and self._place.get("summary_index", index) != index
        if self._part is None or self._part["type"] != kind or another:
            events += self._close_part() + self._open_part(kind, wording)
        if self._part is None or not delta:
            return events
        self._said.append(delta)
        event = self._event(wording.delta, **self._place, delta=delta)
        if kind == "output_text":
            event["logprobs"] = list(logprobs)
            self._part["logprobs"] += logprobs
        events.append(event)
        return events

    def _annotate(self, annotation: Mapping[str, Any]) -> list[Event]:
        events = self._say("output_text", "")
        notes: list[Mapping[str, Any]] = (self._part or {})["annotations"]
        notes.append(annotation)
        place = {**self._place, "annotation_index": len(notes) - 1}
        kind = "response.output_text.annotation.added"
        return [*events, self._event(kind, **place, annotation=annotation)]

    def _open_part(self, kind: str, wording: Wording) -> list[Event]:
        part: Event = {"type": kind, wording.key: ""}
        if kind == "output_text":
            part |= {"annotations": [], "logprobs": []}
        self._part = part
        item = self._item or {}
        parts: list[Any] = item.setdefault(wording.among, [])
        parts.append(part)
        place = {"item_id": item["id"], "output_index": self._index}
        self._place = {**place, wording.index: len(parts) - 1}
        return [self._event(wording.added, **self._place, part=_empty(part))]

    def _close_part(self) -> list[Event]:
        part, self._part = self._part, None
        if part is None:
            return []
        wording = PARTS[part["type"]]
        part[wording.key] = text = self._take()
        extra: Event = {"logprobs": part["logprobs"]} if "logprobs" in part else {}
        return [
            self._event(wording.done, **self._place, **{wording.key: text}, **extra),
            self._event(wording.finished, **self._place, part=part),
        ]

    def _take(self) -> str:
        text = "".join(self._said)
        self._said.clear()
        return text

    def _end(self, end: End) -> list[Event]:
        completed = end.status == "completed"
        events = self._close("completed" if completed else "incomplete")
        self.over = True
        self.response |= {
            "status": end.status,
            "completed_at": self._clock() if completed else None,
            "incomplete_details": {"reason": end.reason} if end.status == "incomplete" else None,
            "error": dict(end.error or {}) if end.status == "failed" else None,
            "usage": render_usage(end.usage),
        }
        if end.service_tier:
            self.response["service_tier"] = end.service_tier
        return [*events, self._event(f"response.{end.status}", response=dict(self.response))]


def _empty(part: Mapping[str, Any]) -> Event:
    return {key: [] if isinstance(value, list) else value for key, value in part.items()}


def render_usage(usage: Usage) -> dict[str, Any]:
    """Give the tokens as the wire has them."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
