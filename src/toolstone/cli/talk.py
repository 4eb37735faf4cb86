"""One session at the command line: say something, go on, rule about calls; stop on Ctrl-C."""

from __future__ import annotations

import asyncio
import shlex
import signal
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from toolstone.cli.outfit import fit_out, lasting_ledger, sessions_file
from toolstone.ledgers.sqlite import SQLiteLedger
from toolstone.tools.context import CancelToken

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator
    from pathlib import Path
    from types import FrameType

    from toolstone.agent import Agent
    from toolstone.cli.view import View
    from toolstone.ports import Ledger
    from toolstone.runs.result import Result
    from toolstone.sessions import Input

__all__ = ["Talk"]

_UNNAMED = "run-"


class Talk:
    """A session of an agent, watched by a view. Use it as a context manager.

    A session that nobody named is kept in the user's sessions file only until it is complete.

    Args:
        agent: Whom to talk to.
        view: Who watches.
        session: The session's name; a new one if None.
        file: The ledger's file; the agent's own ledger, or the user's sessions file, if None.
    """

    def __init__(
        self,
        agent: Agent[Any],
        view: View,
        *,
        session: str | None = None,
        file: Path | None = None,
    ) -> None:
        own = lasting_ledger(agent) if file is None else SQLiteLedger(file)
        self._borrowed = own is not None and file is None
        self._ledger: Ledger = own or sessions_file()
        self._fleeting = own is None and (session is None or session.startswith(_UNNAMED))
        self.session = session or f"{_UNNAMED}{uuid.uuid4().hex[:8]}"
        self._file = file
        self._view = view
        self._model = agent.model_name
        self._agent = fit_out(agent, self._ledger, view, stream=view.streams)
        self._runner = asyncio.Runner()
        self._recalled = False
        self._complete = False
        self._seconds = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._fleeting and self._complete:
                self._run(self._forget())
            self._runner.close()
        finally:
            if isinstance(self._ledger, SQLiteLedger) and not self._borrowed:
                self._ledger.close()

    def say(self, text: Input) -> Result[Any]:
        """Say something and go on until the run ends or waits.

        Raises:
            RunCancelled: Ctrl-C; the session can be resumed.
            RunError: The run did not complete.
        """
        self._seconds = 0.0
        return self._go(lambda token: self._agent.run(text, session=self.session, cancel=token))

    def resume(self) -> Result[Any]:
        """Go on where the session stopped.

        Raises:
            RunCancelled: Ctrl-C; the session can be resumed.
            RunError: The run did not complete.
        """
        return self._go(lambda token: self._agent.resume(self.session, cancel=token))

    def approve(self, call: Any) -> None:
        """Let a waiting call run."""
        self._run(self._agent.approve(self.session, call))

    def deny(self, call: Any, reason: str = "") -> None:
        """Do not let it run."""
        self._run(self._agent.deny(self.session, call, reason))

    def settle(self, call: Any, **how: Any) -> None:
        """Say what became of it; `Agent.settle` takes the same."""
        self._run(self._agent.settle(self.session, call, **how))

    def how_to_resume(self, target: str) -> str:
        """The command that goes on with this session."""
        words = ["toolstone", "run", target, "--session", self.session, "--resume"]
        return shlex.join([*words, "--ledger", str(self._file)] if self._file else words)

    def _go(self, door: Callable[[CancelToken], Awaitable[Result[Any]]]) -> Result[Any]:
        self._warm_up()
        self._recall()
        token = CancelToken()

        async def go() -> Result[Any]:
            return await door(token)

        self._complete = False
        with _stopped_by_ctrl_c(token), self._view:
            began = time.monotonic()
            result: Result[Any] = self._run(go())
            self._seconds += time.monotonic() - began
        self._complete = result.outcome == "complete"
        self._view.finish(result, self._seconds)
        return result

    def _warm_up(self) -> None:
        """Start a model of this machine before anything else: Ctrl-C then simply stops it."""
        if self._model.startswith("local/"):
            from toolstone.models import resolve_model  # noqa: PLC0415  starts a child

            with self._view.busy(f"starting {self._model} on this machine"):
                resolve_model(self._model)

    def _recall(self) -> None:
        if not self._recalled:
            self._recalled = True

            async def load() -> None:
                self._view.recall(await self._ledger.load(self.session))

            self._run(load())

    async def _forget(self) -> None:
        if isinstance(self._ledger, SQLiteLedger):
            await self._ledger.forget(self.session)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)


@contextmanager
def _stopped_by_ctrl_c(token: CancelToken) -> Iterator[None]:
    """The first Ctrl-C asks the run to stop in order; a second one interrupts at once."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        token.cancel()

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
