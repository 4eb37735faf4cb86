"""Conversations: items that stay together under an id, until they are deleted."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from toolstone.ledgers.private import transaction
from toolstone.local.brain import RefusalError
from toolstone.local.database import Database
from toolstone.local.ids import new_id, with_id
from toolstone.local.request import Items
from toolstone.local.telling import now

__all__ = ["Conversations"]

Row = tuple[str, int, str]


class Conversations:
    """The conversations of a store.

    Args:
        database: Where they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def make(self, metadata: Mapping[str, str], items: Items) -> dict[str, Any]:
        """Begin a conversation."""
        row = (new_id("conv"), now(), json.dumps(metadata))
        await self._database.run(_make, row, [with_id(item) for item in items])
        return _shown(row)

    async def get(self, conversation_id: str) -> dict[str, Any]:
        """Describe a conversation.

        Raises:
            RefusalError: 404.
        """
        row = await self._database.run(_row, conversation_id)
        if row is None:
            raise _lost(f"Conversation with id {conversation_id!r} not found.", "conversation_id")
        return _shown(row)

    async def update(self, conversation_id: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        """Give a conversation other metadata.

        Raises:
            RefusalError: 404.
        """
        await self._database.run(_update, conversation_id, json.dumps(metadata))
        return await self.get(conversation_id)

    async def delete(self, conversation_id: str) -> None:
        """Delete a conversation with its items; the responses made in it stay.

        Raises:
            RefusalError: 404.
        """
        await self.get(conversation_id)
        await self._database.run(_delete, conversation_id)

    async def items(self, conversation_id: str) -> list[dict[str, Any]]:
        """Give all items, oldest first.

        Raises:
            RefusalError: 404.
        """
        await self.get(conversation_id)
        return await self._database.run(_items, conversation_id)

    async def item(self, conversation_id: str, item_id: str) -> dict[str, Any]:
        """Give one item.

        Raises:
            RefusalError: 404.
        """
        for item in await self.items(conversation_id):
            if item["id"] == item_id:
                return item
        raise _lost(f"Item with id {item_id!r} not found in this conversation.", "item_id")

    async def add(self, conversation_id: str, items: Items) -> Sequence[Mapping[str, Any]]:
        """Add items, and give them with their ids; one that is there already is not added again.

        Raises:
            RefusalError: 404.
        """
        await self.get(conversation_id)
        return await self.append(conversation_id, items)

    async def append(self, conversation_id: str, items: Items) -> Sequence[Mapping[str, Any]]:
        """Add items if the conversation is still there."""
        named = [with_id(item) for item in items]
        await self._database.run(_add, conversation_id, named)
        return named

    async def remove(self, conversation_id: str, item_id: str) -> None:
        """Take an item out.

        Raises:
            RefusalError: 404.
        """
        await self.item(conversation_id, item_id)
        await self._database.run(_remove, conversation_id, item_id)


def _shown(row: Row) -> dict[str, Any]:
    own, made, metadata = row
    shown = {"id": own, "object": "conversation", "created_at": made}
    return {**shown, "metadata": json.loads(metadata)}


def _lost(message: str, param: str) -> RefusalError:
    return RefusalError(404, None, message, param)


def _make(connection: sqlite3.Connection, row: Row, items: Items) -> None:
    with transaction(connection):
        connection.execute("INSERT INTO conversations VALUES (?, ?, ?)", row)
        _insert(connection, row[0], items)


def _add(connection: sqlite3.Connection, conversation_id: str, items: Items) -> None:
    try:
        with transaction(connection):
            _insert(connection, conversation_id, items)
    except sqlite3.IntegrityError:
        return  # it has been deleted meanwhile


def _insert(connection: sqlite3.Connection, conversation_id: str, items: Items) -> None:
    connection.executemany(
        "INSERT INTO conversation_items (conversation, id, item) VALUES (?, ?, ?)"
        " ON CONFLICT (conversation, id) DO NOTHING",
        [(conversation_id, item["id"], json.dumps(item)) for item in items],
    )


def _row(connection: sqlite3.Connection, conversation_id: str) -> Row | None:
    found: Row | None = connection.execute(
        "SELECT id, made, metadata FROM conversations WHERE id = ?", (conversation_id,)
    ).fetchone()
    return found


def _update(connection: sqlite3.Connection, conversation_id: str, metadata: str) -> None:
    connection.execute(
        "UPDATE conversations SET metadata = ? WHERE id = ?", (metadata, conversation_id)
    )


def _delete(connection: sqlite3.Connection, conversation_id: str) -> None:
    connection.execute("DELETE FROM conversations WHERE id = ?", (conversation_id,))


def _items(connection: sqlite3.Connection, conversation_id: str) -> list[dict[str, Any]]:
    rows = connection.execute(
        "SELECT item FROM conversation_items WHERE conversation = ? ORDER BY place",
        (conversation_id,),
    )
    return [json.loads(item) for (item,) in rows]


def _remove(connection: sqlite3.Connection, conversation_id: str, item_id: str) -> None:
    connection.execute(
        "DELETE FROM conversation_items WHERE conversation = ? AND id = ?",
        (conversation_id, item_id),
    )
