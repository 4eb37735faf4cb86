"""What a request refers to by id, looked up before the request is judged."""

from collections.abc import Mapping
from typing import Any, Protocol

from toolstone.local.request import Items

__all__ = ["Found", "Memory"]


class Memory(Protocol):
    """Where `previous_response_id` and `item_reference` are looked up."""

    async def conversation(self, response_id: str) -> Items | None:
        """Give the conversation that ends with that response, if it is known and over."""
        ...

    async def item(self, item_id: str) -> Mapping[str, Any] | None:
        """Give the item with that id, if it is known."""
        ...


class Found:
    """What a request refers to, looked up."""

    def __init__(self) -> None:
        self._conversations: dict[str, Items] = {}
        self._items: dict[str, Mapping[str, Any]] = {}

    async def look_up(self, body: Mapping[str, Any], memory: Memory) -> "Found":
        """Find all that a body refers to in a memory."""
        if previous := body.get("previous_response_id"):
            conversation = await memory.conversation(previous)
            if conversation is not None:
                self._conversations[previous] = conversation
        said = body.get("input")
        for item in said if isinstance(said, list) else ():
            if item.get("type") == "item_reference":
                found = await memory.item(item["id"])
                if found is not None:
                    self._items[item["id"]] = found
        return self

    def conversation(self, response_id: str) -> Items | None:
        """See `Known`."""
        return self._conversations.get(response_id)

    def item(self, item_id: str) -> Mapping[str, Any] | None:
        """See `Known`."""
        return self._items.get(item_id)
