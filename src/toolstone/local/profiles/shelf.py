"""Stored responses, each visible only in its own region and project."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from toolstone._dataclass import dataclass

__all__ = ["Kept", "Room", "Scope", "Shelf"]

Items = Sequence[Mapping[str, Any]]
Scope = tuple[str, str, str]
"""Host, region, project."""


@dataclass(slots=True)
class Kept:
    """A response and the conversation it ends."""

    response: Mapping[str, Any]
    items: Items
    until: float


class Shelf:
    """What is stored, by scope and id; the oldest goes first.

    Args:
        limit: How many are kept.
        seconds: How long.
        clock: Gives seconds.
    """

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._kept: OrderedDict[tuple[Scope, str], Kept] = OrderedDict()

    def put(self, scope: Scope, response: Mapping[str, Any], items: Items) -> None:
        """Store a response, or what has become of it."""
        until = self._clock() + self._seconds
        self._kept[scope, response["id"]] = Kept(response, items, until)
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def get(self, scope: Scope, response_id: str) -> Kept | None:
        """Find a response; None if it is not there any more, or is somebody else's."""
        found = self._kept.get((scope, response_id))
        return found if found and found.until > self._clock() else None

    def delete(self, scope: Scope, response_id: str) -> None:
        """Forget a response."""
        self._kept.pop((scope, response_id), None)

    def items(self, scope: Scope) -> list[Items]:
        """Give the conversations of a scope, newest first."""
        return [kept.items for (there, _), kept in reversed(self._kept.items()) if there == scope]


class Room:
    """One scope of the shelf, as the shared checks look things up."""

    def __init__(self, shelf: Shelf, scope: Scope) -> None:
        self._shelf = shelf
        self._scope = scope

    def conversation(self, response_id: str) -> Items | None:
        """See `Known`."""
        kept = self._shelf.get(self._scope, response_id)
        return kept.items if kept else None

    def item(self, item_id: str) -> Mapping[str, Any] | None:
        """See `Known`."""
        for items in self._shelf.items(self._scope):
            for item in items:
                if item.get("id") == item_id:
                    return item
        return None
