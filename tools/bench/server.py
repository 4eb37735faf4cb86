"""The bench's server: one fast process, bodies serialised beforehand, every follow-up checked.

The model name of a request is the script (scripts.py). The port is printed first; it serves until
standard input ends. `GET /gaps` gives, and forgets, the seconds from the last byte of each
answer to the last byte of its follow-up.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any, Final

import httptools
import uvloop
from scripts import Script, Turn, script

_MODEL: Final = re.compile(rb'"model":\s*"([^"]+)"')
_STREAM: Final = re.compile(rb'"stream":\s*true')
_HEAD: Final = "HTTP/1.1 %s\r\ncontent-type: %s\r\n%s\r\n\r\n"
_ANSWERED: dict[bytes, float] = {}
"""When a follow-up began to be due, by script; a client may send it on another connection."""
_GAPS: list[float] = []


class _Connection(asyncio.Protocol):
    """One connection; httptools calls the `on_` methods."""

    transport: asyncio.Transport

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._url = b""

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        request, self._body = b"".join(self._body), []
        if self._url.endswith(b"/gaps"):
            said, _GAPS[:] = json.dumps(_GAPS).encode(), []
            self._send("200 OK", said)
            return
        found = _MODEL.search(request)
        if found is None:
            self._send("400 Bad Request", b'{"error": {"message": "no model"}}')
            return
        if found[1] in _ANSWERED:
            _GAPS.append(time.monotonic() - _ANSWERED.pop(found[1]))
        due = script(found[1].decode())
        if self._answer(due, request) is not due.turns[-1]:
            _ANSWERED[found[1]] = time.monotonic()

    def _answer(self, due: Script, request: bytes) -> Turn | None:
        """What was answered."""
        turn = due.answer(request)
        if turn is None:
            self._send("400 Bad Request", b'{"error": {"message": "outputs are missing"}}')
        elif not _STREAM.search(request):
            self._send("200 OK", turn.body)
        elif due.apart:
            self._pacing = asyncio.get_running_loop().create_task(self._paced(turn, due.apart))
        else:
            self._open_stream()
            self.transport.writelines([*map(_chunk, turn.writes), b"0\r\n\r\n"])
        return turn

    def _send(self, status: str, body: bytes) -> None:
        head = _HEAD % (status, "application/json", f"content-length: {len(body)}")
        self.transport.write(head.encode() + body)

    def _open_stream(self) -> None:
        head = _HEAD % ("200 OK", "text/event-stream", "transfer-encoding: chunked")
        self.transport.write(head.encode())

    async def _paced(self, turn: Turn, apart: float) -> None:
        self._open_stream()
        began = time.monotonic()
        for number, event in enumerate(turn.writes):
            await asyncio.sleep(began + number * apart - time.monotonic())
            self.transport.write(_chunk(event))
        self.transport.write(b"0\r\n\r\n")


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


async def main() -> None:
    """Serve until standard input ends; print the port first."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(main())
