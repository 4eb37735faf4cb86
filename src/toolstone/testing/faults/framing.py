"""Block H, the rest: framing, headers, redirects and what becomes of connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolstone.testing.faults.saying import END, chunk, data, good, head, message, reply, response
from toolstone.testing.faults.steps import CLOSE, RESET, Asked, Step, scenario

if TYPE_CHECKING:
    from collections.abc import Callable

__all__: list[str] = []

_BODY: Final = data(response(message()))
_HEAD: Final = head(kind="application/json")
_JSON: Final = "content-type: application/json"
_HEADERS: Final = 10_000
_LONG: Final = 1 << 20


def _add(name: str, says: str, make: Callable[[Asked], list[Step]]) -> None:
    scenario(name, says)(make)


_add("H33-size", "a chunk size that is no number", lambda _: [_HEAD, b"zz\r\n" + _BODY, CLOSE])
_add(
    "H33-crlf",
    "a chunk without its line end",
    lambda _: [_HEAD, b"%x\r\n%s" % (len(_BODY), _BODY), b"XX" + END, CLOSE],
)
_add(
    "H33-extension",
    "a chunk extension of 1 MB",
    lambda _: [_HEAD, b"%x;%s\r\n%s\r\n" % (len(_BODY), b"e" * _LONG, _BODY), END],
)
_add(
    "H33-trailer",
    "trailers after the last chunk",
    lambda _: [_HEAD, chunk(_BODY), b"0\r\nx-checksum: 1\r\n\r\n"],
)
_add(
    "H34-many",
    "10,000 headers",
    lambda _: [reply(200, _BODY, _JSON, *(f"x-{n}: {n}" for n in range(_HEADERS)))],
)
_add("H34-long", "a header of 1 MB", lambda _: [reply(200, _BODY, _JSON, "x-long: " + "y" * _LONG)])
_add("H35-nul", "NUL in a header", lambda _: [reply(200, _BODY, _JSON, "x-odd: a\0b")])
_add("H35-cr", "CR in a header", lambda _: [reply(200, _BODY, _JSON, "x-odd: a\rx-more: b")])
_add("H35-fold", "a folded header", lambda _: [reply(200, _BODY, _JSON, "x-odd: a\r\n  b")])


def _add_redirect(name: str, status: int, *, away: bool) -> None:
    @scenario(name, f"{status} to {'another' if away else 'the same'} origin")
    def _(asked: Asked) -> list[Step]:
        there = f"{asked.elsewhere}/v1/responses?token=secret" if away else "/other/v1/responses"
        return [reply(status, b"", f"location: {there}")]


_add_redirect("H36-307", 307, away=True)
_add_redirect("H36-308", 308, away=True)
_add_redirect("H37-301", 301, away=False)
_add_redirect("H37-302", 302, away=False)
_add_redirect("H38", 307, away=False)


def _add_good(name: str, says: str) -> None:
    @scenario(name, says)
    def _(asked: Asked) -> list[Step]:
        return [good(asked)]


_add_good("H40", "answers well; give `faults(tls=...)` a certificate that cannot be trusted")
_add_good("H41", "answers well; it should never be asked through a proxy that was not named")
_add_good("H45", "answers well; ask it by a name with an address where nobody listens")
_add_good("H46", "answers well; ask it again after a fork")


@scenario("H39", "307 from https to http")
def _downgrade(asked: Asked) -> list[Step]:
    return [reply(307, b"", f"location: http://{asked.headers.get('host', 'x')}/v1/responses")]


@scenario("H42", "a connection is reset at its second request")
def _stale(asked: Asked) -> list[Step]:
    return [good(asked)] if asked.nth == 1 else [RESET]


@scenario("H43", "every twentieth request is reset")
def _lossy(asked: Asked) -> list[Step]:
    return [RESET] if asked.count % 20 == 0 else [good(asked)]


@scenario("H44", "HTTP/1.0, without a length; the end of the connection is the end of the answer")
def _old(asked: Asked) -> list[Step]:
    whole = good(asked)
    kind = "text/event-stream" if asked.streams else "application/json"
    body = whole.partition(b"\r\n\r\n")[2]
    if asked.streams:
        size, _, rest = body.partition(b"\r\n")
        body = rest[: int(size, 16)]
    return [f"HTTP/1.0 200 X\r\ncontent-type: {kind}\r\n\r\n".encode() + body, CLOSE]
