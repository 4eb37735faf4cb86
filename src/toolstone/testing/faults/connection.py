"""One connection of the peer: requests are read, steps are taken."""

from __future__ import annotations

import json
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from toolstone.testing.faults.desk import Desk, listed
from toolstone.testing.faults.saying import good, reply_json
from toolstone.testing.faults.steps import HANG, RESET, Act, Asked, Gate, Pause, Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["Connection", "Met"]

_HEAD_BYTES: Final = 1 << 20
_END_SECONDS: Final = 5.0
_BREAK: Final = struct.pack("ii", 1, 0)
_PIECE: Final = 65_536


class Met:
    """A request that came, and what became of its answer.

    Attributes:
        method: `POST` ...
        target: The path and query.
        headers: By name in lower case; out of `repr`.
        body: What was read of it; out of `repr`.
        sent: Bytes of the answer that the connection took so far.
        gone: Set when the client has closed the connection, or the answer is over.
    """

    __slots__ = ("body", "gone", "headers", "method", "sent", "target")

    def __init__(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.sent = 0
        self.gone = threading.Event()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def __repr__(self) -> str:
        return f"<Met {self.method} {self.target}, {len(self.body)} bytes>"


class Connection:
    """Reads requests from a socket until one of them ends it.

    Args:
        sock: The socket, TLS already spoken.
        desk: Knows the scenarios.
        note: Told of each request.
        wait: Waits so many seconds of a scenario; true if the peer is being stopped.
        gate: Set when a scenario that waits at a gate may go on.
        elsewhere: The origin that redirects point to.
    """

    def __init__(
        self,
        sock: socket.socket,
        desk: Desk,
        note: Callable[[Met], None],
        wait: Callable[[float], bool],
        gate: threading.Event,
        elsewhere: str,
    ) -> None:
        self._sock = sock
        self._desk = desk
        self._note = note
        self._wait = wait
        self._gate = gate
        self._elsewhere = elsewhere

    def serve(self, *, peek: bool) -> None:
        """Answer one request after the other.

        Raises:
            OSError: The client has gone.
        """
        nth, more = 0, True
        while more:
            if peek and self._cut_unread():
                return
            met = self._read()
            if met is None:
                return
            nth += 1
            try:
                more = self._answer(met, nth)
            finally:
                met.gone.set()

    def _cut_unread(self) -> bool:
        """Break the connection before the request is read, if its scenario says so."""
        words = self._sock.recv(4096, socket.MSG_PEEK).split(b" ", 2)
        if len(words) < 3:  # noqa: PLR2004  method, target, the rest
            return False
        target = words[1].decode("latin-1")
        found = self._desk.find(target)
        if found is None or not found.scenario.unread or not self._desk.is_due(found):
            return False
        self._desk.count(found)
        self._note(Met(words[0].decode("latin-1"), target, {}, b""))
        self._act(RESET)
        return True

    def _read(self) -> Met | None:
        raw = bytearray()
        while b"\r\n\r\n" not in raw:
            piece = self._sock.recv(_PIECE)
            if not piece or len(raw) > _HEAD_BYTES:
                return None
            raw += piece
        head, _, body = bytes(raw).partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        parts, left = [body], int(headers.get("content-length", "0")) - len(body)
        while left > 0:
            piece = self._sock.recv(left)
            if not piece:
                return None
            parts.append(piece)
            left -= len(piece)
        met = Met(method, target, headers, b"".join(parts))
        self._note(met)
        return met

    def _answer(self, met: Met, nth: int) -> bool:
        """Take a scenario's steps; whether the connection stays open."""
        return all(self._take(met, step) for step in self._steps(met, nth))

    def _steps(self, met: Met, nth: int) -> Iterator[Step]:
        if met.method == "GET":
            yield reply_json(200, {"object": "list", "data": listed()})
            return
        asked = Asked(met.method, met.target, met.headers, met.body, nth, 0, self._elsewhere)
        found = self._desk.find(met.target, asked.json)
        if found is None:
            error = {"message": "no such scenario; GET /v1/models lists them", "code": "not_found"}
            yield reply_json(404, {"error": error})
            return
        due, count = self._desk.is_due(found), self._desk.count(found)
        asked = replace(asked, count=count)
        yield from found.scenario.play(asked) if due else [good(asked)]

    def _take(self, met: Met, step: Step) -> bool:
        match step:
            case bytes():
                self._sock.sendall(step)
                met.sent += len(step)
                return True
            case Pause(seconds):
                return not self._wait(seconds)
            case Gate(seconds):
                self._gate.wait(seconds)
                self._gate.clear()
                return True
            case Act():
                self._act(step)
                return False

    def _act(self, act: Act) -> None:
        if act == RESET:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _BREAK)
            self._sock.close()
            return
        if act != HANG:
            with suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)
            self._sock.settimeout(_END_SECONDS)
        while self._sock.recv(_PIECE):
            pass
