"""What a host does that a client must live with: some of it always, some of it on demand."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import fields, replace
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from toolstone._dataclass import dataclass
from toolstone.errors import ConfigError
from toolstone.local.brain import Arguments, Call, End, Item, Piece, Text, Usage
from toolstone.local.narrate import Event
from toolstone.local.profiles.gates import Unproven
from toolstone.local.telling import DONE, frame

__all__ = ["ALWAYS", "Counted", "Habits", "Manner", "Seals", "told_frames"]

ALWAYS = -1
"""Every request, not only the first so many."""


@dataclass(frozen=True, slots=True)
class Habits:
    """Which of the habits that were seen are shown.

    Those with a number are shown by so many create requests from the first; `ALWAYS` by all.

    Args:
        failed_at_end: A good answer that ends as `response.failed`, `server_error`.
        stall: Two events and then silence; of a plain answer, silence.
        empty: Completed, with no output.
        error_frame: A stream that ends in an error frame without a `type`, or with odd ones.
        internal_400: 400 "Internal server error".
        unavailable: 503.
        trailing_junk: Characters after the JSON of arguments.
        hidden_tools: An `mcp_call` that nobody declared (gpt-oss alone does this).
        reasoning: An item of reasoning first, told by deltas.
        roaming: A response of a `global.` id that is stored where another region served it.
        lost_state: 404 for a `previous_response_id` that is stored all the same.
        spelling: What the deltas of reasoning are called.
        lost: The wording of 404 for lost state.
        wrong_prefix: What answers a model on the other prefix.
        absent: What answers a model that this region has not.
        closed_items: Refuse input items with more than the documented keys.
        unproven: What becomes of parameters that nobody has tried there.
        done: Send `[DONE]`.
        skew: Seconds that the `Date` header, and the clock that checks signatures, are ahead.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    failed_at_end: int = 0
    stall: int = 0
    empty: int = 0
    error_frame: int = 0
    internal_400: int = 0
    unavailable: int = 0
    trailing_junk: int = 0
    hidden_tools: int = 0
    reasoning: int = 0
    roaming: int = 0
    lost_state: int = 0
    spelling: Literal["open_responses", "openai"] = "open_responses"
    lost: Literal["response_not_found", "resource_not_found"] = "response_not_found"
    wrong_prefix: Literal["wrong_route", "api_unsupported", "not_enabled", "hang"] = "wrong_route"
    absent: Literal["model_not_found", "wrong_route"] = "model_not_found"
    closed_items: bool = False
    unproven: Unproven = "accept"
    done: bool = True
    skew: float = 0.0

    @classmethod
    def of(cls, said: Iterable[str]) -> "Habits":
        """Read habits as one writes them on a command line: `stall=1`, `spelling=openai`.

        A name alone is `=1` of a habit that is counted, and yes of any other.

        Raises:
            ConfigError: There is no such habit, or it cannot be so.
        """
        split = [each.partition("=") for each in said]
        try:
            return TypeAdapter(cls).validate_python({k: v or "1" for k, _, v in split})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            known = ", ".join(each.name for each in fields(cls))
            at = ".".join(str(step) for step in first["loc"])
            raise ConfigError(f"habit {at!r}: {first['msg']}; there are {known}") from None


class Counted:
    """How often each habit is still to be shown."""

    def __init__(self, habits: Habits) -> None:
        self._left = {
            each.name: getattr(habits, each.name) for each in fields(habits) if each.type is int
        }
        self._shown = 0

    def take(self, name: str) -> bool:
        """Say whether to show it now."""
        left = self._left[name]
        self._left[name] = left - (left > 0)
        return bool(left)

    def turn(self, choices: Sequence[str]) -> str:
        """Give one after the other of several ways to do a thing."""
        self._shown += 1
        return choices[(self._shown - 1) % len(choices)]


@dataclass(frozen=True, slots=True)
class Manner:
    """How one answer is given.

    Args:
        call_id: How calls are numbered, `call_{n}`; None: the server makes ids up.
        one_call: Break off after one call.
        junk: Comes after the JSON of arguments.
        opening: Comes first.
        failure: What the answer fails with when it is over.
        seal: The encrypted content of reasoning; None: there is none.
        itemised: Whether reasoning tokens are told apart.
        writable: Tokens that may be written before a quota truncates.
    """

    call_id: str | None = None
    one_call: bool = False
    junk: str = ""
    opening: Sequence[Piece] = ()
    failure: dict[str, str] | None = None
    seal: str | None = None
    itemised: bool = True
    writable: int | None = None

    async def give(self, pieces: AsyncIterator[Piece]) -> AsyncGenerator[Piece, None]:
        """Give an answer in this manner."""
        first = await anext(pieces, End())  # what is refused is refused before anything is said
        given = self._given(first, pieces)
        try:
            async for piece in given:
                yield piece
        finally:
            await given.aclose()
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    async def _given(self, first: Piece, rest: AsyncIterator[Piece]) -> AsyncGenerator[Piece, None]:
        for piece in self.opening:
            yield self._shown(piece, 0)
        calls = written = 0
        arguing = False
        async for piece in _after(first, rest):
            if arguing and self.junk and not isinstance(piece, Arguments):
                yield Arguments(self.junk)
            arguing = isinstance(piece, Call | Arguments)
            calls += isinstance(piece, Call)
            if self.one_call and calls > 1 and not isinstance(piece, End):
                arguing = False
                continue
            written += len(piece.delta) if isinstance(piece, Text | Arguments) else 0
            if self.writable is not None and written > 4 * self.writable:
                usage = Usage(output_tokens=self.writable)
                yield End(usage, "incomplete", "max_output_tokens")
                return
            yield self._shown(piece, calls - 1)

    def _shown(self, piece: Piece, number: int) -> Piece:
        match piece:
            case Call(name, None) if self.call_id:
                return Call(name, self.call_id.format(n=number))
            case Item(item) if item.get("type") == "reasoning" and self.seal:
                return Item({"encrypted_content": self.seal, **item})
            case End(usage, "completed") if self.failure:
                return End(self._counted(usage), "failed", error=self.failure)
            case End():
                return replace(piece, usage=self._counted(piece.usage))
            case _:
                return piece

    def _counted(self, usage: Usage) -> Usage:
        return usage if self.itemised else replace(usage, reasoning_tokens=0)


async def _after(first: Piece, rest: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
    yield first
    if not isinstance(first, End):
        async for piece in rest:
            yield piece


async def told_frames(
    told: AsyncGenerator[Sequence[Event], None],
    *,
    spelling: Sequence[str],
    done: bool,
    stall: bool = False,
    broken: str | None = None,
) -> AsyncGenerator[bytes, None]:
    """Frame a stream as the host does.

    Args:
        told: The events, in batches.
        spelling: What a delta of reasoning and its end are called.
        done: Whether `[DONE]` comes.
        stall: Fall silent after two events.
        broken: A frame that ends the stream after its first content.
    """
    number = 0
    async with aclosing(told):
        async for events in told:
            for event in _spelled(events, spelling):
                yield frame({**event, "sequence_number": number})
                number += 1
                if stall and number == 2:  # noqa: PLR2004  created and in_progress
                    await asyncio.Event().wait()
                if broken and event["type"].endswith(".delta"):
                    yield f"data: {broken}\n\n".encode()
                    return
    if done:
        yield DONE


def _spelled(events: Sequence[Event], spelling: Sequence[str]) -> list[Event]:
    told: list[Event] = []
    for event in events:
        item = event.get("item") or {}
        thoughts = item.get("content") if item.get("type") == "reasoning" else None
        if event["type"] != "response.output_item.added" or not thoughts:
            told.append(event)
            continue
        told.append({**event, "item": {**item, "content": []}})
        at = {"item_id": item["id"], "output_index": event["output_index"]}
        for index, part in enumerate(thoughts):
            place = {**at, "content_index": index}
            told.append({"type": spelling[0], **place, "delta": part["text"]})
            told.append({"type": spelling[1], **place, "text": part["text"]})
    return told


class Seals:
    """Encrypted reasoning: a blob that only the region and the provider it is from can open."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def make(self, region: str, provider: str) -> str:
        """Make a blob."""
        body = json.dumps([region, provider, secrets.token_hex(8)]).encode()
        return base64.b64encode(self._mark(body) + body).decode()

    def opens(self, blob: Any, region: str, provider: str) -> bool:
        """Say whether a blob is ours, from this region and this provider."""
        try:
            raw = base64.b64decode(blob, validate=True)
        except (ValueError, TypeError):
            return False
        mark, body = raw[:32], raw[32:]
        if not hmac.compare_digest(mark, self._mark(body)):
            return False
        return bool(json.loads(body)[:2] == [region, provider])

    def _mark(self, body: bytes) -> bytes:
        return hmac.new(self._secret, body, hashlib.sha256).digest()
