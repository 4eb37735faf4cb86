"""A relay that cuts what it carries: the path's first word says after how many bytes, and how.

`/~120-reset/rest` sends 120 bytes of the answer, its head included, and then breaks the connection;
`/~120-close/rest` ends it in order. It shares no code with the toolkit.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
import threading
from contextlib import suppress
from urllib.parse import urlsplit

_PIECE = 65_536
_BREAK = struct.pack("ii", 1, 0)


async def _serve(upstream: str) -> None:
    there = urlsplit(upstream)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            request, left, how = await _request(reader)
            inner, outer = await asyncio.open_connection(there.hostname, there.port)
            outer.write(request)
            gone = asyncio.ensure_future(reader.read(1))
            back = asyncio.ensure_future(_carry_back(inner, writer, left))
            await asyncio.wait((gone, back), return_when=asyncio.FIRST_COMPLETED)
            for one in (gone, back):
                one.cancel()
            await asyncio.wait((gone, back))
            outer.transport.abort()
            if how == "reset" or (not back.cancelled() and back.exception() is not None):
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _BREAK)
                writer.transport.abort()
        writer.close()

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sys.stdout.write(json.dumps({"base_url": f"http://127.0.0.1:{port}"}) + "\n")
    sys.stdout.flush()
    await server.serve_forever()


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, int, str]:
    """The request as it goes on, and what the first word of its path wants."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, version = first.split(" ")
    word, _, rest = target.removeprefix("/~").partition("/")
    left, _, how = word.partition("-")
    named = {name.strip().lower(): value for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(named.get("content-length", "0")))
    kept = [line for line in lines if not line.lower().startswith("connection:")]
    said = "\r\n".join([f"{method} /{rest} {version}", *kept, "connection: close"])
    return said.encode("latin-1") + b"\r\n\r\n" + body, int(left), how


async def _carry_back(inner: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int) -> None:
    while left > 0 and (piece := await inner.read(_PIECE)):
        writer.write(piece[:left])
        await writer.drain()
        left -= len(piece)


def _watch() -> None:
    """The parent is gone, however it went."""
    while os.read(0, 4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_watch, daemon=True).start()
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(sys.argv[1]))
