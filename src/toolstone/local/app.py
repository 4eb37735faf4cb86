"""The HTTP application: the Responses protocol on one side, a brain on the other."""

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from toolstone import limits
from toolstone.local.brain import Brain, End, RefusalError, Turn
from toolstone.local.narrate import Narration
from toolstone.local.request import parse_turn
from toolstone.local.response import render_response
from toolstone.local.store import Store
from toolstone.local.telling import frames, identity, new_id, now, read_body, tell_whole

__all__ = ["make_app"]

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
        exception_handlers={
            RefusalError: _refused,
            HTTPException: _no_route,
            ClientDisconnect: _gone,
            Exception: _broke,
        },
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
        turn = parse_turn(await read_body(request), self._store)
        self._check_model(turn.model)
        response = render_response(turn.body, response_id=new_id("resp"), now=now())
        narration = Narration(response, new_id=new_id, clock=now)
        pieces = aiter(self._brain.answer(turn))
        first = await anext(pieces, End())  # what is refused is refused before 200 is said
        told = tell_whole(narration, first, pieces, over=lambda: self._keep(turn, narration))
        if turn.body.get("stream"):
            return StreamingResponse(frames(told), media_type="text/event-stream")
        async with aclosing(told):
            async for _ in told:
                if await request.is_disconnected():
                    return Response(status_code=CLIENT_GONE)
        return JSONResponse(narration.response, headers=identity())

    def _keep(self, turn: Turn, narration: Narration) -> None:
        if turn.body.get("store") is not False and narration.over:
            response = narration.response
            self._store.keep(response["id"], [*turn.items, *response["output"]])

    def _check_model(self, model: str) -> None:
        known = self._brain.models
        if known and model not in known:
            message = f"the model {model!r} is not here; known: {', '.join(known)}"
            raise RefusalError(404, "model_not_found", message, "model")


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)  # noqa: S101  registered for this class
    headers = {**identity(), **error.headers}
    if error.body is not None:
        return Response(error.body, error.status, headers)
    return JSONResponse(error.envelope(), error.status, headers)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this class
    message = f"{request.method} {request.url.path}: {error.detail}"
    return await _refused(request, RefusalError(error.status_code, None, message))


async def _gone(_request: Request, _: Exception) -> Response:
    return Response(status_code=CLIENT_GONE)


async def _broke(request: Request, _: Exception) -> Response:
    message = "the brain broke before it said anything; see the server's log"
    return await _refused(request, RefusalError(500, "server_error", message))
