"""The HTTP application: the Responses protocol on one side, the endpoint on the other."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from toolstone.local.brain import Brain, RefusalError
from toolstone.local.chat import chat_route
from toolstone.local.conversation_routes import ConversationRoutes
from toolstone.local.endpoint import Endpoint
from toolstone.local.leaving import CLIENT_GONE
from toolstone.local.openapi import openapi_routes
from toolstone.local.routes import Routes
from toolstone.local.store import Store
from toolstone.local.telling import identity
from toolstone.local.websocket import websocket_route

__all__ = ["make_app"]


def make_app(brain: Brain, store: Store | str | os.PathLike[str] | None = None) -> Starlette:
    """Make the application that serves this brain; it closes both when it stops.

    It lets everybody in; `gate.Gate` around it does not.

    Args:
        brain: What answers.
        store: What is remembered, or the SQLite file for it; in memory if not given.
    """
    opened = store if isinstance(store, Store) else Store.open(store)
    endpoint = Endpoint(brain, opened)
    conversations = ConversationRoutes(endpoint.conversations)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await endpoint.close()

    routes = [*Routes(endpoint).all(), *conversations.all(), chat_route(endpoint)]
    app = Starlette(
        routes=[*routes, *openapi_routes(routes), websocket_route(endpoint)],
        exception_handlers={
            RefusalError: _refused,
            HTTPException: _no_route,
            ClientDisconnect: _gone,
            Exception: _broke,
        },
        lifespan=lifespan,
    )
    app.state.endpoint = endpoint
    return app


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
