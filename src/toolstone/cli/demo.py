"""`toolstone demo`: two functions, called at once by a real small model on this machine."""

from __future__ import annotations

import asyncio
import functools
import json
import sys
import time
from typing import TYPE_CHECKING, Any

from toolstone.agent import Agent
from toolstone.cli.board import Board
from toolstone.cli.failures import reported
from toolstone.cli.talk import Talk
from toolstone.cli.view import choose_view
from toolstone.cli.words import shorten
from toolstone.schema.output import OutputType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from toolstone.events import Delta, Fact

__all__ = ["show_demo"]

_MODEL = "local/smollm2"
_SECONDS = 1.0
_WITS = """\
That was SmolLM2, a language model of 135 million parameters, on this machine: no account, no key.
So small a model proves the wiring, not the wits: toolstone made the schemas, ran the calls side
by side and checked the answer; a larger model brings the judgement."""


def show_demo(request: str | None, *, as_json: bool, debug: bool) -> int:
    """Run the demo and show it; the exit code."""
    from toolstone.local import demo  # noqa: PLC0415  the task, needed here alone

    asked = request or demo.REQUESTS[0]
    tools = [_awaited(demo.weather), _blocking(demo.population)]
    watchers = () if as_json else (_Growing(OutputType.of(demo.Report)),)
    agent: Agent[Any] = Agent(_MODEL, tools=tools, output=demo.Report, observers=watchers)
    view = choose_view(agent.output, _MODEL, as_json=as_json)
    tell = _nothing if as_json else _say
    with reported(debug=debug, told=view):
        tell('Agent("local/smollm2", tools=[weather, population], output=Report)')
        tell(f"asked: {asked}\n")
        with Talk(agent, view) as talk:
            talk.say(asked)
        tell(f"\n{_WITS}")
    return 0


class _Growing:
    """Shows the answer each time another field of it is finished."""

    def __init__(self, output: OutputType[Any]) -> None:
        self._board = Board(output)
        self._done = 0

    def observe(self, _run: str, event: Fact | Delta, /) -> None:
        """See one event."""
        self._board.see(event, 0.0)
        partial = self._board.partial
        if partial is None:
            self._done = 0
        elif self._done < len(partial.done):
            self._done = len(partial.done)
            _say(f"  partial: {shorten(json.dumps(partial.data, ensure_ascii=False), 80)}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _nothing(_line: str) -> None:
    """What a program reads holds no prose."""


def _awaited(function: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """The function, taking the second that a service far away would take."""

    @functools.wraps(function)
    async def slower(**arguments: Any) -> Any:
        await asyncio.sleep(_SECONDS)
        return await function(**arguments)

    return slower


def _blocking(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same, for a function that blocks its thread."""

    @functools.wraps(function)
    def slower(**arguments: Any) -> Any:
        time.sleep(_SECONDS)
        return function(**arguments)

    return slower
