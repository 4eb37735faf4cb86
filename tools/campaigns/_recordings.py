"""Answers as bytes, with what they say and where enough of them has come."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from campaigns.table import DATA
from toolstone import ChatCompletions, Responses
from toolstone.items import parse_item
from toolstone.testing.faults.saying import call, data, encode, message, narrate, response
from toolstone.wire import Retry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.wire import Transport

_STREAM: Final = "text/event-stream"
_ONCE: Final = Retry(attempts=1)


@dataclass(frozen=True)
class Recording:
    """One answer.

    Attributes:
        name: What it is.
        body: Its bytes.
        items: What it says, as JSON text.
        enough: So many bytes hold all that counts; with one less it is not whole.
        sure: After so many bytes it is whole even if the connection breaks.
        streamed: Whether it is a stream.
        chat: Whether it is one of Chat Completions.
    """

    name: str
    body: bytes
    items: Sequence[Any]
    enough: int
    sure: int
    streamed: bool = True
    chat: bool = False

    @property
    def kind(self) -> str:
        """Its content type."""
        return _STREAM if self.streamed else "application/json"

    def model(self, transport: Transport) -> Responses | ChatCompletions:
        """A client that reads it."""
        made = ChatCompletions if self.chat else Responses
        return made(
            model="m",
            base_url="http://127.0.0.1:1/v1",
            api_key="k",
            transport=transport,
            retry=_ONCE,
        )


_REASONING: Final = {
    "type": "reasoning",
    "id": "rs_0",
    "summary": [{"type": "summary_text", "text": "I think."}],
    "encrypted_content": "gAAAAA==",
}
_REFUSAL: Final = {"type": "refusal", "refusal": "I would rather not."}
_SAID: Final[dict[str, list[Any]]] = {
    "text": [message()],
    "one call": [call("book", '{"seats": 1}')],
    "two calls": [call("book", '{"seats": 1}'), call("book", '{"seats": 22}', 1)],
    "thought, then a call": [_REASONING, call("book", '{"seats": 1}')],
    "two messages": [message("First. 😀", "msg_1"), message("Last.\n\ndata: x", "msg_2")],
    "refusal": [message(content=[_REFUSAL])],
    "nested JSON": [message(json.dumps({"a": [1, {"b": "}"}], "c": "\\n\\n"}))],
}


def _items(said: list[Any]) -> list[Any]:
    return [parse_item(raw).json for raw in said]


def _stream(name: str, said: list[Any], ending: bytes, *, crlf: bool = False) -> Recording:
    body = encode(narrate(response(*said)))
    body = body.replace(b"\n", b"\r\n") if crlf else body
    # a line that ends in CR has ended; whether an LF follows does not matter
    enough = len(body) - 1 if crlf else len(body)
    label = f"{name}{', CRLF' if crlf else ''}"
    return Recording(label, body + ending, _items(said), enough, enough)


def _whole(name: str, said: list[Any]) -> Recording:
    body = data(response(*said))
    return Recording(f"{name}, plain", body, _items(said), len(body), len(body) + 1, streamed=False)


def _chat() -> Recording:
    """A call, as llama.cpp streamed it: it ends with a reason, then tells the usage."""
    body = (DATA.parent / "chat" / "llama_cpp_call.sse").read_bytes()
    called = {
        "type": "function_call",
        "call_id": "i5CA6Miuq3iMc725ls1UMtwFKcaXZe7j",
        "name": "multiply",
        "arguments": '{"a": 3, "b": 4}',
        "status": "completed",
    }
    reason = body.index(b'"finish_reason":"')
    enough = body.index(b"\n\n", reason) + 2
    usage = body.index(b"\n\n", enough) + 2
    return Recording("a call by chat", body, _items([called]), enough, usage, chat=True)


RECORDINGS: Final = (
    *(_stream(name, said, b"data: [DONE]\n\n") for name, said in _SAID.items()),
    *(_stream(name, said, b"", crlf=True) for name, said in _SAID.items()),
    *(_whole(name, said) for name, said in _SAID.items()),
    _chat(),
)
