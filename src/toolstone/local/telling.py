"""What every endpoint of ours does alike: read a body, tell an answer to its end, frame events."""

import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response

from toolstone import limits
from toolstone.local.brain import Piece, RefusalError
from toolstone.local.encoding import encode
from toolstone.local.ids import new_id
from toolstone.local.narrate import Event, Narration
from toolstone.tools.telling import SPARING

__all__ = [
    "BROKEN",
    "DONE",
    "STOPPED",
    "check_type",
    "crash",
    "frame",
    "frames",
    "identity",
    "now",
    "padded",
    "read_body",
    "read_bytes",
    "reply",
    "tell_whole",
]

log = logging.getLogger("toolstone.local")
log.addFilter(SPARING)

DONE = b"data: [DONE]\n\n"
BROKEN = RefusalError(500, "server_error", "the brain broke; see the server's log")
STOPPED = RefusalError(500, "server_error", "the server stopped before the answer; ask again")


async def tell_whole(
    narration: Narration,
    first: Piece,
    rest: AsyncIterator[Piece],
    *,
    over: Callable[[], None] | None = None,
    started: bool = False,
    faults: bool = False,
) -> AsyncGenerator[Sequence[Event], None]:
    """Tell the whole answer, batch by batch of events; whatever happens, it ends once.

    Args:
        narration: What tells it.
        first: The first piece, which has come already.
        rest: Those after it.
        over: Called when it is over, however it went.
        started: Whether it has been said already that the response exists.
        faults: Whether what breaks is told by an event of its own, before `response.failed`.
    """
    try:
        yield ([] if started else narration.start()) + narration.tell(first)
        async for piece in rest:
            yield narration.tell(piece)
        if not narration.over:
            raise ValueError("the brain stopped without End")  # noqa: TRY301  told like any other
    except RefusalError as error:
        yield crash(narration, error, faults=faults)
    except Exception:
        log.exception("the brain broke in the middle of an answer")
        if not narration.over:
            yield crash(narration, BROKEN, faults=faults)
    finally:
        await _close(rest)
        if over is not None:
            over()


def crash(narration: Narration, error: RefusalError, *, faults: bool) -> list[Event]:
    """Tell that a response failed, and perhaps by an event of its own what went wrong."""
    fault = error.envelope()["error"] if faults else None
    return narration.crash(error.code or "server_error", error.message, fault)


async def read_body(request: Request) -> bytes:
    """Read the whole body.

    Raises:
        RefusalError: Its type is not JSON, or it is larger than `limits.BODY_BYTES`.
    """
    check_type(request)
    return await read_bytes(request)


def check_type(request: Request) -> None:
    """Check that a body is said to be JSON.

    Raises:
        RefusalError: It is not.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        message = f"the content type is {kind!r}; send 'application/json'"
        raise RefusalError(415, "unsupported_media_type", message)


async def read_bytes(request: Request) -> bytes:
    """Read the whole body, of whatever type.

    Raises:
        RefusalError: It is larger than `limits.BODY_BYTES`.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limits.BODY_BYTES:
            message = f"the body is larger than {limits.BODY_BYTES} bytes"
            raise RefusalError(413, "request_too_large", message)
        chunks.append(chunk)
    return b"".join(chunks)


async def frames(
    told: AsyncGenerator[Sequence[Event], None], *, done: bool = True
) -> AsyncIterator[bytes]:
    """Frame events for the stream, one write for each; `[DONE]` comes if it is `done`."""
    async with aclosing(told):
        async for events in told:
            for event in events:
                yield frame(event)
    if done:
        yield DONE


def reply(value: object) -> Response:
    """Answer with JSON."""
    return Response(encode(value), headers=identity(), media_type="application/json")


def padded(event: Event) -> Event:
    """Pad the delta of an event, so that its size tells nothing."""
    delta = event.get("delta")
    if not isinstance(delta, str):
        return event
    size = -len(delta) % limits.LOCAL_PADDED_CHARACTERS
    return {**event, "obfuscation": secrets.token_urlsafe(size)[:size]}


def frame(event: Event) -> bytes:
    """One event as it stands in a stream."""
    return b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encode(event))


async def _close(pieces: AsyncIterator[Piece]) -> None:
    close = getattr(pieces, "aclose", None)
    if close is not None:
        await close()


def identity() -> dict[str, str]:
    """Give the header that tells one answer from another."""
    return {"x-request-id": new_id("req")}


def now() -> int:
    """Give the time in unix seconds."""
    return int(time.time())
