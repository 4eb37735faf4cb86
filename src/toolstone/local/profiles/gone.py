"""A client that gives up: work for it stops, and a host that hangs is let go."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from starlette.requests import Request

__all__ = ["silence", "unless_gone"]

T = TypeVar("T")


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """Do work for a request whose body has been read; None if the client leaves before its end."""
    doing = asyncio.create_task(work)
    leaving = asyncio.create_task(silence(request))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        for task in (doing, leaving):
            if not task.done():
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


async def silence(request: Request) -> None:
    """Say nothing until the client gives up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
