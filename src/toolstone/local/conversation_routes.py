"""Each operation on conversations over HTTP."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from toolstone.local.conversations import Conversations
from toolstone.local.fields import ConversationFields, ItemsFields, UpdateFields
from toolstone.local.listing import IncludeQuery, ListQuery, page, read_query, shown
from toolstone.local.request import Items, check_request, load_body, refuse
from toolstone.local.telling import read_body, reply

__all__ = ["ConversationRoutes"]


class ConversationRoutes:
    """Each operation on conversations.

    Args:
        conversations: Where they are.
    """

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    def all(self) -> list[Route]:
        """List the routes."""
        one = "/v1/conversations/{id}"
        return [
            Route("/v1/conversations", self.create, methods=["POST"]),
            Route(one, self.retrieve, methods=["GET"]),
            Route(one, self.update, methods=["POST"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/items", self.add, methods=["POST"]),
            Route(f"{one}/items", self.items, methods=["GET"]),
            Route(f"{one}/items/{{item}}", self.item, methods=["GET"]),
            Route(f"{one}/items/{{item}}", self.remove, methods=["DELETE"]),
        ]

    async def create(self, request: Request) -> Response:
        """Begin a conversation."""
        body = load_body(await read_body(request))
        check_request(body, ConversationFields)
        metadata = body.get("metadata") or {}
        return reply(await self._conversations.make(metadata, _items(body)))

    async def retrieve(self, request: Request) -> Response:
        """Describe a conversation."""
        return reply(await self._conversations.get(request.path_params["id"]))

    async def update(self, request: Request) -> Response:
        """Give a conversation other metadata."""
        body = load_body(await read_body(request))
        check_request(body, UpdateFields)
        return reply(await self._conversations.update(request.path_params["id"], body["metadata"]))

    async def delete(self, request: Request) -> Response:
        """Delete a conversation."""
        own = request.path_params["id"]
        await self._conversations.delete(own)
        return reply({"id": own, "object": "conversation.deleted", "deleted": True})

    async def add(self, request: Request) -> Response:
        """Add items to a conversation."""
        body = load_body(await read_body(request))
        check_request(body, ItemsFields)
        added = await self._conversations.add(request.path_params["id"], _items(body))
        query = read_query(request.query_params.multi_items(), IncludeQuery)
        return reply(page(added, ListQuery(limit=len(added), order="asc", include=query.include)))

    async def items(self, request: Request) -> Response:
        """List the items of a conversation."""
        query = read_query(request.query_params.multi_items(), ListQuery)
        return reply(page(await self._conversations.items(request.path_params["id"]), query))

    async def item(self, request: Request) -> Response:
        """Give one item."""
        query = read_query(request.query_params.multi_items(), IncludeQuery)
        where = request.path_params
        return reply(
            shown(await self._conversations.item(where["id"], where["item"]), query.include)
        )

    async def remove(self, request: Request) -> Response:
        """Take one item out of a conversation."""
        own = request.path_params["id"]
        await self._conversations.remove(own, request.path_params["item"])
        return reply(await self._conversations.get(own))


def _items(body: Mapping[str, Any]) -> Items:
    for index, item in enumerate(body.get("items") or ()):
        if item.get("type") in ("item_reference", "compaction_trigger"):
            message = f"{item['type']!r} is no item that can be kept; send the item itself"
            refuse("invalid_value", message, f"items[{index}].type")
    return [{"type": "message", **item} for item in body.get("items") or ()]
