"""The endpoint without HTTP: requests are checked and answered, and what they left is found."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any

from toolstone import limits
from toolstone.local.abilities import check_brain, check_model
from toolstone.local.brain import Brain, End, Item, Piece, RefusalError, Turn, Usage
from toolstone.local.compaction import compacted, opened, retained
from toolstone.local.conversations import Conversations
from toolstone.local.counting import count, estimate
from toolstone.local.fields import CompactFields, CountFields, RequestFields
from toolstone.local.ids import new_id, with_id
from toolstone.local.jobs import Jobs
from toolstone.local.memory import Found, Memory
from toolstone.local.narrate import Event, Narration, render_usage
from toolstone.local.request import Items, check_request, load_body, make_turn, refuse, resolve
from toolstone.local.response import render_response
from toolstone.local.seals import Seals
from toolstone.local.store import Kept, Store
from toolstone.local.telling import now
from toolstone.local.underway import Underway

__all__ = ["Endpoint"]

_OVER = ("completed", "incomplete")


class Endpoint:
    """What all the routes share: the brain, the store, and the work in the background.

    Args:
        brain: What answers.
        store: What is remembered; closed with the endpoint.

    Attributes:
        stopping: Whether the server is about to stop: who is cancelled then has failed, and is
            told so.
    """

    def __init__(self, brain: Brain, store: Store | None = None) -> None:
        self.brain = brain
        self.store = store or Store.open()
        self.conversations = Conversations(self.store.database)
        self.jobs = Jobs(self.store)
        self.stopping = False

    async def close(self) -> None:
        """Stop what runs in the background, and let go of the brain and the store."""
        await self.jobs.close()
        try:
            await self.brain.close()
        finally:
            await self.store.close()

    # --- a new response

    async def begin(
        self, body: Mapping[str, Any] | bytes, memory: Memory | None = None
    ) -> Underway:
        """Check a request and ask the brain; its events are there to be told.

        Args:
            body: The body of a create request.
            memory: Where ids are looked up; the store if not given.

        Raises:
            RefusalError: The request is refused; nothing has been said.
        """
        underway = await self.prepare(body, memory)
        await underway.ask()
        return underway

    async def prepare(
        self, body: Mapping[str, Any] | bytes, memory: Memory | None = None
    ) -> Underway:
        """Check a request, and ask nobody yet.

        Raises:
            RefusalError: The request is refused.
        """
        body = load_body(body) if isinstance(body, bytes) else body
        check_request(body, RequestFields)
        if body.get("background") and body.get("store") is False:
            refuse("invalid_value", "background needs 'store': true", "store")
        turn, went_in = await self._turn(body, memory or self.store)
        response = render_response(body, response_id=new_id("resp"), now=now())
        narration = await self._narration(body, response)
        turn, opening = await self._opening(turn)
        return Underway(self, turn, went_in, narration, opening)

    async def _turn(self, body: Mapping[str, Any], memory: Memory) -> tuple[Turn, Items]:
        """Give the turn, and all that went in as it came."""
        strict = check_brain(self.brain, body)
        earlier: Items = ()
        if conversation := _conversation(body):
            earlier = await self.conversations.items(conversation)
        found = await Found().look_up(body, memory)
        went_in = resolve(body, found, earlier)
        items = went_in
        if any(item.get("encrypted_content") or "trigger" in item["type"] for item in went_in):
            items = opened(went_in, await self._seals(), fresh=_fresh(body), strict=strict)
        return make_turn(body, items), went_in

    async def _opening(self, turn: Turn) -> tuple[Turn, list[Piece]]:
        """Compact the turn first, if that is asked for."""
        said = turn.body.get("input")
        if isinstance(said, list) and said and said[-1].get("type") == "compaction_trigger":
            shorter, piece = await self._compacted(turn)
            usage = Usage(await count(self.brain, turn), estimate(piece.item))
            return shorter, [piece, End(usage)]
        for each in turn.body.get("context_management") or ():
            threshold = each.get("compact_threshold") or limits.LOCAL_COMPACT_TOKENS
            if await count(self.brain, turn) > threshold:
                shorter, piece = await self._compacted(turn)
                return shorter, [piece]
        return turn, []

    async def _compacted(self, turn: Turn) -> tuple[Turn, Item]:
        items = compacted(turn.items)
        seals = await self._seals()
        piece = with_id({"type": "compaction", "encrypted_content": seals.seal(items)})
        return replace(turn, items=items), Item(piece)

    async def _narration(self, body: Mapping[str, Any], response: dict[str, Any]) -> Narration:
        include = body.get("include") or ()
        asked = bool(body.get("top_logprobs")) or "message.output_text.logprobs" in include
        seal = None
        if "reasoning.encrypted_content" in include:
            seals = await self._seals()
            seal = lambda item: seals.seal({"content": item.get("content", [])})  # noqa: E731
        return Narration(response, new_id=new_id, clock=now, logprobs=asked, seal=seal)

    async def _seals(self) -> Seals:
        return Seals(await self.store.secret())

    async def start(self, underway: Underway) -> None:
        """Work on a response in the background; it is stored as queued."""
        underway.response["status"] = "queued"
        went_in, _ = _identified(underway)
        streamed = bool(underway.turn.body.get("stream"))
        await self.store.keep(underway.response, went_in, streamed=streamed)
        self.jobs.start(underway.response["id"], underway, streamed=streamed)

    async def remember(self, underway: Underway) -> None:
        """Store a response that is over, and what it adds to its conversation."""
        body, response = underway.turn.body, underway.response
        if body.get("background"):
            if not await self.store.advance(response):
                return  # somebody cancelled or deleted it
        elif body.get("store") is not False:
            went_in, _ = _identified(underway)
            await self.store.keep(response, went_in)
        conversation = _conversation(body)
        if conversation and response["status"] in _OVER:
            _, fresh = _identified(underway)
            await self.conversations.append(conversation, [*fresh, *response["output"]])

    # --- stored responses

    async def stored(self, response_id: str) -> Kept:
        """Find a stored response.

        Raises:
            RefusalError: 404.
        """
        kept = await self.store.find(response_id)
        if kept is None:
            raise _lost(response_id)
        return kept

    async def delete(self, response_id: str) -> None:
        """Delete a stored response; if it is being made, stop.

        Raises:
            RefusalError: 404.
        """
        await self.jobs.stop(response_id)
        if not await self.store.delete(response_id):
            raise _lost(response_id)

    async def cancel(self, response_id: str) -> dict[str, Any]:
        """Cancel a response in the background; one that is over stays as it is.

        Raises:
            RefusalError: 404, or 400: it was never in the background.
        """
        kept = await self.stored(response_id)
        if not kept.response["background"]:
            message = "only a response made with 'background': true can be cancelled"
            raise RefusalError(400, "invalid_value", message, "response_id")
        await self.jobs.stop(response_id)
        await self.store.cancel(response_id)
        return (await self.stored(response_id)).response

    async def follow(self, response_id: str, after: int = -1) -> AsyncGenerator[Event, None]:
        """Tell the events of a response in the background, from its store, as they come.

        Args:
            response_id: Which; made with `background` and `stream`.
            after: The number of the last event that need not be told.
        """
        while True:
            news = self.jobs.news(response_id)
            kept = await self.store.find(response_id)
            told = await self.store.told(response_id, after)
            for number, event in told:
                yield json.loads(event)
                after = number
            if kept is None or not kept.under_way:
                return
            if not told:
                await _next(news)

    # --- without an answer

    async def count(self, body: Mapping[str, Any]) -> int:
        """Count the tokens that a request would have read.

        Raises:
            RefusalError: The request is refused.
        """
        check_request(body, CountFields)
        named = {**body, "model": body.get("model") or (*self.brain.models, "any")[0]}
        turn, _ = await self._turn(named, self.store)
        return await count(self.brain, turn)

    async def compact(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Give a shorter conversation that stands for the one that was sent.

        Raises:
            RefusalError: The request is refused.
        """
        check_request(body, CompactFields)
        turn, _ = await self._turn(body, self.store)
        shorter, piece = await self._compacted(turn)
        usage = Usage(await count(self.brain, turn), estimate(piece.item))
        return {
            "id": new_id("resp"),
            "object": "response.compaction",
            "created_at": now(),
            "output": [*retained(shorter.items), piece.item],
            "usage": render_usage(usage),
        }

    def model(self, name: str) -> dict[str, Any]:
        """Describe a model.

        Raises:
            RefusalError: 404.
        """
        check_model(self.brain, name)
        return {"id": name, "object": "model", "created": 0, "owned_by": "toolstone"}

    def models(self) -> list[dict[str, Any]]:
        """Describe the models the brain answers to."""
        return [self.model(name) for name in self.brain.models or ("any",)]


def _conversation(body: Mapping[str, Any]) -> str | None:
    chosen = body.get("conversation")
    return chosen["id"] if isinstance(chosen, dict) else chosen


def _fresh(body: Mapping[str, Any]) -> int:
    """Count the items that came with a request."""
    said = body.get("input")
    return 1 if isinstance(said, str) else len(said or ())


def _identified(underway: Underway) -> tuple[Items, Items]:
    """Give all that went in, with ids, and of it what no earlier response has."""
    went_in = underway.went_in
    cut = len(went_in) - _fresh(underway.turn.body)
    fresh = [with_id(item) for item in went_in[cut:]]
    return [*went_in[:cut], *fresh], fresh


async def _next(news: asyncio.Event | None) -> None:
    if news is not None:
        await news.wait()
    else:  # another process works on it
        await asyncio.sleep(limits.LOCAL_WATCH_SECONDS)


def _lost(response_id: str) -> RefusalError:
    return RefusalError(404, None, f"Response with id {response_id!r} not found.", "response_id")
