"""The responses the endpoint remembers, so that `previous_response_id` can go on from them."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Store"]

Items = Sequence[Mapping[str, Any]]


class Store:
    """Conversations by response id, in memory; the oldest is forgotten when `limit` is passed."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, tuple[Mapping[str, Any], ...]] = OrderedDict()

    def keep(self, response_id: str, conversation: Items) -> None:
        """Remember the conversation up to and including the output of that response."""
        self._kept[response_id] = tuple(conversation)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def conversation(self, response_id: str) -> Items | None:
        """Give the conversation that ends with that response, if it is still known."""
        return self._kept.get(response_id)

    def item(self, item_id: str) -> Mapping[str, Any] | None:
        """Give the stored item with that id, newest conversation first."""
        for conversation in reversed(self._kept.values()):
            for item in conversation:
                if item.get("id") == item_id:
                    return item
        return None
