"""Block S: the same good answer as a stream, framed in every way that the rules allow, or not."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Final

from toolstone.testing.faults.saying import (
    END,
    chunk,
    data,
    encode,
    frame,
    head,
    message,
    narrate,
    response,
    stream,
)
from toolstone.testing.faults.steps import Asked, Step, scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__: list[str] = []

_EVENTS: Final = narrate(response(message()))
_FRAMES: Final = [frame(event) for event in _EVENTS]
_ODD: Final = "a\u2028b\u2029c\u0085d\x0be\x0cf"
_MILLION: Final = 1_000_000


def _add(name: str, says: str, body: bytes) -> None:
    @scenario(name, says)
    def _(_asked: Asked) -> list[Step]:
        return [stream(body)]


@scenario("S02", "every byte in a chunk of its own")
def _bytewise(_asked: Asked) -> Iterator[Step]:
    body = b"\xef\xbb\xbf" + encode(_EVENTS).replace(b"\n", b"\r\n")
    yield head()
    for n in range(len(body)):
        yield chunk(body[n : n + 1])
    yield END


def _mixed() -> bytes:
    ends = cycle([b"\n", b"\r\n", b"\r"])
    return b"".join(line + next(ends) for line in encode(_EVENTS).split(b"\n"))


def _with(before: bytes) -> bytes:
    return b"".join(before + one for one in _FRAMES)


_NOISE: Final = b": a comment\n\nevent: nothing\n\nid: 7\n\nretry: 5\n\n"
_FIELDS: Final = b"foo: bar\nbare\n data: x\n\tdata: x\nda-ta: x\ndata : x\n: c\n"

_add("S03", "CR, LF and CRLF, mixed", _mixed())
_add(
    "S04",
    "a byte order mark first, another in a comment",
    b"\xef\xbb\xbf" + _with(b": \xef\xbb\xbf\n"),
)
_add("S05", "comments, names, ids and retries between the events", _with(_NOISE))
_add("S06", "fields that nobody knows", _with(_FIELDS))
_add("S07", "ids with NUL", _with(b"id: a\0b\n"))
_add(
    "S08",
    "characters that other rules take for line breaks",
    encode(narrate(response(message(_ODD)))),
)
_add(
    "S09",
    "bytes that are not UTF-8 within a delta",
    encode(_EVENTS).replace(b"It i", b"It\xff\xc3"),
)
_add(
    "S12",
    "events after the terminal event",
    encode(_EVENTS) + frame({**_EVENTS[5], "sequence_number": len(_EVENTS)}),
)
_add(
    "S12-done",
    "the terminal event, [DONE], and then more",
    encode(_EVENTS) + b"data: [DONE]\n\ndata: {]\n\n",
)
_add("S13", "no [DONE]", encode(_EVENTS))
_add(
    "S14",
    "every event is called `message`",
    b"".join(b"event: message\ndata: %s\n\n" % data(event) for event in _EVENTS),
)
_add(
    "S15",
    "JSON without `type`; the name says it",
    b"".join(
        b"event: %s\ndata: %s\n\n"
        % (event["type"].encode(), data({k: v for k, v in event.items() if k != "type"}))
        for event in _EVENTS
    ),
)


@scenario("S10", "an event without an end")
def _endless(_asked: Asked) -> Iterator[Step]:
    block = chunk(b"x" * 65_536)
    yield head()
    yield chunk(b"event: response.output_text.delta\ndata: ")
    for _ in range(1024):
        yield block
    yield END


@scenario("S11", "1,000,000 comments before the answer")
def _many_comments(_asked: Asked) -> Iterator[Step]:
    thousand = chunk(b":\n\n" * 1000)
    yield head()
    for _ in range(_MILLION // 1000):
        yield thousand
    yield chunk(encode(_EVENTS))
    yield END
