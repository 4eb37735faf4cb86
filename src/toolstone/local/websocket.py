"""The WebSocket mode: `response.create` messages on one socket, one response after the other."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from toolstone import limits
from toolstone.local.brain import RefusalError
from toolstone.local.encoding import encode
from toolstone.local.endpoint import Endpoint
from toolstone.local.memory import Memory
from toolstone.local.request import load_body

__all__ = ["websocket_route"]

log = logging.getLogger("toolstone.local")

Items = Sequence[Mapping[str, Any]]

_ABNORMAL = 1008  # the close code for a policy: here the limit of an hour
_HTTP_ONLY = ("stream", "stream_options", "background")


def websocket_route(endpoint: Endpoint) -> WebSocketRoute:
    """Give the route that speaks the WebSocket mode at the path of the responses."""

    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        try:
            async with asyncio.timeout(limits.LOCAL_SOCKET_SECONDS):
                await _Talk(socket, endpoint).go_on()
        except TimeoutError:
            minutes = limits.LOCAL_SOCKET_SECONDS / 60
            message = f"a connection ends after {minutes:g} minutes; open a new one"
            over = RefusalError(400, "websocket_connection_limit_reached", message)
            await socket.send_text(_said(_error(over)))
            await socket.close(_ABNORMAL)

    return WebSocketRoute("/v1/responses", talk)


class LastTurn:
    """The memory of one connection: its latest response, kept even with `store: false`.

    What is not here is looked for in the store.
    """

    def __init__(self, store: Memory) -> None:
        self._store = store
        self._id: str | None = None
        self._items: Items = ()

    async def conversation(self, response_id: str) -> Items | None:
        """Give the conversation that ends with that response, if it is known."""
        if response_id == self._id:
            return self._items
        return await self._store.conversation(response_id)

    async def item(self, item_id: str) -> Mapping[str, Any] | None:
        """Give the item with that id, if it is known."""
        found = (item for item in self._items if item.get("id") == item_id)
        return next(found, None) or await self._store.item(item_id)

    def keep(self, response_id: str, conversation: Items) -> None:
        """Remember this in place of what was."""
        self._id, self._items = response_id, conversation

    def forget(self, response_id: object) -> None:
        """Forget that response, if it is the one."""
        if response_id == self._id:
            self._id, self._items = None, ()


class _Talk:
    """One connection."""

    def __init__(self, socket: WebSocket, endpoint: Endpoint) -> None:
        self._socket = socket
        self._endpoint = endpoint
        self._memory = LastTurn(endpoint.store)
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue(limits.LOCAL_SOCKET_WAITING)

    async def go_on(self) -> None:
        """Take turns until the client leaves; what is being answered then is broken off."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._take_turns())
        except* WebSocketDisconnect:
            pass

    async def _listen(self) -> None:
        """Read ahead, so that it is noticed when the client leaves in the middle of an answer."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message["code"])
            text = message.get("text")
            await self._inbox.put(message["bytes"] if text is None else text.encode())

    async def _take_turns(self) -> None:
        while True:
            raw = await self._inbox.get()
            try:
                await self._turn(load_body(raw))
            except RefusalError as error:
                await self._socket.send_text(_said(_error(error)))
            except WebSocketDisconnect:
                raise
            except Exception:
                log.exception("the brain broke before it said anything")
                broke = RefusalError(500, "server_error", "the brain broke; see the server's log")
                await self._socket.send_text(_said(_error(broke)))

    async def _turn(self, message: dict[str, Any]) -> None:
        previous = message.get("previous_response_id")
        try:
            underway = await self._endpoint.begin(_body(message), self._memory)
        except RefusalError:
            self._memory.forget(previous)
            raise
        async with aclosing(underway.events) as told:
            async for events in told:
                for event in events:
                    await self._socket.send_text(_said(event))
        response = underway.response
        if response["status"] == "failed":
            self._memory.forget(previous)
        else:
            self._memory.keep(response["id"], (*underway.went_in, *response["output"]))


def _body(message: Mapping[str, Any]) -> dict[str, Any]:
    """Take the body of a create request out of its message."""
    kind = message.get("type")
    if kind != "response.create":
        wrong = f"the message has the type {kind!r}; send 'response.create'"
        raise RefusalError(400, "invalid_value", wrong, "type")
    for name in _HTTP_ONLY:
        if name in message:
            wrong = f"{name}: has no place in a WebSocket message; events come anyway"
            raise RefusalError(400, "unknown_parameter", wrong, name)
    return {key: value for key, value in message.items() if key != "type"}


def _error(error: RefusalError) -> dict[str, Any]:
    told = error.envelope()["error"]
    return {
        "type": "error",
        "status": error.status,
        "error": {**told, "code": error.code or error.kind},
    }


def _said(event: Mapping[str, Any]) -> str:
    return encode(event).decode()
