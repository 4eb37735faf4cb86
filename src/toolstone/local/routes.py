"""Each operation on responses and models over HTTP."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toolstone.local.endpoint import Endpoint
from toolstone.local.leaving import CLIENT_GONE, finish, unless_gone
from toolstone.local.listing import ListQuery, RetrieveQuery, page, read_query, shown_response
from toolstone.local.narrate import Event
from toolstone.local.request import load_body, refuse
from toolstone.local.streaming import EventStream
from toolstone.local.telling import read_body, reply
from toolstone.local.underway import Underway

__all__ = ["Routes"]


class Routes:
    """Each operation on responses and models.

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
            Route("/v1/responses/input_tokens", self.input_tokens, methods=["POST"]),
            Route("/v1/responses/compact", self.compact, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/cancel", self.cancel, methods=["POST"]),
            Route(f"{one}/input_items", self.input_items, methods=["GET"]),
            Route("/v1/models", self.models, methods=["GET"]),
            Route("/v1/models/{id:path}", self.model, methods=["GET"]),
        ]

    # --- a new response

    async def create(self, request: Request) -> Response:
        """Answer one request: as JSON, as a stream of events, or in the background."""
        body = load_body(await read_body(request))
        if body.get("background") is True:
            return await self._begin_in_background(body)
        streamed = body.get("stream")
        work = self._endpoint.begin(body) if streamed else self._whole(body)
        underway = await unless_gone(request, work)
        if underway is None:
            return Response(status_code=CLIENT_GONE)
        if streamed:
            return EventStream(underway.events, obfuscated=_obfuscated(body))
        return reply(underway.response)

    async def _whole(self, body: dict[str, Any]) -> Underway:
        underway = await self._endpoint.begin(body)
        await finish(underway)
        return underway

    async def _begin_in_background(self, body: dict[str, Any]) -> Response:
        underway = await self._endpoint.prepare(body)
        await self._endpoint.start(underway)
        response_id = underway.response["id"]
        if body.get("stream"):
            told = self._endpoint.follow(response_id)
            return EventStream(_one_by_one(told), obfuscated=_obfuscated(body))
        return reply((await self._endpoint.stored(response_id)).response)

    async def input_tokens(self, request: Request) -> Response:
        """Count what a request would have read."""
        tokens = await self._endpoint.count(load_body(await read_body(request)))
        return reply({"object": "response.input_tokens", "input_tokens": tokens})

    async def compact(self, request: Request) -> Response:
        """Give a shorter conversation."""
        return reply(await self._endpoint.compact(load_body(await read_body(request))))

    # --- stored responses

    async def retrieve(self, request: Request) -> Response:
        """Give a stored response, or its events from some point on."""
        query = read_query(request.query_params.multi_items(), RetrieveQuery)
        response_id = request.path_params["id"]
        kept = await self._endpoint.stored(response_id)
        if not query.stream:
            return reply(shown_response(kept.response, query.include))
        if not kept.streamed:
            message = "no events are kept of it: only of responses made with background and stream"
            refuse("invalid_value", message, "stream")
        told = self._endpoint.follow(response_id, query.starting_after)
        return EventStream(_one_by_one(told), obfuscated=query.include_obfuscation)

    async def delete(self, request: Request) -> Response:
        """Forget a stored response."""
        response_id = request.path_params["id"]
        await self._endpoint.delete(response_id)
        return reply({"id": response_id, "object": "response", "deleted": True})

    async def cancel(self, request: Request) -> Response:
        """Cancel a response in the background."""
        return reply(await self._endpoint.cancel(request.path_params["id"]))

    async def input_items(self, request: Request) -> Response:
        """List what went into a response."""
        kept = await self._endpoint.stored(request.path_params["id"])
        return reply(page(kept.input, read_query(request.query_params.multi_items(), ListQuery)))

    # --- models

    async def models(self, _: Request) -> Response:
        """List the models the brain answers to."""
        return reply({"object": "list", "data": self._endpoint.models()})

    async def model(self, request: Request) -> Response:
        """Describe one model."""
        return reply(self._endpoint.model(request.path_params["id"]))


def _obfuscated(body: dict[str, Any]) -> bool:
    return (body.get("stream_options") or {}).get("include_obfuscation") is True


async def _one_by_one(told: AsyncGenerator[Event, None]) -> AsyncGenerator[Sequence[Event], None]:
    async with aclosing(told):
        async for event in told:
            yield (event,)
