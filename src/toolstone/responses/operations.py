"""What a Responses endpoint does besides answering: stored responses, models, counting, compaction.

One method for each operation of responses-api.md §1. All go the way of `respond`: who asks, how
long, how often, and what errors mean are the same. Blocking twins end in `_sync`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from urllib.parse import urlencode

from toolstone._portal import block
from toolstone.errors import StatusError
from toolstone.responses.address import path_segment
from toolstone.responses.bodies import joined, rendered
from toolstone.responses.capabilities import require
from toolstone.responses.conversations import Conversations
from toolstone.responses.exchange import Exchange, Whole
from toolstone.responses.objects import (
    Compaction,
    ModelCard,
    Page,
    TokenCount,
    read_card,
    read_cards,
    read_compaction,
    read_count,
    read_object,
    read_page,
)
from toolstone.responses.parse import parse_response
from toolstone.responses.service import Service
from toolstone.usage import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolstone.ports import Response

__all__ = ["Operations", "Order"]

JSON = dict[str, Any]
Made = TypeVar("Made")
Order = Literal["asc", "desc"]

_NO_ROUTE: Final = frozenset({404, 405, 501})
_COUNTED: Final = frozenset(
    {
        "model",
        "input",
        "instructions",
        "conversation",
        "previous_response_id",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning",
        "text",
        "truncation",
        "personality",
    }
)
_COMPACTED: Final = frozenset(
    {
        "model",
        "input",
        "instructions",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "service_tier",
        "image",
    }
)


class Operations(Service):
    """The operations of an endpoint that are no answers; see `Responses`, which has them too."""

    @property
    def conversations(self) -> Conversations:
        """The conversations that the service keeps."""
        return Conversations(self)

    async def retrieve(self, response_id: str, *, include: Sequence[str] = ()) -> Response:
        """A stored response as it stands: also one that failed, or is still being made.

        Args:
            response_id: Its id.
            include: What else it is to hold, such as `reasoning.encrypted_content`.

        Raises:
            InputError: That is no id.
            ServiceError: It did not come; a `StatusError` of status 404 if it is not there.
        """
        path = f"/responses/{path_segment(response_id)}"
        return await self._exchange("GET", path, self._stored, query=_included(include))

    async def cancel(self, response_id: str) -> Response:
        """Stop a background response; what becomes of it. Harmless when it is over.

        Raises:
            InputError: That is no id.
            ServiceError: It could not be: it is not there, or was never in the background.
        """
        path = f"/responses/{path_segment(response_id)}/cancel"
        return await self._exchange("POST", path, self._stored)

    async def delete(self, response_id: str) -> None:
        """Have a stored response forgotten.

        Raises:
            InputError: That is no id.
            ServiceError: It could not be; a `StatusError` of status 404 if it is not there.
        """
        await self.remove(f"/responses/{path_segment(response_id)}")

    async def input_items(
        self,
        response_id: str,
        *,
        limit: int | None = None,
        order: Order | None = None,
        after: str | None = None,
        include: Sequence[str] = (),
    ) -> Page:
        """What went into a stored response, a page at a time: `async for item in page` takes all.

        Args:
            response_id: Its id.
            limit: How many to a page, 1 to 100; the server's 20 if not given.
            order: `desc`, the server's own, begins with the latest.
            after: The id of the item before the first wanted.
            include: What else the items are to hold.

        Raises:
            InputError: That is no id.
            Unsupported: The endpoint does not have it.
            ServiceError: They did not come.
        """
        require(self, "input_items")
        path = f"/responses/{path_segment(response_id)}/input_items"
        return await self.page(path, limit=limit, order=order, after=after, include=include)

    async def models(self) -> tuple[ModelCard, ...]:
        """The models that the endpoint has.

        Raises:
            ServiceError: They did not come.
        """
        return await self.fetch("GET", "/models", read_cards, "a list of models", "data")

    async def find_model(self, name: str | None = None) -> ModelCard:
        """One model of the catalogue, this client's own if no name is given.

        Raises:
            InputError: That is no name.
            ServiceError: It did not come; a `StatusError` of status 404 if there is none.
        """
        path = f"/models/{path_segment(self.model if name is None else name, name=True)}"
        return await self.fetch("GET", path, read_card, "a model", "id")

    async def count_tokens(
        self, body: Mapping[str, Any] | None = None, /, **fields: Any
    ) -> TokenCount:
        """How many tokens a request would be read as; nothing is generated.

        Where the endpoint cannot count they are estimated from bytes, and `exact` is False.

        Args:
            body: A body as for `create`; what does not count is left out.
            **fields: More of it, or instead.

        Raises:
            InputError: It cannot be said in JSON.
            ServiceError: The endpoint counts, and did not answer.
        """
        wanted = joined(self.model, body, fields, only=_COUNTED)
        guess = TokenCount(estimate_tokens(len(rendered(wanted))), exact=False)
        if "token_counting" in self.profile.unsupported:
            return guess
        path, what = "/responses/input_tokens", "a count of tokens"
        try:
            return await self.fetch("POST", path, read_count, what, "input_tokens", body=wanted)
        except StatusError as error:
            if error.status not in _NO_ROUTE or error.means == "model":
                raise
            return guess

    async def compact(self, body: Mapping[str, Any] | None = None, /, **fields: Any) -> Compaction:
        """Have a conversation made smaller; its `items` are the next input as they are.

        Args:
            body: `input`, `instructions`, `previous_response_id` ... as for `create`.
            **fields: More of it, or instead.

        Raises:
            InputError: It cannot be said in JSON.
            Unsupported: The endpoint does not have it.
            ServiceError: No answer.
        """
        require(self, "compaction")
        wanted = joined(self.model, body, fields, only=_COMPACTED)
        path, what = "/responses/compact", "a compaction"
        return await self.fetch("POST", path, read_compaction, what, "output", body=wanted)

    # ------------------------------------------------------------------------------ blocking twins

    def retrieve_sync(self, response_id: str, *, include: Sequence[str] = ()) -> Response:
        """`retrieve`, blocking."""
        return block(self.retrieve, response_id, include=include)

    def cancel_sync(self, response_id: str) -> Response:
        """`cancel`, blocking."""
        return block(self.cancel, response_id)

    def delete_sync(self, response_id: str) -> None:
        """`delete`, blocking."""
        block(self.delete, response_id)

    def models_sync(self) -> tuple[ModelCard, ...]:
        """`models`, blocking."""
        return block(self.models)

    def find_model_sync(self, name: str | None = None) -> ModelCard:
        """`find_model`, blocking."""
        return block(self.find_model, name)

    def count_tokens_sync(
        self, body: Mapping[str, Any] | None = None, /, **fields: Any
    ) -> TokenCount:
        """`count_tokens`, blocking."""
        return block(self.count_tokens, body, **fields)

    def compact_sync(self, body: Mapping[str, Any] | None = None, /, **fields: Any) -> Compaction:
        """`compact`, blocking."""
        return block(self.compact, body, **fields)

    # ------------------------------------------------------------------------- one way for them all

    async def fetch(
        self,
        method: str,
        path: str,
        make: Callable[[JSON], Made],
        wanted: str,
        *keys: str,
        body: Mapping[str, Any] | None = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> Made:
        """Carry out an operation whose answer is an object with these keys.

        Args:
            method: How.
            path: Where, below the base URL.
            make: What is made of the answer.
            wanted: What it is, for messages.
            *keys: What it must have.
            body: What is sent.
            query: What stands after the path.

        Raises:
            ServiceError: No such answer.
        """

        def read(raw: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> Made:
            return make(read_object(raw, headers, secrets, wanted, *keys, table=self.failures))

        return await self._exchange(method, path, read, body=body, query=query)

    async def page(
        self,
        path: str,
        *,
        limit: int | None = None,
        order: Order | None = None,
        after: str | None = None,
        include: Sequence[str] = (),
    ) -> Page:
        """A page of a list of items; see `input_items`."""

        async def turn(last: str) -> Page:
            return await self.page(path, limit=limit, order=order, after=last, include=include)

        said = {"limit": limit, "order": order, "after": after}
        query = [(name, str(value)) for name, value in said.items() if value is not None]
        return await self.fetch(
            "GET",
            path,
            lambda raw: read_page(raw, turn),
            "a list of items",
            "data",
            query=[*query, *_included(include)],
        )

    async def remove(self, path: str) -> None:
        """Delete what is there; what a lost answer had already deleted is no error.

        Raises:
            ServiceError: It could not be.
        """
        try:
            await self._exchange("DELETE", path, lambda *_: None)
        except StatusError as error:
            if error.status != 404 or error.attempts == 1:  # noqa: PLR2004  not found
                raise

    async def _exchange(
        self,
        method: str,
        path: str,
        read: Callable[[bytes, Mapping[str, str], Sequence[str]], Made],
        *,
        body: Mapping[str, Any] | None = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> Made:
        sent = b"" if body is None else rendered(body)
        url = f"{self.base_url}{path}{'?' if query else ''}{urlencode(query)}"
        return await self.persist(Exchange(self, Whole(read), url, sent, method=method))

    def _stored(self, body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> Response:
        """A response as it stands; that it failed is no failure to fetch it."""
        try:
            return parse_response(
                body,
                headers=headers,
                secrets=secrets,
                table=self.failures,
                endpoint=self.origin,
            )
        except StatusError as error:
            if error.partial is None:
                raise
            stored: Response = error.partial
            return stored


def _included(include: Sequence[str]) -> list[tuple[str, str]]:
    return [("include[]", name) for name in include]
