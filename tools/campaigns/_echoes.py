"""Scenarios of the fault peer that say back who asked, in every place and encoding (K11)."""

from __future__ import annotations

import base64
import gzip
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from toolstone.testing.faults import SCENARIOS, Faults, Scenario
from toolstone.testing.faults.saying import (
    encode,
    head,
    message,
    narrate,
    reply,
    reply_json,
    response,
    stream,
)
from toolstone.testing.faults.steps import HANG, RESET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from toolstone.testing.faults.steps import Asked, Step

__all__ = ["ECHOES", "KINDS", "echoing"]

_WHO: Final = ("authorization", "x-amz-security-token", "x-api-key")

KINDS: Final = {
    "K11-bad": "StatusError",
    "K11-auth": "AuthError",
    "K11-forbidden": "AuthError",
    "K11-missing": "StatusError",
    "K11-redirect": "StatusError",
    "K11-rate": "RateLimitError",
    "K11-broken": "ServerError",
    "K11-cut": "ServerError",
    "K11-html": "ProtocolError",
    "K11-json": "ProtocolError",
    "K11-utf8": "ProtocolError",
    "K11-half": "ProtocolError",
    "K11-other": "ProtocolError",
    "K11-event": "StatusError",
    "K11-failed": "ServerError",
    "K11-ends": "TransportError",
    "K11-reset": "TransportError",
    "K11-header": "TransportError",
    "K11-bomb": "LimitError",
    "K11-hang": "DeadlineError",
}
"""What each ends as, behind one door at least."""


def _said(asked: Asked) -> str:
    """Who asked, however it may be written."""
    found: list[str] = []
    for name in _WHO:
        value = asked.headers.get(name, "")
        key = value.rpartition(" ")[2].encode()
        if value:
            shifted = [base64.b64encode(b"x" * n + key).decode() for n in range(3)]
            safe = base64.urlsafe_b64encode(value.encode()).decode()
            found += [value, *shifted, safe, quote(key, safe=""), key.hex(), key.hex().upper()]
            if name == "authorization" and "Credential=" in value:
                found.append(value.partition("Credential=")[2].partition("/")[0])
    return " ".join(found)


def _error(asked: Asked) -> dict[str, Any]:
    who = asked.headers.get("authorization", "").rpartition(" ")[2]
    return {"message": f"no: {_said(asked)}", "type": who, "code": who, "param": who}


def _status(status: int) -> Callable[[Asked], Iterable[Step]]:
    def play(asked: Asked) -> Iterable[Step]:
        said = _said(asked)
        echoed = [
            f"x-request-id: {said[:300]}",
            f"x-echo: {said}",
            f"location: https://a/?k={said}",
        ]
        return [reply_json(status, {"error": _error(asked)}, *echoed)]

    return play


def _cut(asked: Asked) -> Iterable[Step]:
    body = json.dumps({"error": _error(asked)}).encode()
    return [reply(500, body + b" " * 99, "content-type: application/json")[:-150], RESET]


def _body(kind: str, before: bytes = b"", after: bytes = b"") -> Callable[[Asked], Iterable[Step]]:
    def play(asked: Asked) -> Iterable[Step]:
        return [reply(200, before + _said(asked).encode() + after, f"content-type: {kind}")]

    return play


def _event(asked: Asked) -> Iterable[Step]:
    said = {"type": "error", **_error(asked)}
    if not asked.streams:
        return [reply_json(200, {"error": said})]
    return [stream(encode([{**said, "sequence_number": 0}]))]


def _failed(asked: Asked) -> Iterable[Step]:
    told = response(status="failed", error={**_error(asked), "code": "server_error"})
    if asked.streams:
        return [stream(encode(narrate(told)))]
    return [reply_json(200, told)]


def _ends(asked: Asked) -> Iterable[Step]:
    told = encode(narrate(response(message(_said(asked)))))
    return [head(f"x-echo: {_said(asked)}"), told[: len(told) // 2], RESET]


def _reset(_asked: Asked) -> Iterable[Step]:
    return [RESET]


def _header(asked: Asked) -> Iterable[Step]:
    return [
        b"HTTP/1.1 200 OK\r\nx-echo: " + _said(asked).encode() + b"\x00\r\nbroken " + b"\r\n\r\n"
    ]


def _bomb(asked: Asked) -> Iterable[Step]:
    body = gzip.compress(_said(asked).encode() + bytes(3 << 20), 9)
    kind = "text/event-stream" if asked.streams else "application/json"
    return [reply(200, body, f"content-type: {kind}", "content-encoding: gzip")]


def _hang(asked: Asked) -> Iterable[Step]:
    return [head(f"x-echo: {_said(asked)}") if asked.streams else b"", HANG]


ECHOES: Final[dict[str, Callable[[Asked], Iterable[Step]]]] = {
    "K11-bad": _status(400),
    "K11-auth": _status(401),
    "K11-forbidden": _status(403),
    "K11-missing": _status(404),
    "K11-redirect": _status(307),
    "K11-rate": _status(429),
    "K11-broken": _status(500),
    "K11-cut": _cut,
    "K11-html": _body("text/html", b"<html><p title='", b"'>who are you?"),
    "K11-json": _body("application/json", b'{"id": NaN, "who": "', b'"'),
    "K11-utf8": _body("application/json", b'{"who": "\xff', b'"}'),
    "K11-half": _body("application/json", b'{"who": "\\ud800', b'"'),
    "K11-other": _body("application/json", b'{"who": "', b'"}'),
    "K11-event": _event,
    "K11-failed": _failed,
    "K11-ends": _ends,
    "K11-reset": _reset,
    "K11-header": _header,
    "K11-bomb": _bomb,
    "K11-hang": _hang,
}


@contextmanager
def echoing() -> Iterator[Faults]:
    """The fault peer with these scenarios, for as long as it is there."""
    for name, play in ECHOES.items():
        SCENARIOS[name] = Scenario(name, "says back who asked", play)
    try:
        with Faults(pace=0.01) as peer:
            yield peer
    finally:
        for name in ECHOES:
            del SCENARIOS[name]
