"""Events on their way to a client over HTTP, each in a write of its own."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from starlette.responses import StreamingResponse
from starlette.types import Send

from toolstone.local.narrate import Event
from toolstone.local.telling import DONE, frame, identity, padded

__all__ = ["EventStream"]

_BATCHES = 64  # told without a pause before others have their turn


class EventStream(StreamingResponse):
    """A stream of events that ends with `[DONE]`.

    Nothing stands between an event and the server's write: no task, no queue, no second generator.

    Args:
        told: The events, batch by batch; closed however the stream ends.
        obfuscated: Pad the deltas, so that their sizes tell nothing.
    """

    def __init__(
        self, told: AsyncGenerator[Sequence[Event], None], *, obfuscated: bool = False
    ) -> None:
        super().__init__((), headers=identity(), media_type="text/event-stream")
        self._told = told
        self._obfuscated = obfuscated

    async def stream_response(self, send: Send) -> None:
        """Send it all."""
        start = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **start})
        batches = 0
        async with aclosing(self._told) as told:
            async for events in told:
                for event in events:
                    shown = padded(event) if self._obfuscated else event
                    await send(_chunk(frame(shown)))
                batches += 1
                if batches % _BATCHES == 0:  # a brain that never waits would hold up all others
                    await asyncio.sleep(0)
        await send(_chunk(DONE))
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _chunk(body: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": True}
