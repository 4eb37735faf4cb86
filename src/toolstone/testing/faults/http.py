"""Block H: faults of HTTP, from a refused connection to a bomb."""

from __future__ import annotations

import time
import zlib
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from toolstone.testing.faults.saying import (
    END,
    TEXT,
    chunk,
    data,
    encode,
    frame,
    good,
    head,
    message,
    narrate,
    reply,
    reply_json,
    response,
    stream,
)
from toolstone.testing.faults.steps import (
    CLOSE,
    HANG,
    RESET,
    Asked,
    Gate,
    Pause,
    Step,
    scenario,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__: list[str] = []

_BLOCK: Final = b"x" * 65_536
_JSON: Final = "content-type: application/json"
_EVENTS: Final = narrate(response(message()))
_HALF: Final = encode(_EVENTS[: len(_EVENTS) // 2])


def _whole(status: int, body: bytes, *headers: str) -> list[Step]:
    return [reply(status, body, *headers)]


def _refusal(status: int, *headers: str, code: str = "") -> bytes:
    error = {"message": "the service's own words", "type": "", "code": code or None, "param": None}
    return reply_json(status, {"error": error}, *headers)


# ------------------------------------------------------------------------------- broken off


@scenario("H01", "nobody listens: ask for its base URL, which has a port of its own")
def _refused(_asked: Asked) -> list[Step]:
    # only who comes to the wrong port sees this
    return [CLOSE]


@scenario("H02", "reset before anything of the request is read", unread=True)
def _reset_unread(_asked: Asked) -> list[Step]:
    return [RESET]


@scenario("H03", "reset after the request, before headers")
def _reset_before_headers(_asked: Asked) -> list[Step]:
    return [RESET]


@scenario("H04", "reset after headers, before the body")
def _reset_before_body(asked: Asked) -> list[Step]:
    begun = head() if asked.streams else reply(200, b"x" * 99, _JSON)[:-99]
    return [begun, RESET]


@scenario("H05", "reset in a stream before anything is said")
def _reset_before_events(_asked: Asked) -> list[Step]:
    return [head(), chunk(b": hello\n\n" + _HALF[:40]), RESET]


@scenario("H06", "reset in a stream after half of the answer")
def _reset_after_events(_asked: Asked) -> list[Step]:
    return [head(), chunk(_HALF), Gate(), RESET]


@scenario("H07", "a stream ends in order, without its terminal event")
def _no_terminal(_asked: Asked) -> list[Step]:
    return [stream(_HALF)]


@scenario("H08", "a stream ends in order, within an event")
def _half_event(_asked: Asked) -> list[Step]:
    return [stream(_HALF + frame(_EVENTS[len(_EVENTS) // 2])[:-20])]


@scenario("H09", "the terminal event comes, the connection stays open")
def _left_open(_asked: Asked) -> list[Step]:
    return [head(), chunk(encode(_EVENTS)), HANG]


@scenario("H10", "nothing after the headers")
def _silence(_asked: Asked) -> list[Step]:
    return [head(), HANG]


@scenario("H11", "one byte a second, for ever")
def _dribble(asked: Asked) -> Iterator[Step]:
    yield head() if asked.streams else reply(200, b"", _JSON).replace(b"h: 0", b"h: 999999999")
    while True:
        yield Pause(1)
        yield chunk(b":") if asked.streams else b" "


@scenario("H12", "a comment a second, for ever")
def _comments(_asked: Asked) -> Iterator[Step]:
    yield head()
    while True:
        yield Pause(1)
        yield chunk(b": still here\n\n")


# ---------------------------------------------------------------------------------- statuses


def _add_statuses() -> None:
    waits = {
        "H13": ("2 s", ["retry-after: 2"]),
        "H15": ("a day", ["retry-after: 86400"]),
        "H16-negative": ("-1", ["retry-after: -1"]),
        "H16-nan": ("NaN", ["retry-after: NaN"]),
        "H16-exponent": ("1e9", ["retry-after: 1e9"]),
        "H16-empty": ("nothing", ["retry-after:"]),
        "H16-twice": ("two times", ["retry-after: 2", "retry-after: 3"]),
        "H17": ("1500 ms, as AWS says it", ["x-amz-retry-after: 1500"]),
        "H17-day": ("a day, as AWS says it", ["x-amz-retry-after: 86400000"]),
    }
    for name, (what, headers) in waits.items():
        _add_status(name, f"429 that asks to wait {what}", 429, headers)
    for number in (500, 502, 503, 504, 529):
        _add_status(f"H18-{number}", f"status {number}", number, [])
    for number in (400, 401, 403, 404, 413, 422):
        _add_status(f"H19-{number}", f"status {number}", number, [])
    for number in (408, 409, 425):
        _add_status(f"H20-{number}", f"status {number}", number, [])
    for name, (offset, wait) in {
        "H14-behind": (-600, 5),
        "H14-ahead": (600, 5),
        "H14-past": (0, -3600),
    }.items():
        _add_date(name, offset, wait)


def _add_status(name: str, says: str, status: int, headers: list[str]) -> None:
    @scenario(name, says)
    def _(_asked: Asked) -> list[Step]:
        return [_refusal(status, *headers)]


def _add_date(name: str, offset: int, wait: int) -> None:
    @scenario(name, f"429 with a date {wait} s after the server's, which is {offset} s off")
    def _(_asked: Asked) -> list[Step]:
        now = time.time() + offset
        dates = formatdate(now, usegmt=True), formatdate(now + wait, usegmt=True)
        return [_refusal(429, f"date: {dates[0]}", f"retry-after: {dates[1]}")]


_add_statuses()


@scenario("H19-page", "404 with a web page")
def _page_404(_asked: Asked) -> list[Step]:
    page = b"<html><script>let x = 1</script><h1>That is not on this server</h1></html>"
    return _whole(404, page, "content-type: text/html")


@scenario("H21", "500 whose body breaks off")
def _cut_error(_asked: Asked) -> list[Step]:
    whole = _refusal(500)
    return [whole[:-40], CLOSE]


@scenario("H22", "500 with a body of 1 GB")
def _huge_error(_asked: Asked) -> Iterator[Step]:
    size = 1 << 30
    yield reply(500, b"", "content-type: text/plain").replace(b"h: 0", b"h: %d" % size)
    for _ in range(size // len(_BLOCK)):
        yield _BLOCK


# -------------------------------------------------------------------------------- odd bodies


@scenario("H23", "200 with a web page")
def _page_200(_asked: Asked) -> list[Step]:
    return _whole(200, b"<html><b>Please sign in</b></html>", "content-type: text/html")


@scenario("H24", "plain JSON, also where a stream was asked for")
def _json_for_stream(_asked: Asked) -> list[Step]:
    return [reply_json(200, response(message()))]


@scenario("H24-half", "JSON that is no response")
def _not_a_response(_asked: Asked) -> list[Step]:
    return [reply_json(200, {"half": 1})]


def _add_kinds() -> None:
    kinds = {
        "H25-charset": ("application/json; charset=utf-8", "text/event-stream; charset=utf-8"),
        "H25-case": ("Application/JSON;X=Y", "Text/Event-Stream;X=Y"),
    }
    for name, (plain, streamed) in kinds.items():
        _add_kind(name, plain.encode(), streamed.encode())


def _add_kind(name: str, plain: bytes, streamed: bytes) -> None:
    @scenario(name, "a content type said in another way")
    def _(asked: Asked) -> list[Step]:
        whole = good(asked)
        return [
            whole.replace(b"type: application/json", b"type: " + plain, 1).replace(
                b"type: text/event-stream", b"type: " + streamed, 1
            )
        ]


_add_kinds()


@scenario("H26-204", "204")
def _no_content(_asked: Asked) -> list[Step]:
    return [b"HTTP/1.1 204 X\r\n\r\n"]


@scenario("H26-empty", "200 with nothing in it")
def _nothing(asked: Asked) -> list[Step]:
    return _whole(200, b"", "content-type: text/event-stream" if asked.streams else _JSON)


@scenario("H27", "a JSON body shorter than its content-length")
def _cut_json(_asked: Asked) -> list[Step]:
    return [reply_json(200, response(message()))[:-20], CLOSE]


@scenario("H28", "a JSON body that is not UTF-8")
def _not_utf8(_asked: Asked) -> list[Step]:
    body = data(response(message())).replace(TEXT.encode(), b"caf\xe9 \xff")
    return _whole(200, body, _JSON)


def _add_encodings() -> None:
    for name, encoding in {"bom": "utf-8-sig", "utf16": "utf-16", "utf32": "utf-32"}.items():
        _add_encoding(f"H29-{name}", encoding)


def _add_encoding(name: str, encoding: str) -> None:
    @scenario(name, f"a JSON body in {encoding}")
    def _(_asked: Asked) -> list[Step]:
        return _whole(200, data(response(message())).decode().encode(encoding), _JSON)


_add_encodings()


@scenario("H30", "a gzip bomb, 1:1000")
def _bomb(_asked: Asked) -> Iterator[Step]:
    zipper = zlib.compressobj(9, zlib.DEFLATED, 31)
    begun = zipper.compress(b'{"pad": "') + zipper.flush(zlib.Z_FULL_FLUSH)
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = raw.compress(b"x" * (1 << 20)) + raw.flush(zlib.Z_FULL_FLUSH)
    yield head("content-encoding: gzip", kind="application/json")
    yield chunk(begun)
    for _ in range(200):
        yield chunk(megabyte)
    yield END


def _zipped(body: bytes, wbits: int = 31) -> bytes:
    zipper = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return zipper.compress(body) + zipper.flush()


def _add_zipped() -> None:
    body = data(response(message()))
    packed = _zipped(body)
    for name, (encoding, sent) in {
        "gzip": ("gzip", packed),
        "deflate": ("deflate", _zipped(body, 15)),
        "cut": ("gzip", packed[:-30]),
        "wrong": ("gzip", body),
        "doubled": ("gzip, gzip", _zipped(packed)),
        "br": ("br", body),
        "zstd": ("zstd", body),
    }.items():
        _add_zip(f"H31-{name}", encoding, sent)


def _add_zip(name: str, encoding: str, sent: bytes) -> None:
    @scenario(name, f"a body that says it is {encoding}, {name[4:]}")
    def _(_asked: Asked) -> list[Step]:
        return _whole(200, sent, _JSON, f"content-encoding: {encoding}")


_add_zipped()


@scenario("H32", "one body of 100 MB")
def _huge_body(_asked: Asked) -> Iterator[Step]:
    size = 100 << 20
    yield reply(200, b"", _JSON).replace(b"h: 0", b"h: %d" % size)
    yield b'{"pad": "'
    for _ in range(size // len(_BLOCK)):
        yield _BLOCK
