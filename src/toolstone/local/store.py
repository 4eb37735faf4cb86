"""The responses the endpoint remembers: to be read again, gone on from, followed and cancelled."""

import json
import os
import secrets
import socket
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.ledgers.private import transaction
from toolstone.local.database import Database
from toolstone.local.encoding import encode

__all__ = ["Kept", "Store"]

Items = Sequence[Mapping[str, Any]]

_DEAD = {
    "code": "server_error",
    "message": "the process that worked on this response has ended; ask again",
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored response.

    Attributes:
        response: The response object.
        input: All that went in, oldest first, each item with an id.
        streamed: Whether its events are kept.
    """

    response: dict[str, Any]
    input: list[dict[str, Any]]
    streamed: bool

    @property
    def under_way(self) -> bool:
        """Whether somebody works on it."""
        return self.response["status"] in ("queued", "in_progress")


class Store:
    """Responses by id, in memory or in a SQLite file that several processes may share.

    Who works on a response in the background holds it: its owner writes a sign of life, and
    when that is missing for `limits.LOCAL_LEASE_SECONDS`, or its process is known to be gone,
    the response is failed. A response that is over never changes any more, so that a cancelled
    one stays cancelled, whoever was working on it; what it had said by then is added by its owner.

    Args:
        database: Where they are.
        kept: How many; the oldest are forgotten first.
        seconds: How long.
        clock: Gives unix seconds.
    """

    def __init__(
        self,
        database: Database,
        kept: int,
        seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self.database = database
        self._kept = kept
        self._seconds = seconds
        self._clock = clock
        self._owner = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex}"
        self._secret: bytes | None = None
        self._unpruned = 0
        self._beat = 0.0

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str] | None = None,
        *,
        kept: int | None = None,
        seconds: float = limits.LOCAL_STORED_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> "Store":
        """Open a store; nothing is touched before it is first used.

        Args:
            path: A SQLite file; made if it is not there, for its owner alone. None: memory.
            kept: How many responses; `limits.LOCAL_FILED_RESPONSES` in a file,
                `limits.LOCAL_RESPONSES_KEPT` in memory.
            seconds: How long they are kept.
            clock: Gives unix seconds.
        """
        if kept is None:
            kept = limits.LOCAL_RESPONSES_KEPT if path is None else limits.LOCAL_FILED_RESPONSES
        return cls(Database(None if path is None else Path(path)), kept, seconds, clock)

    @property
    def shared(self) -> bool:
        """Whether other processes may use it too."""
        return self.database.path is not None

    async def close(self) -> None:
        """Close it; what was in memory is gone."""
        await self.database.close()

    async def secret(self) -> bytes:
        """Give the key that this store's seals are made with, the same for all who share it."""
        if self._secret is None:
            self._secret = await self.database.run(_secret)
        return self._secret

    # --- responses

    async def keep(
        self,
        response: Mapping[str, Any],
        went_in: Items,
        *,
        streamed: bool = False,
    ) -> None:
        """Store a response; while it is under way, this process holds it.

        Args:
            response: The response object.
            went_in: Every item that went in, with ids.
            streamed: Whether events will be added.
        """
        row = (streamed, _text(response), _text(went_in))
        await self.database.run(self._insert, response, row)

    async def advance(self, response: Mapping[str, Any]) -> bool:
        """Store what has become of a response; False if it was over already, or is gone."""
        return await self.database.run(self._update, response)

    async def find(self, response_id: str) -> Kept | None:
        """Find a response; None if it is not here, or not any more."""
        return await self.database.run(self._find, response_id)

    async def cancel(self, response_id: str) -> None:
        """Cancel a response that is under way; another is left as it is."""
        await self.database.run(_cancel, response_id)

    async def delete(self, response_id: str) -> bool:
        """Forget a response; False if it was not here."""
        return await self.database.run(_delete, response_id)

    async def held(self, response_ids: Iterable[str]) -> set[str]:
        """Give those that are still under way, and a sign of life for them."""
        return await self.database.run(self._held, json.dumps(list(response_ids)))

    # --- what a new request may refer to

    async def conversation(self, response_id: str) -> Items | None:
        """Give the conversation that ends with that response; None while it is under way."""
        kept = await self.find(response_id)
        if kept is None or kept.under_way:
            return None
        return [*kept.input, *kept.response["output"]]

    async def item(self, item_id: str) -> Mapping[str, Any] | None:
        """Give the stored item with that id, the newest first."""
        return await self.database.run(self._item, item_id)

    # --- events of a response that is streamed and in the background

    async def tell(self, response_id: str, events: Iterable[tuple[int, str]]) -> None:
        """Add events, each with its sequence number, as JSON."""
        rows = [(response_id, number, event) for number, event in events]
        await self.database.run(_tell, rows)

    async def told(self, response_id: str, after: int) -> list[tuple[int, str]]:
        """Give the events with a higher number."""
        return await self.database.run(_told, response_id, after)

    # --- with the connection

    def _insert(
        self, connection: sqlite3.Connection, response: Mapping[str, Any], row: Sequence[object]
    ) -> None:
        now = self._clock()
        connection.execute(
            "INSERT INTO responses (id, status, streamed, response, input, made, owner, beat)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (response["id"], response["status"], *row, now, self._owner, now),
        )
        self._unpruned += 1
        if self._unpruned > self._kept // 8:
            self._unpruned = 0
            self._prune(connection, now)

    def _prune(self, connection: sqlite3.Connection, now: float) -> None:
        connection.execute(
            "DELETE FROM responses WHERE place <= (SELECT MAX(place) FROM responses) - ?"
            " AND status NOT IN ('queued', 'in_progress')",
            (self._kept,),
        )
        connection.execute("DELETE FROM responses WHERE made < ?", (now - self._seconds,))

    def _update(self, connection: sqlite3.Connection, response: Mapping[str, Any]) -> bool:
        changed = (response["status"], _text(response), self._clock())
        updated = connection.execute(
            "UPDATE responses SET status = ?, response = ?, beat = ?"
            " WHERE id = ? AND (status IN ('queued', 'in_progress')"
            " OR (status = 'cancelled' AND ? = 'cancelled' AND owner = ?))",
            (*changed, response["id"], response["status"], self._owner),
        )
        return bool(updated.rowcount)

    def _find(self, connection: sqlite3.Connection, response_id: str) -> Kept | None:
        row = connection.execute(
            "SELECT response, input, streamed, status, owner, beat FROM responses"
            " WHERE id = ? AND made >= ?",
            (response_id, self._clock() - self._seconds),
        ).fetchone()
        if row is None:
            return None
        kept = Kept(json.loads(row[0]), json.loads(row[1]), bool(row[2]))
        if kept.under_way and self._is_dead(row[4], row[5]):
            self._fail(connection, kept)
            return self._find(connection, response_id)  # its owner may have been faster
        return kept

    def _is_dead(self, owner: str, beat: float) -> bool:
        if owner == self._owner:
            return False
        host, pid, _ = owner.rsplit("/", 2)
        gone = host == socket.gethostname() and not _runs(int(pid))
        return gone or beat < self._clock() - limits.LOCAL_LEASE_SECONDS

    def _fail(self, connection: sqlite3.Connection, kept: Kept) -> None:
        """Fail a response that nobody works on any more, in its events too."""
        own = kept.response["id"]
        failed = {**kept.response, "status": "failed", "error": _DEAD}
        if self._update(connection, failed) and kept.streamed:
            (last,) = connection.execute(
                "SELECT COALESCE(MAX(number), -1) FROM events WHERE response = ?", (own,)
            ).fetchone()
            event = {"type": "response.failed", "sequence_number": last + 1}
            _tell(connection, [(own, last + 1, _text({**event, "response": failed}))])

    def _held(self, connection: sqlite3.Connection, response_ids: str) -> set[str]:
        now = self._clock()
        if now - self._beat > limits.LOCAL_LEASE_SECONDS / 5:
            self._beat = now
            connection.execute(
                "UPDATE responses SET beat = ? WHERE id IN (SELECT value FROM json_each(?))",
                (now, response_ids),
            )
        rows = connection.execute(
            "SELECT id FROM responses WHERE id IN (SELECT value FROM json_each(?))"
            " AND status IN ('queued', 'in_progress')",
            (response_ids,),
        )
        return {own for (own,) in rows}

    def _item(self, connection: sqlite3.Connection, item_id: str) -> Mapping[str, Any] | None:
        """Look through all that is stored: nothing is written down for who so rarely asks."""
        rows = connection.execute(
            "SELECT id FROM responses WHERE instr(response, ?1) OR instr(input, ?1)"
            " ORDER BY place DESC",
            (f'"id":{_text(item_id)}',),
        ).fetchall()
        for (response_id,) in rows:
            kept = self._find(connection, response_id)
            for item in [*kept.response["output"], *kept.input] if kept else ():
                if item.get("id") == item_id:
                    return dict(item)
        return None


def _text(value: object) -> str:
    return encode(value).decode()


def _secret(connection: sqlite3.Connection) -> bytes:
    connection.execute(
        "INSERT OR IGNORE INTO settings VALUES ('secret', ?)", (secrets.token_bytes(32),)
    )
    (secret,) = connection.execute("SELECT value FROM settings WHERE name = 'secret'").fetchone()
    return bytes(secret)


def _cancel(connection: sqlite3.Connection, response_id: str) -> None:
    connection.execute(
        "UPDATE responses SET status = 'cancelled',"
        " response = json_set(response, '$.status', 'cancelled')"
        " WHERE id = ? AND status IN ('queued', 'in_progress')",
        (response_id,),
    )


def _delete(connection: sqlite3.Connection, response_id: str) -> bool:
    done = connection.execute("DELETE FROM responses WHERE id = ?", (response_id,))
    return bool(done.rowcount)


def _tell(connection: sqlite3.Connection, rows: Sequence[tuple[str, int, str]]) -> None:
    try:
        with transaction(connection):
            connection.executemany("INSERT OR IGNORE INTO events VALUES (?, ?, ?)", rows)
    except sqlite3.IntegrityError:
        return  # the response has been deleted meanwhile; nobody will ask for its events


def _told(connection: sqlite3.Connection, response_id: str, after: int) -> list[tuple[int, str]]:
    return connection.execute(
        "SELECT number, event FROM events WHERE response = ? AND number > ? ORDER BY number",
        (response_id, after),
    ).fetchall()


def _runs(pid: int) -> bool:
    """Say whether a process of this machine runs, where that can be asked without harm."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
