"""Conversations that the service keeps: made, looked at, added to, forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.items import input_items, parse_item
from toolstone.responses.address import path_segment
from toolstone.responses.capabilities import require
from toolstone.responses.objects import Conversation, Page, read_conversation, read_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from toolstone.items import Given, Item
    from toolstone.responses.operations import Operations, Order

__all__ = ["Conversations"]

_WANTED: Final = "a conversation"


class Conversations:
    """`client.conversations`: the operations on them, as far as the endpoint has them.

    A run goes on in one by `Settings(conversation=conversation.id)`.

    Raises:
        Unsupported: By every method, if the endpoint is known to have none.
    """

    __slots__ = ("_service",)

    def __init__(self, service: Operations) -> None:
        self._service = service

    async def create(
        self,
        items: Given | Iterable[Given] = (),
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> Conversation:
        """Begin a conversation.

        Args:
            items: What is in it already, at most 20.
            metadata: What you attach to it: up to 16 pairs of text.
        """
        body = {"items": _raw(items)} if items else {}
        return await self._fetch("POST", "", {**body, **_said(metadata)})

    async def retrieve(self, conversation_id: str) -> Conversation:
        """A conversation, without its items."""
        return await self._fetch("GET", f"/{path_segment(conversation_id)}")

    async def update(self, conversation_id: str, metadata: Mapping[str, str]) -> Conversation:
        """Attach other metadata to it."""
        return await self._fetch("POST", f"/{path_segment(conversation_id)}", _said(metadata))

    async def delete(self, conversation_id: str) -> None:
        """Have it forgotten; its items may stay."""
        require(self._service, "conversations")
        await self._service.remove(f"/conversations/{path_segment(conversation_id)}")

    async def items(
        self,
        conversation_id: str,
        *,
        limit: int | None = None,
        order: Order | None = None,
        after: str | None = None,
        include: Sequence[str] = (),
    ) -> Page:
        """Its items, a page at a time; see `Operations.input_items` for the arguments."""
        require(self._service, "conversations")
        path = f"/conversations/{path_segment(conversation_id)}/items"
        return await self._service.page(
            path, limit=limit, order=order, after=after, include=include
        )

    async def add(
        self,
        conversation_id: str,
        items: Given | Iterable[Given],
    ) -> Page:
        """Say something in it, at most 20 items; what was added, as the service has it."""
        require(self._service, "conversations")
        path = f"/conversations/{path_segment(conversation_id)}/items"
        body = {"items": _raw(items)}
        return await self._service.fetch(
            "POST", path, read_page, "a list of items", "data", body=body
        )

    async def item(self, conversation_id: str, item_id: str) -> Item:
        """One item of it."""
        require(self._service, "conversations")
        path = f"/conversations/{path_segment(conversation_id)}/items/{path_segment(item_id)}"
        return await self._service.fetch("GET", path, parse_item, "an item", "type")

    async def remove(self, conversation_id: str, item_id: str) -> None:
        """Take one item out of it."""
        require(self._service, "conversations")
        path = f"/conversations/{path_segment(conversation_id)}/items/{path_segment(item_id)}"
        await self._service.remove(path)

    async def _fetch(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> Conversation:
        require(self._service, "conversations")
        return await self._service.fetch(
            method, f"/conversations{path}", read_conversation, _WANTED, "id", body=body
        )


def _raw(
    items: Given | Iterable[Given],
) -> list[dict[str, Any]]:
    return [item.raw for item in input_items(items)]


def _said(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    return {} if metadata is None else {"metadata": dict(metadata)}
