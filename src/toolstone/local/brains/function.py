"""A brain that is a Python function: it gets the turn, and what it returns is said."""

import asyncio
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
    Sequence,
)
from contextlib import aclosing
from typing import Any, TypeGuard, get_args

from pydantic_core import PydanticSerializationError, to_json

from toolstone.items import FunctionCall, FunctionCallOutput, Message, Other, Reasoning
from toolstone.local.brain import Decline, End, Item, Piece, RefusalError, Text, Turn
from toolstone.local.brains.answers import Answer, Part, estimate, is_part, pieces_of, recite

__all__ = ["Function"]

_PIECES: tuple[type, ...] = get_args(Piece)
_ITEMS = (Message, FunctionCall, FunctionCallOutput, Reasoning, Other)
_OVER = object()


class Function:
    """Answers with what a function of the turn returns.

    - text, `call(...)`, `message(...)`, `thought(...)`, `custom(...)`, `item(...)`,
      `refusal(...)`, an item of `toolstone`, or a list of these;
    - `answer(...)`, `error(...)` and the other answers of a script;
    - a generator, plain or async, of pieces (`toolstone.local.brain`): text it yields is more text
      of the same message, and each piece goes out when it is yielded;
    - anything else that JSON can say, such as a dict or a Pydantic model: said as JSON text.

    A function that is not async runs in a thread, so it may block. What it raises is a 500 and
    stands in the server's log; a `RefusalError` is the HTTP error it says.

    Args:
        function: Called once for each turn.
        models: The model names it answers to; any, if none are given.
    """

    hosted: Sequence[str] = ("*",)  # whatever a tool of the service would say can be returned

    def __init__(self, function: Callable[[Turn], Any], *, models: Sequence[str] = ()) -> None:
        self.models: Sequence[str] = tuple(models)
        self._function = function

    async def answer(self, turn: Turn) -> AsyncGenerator[Piece]:
        """Say what the function returns."""
        said = await self._ask(turn)
        given = said if isinstance(said, list | tuple) else [said]
        if any(_is_fragment(each) for each in given):
            said = iter(given)
        told = (
            _told(_each(said), turn)
            if isinstance(said, AsyncIterator | Iterator)
            else recite(_sayable(said), turn)
        )
        async with aclosing(told):
            async for piece in told:
                yield piece

    async def close(self) -> None:
        """Hold nothing, so let go of nothing."""

    async def _ask(self, turn: Turn) -> Any:
        function = self._function
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            said = function(turn)
        else:
            said = await asyncio.to_thread(function, turn)
        return await said if inspect.isawaitable(said) else said


async def _told(each: AsyncGenerator[Any], turn: Turn) -> AsyncGenerator[Piece]:
    """Tell pieces as they come; the end is added where it is missing."""
    written = ""
    async with aclosing(each):
        async for one in each:
            for piece in _spelled(one):
                yield piece
                if isinstance(piece, End):
                    return
                written += getattr(piece, "delta", "")
    yield End(estimate(turn, written))


def _is_fragment(said: object) -> bool:
    """Tell whether this is a piece that is no answer in itself."""
    return _is_piece(said) and not isinstance(said, Item | Decline)


def _is_piece(said: object) -> TypeGuard[Piece]:
    return isinstance(said, _PIECES)


def _spelled(said: Any) -> Iterator[Piece]:
    if _is_piece(said):
        yield said
        return
    if isinstance(said, str):
        yield Text(said)
        return
    for part in _parts(said):
        yield from pieces_of(part)


async def _each(said: AsyncIterator[Any] | Iterator[Any]) -> AsyncGenerator[Any]:
    """Take what is yielded one by one; a plain generator may block. Both are closed after it."""
    try:
        if isinstance(said, AsyncIterator):
            async for one in said:
                yield one
            return
        while (one := await asyncio.to_thread(next, said, _OVER)) is not _OVER:
            yield one
    finally:
        if isinstance(said, AsyncGenerator):
            await said.aclose()
        elif isinstance(said, Generator):
            said.close()


def _sayable(said: Any) -> Answer:
    return said if isinstance(said, Answer) else Answer(tuple(_parts(said)))


def _parts(said: Any) -> list[Part]:
    if isinstance(said, list | tuple):
        return [_part(each) for each in said]
    return [_part(said)]


def _part(said: Any) -> Part:
    if isinstance(said, _ITEMS):
        return Item(said.raw)
    if is_part(said):
        return said
    if said is None:
        raise RefusalError(
            500, "server_error", "the function returned None; return text, call(...), JSON ..."
        )
    try:
        return to_json(said).decode()
    except (PydanticSerializationError, ValueError) as error:
        raise RefusalError(
            500, "server_error", f"the function returned a {type(said).__name__}, which is no JSON"
        ) from error
