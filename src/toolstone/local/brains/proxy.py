"""A brain that is another model: asked through our own client, told while it arrives."""

import asyncio
import json
import uuid
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Any, Final

from toolstone import limits
from toolstone.errors import (
    DeadlineError,
    InputError,
    ServiceError,
    StatusError,
    ToolstoneError,
    TransportError,
    Unsupported,
)
from toolstone.local.brain import Item, Piece, RefusalError, Turn
from toolstone.local.brains.answers import estimate
from toolstone.local.brains.asking import request_of
from toolstone.local.brains.hearing import Hearing
from toolstone.local.brains.relay import Relay
from toolstone.local.brains.retold import response_json, retell_end
from toolstone.ports import Emit, Model, Request, Response
from toolstone.responses.client import Responses
from toolstone.responses.exchange import nobody
from toolstone.responses.failures import read_error, sanitised

__all__ = ["Proxy"]

_GATEWAY: Final = ((DeadlineError, 504, "upstream_timeout"), (TransportError, 502, "upstream_gone"))


class Proxy:
    """Answers by asking another model, of any protocol that toolstone speaks.

    The history and everything else that was said goes on as it came, unknown items, tools and
    fields included; state and background work stay with this endpoint. Text, refusals and thoughts
    are told while they arrive; items come out as they came in. An error is told with the status and
    the code that the other side gave; one that it did not give is a 502, or a 504 if it took too
    long.

    Args:
        model: Who answers: `Responses(...)`, `ChatCompletions(...)`, `bedrock_model(...)`, or
            whatever fits `toolstone.ports.Model`.
        models: The names this answers to; any, if none are given.

    Example:
        with serve(Proxy(bedrock_model("bedrock/openai.gpt-oss-120b"))) as endpoint: ...
    """

    hosted: Sequence[str] = ("*",)
    """Tools that the other side runs are passed on to it, whatever they are."""

    def __init__(self, model: Model, *, models: Sequence[str] = ()) -> None:
        self.models: Sequence[str] = tuple(models)
        self._model = model

    async def answer(self, turn: Turn) -> AsyncGenerator[Piece]:
        """Ask the other model, and tell what it says."""
        request = request_of(turn)
        try:
            if not request.stream:
                response = await _response(self._model, request, nobody)
                for item in response.items:
                    yield Item(item.raw)
                yield retell_end(response_json(response))
                return
            model = self._model
            live = (
                _heard(model, request) if isinstance(model, Responses) else _relayed(model, request)
            )
            async with aclosing(live) as told:
                async for piece in told:
                    yield piece
        except (ServiceError, InputError, Unsupported) as error:
            raise _refused(error) from error

    async def count(self, turn: Turn) -> int:
        """Count what would be read: the other side does, if it can."""
        counting = getattr(self._model, "count_tokens", None)
        if counting is None:
            return estimate(turn, "").input_tokens
        local = {"model", "previous_response_id", "conversation", "input"}
        body = {key: value for key, value in turn.body.items() if key not in local}
        try:
            counted = await counting({**body, "input": list(turn.items)})
        except ServiceError as error:
            raise _refused(error) from error
        return int(counted.tokens)

    async def close(self) -> None:
        """Close the other model's connections."""
        close = getattr(self._model, "aclose", None)
        if close is not None:
            await close()


async def _heard(model: Responses, request: Request) -> AsyncGenerator[Piece]:
    """Tell what another Responses endpoint says, event by event."""
    hearing = Hearing()
    async with model.stream(request) as events:
        try:
            async for event in events:
                for piece in hearing.take(event):
                    yield piece
            response = await events.response()
        except StatusError as error:
            response = _failed(error)
    for piece in hearing.finish(response_json(response)):
        yield piece


async def _relayed(model: Model, request: Request) -> AsyncGenerator[Piece]:
    """Tell what any other model says, as far as its deltas tell it, while it arrives.

    The model pushes and a brain is pulled, so the request runs in a task; it is waited for before
    this ends, also when nobody listens any more.
    """
    relay = Relay(lambda: uuid.uuid4().hex)
    heard: asyncio.Queue[Piece | Response | Exception] = asyncio.Queue(limits.STREAM_BACKLOG)

    async def emit(deltas: Sequence[Any]) -> None:
        for delta in deltas:
            for piece in relay.take(delta):
                await heard.put(piece)

    async def report() -> None:
        try:
            last: Response | Exception = await _response(model, request, emit)
        except Exception as error:  # noqa: BLE001  it is raised where the pieces are heard
            last = error
        await heard.put(last)

    task = asyncio.create_task(report())
    try:
        while True:
            match await heard.get():
                case Response() as response:
                    break
                case Exception() as error:
                    raise error
                case piece:
                    yield piece
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    for piece in relay.finish(response_json(response)):
        yield piece


async def _response(model: Model, request: Request, emit: Emit) -> Response:
    """Ask; a response that failed is told as one, with what it holds."""
    try:
        return await model.respond(request, emit)
    except StatusError as error:
        return _failed(error)


def _failed(error: StatusError) -> Response:
    """Give the response that failed, if the error is about one that came whole; else raise it."""
    failed = error.partial
    if isinstance(failed, Response) and failed.status == "failed":
        return failed
    raise error


def _refused(error: ToolstoneError) -> RefusalError:
    """Give the HTTP error that an error of the other side is told as."""
    if isinstance(error, Unsupported | InputError):
        code = "unsupported_value" if isinstance(error, Unsupported) else "invalid_value"
        return RefusalError(400, code, str(error))
    for kind, status, code in _GATEWAY:
        if isinstance(error, kind):
            return RefusalError(status, code, f"the model behind this endpoint: {error}")
    if not isinstance(error, StatusError):
        return RefusalError(502, "upstream_error", f"the model behind this endpoint: {error}")
    said = read_error(_body(error))
    wait = error.retry_after
    return RefusalError(
        error.status or 500,
        error.code or "server_error",
        sanitised(said.message) or str(error),
        error.param or None,
        kind=sanitised(said.type) or None,
        headers={} if wait is None else {"retry-after": f"{wait:g}"},
    )


def _body(error: StatusError) -> Any:
    text = error.body.decode("utf-8", "replace")
    try:
        read = json.loads(text)
    except ValueError:
        return text
    failed = read.get("response") if isinstance(read, Mapping) else None
    return failed if isinstance(failed, Mapping) else read
