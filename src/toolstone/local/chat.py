"""The older protocol over any brain: a Chat Completions request is answered as a response would be.

The request is checked in its own shape, said as a Responses request, and what comes of that is told
as a chat completion. What a brain says that has no form there (items of hosted tools) is left out.
"""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from toolstone.local.brain import RefusalError
from toolstone.local.chat_answer import Chunks, completion
from toolstone.local.chat_request import renamed, translate
from toolstone.local.encoding import encode
from toolstone.local.endpoint import Endpoint
from toolstone.local.leaving import CLIENT_GONE, finish, unless_gone
from toolstone.local.request import load_body
from toolstone.local.telling import DONE, identity, read_body
from toolstone.local.underway import Underway

__all__ = ["chat_route"]


def chat_route(endpoint: Endpoint) -> Route:
    """The route of `POST /v1/chat/completions`."""

    async def create(request: Request) -> Response:
        """Answer one request, as JSON or as a stream of chunks."""
        body = load_body(await read_body(request))
        told = translate(body)
        try:
            underway = await unless_gone(request, endpoint.begin(told))
        except RefusalError as error:
            raise renamed(error) from None
        if underway is None:
            return Response(status_code=CLIENT_GONE)
        if body.get("stream"):
            usage = (body.get("stream_options") or {}).get("include_usage") is True
            frames = _frames(underway, usage=usage)
            return StreamingResponse(frames, headers=identity(), media_type="text/event-stream")
        if await unless_gone(request, finish(underway)) is None:
            return Response(status_code=CLIENT_GONE)
        return _whole(underway.response)

    return Route("/v1/chat/completions", create, methods=["POST"])


def _whole(response: dict[str, Any]) -> Response:
    if response["status"] == "failed":
        error = response["error"]
        raise RefusalError(500, error["code"], error["message"])
    return Response(encode(completion(response)), headers=identity(), media_type="application/json")


async def _frames(underway: Underway, *, usage: bool) -> AsyncIterator[bytes]:
    chunks = Chunks(underway.response, usage=usage)
    yield _frame(chunks.start())
    async with aclosing(underway.events) as told:
        async for events in told:
            for event in events:
                for chunk in chunks.tell(event):
                    yield _frame(chunk)
    if underway.response["status"] != "failed":
        yield DONE


def _frame(chunk: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % encode(chunk)
