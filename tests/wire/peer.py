"""A loopback HTTP peer that answers with scripted bytes, and notes what it was sent."""

import asyncio
import json
import socket
import struct
from dataclasses import dataclass

RESET = "reset"
CLOSE = "close"
HANG = "hang"


@dataclass
class Seen:
    method: str
    target: str
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


def reply(status=200, body=b"", *headers, reason="X"):
    """One whole answer with a content-length."""
    lines = [f"HTTP/1.1 {status} {reason}", f"content-length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def json_reply(value, status=200, *headers):
    return reply(status, json.dumps(value).encode(), "content-type: application/json", *headers)


def chunked_head(*headers, status=200, kind="text/event-stream"):
    lines = [
        f"HTTP/1.1 {status} X",
        f"content-type: {kind}",
        "transfer-encoding: chunked",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


END = b"0\r\n\r\n"


def events(*values):
    return b"".join(
        value
        if isinstance(value, bytes)
        else b"event: %s\ndata: %s\n\n" % (value["type"].encode(), json.dumps(value).encode())
        for value in values
    )


def sse_reply(*values):
    """A whole stream in one chunk."""
    return chunked_head() + chunk(events(*values)) + END


class Peer:
    """Answers the n-th request with the n-th answer, the last one for ever.

    An answer is bytes, or a list of steps: bytes, RESET, CLOSE, HANG, an `asyncio.Event` to wait
    for, or a function that is called.
    """

    def __init__(self, *answers, tls=None, host="127.0.0.1", family=socket.AF_INET):
        self.answers = list(answers)
        self.requests = []
        self.connections = 0
        self.asked = asyncio.Event()  # some request is here
        self.gone = asyncio.Event()  # some client closed its connection
        self._tls, self._host, self._family = tls, host, family
        self._tasks, self._writers = set(), set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(
            self._serve, self._host, 0, family=self._family, ssl=self._tls, limit=2**26
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def tasks(self):
        """Those that serve connections and still run."""
        return {task for task in self._tasks if not task.done()}

    @property
    def url(self):
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{'localhost' if self._tls else self._host}:{self.port}/v1"

    async def _serve(self, reader, writer):
        self.connections += 1
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self.gone.set()
            writer.close()

    async def _one(self, reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(Seen(method, target, headers, body))
        self.asked.set()
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        for step in [answer] if isinstance(answer, bytes) else answer:
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif isinstance(step, asyncio.Event):
                await step.wait()
            elif step == RESET:
                sock = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return False
            elif step == CLOSE:
                return False
            elif step == HANG:
                await reader.read()
                return False
            else:
                step()
        return True


class Proxy:
    """A CONNECT proxy on loopback; notes the targets and the authorisation it was given."""

    def __init__(self, *, refuse=False):
        self.targets = []
        self.credentials = []
        self._refuse = refuse
        self._tasks, self._writers = set(), set()

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self._writers:
            writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        self._writers.add(writer)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.targets.append(head.split(" ", 2)[1])
            self.credentials += [
                line.partition(": ")[2]
                for line in head.split("\r\n")
                if line.lower().startswith("proxy-authorization")
            ]
            if self._refuse:
                writer.write(
                    b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
                )
                return
            host, port = self.targets[-1].rsplit(":", 1)
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", int(port))
            del host
            self._writers.add(there_writer)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(pump(reader, there_writer), pump(there_reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def pump(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
