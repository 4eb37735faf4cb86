"""A worker's line to the desk: what it says goes out together, what it is told comes back together.

A call over a cluster costs a millisecond of somebody's time, so there is never more than one under
way in each direction: what is said meanwhile goes with the next. Behind the line stand the one
`Throttle` and the one `Till` of the job, as `FarThrottle` and `Charged`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from toolstone._dataclass import dataclass
from toolstone.errors import ServiceError, StoppedError
from toolstone.extract.throttle import Turn
from toolstone.extract.worst import WorstCase
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from toolstone.events import Noted
    from toolstone.ports import Emit, Model, Request, Response

__all__ = ["Call", "Charged", "FarThrottle", "Line", "Reply"]


class Call(NamedTuple):
    """Something said to the desk; its number is None where no reply is waited for."""

    number: int | None
    name: str
    args: tuple[Any, ...]
    named: dict[str, Any]


class Reply(NamedTuple):
    """What the desk says to a call."""

    number: int
    value: Any
    error: Exception | None


class Line:
    """A connection to the desk, for one event loop.

    Args:
        tell: Brings calls to the desk.
        hear: Waits for replies; None at the end.
    """

    def __init__(
        self,
        tell: Callable[[Sequence[Call]], Awaitable[None]],
        hear: Callable[[], Awaitable[list[Reply] | None]],
    ) -> None:
        self.closed = asyncio.Event()
        self._tell = tell
        self._hear = hear
        self._numbers = count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._calls: list[Call] = []
        self._error: BaseException | None = None
        self._sending: asyncio.Task[None] | None = None
        self._listening = asyncio.create_task(self._listen())

    def check(self) -> None:
        """Nothing, if the desk has let everybody go as it should.

        Raises:
            Exception: What became of the connection.
        """
        if self._error is not None:
            raise self._error

    async def call(self, name: str, *args: Any) -> Any:
        """Have something done at the desk.

        Raises:
            ToolstoneError: What it said.
            CancelledError: The desk has let everybody go.
        """
        if self._error is not None:
            raise self._error
        number = next(self._numbers)
        reply = self._waiting[number] = asyncio.get_running_loop().create_future()
        if self.closed.is_set():
            reply.cancel()
        self._put(Call(number, name, args, {}))
        try:
            return await reply
        finally:
            self._waiting.pop(number, None)

    def say(self, name: str, *args: Any, **named: Any) -> None:
        """Tell the desk something, and not wait."""
        self._put(Call(None, name, args, named))

    def _put(self, call: Call) -> None:
        self._calls.append(call)
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        try:
            while self._calls and not self.closed.is_set():
                calls, self._calls = self._calls, []
                await self._tell(calls)
        except Exception as error:  # noqa: BLE001  whoever waits is told
            self._close(error)
        finally:
            self._sending = None

    async def _listen(self) -> None:
        try:
            while (replies := await self._hear()) is not None:
                for number, value, error in replies:
                    self._reply(number, value, error)
        except Exception as error:  # noqa: BLE001  whoever waits is told
            self._close(error)
        else:
            self._close(None)

    def _reply(self, number: int, value: Any, error: BaseException | None) -> None:
        future = self._waiting.get(number)
        if future is None or future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)

    def _close(self, error: BaseException | None) -> None:
        self._error = self._error or error
        self.closed.set()
        for number, future in self._waiting.items():
            if error is None:
                future.cancel()
            else:
                self._reply(number, None, error)


@dataclass(slots=True)
class _FarTurn(Turn):
    """A turn that stands at the desk under this number."""

    number: int = 0


class FarThrottle:
    """The throttle at the desk, with the methods of one that is here.

    Args:
        line: To the desk.
        counts_tokens: Whether tokens are limited, so that requests must be estimated.
    """

    def __init__(self, line: Line, *, counts_tokens: bool) -> None:
        self.counts_tokens = counts_tokens
        self._line = line
        self._numbers = count()

    async def enter(self, tokens: int = 0) -> Turn:
        """Wait for leave to send a request; see `Throttle.enter`."""
        turn = _FarTurn(0.0, tokens, number=next(self._numbers))
        await self._line.call("enter", turn.number, tokens)
        return turn

    async def again(self, turn: Turn) -> None:
        """Wait for leave to send it once more; see `Throttle.again`."""
        await self._line.call("again", _number(turn))

    def refuse(self, turn: Turn, wait: float | None = None) -> None:
        """The service has said 429; see `Throttle.refuse`."""
        self._line.say("refuse", _number(turn), wait)

    def leave(self, turn: Turn, *, answered: bool, used: int | None = None) -> None:
        """The request is over; see `Throttle.leave`."""
        self._line.say("leave", _number(turn), answered=answered, used=used)


def _number(turn: Turn) -> int:
    assert isinstance(turn, _FarTurn)  # noqa: S101  what `enter` gave
    return turn.number


class Charged:
    """A model each request of which is paid for at the desk; fits `toolstone.ports.Model`.

    Before it is sent its worst case is reserved there, and afterwards what it cost is settled.

    Args:
        model: The model that is asked.
        line: To the desk.

    Attributes:
        stopped: Why the desk gave no more money; None while it did.
    """

    def __init__(self, model: Model, line: Line) -> None:
        self.stopped: StoppedError | None = None
        self._model = model
        self._line = line
        self._worst = WorstCase()
        self._numbers = count()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # half made, as in a copy
        return getattr(self._model, name)

    async def respond(self, request: Request, emit: Emit, /) -> Response:
        """Answer a request when it can be paid for; see `toolstone.ports.Model`.

        Raises:
            StoppedError: The budget of the job is spent.
            ServiceError: No answer.
        """
        number, usage = next(self._numbers), Usage(requests=1)
        try:
            await self._line.call("reserve", number, *self._worst(request))
        except StoppedError as error:
            self.stopped = error
            raise
        try:
            response = await self._model.respond(request, emit)
            usage = response.usage + _tried(response.notes)
        except ServiceError as error:
            usage = _tried(error.notes)
            raise
        else:
            return response
        finally:
            self._line.say("settle", number, usage)


def _tried(notes: Iterable[Noted]) -> Usage:
    """What failed attempts were, and are known to have cost."""
    tried = sum([note.what == "attempt" for note in notes])
    spent = sum([note.usage for note in notes if note.usage is not None], Usage())
    return replace(spent, requests=tried)
