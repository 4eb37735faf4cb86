"""The HTTP application: the Responses protocol on one side, the endpoint on the other."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from toolstone.local.brain import Brain, RefusalError
from toolstone.local.endpoint import Endpoint, Underway
from toolstone.local.listing import ListQuery, RetrieveQuery, page, read_query, shown_response
from toolstone.local.narrate import Event
from toolstone.local.request import load_body, refuse
from toolstone.local.store import Store
from toolstone.local.telling import encode, frames, identity, read_body
from toolstone.local.websocket import websocket_route

__all__ = ["make_app"]

T = TypeVar("T")

CLIENT_GONE = 499  # nobody reads it; the log does


def make_app(brain: Brain, store: Store | str | os.PathLike[str] | None = None) -> Starlette:
    """Make the application that serves this brain; it closes both when it stops.

    It lets everybody in; `gate.Gate` around it does not.

    Args:
        brain: What answers.
        store: What is remembered, or the SQLite file for it; in memory if not given.
    """
    opened = store if isinstance(store, Store) else Store.open(store)
    endpoint = Endpoint(brain, opened)
    routes = Routes(endpoint)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await endpoint.close()

    app = Starlette(
        routes=[*routes.all(), websocket_route(endpoint)],
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


class Routes:
    """Each operation over HTTP.

    Args:
        endpoint: What does it.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def all(self) -> list[Route]:
        """List the routes; the first that fits is taken."""
        one = "/v1/responses/{id}"
        return [
            Route("/v1/responses", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
            Route(f"{one}/input_items", self.input_items, methods=["GET"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{id:path}", self.model, methods=["GET"]),
        ]

    # --- responses

    async def create(self, request: Request) -> Response:
        """Answer one request: as JSON, as a stream of events, or in the background."""
        body = load_body(await read_body(request))
        if body.get("background"):
            return await self._begin_in_background(body)
        underway = await _unless_gone(request, self._endpoint.begin(body))
        if underway is None:
            return Response(status_code=CLIENT_GONE)
        if body.get("stream"):
            return _stream(underway.events, obfuscated=_obfuscated(body))
        if await _unless_gone(request, _finish(underway)) is None:
            return Response(status_code=CLIENT_GONE)
        return _json(underway.response)

    async def _begin_in_background(self, body: dict[str, Any]) -> Response:
        underway = await self._endpoint.prepare(body)
        await self._endpoint.start(underway)
        response_id = underway.response["id"]
        if body.get("stream"):
            told = self._endpoint.follow(response_id)
            return _stream(_one_by_one(told), obfuscated=_obfuscated(body))
        return _json((await self._endpoint.stored(response_id)).response)

    async def retrieve(self, request: Request) -> Response:
        """Give a stored response, or its events from some point on."""
        query = read_query(request.query_params.multi_items(), RetrieveQuery)
        response_id = request.path_params["id"]
        kept = await self._endpoint.stored(response_id)
        if not query.stream:
            return _json(shown_response(kept.response, query.include))
        if not kept.streamed:
            message = "no events are kept of it: only of responses made with background and stream"
            refuse("invalid_value", message, "stream")
        told = self._endpoint.follow(response_id, query.starting_after)
        return _stream(_one_by_one(told), obfuscated=query.include_obfuscation)

    async def delete(self, request: Request) -> Response:
        """Forget a stored response."""
        response_id = request.path_params["id"]
        await self._endpoint.delete(response_id)
        return _json({"id": response_id, "object": "response", "deleted": True})

    async def cancel(self, request: Request) -> Response:
        """Cancel a response in the background."""
        return _json(await self._endpoint.cancel(request.path_params["id"]))

    async def input_items(self, request: Request) -> Response:
        """List what went into a response."""
        kept = await self._endpoint.stored(request.path_params["id"])
        return _json(page(kept.input, read_query(request.query_params.multi_items(), ListQuery)))

    # --- models

    async def models(self, _: Request) -> Response:
        """List the models the brain answers to."""
        return _json({"object": "list", "data": self._endpoint.models()})

    async def model(self, request: Request) -> Response:
        """Describe one model."""
        return _json(self._endpoint.model(request.path_params["id"]))


def _json(value: object) -> Response:
    return Response(encode(value), headers=identity(), media_type="application/json")


def _stream(
    told: AsyncGenerator[Sequence[Event], None], *, obfuscated: bool = False
) -> StreamingResponse:
    framed = frames(told, obfuscated=obfuscated)
    return StreamingResponse(framed, headers=identity(), media_type="text/event-stream")


def _obfuscated(body: dict[str, Any]) -> bool:
    return (body.get("stream_options") or {}).get("include_obfuscation") is True


async def _one_by_one(told: AsyncGenerator[Event, None]) -> AsyncGenerator[Sequence[Event], None]:
    async with aclosing(told):
        async for event in told:
            yield (event,)


async def _finish(underway: Underway) -> bool:
    async with aclosing(underway.events) as told:
        async for _ in told:
            pass
    return True


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """Do work for a request whose body has been read; None if the client leaves before its end."""
    doing = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        await request.receive()  # the body has been read, so nothing but the end can come
        gone = True
        if doing is not None:
            doing.cancel()

    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if gone and doing is not None and not doing.uncancel():
            return None
        raise
    finally:
        watching.cancel()


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
