"""A blocking function in a thread, once at a time: whoever asks meanwhile shares its answer."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

from toolstone import limits
from toolstone.bedrock.hush import hushed
from toolstone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Flight"]

Answer = TypeVar("Answer")


class Flight(Generic[Answer]):
    """One call in the air, shared by tasks, event loops and threads.

    A task that is cancelled stops waiting; the call goes on for the others.

    Args:
        function: What is called, in a daemon thread of its own.
    """

    __slots__ = ("_function", "_lock", "_running")

    def __init__(self, function: Callable[[], Answer]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._running: Future[Answer] | None = None

    async def answer(self) -> Answer:
        """What the function returns, of the call in the air or of a new one.

        Raises:
            ConfigError: It does not return within `limits.CREDENTIALS_SECONDS`.
        """
        with self._lock:
            future = self._running
            if future is None:
                future = self._running = Future()
                future.set_running_or_notify_cancel()  # one who waits cannot cancel it for all
                threading.Thread(
                    target=self._run, args=(future,), name="toolstone-aws", daemon=True
                ).start()
        try:
            async with asyncio.timeout(limits.CREDENTIALS_SECONDS):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise ConfigError(
                f"no AWS credentials within {limits.CREDENTIALS_SECONDS:g} s "
                "(limits.CREDENTIALS_SECONDS): what gives them hangs; see that it answers, or "
                "give a key that is fixed"
            ) from None

    def _run(self, future: Future[Answer]) -> None:
        try:
            with hushed():
                answer = self._function()
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            self._land()
            future.set_exception(error)
        else:
            self._land()
            future.set_result(answer)

    def _land(self) -> None:
        with self._lock:
            self._running = None
