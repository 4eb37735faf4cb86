"""One process that serves: uvicorn around an application, told in good time that it will stop."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from toolstone import limits

__all__ = ["Server"]


class Server(uvicorn.Server):
    """Serves one application on one socket until it is told to stop.

    Stopping is quick and has an order: no new connection is taken, running responses have
    `limits.LOCAL_GRACE_SECONDS` to end, then they are broken off as failed, so that each stream
    gets its ending; then the application closes what it holds.

    Args:
        app: What is served.
        inner: The application inside of it; its `state.endpoint` is told that the end is near.
        date_header: Whether uvicorn says the date.
    """

    def __init__(self, app: ASGIApp, inner: Starlette, *, date_header: bool) -> None:
        super().__init__(
            uvicorn.Config(
                self._answer,
                interface="asgi3",
                date_header=date_header,
                log_config=None,
                access_log=False,
                lifespan="on",
                server_header=False,
                ws_max_size=limits.BODY_BYTES,
                timeout_graceful_shutdown=limits.LOCAL_GRACE_SECONDS,
            )
        )
        self._app = app
        self._inner = inner
        self._stopping = False

    def serve_until_told(
        self, listener: socket.socket, ready: Callable[[], None] = lambda: None
    ) -> None:
        """Serve in this thread; `ready` is called once it answers, or once it has failed."""
        with asyncio.Runner(loop_factory=self.config.get_loop_factory()) as runner:
            runner.run(self._serving(listener, ready))

    async def shutdown(self, sockets: Any = None) -> None:
        """Stop in good order."""
        self._stopping = True
        endpoint = getattr(self._inner.state, "endpoint", None)
        if endpoint is not None:
            endpoint.stopping = True
        await super().shutdown(sockets)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; what is broken off at the end has had its ending, and is no error to be told."""
        try:
            await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if not self._stopping:
                raise

    async def _serving(self, listener: socket.socket, ready: Callable[[], None]) -> None:
        task = asyncio.create_task(self.serve(sockets=[listener]))
        while not (self.started or task.done()):  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.002)
        ready()
        await task
