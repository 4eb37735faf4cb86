"""Work for a client who may leave before its end."""

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from starlette.requests import Request

from toolstone.local.underway import Underway

__all__ = ["CLIENT_GONE", "finish", "unless_gone"]

T = TypeVar("T")

CLIENT_GONE = 499  # nobody reads it; the log does


async def finish(underway: Underway) -> bool:
    """Tell a response to its end."""
    async with aclosing(underway.events) as told:
        async for _ in told:
            pass
    return True


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """Do work for a request whose body has been read; None if the client leaves before its end."""
    doing = asyncio.current_task()
    gone = False

    async def watch() -> None:
        nonlocal gone
        await request.receive()  # the body has been read, so nothing but the end can come
        gone = True
        if doing is not None:
            doing.cancel()

    watching = asyncio.create_task(watch())
    try:
        return await work
    except asyncio.CancelledError:
        if gone and doing is not None and not doing.uncancel():
            return None
        raise
    finally:
        watching.cancel()
