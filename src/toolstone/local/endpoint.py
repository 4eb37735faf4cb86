"""The endpoint without HTTP: a request is checked, asked, told and remembered."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol

from toolstone import limits
from toolstone.local.brain import Brain, End, Hosting, Piece, RefusalError, Turn
from toolstone.local.jobs import Jobs
from toolstone.local.narrate import Event, Narration
from toolstone.local.request import Items, check_request, load_body, make_turn, refuse, resolve
from toolstone.local.response import render_response
from toolstone.local.store import Kept, Store
from toolstone.local.telling import BROKEN, STOPPED, crash, log, new_id, now, tell_whole

__all__ = ["Endpoint", "Memory", "Underway"]


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


class Underway:
    """One response on its way: `ask`, then its events; `response` is what they add up to.

    Attributes:
        turn: What the brain is asked.
        went_in: Every item that went in.
        events: The events, batch by batch, once it is asked; close it if you leave early.
    """

    def __init__(
        self, endpoint: "Endpoint", turn: Turn, went_in: Items, narration: Narration
    ) -> None:
        self.turn = turn
        self.went_in = went_in
        self.narration = narration
        self._endpoint = endpoint
        self.events = self._events()
        self._first: Piece = End()
        self._rest: AsyncIterator[Piece] = _nothing()

    @property
    def response(self) -> dict[str, Any]:
        """The response object, as far as it has come."""
        return self.narration.response

    async def ask(self) -> None:
        """Ask the brain and wait for its first piece.

        Raises:
            RefusalError: It refuses.
        """
        self._rest = self._endpoint.brain.answer(self.turn)
        self._first = await anext(self._rest, End())

    async def _events(self) -> AsyncGenerator[Sequence[Event], None]:
        """Tell the response, batch by batch; it is remembered before its end is told."""
        told = tell_whole(self.narration, self._first, self._rest, faults=True)
        try:
            async with aclosing(told):
                async for batch in told:
                    if self.narration.over:
                        await self._endpoint.remember(self)
                    yield batch
        except asyncio.CancelledError:
            if self.narration.over or not self._endpoint.stopping:
                raise
            batch = crash(self.narration, STOPPED, faults=True)  # its client gets an ending
            await self._endpoint.remember(self)
            yield batch

    async def events_in_background(self) -> AsyncGenerator[Sequence[Event], None]:
        """Tell a response that waited: the brain is asked only now."""
        yield self.narration.start(queued=True)
        yield [self.narration.go()]
        try:
            await self.ask()
        except RefusalError as error:
            yield crash(self.narration, error, faults=True)
        except Exception:  # noqa: BLE001  whatever it is, the response has failed
            log.exception("the brain broke before it said anything")
            yield crash(self.narration, BROKEN, faults=True)
        else:
            told = tell_whole(self.narration, self._first, self._rest, started=True, faults=True)
            async with aclosing(told):
                async for batch in told:
                    yield batch


async def _nothing() -> AsyncGenerator[Piece, None]:
    return
    yield


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
        check_request(body)
        self._check_brain(body)
        if body.get("background") and body.get("store") is False:
            refuse("invalid_value", "background needs 'store': true", "store")
        known = await Found().look_up(body, memory or self.store)
        went_in = resolve(body, known)
        turn = make_turn(body, went_in)
        response = render_response(body, response_id=new_id("resp"), now=now())
        return Underway(self, turn, went_in, self._narration(body, response))

    async def remember(self, underway: Underway) -> None:
        """Store a response that is over, if that is wanted."""
        if underway.turn.body.get("store") is not False:
            went_in, fresh = _identified(underway)
            await self.store.keep(underway.response, went_in, fresh=fresh)

    async def start(self, underway: Underway) -> None:
        """Work on a response in the background; it is stored as queued."""
        underway.response["status"] = "queued"
        went_in, fresh = _identified(underway)
        streamed = bool(underway.turn.body.get("stream"))
        await self.store.keep(underway.response, went_in, fresh=fresh, streamed=streamed)
        self.jobs.start(underway.response["id"], underway, streamed=streamed)

    def _narration(self, body: Mapping[str, Any], response: dict[str, Any]) -> Narration:
        include = body.get("include") or ()
        asked = bool(body.get("top_logprobs")) or "message.output_text.logprobs" in include
        return Narration(response, new_id=new_id, clock=now, logprobs=asked)

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
                await self._wait(news)

    async def _wait(self, news: asyncio.Event | None) -> None:
        if news is not None:
            await news.wait()
        else:
            await asyncio.sleep(limits.LOCAL_WATCH_SECONDS)

    # --- what the brain can

    def model(self, name: str) -> dict[str, Any]:
        """Describe a model.

        Raises:
            RefusalError: 404.
        """
        self._check_model(name)
        return {"id": name, "object": "model", "created": 0, "owned_by": "toolstone"}

    def models(self) -> list[dict[str, Any]]:
        """Describe the models the brain answers to."""
        return [self.model(name) for name in self.brain.models or ("any",)]

    def _check_brain(self, body: Mapping[str, Any]) -> None:
        self._check_model(body["model"])
        hosted = self.brain.hosted if isinstance(self.brain, Hosting) else ()
        if "*" in hosted:
            return
        for index, tool in enumerate(body.get("tools") or ()):
            if tool["type"] not in ("function", "custom", *hosted):
                message = (
                    f"this server cannot run {tool['type']!r}; offer a function that does it, "
                    "or ask through a brain that passes it on"
                )
                refuse("invalid_value", message, f"tools[{index}].type")

    def _check_model(self, model: str) -> None:
        known = self.brain.models
        if known and model not in known:
            message = f"the model {model!r} is not here; known: {', '.join(known)}"
            raise RefusalError(404, "model_not_found", message, "model")


def _identified(underway: Underway) -> tuple[Items, Items]:
    """Give all that went in, with ids, and of it what no earlier response has."""
    said = underway.turn.body.get("input")
    count = 1 if isinstance(said, str) else len(said or ())
    went_in = underway.went_in
    earlier, fresh = went_in[: len(went_in) - count], went_in[len(went_in) - count :]
    named = [item if item.get("id") else {**item, "id": _item_id(item)} for item in fresh]
    return [*earlier, *named], named


def _item_id(item: Mapping[str, Any]) -> str:
    return new_id(_PREFIXES.get(item["type"], "item"))


_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "reasoning": "rs",
    "compaction": "cmp",
}


def _lost(response_id: str) -> RefusalError:
    return RefusalError(404, None, f"Response with id {response_id!r} not found.", "response_id")
