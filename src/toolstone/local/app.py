"""The HTTP application: the Responses protocol on one side, a brain on the other."""

import json
import logging
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from toolstone import limits
from toolstone.local.brain import Brain, End, Piece, RefusalError, Turn
from toolstone.local.narrate import Event, Narration
from toolstone.local.request import parse_turn
from toolstone.local.response import render_response
from toolstone.local.store import Store

__all__ = ["make_app"]

log = logging.getLogger("toolstone.local")

DONE = b"data: [DONE]\n\n"
CLIENT_GONE = 499  # nobody reads it; the log does
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def make_app(brain: Brain) -> Starlette:
    """Make the application that serves this brain; it closes the brain when it stops."""
    endpoint = Endpoint(brain)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await brain.close()

    return Starlette(
        routes=[
            Route("/v1/responses", endpoint.create, methods=["POST"]),
            Route("/v1/models", endpoint.models, methods=["GET"]),
        ],
        # A page in a browser cannot get here under a name of its own (DNS rebinding).
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK)],
        exception_handlers={RefusalError: _refused, HTTPException: _no_route, Exception: _broke},
        lifespan=lifespan,
    )


class Endpoint:
    """The routes, and what they share: the brain and the responses remembered."""

    def __init__(self, brain: Brain) -> None:
        self._brain = brain
        self._store = Store(limits.LOCAL_RESPONSES_KEPT)

    async def models(self, _: Request) -> Response:
        """List the models the brain answers to."""
        names = self._brain.models or ("any",)
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "toolstone"} for name in names
        ]
        return JSONResponse({"object": "list", "data": listed})

    async def create(self, request: Request) -> Response:
        """Answer one request, as JSON or as a stream of events."""
        turn = parse_turn(await _body(request), self._store)
        self._check_model(turn.model)
        response = render_response(turn.body, response_id=_new_id("resp"), now=_now())
        narration = Narration(response, new_id=_new_id, clock=_now)
        pieces = aiter(self._brain.answer(turn))
        first = await anext(pieces, End())  # what is refused is refused before 200 is said
        told = self._told(turn, narration, first, pieces)
        if turn.body.get("stream"):
            return StreamingResponse(_frames(told), media_type="text/event-stream")
        async with aclosing(told):
            async for _ in told:
                if await request.is_disconnected():
                    return Response(status_code=CLIENT_GONE)
        return JSONResponse(narration.response, headers=_identity())

    async def _told(
        self, turn: Turn, narration: Narration, first: Piece, rest: AsyncIterator[Piece]
    ) -> AsyncGenerator[Sequence[Event], None]:
        """Tell the whole answer, batch by batch of events; whatever happens, it ends once."""
        try:
            yield narration.start() + narration.tell(first)
            async for piece in rest:
                yield narration.tell(piece)
            if not narration.over:
                raise ValueError("the brain stopped without End")  # noqa: TRY301  told like any other
        except RefusalError as error:
            yield narration.crash(error.code or "server_error", error.message)
        except Exception:
            log.exception("the brain broke in the middle of an answer")
            if not narration.over:
                yield narration.crash("server_error", "the brain broke; see the server's log")
        finally:
            await _close(rest)
            if turn.body.get("store") is not False and narration.over:
                response = narration.response
                self._store.keep(response["id"], [*turn.items, *response["output"]])

    def _check_model(self, model: str) -> None:
        known = self._brain.models
        if known and model not in known:
            message = f"the model {model!r} is not here; known: {', '.join(known)}"
            raise RefusalError(404, "model_not_found", message, "model")


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        message = f"the content type is {kind!r}; send 'application/json'"
        raise RefusalError(415, "unsupported_media_type", message)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limits.BODY_BYTES:
            message = f"the body is larger than {limits.BODY_BYTES} bytes"
            raise RefusalError(413, "request_too_large", message)
        chunks.append(chunk)
    return b"".join(chunks)


async def _frames(told: AsyncGenerator[Sequence[Event], None]) -> AsyncIterator[bytes]:
    """Frame events for the stream, one write for each."""
    async with aclosing(told):
        async for events in told:
            for event in events:
                data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
                yield f"event: {event['type']}\ndata: {data}\n\n".encode()
    yield DONE


async def _close(pieces: AsyncIterator[Piece]) -> None:
    close = getattr(pieces, "aclose", None)
    if close is not None:
        await close()


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)  # noqa: S101  registered for this class
    headers = {**_identity(), **error.headers}
    if error.body is not None:
        return Response(error.body, error.status, headers)
    return JSONResponse(error.envelope(), error.status, headers)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this class
    message = f"{request.method} {request.url.path}: {error.detail}"
    return await _refused(request, RefusalError(error.status_code, None, message))


async def _broke(request: Request, _: Exception) -> Response:
    message = "the brain broke before it said anything; see the server's log"
    return await _refused(request, RefusalError(500, "server_error", message))


def _identity() -> dict[str, str]:
    return {"x-request-id": _new_id("req")}


def _new_id(prefix: str) -> str:
    return f"{prefix}_{uuid.uuid4().hex}"


def _now() -> int:
    return int(time.time())
