"""The bench's server: one process, bodies serialised beforehand, every follow-up checked.

Speaks just enough HTTP/1.1 for clients that keep connections open and send a content-length. The
model name is the script: `p4-t3` is three turns of four parallel calls, then a message.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

TURNS, CALLS = 3, 4


def _response(number: int, output: list[dict[str, Any]]) -> bytes:
    usage = {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150}
    body = {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "model": "p4-t3",
        "status": "completed",
        "output": output,
        "usage": usage,
        "error": None,
        "incomplete_details": None,
    }
    return json.dumps(body).encode()


def _call(turn: int, n: int) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{turn}_{n}",
        "call_id": f"call_{turn}_{n}",
        "name": "add",
        "arguments": json.dumps({"a": turn, "b": n}),
        "status": "completed",
    }


def _message() -> dict[str, Any]:
    text = {"type": "output_text", "text": "done", "annotations": []}
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }


BODIES = [_response(t, [_call(t, n) for n in range(CALLS)]) for t in range(TURNS)]
BODIES.append(_response(TURNS, [_message()]))


def _frame(status: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


ANSWERS = [_frame("200 OK", body) for body in BODIES]
MARK = b'"function_call_output"'


class _Connection(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        while True:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return
            length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            if len(rest) < length:
                return
            body, self._data = rest[:length], rest[length:]
            self._transport.write(_answer(body))


def _answer(body: bytes) -> bytes:
    outputs = body.count(MARK)
    turn, odd = divmod(outputs, CALLS)
    if odd or turn > TURNS:
        return _frame("400 Bad Request", b'{"error": {"message": "outputs are missing"}}')
    return ANSWERS[turn]


async def main() -> None:
    """Serve until standard input ends; print the port first."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
