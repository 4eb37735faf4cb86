"""Chunks of a stream become deltas, and in the end the response that a plain answer gives. Pure.

The end is a `finish_reason`, and after it `[DONE]`, the chunk with the usage, or the end of the
stream. Without a `finish_reason` there was no end, whatever else came. See `fold.py` for where
servers differ, `parse.py` for what the end means.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticSerializationError, from_json, to_json

from toolstone import limits
from toolstone.chat.fold import Fold
from toolstone.chat.parse import completion_from, read_completion
from toolstone.errors import LimitError, ProtocolError
from toolstone.events import ArgumentsDelta, ReasoningDelta, RefusalDelta, TextDelta
from toolstone.responses.decode import decode, mend
from toolstone.responses.failures import TABLE, failure, read_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from toolstone.events import Delta
    from toolstone.ports import Response
    from toolstone.responses.failures import Row
    from toolstone.wire.sse import Event

__all__ = ["Assembler"]

JSON = dict[str, Any]

_PLACES: Final = {"text": "message", "refusal": "message", "thought": "thought"}
_MAKE: Final[dict[str, Callable[[str, int], Delta]]] = {
    "text": TextDelta,
    "refusal": RefusalDelta,
    "thought": ReasoningDelta,
}


class Assembler:
    """Takes the chunks of one stream.

    Args:
        sent: The body of the request, for the response.
        headers: Of the answer, for errors.
        secrets: Values that must not appear in errors.
        table: What errors mean here.
        tag: The tag that thoughts stand in before the text, if they do.

    Attributes:
        response: The whole response, once its end was there.
        headers: Of the answer, for errors.
        heard: How many chunks have meant something; pings and comments mean nothing.
    """

    def __init__(
        self,
        *,
        sent: bytes = b"",
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        table: Sequence[Row] = TABLE,
        tag: str = "",
    ) -> None:
        self.response: Response | None = None
        self.heard = 0
        self.headers = headers or {}
        self._sent = sent
        self._secrets = secrets
        self._table = table
        self._fold = Fold(tag)
        self._count = 0
        self._size = 0
        self._halves: dict[int, str] = {}
        self._halved = False

    def feed(self, events: Sequence[Event]) -> list[Delta]:
        """The deltas in these events.

        Raises:
            StatusError: The service told an error.
            ProtocolError: An event is no chunk, a call was lost, or `[DONE]` came and no
                `finish_reason` before it.
            LimitError: There are too many events, or they say too much.
        """
        self._count += len(events)
        if self._count > limits.EVENTS_PER_RESPONSE:
            most = limits.EVENTS_PER_RESPONSE
            raise _too_much(f"more than {most} events (limits.EVENTS_PER_RESPONSE)")
        deltas: list[Delta] = []
        for name, data, _ in events:
            if self.response is not None:
                break
            if data.startswith(b"[DONE]"):
                self.end()
            else:
                self._take(name, data, deltas)
        if self._size > limits.BODY_BYTES:
            raise _too_much(f"more than {limits.BODY_BYTES} characters (limits.BODY_BYTES)")
        return deltas

    def end(self) -> Response:
        """The stream has ended.

        Raises:
            ProtocolError: There was no `finish_reason` (`partial` has what arrived), or a call was
                lost.
            ServerError: It says that it broke.
        """
        if self.response is None:
            if not self._fold.finish:
                raise ProtocolError(
                    f"the stream ended without a finish_reason, after {self._count} events; the "
                    "answer is not whole",
                    phase="stream",
                    outcome="partial" if self.heard else "none",
                    retryable=True,
                )
            raw = self._fold.whole()
            self.response = completion_from(
                raw,
                sent=self._sent,
                received=_json(raw),
                headers=self.headers,
                secrets=self._secrets,
                table=self._table,
            )
        return self.response

    def partial(self) -> Response | None:
        """What has arrived so far, if anything; its status is `in_progress`."""
        if not self.heard:
            return None
        raw = self._fold.whole()
        raw["choices"][0]["finish_reason"] = None
        return read_completion(raw, sent=self._sent)

    def _take(self, name: bytes, data: bytes, deltas: list[Delta]) -> None:
        chunk = self._chunk(data)
        if chunk.get("error") or name == b"error" or chunk.get("object") == "error":
            raise failure(
                read_error(chunk),
                headers=self.headers,
                body=data[:1024],
                phase="stream",
                secrets=self._secrets,
                table=self._table,
            )
        choices = chunk.get("choices")
        if not isinstance(choices, list) and not chunk.get("usage"):
            return
        self.heard += 1
        self._fold.greet(chunk)
        for choice in choices or ():
            if isinstance(choice, dict) and choice.get("index") in (0, None):
                self._choice(choice, deltas)
        if not choices and chunk.get("usage") and self._fold.finish:
            self.end()

    def _chunk(self, data: bytes) -> JSON:
        try:
            chunk = from_json(data, allow_inf_nan=False)
        except ValueError:
            chunk = decode(data, phase="stream")
            self._halved = True
        if not isinstance(chunk, dict):
            raise ProtocolError(
                f"an event of the stream is a JSON {type(chunk).__name__}, not an object",
                phase="stream",
                body=data[:1024],
            )
        return chunk

    def _choice(self, choice: JSON, deltas: list[Delta]) -> None:
        fold = self._fold
        fold.ended(choice)
        delta = choice.get("delta") or choice.get("message")
        delta = delta if isinstance(delta, dict) else {}
        self._say(fold.said(delta), deltas)
        if choice.get("finish_reason"):
            self._say(fold.held(), deltas)
        for call, text in fold.called(delta):
            self._size += len(text)
            shown = self._without_half(text, call.pieces) if self._halved else text
            if shown:
                deltas.append(ArgumentsDelta(shown, call.place, call.name))

    def _say(self, said: Iterator[tuple[list[str], str, str]], deltas: list[Delta]) -> None:
        for pieces, kind, text in said:
            if text:
                place = self._fold.place(_PLACES[kind])
                pieces.append(text)
                self._size += len(text)
                shown = self._without_half(text, pieces) if self._halved else text
                if shown:
                    deltas.append(_MAKE[kind](shown, place))

    def _without_half(self, text: str, pieces: list[str]) -> str:
        """Keep half a character back until its other half arrives."""
        text = self._halves.pop(id(pieces), "") + text
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._halves[id(pieces)] = text[-1]
            text = text[:-1]
        return mend(text)


def _too_much(what: str) -> LimitError:
    return LimitError(f"the streamed answer has {what}", phase="stream")


def _json(raw: JSON) -> bytes:
    try:
        return to_json(raw)
    except PydanticSerializationError:  # half a character in a call's arguments
        return json.dumps(raw).encode()
