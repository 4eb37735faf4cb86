"""What the other operations answer with: models, pages of items, counts, compactions. Pure.

As with responses, only what must be there is asked for; everything else is in `raw` as it came.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from toolstone._dataclass import dataclass
from toolstone.responses.decode import decode
from toolstone.responses.failures import TABLE, failure, read_error
from toolstone.responses.misread import json_object, misread
from toolstone.responses.parse import read_items
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from toolstone.items import Item
    from toolstone.responses.failures import Row

__all__ = [
    "Compaction",
    "Conversation",
    "ModelCard",
    "Page",
    "TokenCount",
    "read_card",
    "read_cards",
    "read_compaction",
    "read_conversation",
    "read_count",
    "read_object",
    "read_page",
]

JSON = dict[str, Any]

_NO_USAGE: Final = Usage()


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model of the catalogue.

    Attributes:
        id: Its name, as requests have it.
        created: When it was made, in Unix seconds; 0 where nobody says.
        owned_by: Whose it is.
        raw: The object as it came, with what else this server says.
    """

    id: str
    created: int = 0
    owned_by: str = ""
    raw: JSON = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class TokenCount:
    """How many tokens would be read.

    Attributes:
        tokens: The number.
        exact: Whether the server counted them; else they are estimated from bytes, one token for
            three, which is up to 60 % too many for English.
    """

    tokens: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Compaction:
    """A conversation made smaller.

    Attributes:
        id: The server's name for it.
        items: The next input, as it is; begin a new chain with it, without `previous_response_id`.
        usage: What it cost.
        raw: The object as it came.
    """

    id: str
    items: tuple[Item, ...] = field(repr=False)
    usage: Usage = _NO_USAGE
    raw: JSON = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation that the service keeps.

    Attributes:
        id: What `Settings(conversation=...)` takes.
        created_at: When it was made, in Unix seconds; 0 where nobody says.
        metadata: What you attached to it.
        raw: The object as it came.
    """

    id: str
    created_at: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    raw: JSON = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a list of items, and the way to the rest.

    `async for item in page` goes through its items, then through those of the pages after it.

    Attributes:
        items: Those of this page.
        has_more: Whether there are pages after it.
        first_id: The first item's id.
        last_id: The last item's id: what the next page begins after.
    """

    items: tuple[Item, ...] = field(repr=False)
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None
    turn: Callable[[str], Awaitable[Page]] | None = field(default=None, repr=False)
    """Fetches the page after an id."""

    async def next(self) -> Page | None:
        """The page after this one; None if this is the last.

        Raises:
            ServiceError: It did not come.
        """
        if not self.has_more or self.last_id is None or self.turn is None:
            return None
        return await self.turn(self.last_id)

    async def __aiter__(self) -> AsyncIterator[Item]:
        page: Page | None = self
        while page is not None:
            for item in page.items:
                yield item
            page = await page.next()


def read_object(
    body: bytes,
    headers: Mapping[str, str],
    secrets: Sequence[str],
    wanted: str,
    *keys: str,
    table: Sequence[Row] = TABLE,
) -> JSON:
    """A JSON object that has these keys.

    Raises:
        ProtocolError: It is something else; says what it looks like.
        StatusError: It is an error.
    """
    if not body.startswith(b"{"):
        body = json_object(body, headers, wanted)
    raw = decode(body)
    if not isinstance(raw, dict):
        raise misread(f"JSON {type(raw).__name__}", "", body, headers, wanted)
    missing = [key for key in keys if key not in raw]
    if missing and raw.get("error"):
        said = read_error(raw)
        raise failure(said, headers=headers, body=body[:1024], secrets=secrets, table=table)
    if missing:
        what = f"a JSON object without {' and '.join(missing)}"
        raise misread(what, "Check that base_url has this operation", body, headers, wanted)
    return raw


def read_card(raw: JSON) -> ModelCard:
    """A model of the catalogue."""
    return ModelCard(_text(raw, "id"), _number(raw, "created"), _text(raw, "owned_by"), raw)


def read_cards(raw: JSON) -> tuple[ModelCard, ...]:
    """The models of the catalogue."""
    return tuple(read_card(one) for one in _objects(raw.get("data")))


def read_count(raw: JSON) -> TokenCount:
    """A count of tokens."""
    return TokenCount(_number(raw, "input_tokens"), exact=True)


def read_compaction(raw: JSON) -> Compaction:
    """A compacted conversation."""
    usage = Usage.parse(raw.get("usage"))
    return Compaction(_text(raw, "id"), read_items(raw.get("output")), usage, raw)


def read_conversation(raw: JSON) -> Conversation:
    """A conversation."""
    said = raw.get("metadata")
    metadata = {str(k): str(v) for k, v in said.items()} if isinstance(said, dict) else {}
    return Conversation(_text(raw, "id"), _number(raw, "created_at"), metadata, raw)


def read_page(raw: JSON, turn: Callable[[str], Awaitable[Page]] | None = None) -> Page:
    """A page of items; a last one that has no `last_id` gets it from its last item."""
    items = read_items(raw.get("data"))
    ids = [item.id for item in items]
    first, last = raw.get("first_id"), raw.get("last_id")
    return Page(
        items,
        raw.get("has_more") is True,
        first if isinstance(first, str) else next(iter(ids), None),
        last if isinstance(last, str) else next(reversed(ids), None),
        turn,
    )


def _objects(raw: object) -> list[JSON]:
    return [one for one in raw if isinstance(one, dict)] if isinstance(raw, list) else []


def _text(raw: JSON, key: str) -> str:
    found = raw.get(key)
    return found if isinstance(found, str) else ""


def _number(raw: JSON, key: str) -> int:
    found = raw.get(key)
    return int(found) if isinstance(found, int | float) and not isinstance(found, bool) else 0
