"""A client that gives up: work for it stops, and a host that hangs is let go."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from starlette.requests import Request

__all__ = ["silence", "unless_gone"]

T = TypeVar("T")


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """Do work for a request whose body has been read; None if the client leaves before its end."""
    doing = asyncio.create_task(work)
    leaving = asyncio.create_task(silence(request))
    both = (doing, leaving)
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in both:
            task.cancel()  # what is done stays done
        await asyncio.wait(both)
    return None if doing.cancelled() else doing.result()


async def silence(request: Request) -> None:
    """Say nothing until the client gives up; the body has been read, so no more can come."""
    await request.receive()
