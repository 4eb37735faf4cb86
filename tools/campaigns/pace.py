"""How near an extraction comes to a service's limit, over real HTTP, and how often it is refused.

The service is an endpoint in a process of its own that answers after a while and lets through so
many requests a second: a bucket that fills evenly. It writes down when it let one through, and when
it said 429.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import Counter
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from campaigns._servers import forked
from toolstone import Responses
from toolstone.extract import Pace, extract_many
from toolstone.local import Function
from toolstone.local.brain import RefusalError
from toolstone.wire import AiohttpTransport

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator

_WARM: Final = 5.0  # seconds in which it may find the limit out
_NEAR: Final = 0.95
_FEW: Final = 0.02  # of the requests may be refused


class Word(BaseModel):
    """What is read out of each document."""

    word: str


def options(parser: argparse.ArgumentParser) -> None:
    """The service, and what is known of it."""
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--limit", type=float, default=20.0, help="requests a second")
    parser.add_argument("--saved", type=float, default=20.0, help="requests the bucket holds")
    parser.add_argument("--latency", type=float, default=0.05)
    parser.add_argument("--retry-after", type=int, help="what it says with a 429")
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--stated", action="store_true", help="tell the pace the limit")
    parser.add_argument("--httpx", action="store_true", help="over httpx, not aiohttp")


def run(given: argparse.Namespace) -> int:
    """Extract for so long, and print what the service saw."""
    with tempfile.TemporaryDirectory() as folder:
        seen = Path(folder) / "seen"
        with forked(Function(_Limited(seen, given).answer)) as url:
            cpu = asyncio.run(_extract(url, given))
        lines = [line.split() for line in seen.read_text().splitlines()]
    began = min(float(at) for _, at in lines)
    let, refused = (
        [float(at) - began for word, at in lines if word == kind] for kind in ("let", "refused")
    )
    warm = [at for at in let if at >= _WARM]
    late = [at for at in refused if at >= _WARM]
    lasted = max(let)
    near = len(warm) / (lasted - _WARM) / given.limit
    print(
        f"{len(let):,} let through in {lasted:.1f} s, {len(refused):,} refused, "
        f"{_worst(refused)} of them in the worst second"
    )
    print(
        f"after {_WARM:g} s: {100 * near:.1f} % of the limit of {given.limit:g}/s, "
        f"{len(late)} refused ({100 * len(late) / max(1, len(warm)):.2f} %), "
        f"{_worst(late)} in the worst second"
    )
    print(f"{1000 * cpu / max(1, len(let)):.2f} ms of CPU a document")
    return 0 if near >= _NEAR and len(late) <= _FEW * len(warm) else 1


def _worst(instants: list[float]) -> int:
    return max(Counter(map(int, instants)).values(), default=0)


async def _extract(url: str, given: argparse.Namespace) -> float:
    transport = None if given.httpx else AiohttpTransport()
    model = Responses(base_url=url, api_key="k", model="m", transport=transport)
    pace = Pace(requests_per_minute=60 * given.limit) if given.stated else None
    over = asyncio.get_running_loop().time() + given.seconds
    records = extract_many(
        _documents(over), Word, model=model, pace=pace, concurrency=given.concurrency
    )
    failed = Counter[str]()
    began = time.process_time()
    try:
        async with asyncio.timeout_at(over), aclosing(records):
            async for record in records:
                if record.error is not None:
                    failed[record.error.message] += 1
    except TimeoutError:
        pass
    finally:
        await model.aclose()
    if failed:
        print(failed)
    return time.process_time() - began


async def _documents(over: float) -> AsyncIterator[str]:
    number = 0
    while asyncio.get_running_loop().time() < over:
        number += 1
        yield f"document {number}: a word"


class _Limited:
    """The endpoint's brain."""

    def __init__(self, path: Path, given: argparse.Namespace) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._given = given
        self._level = given.saved
        self._at = time.monotonic()

    async def answer(self, _turn: Any) -> dict[str, str]:
        now = time.monotonic()
        gained = (now - self._at) * self._given.limit
        self._level, self._at = min(self._given.saved, self._level + gained), now
        if self._level < 1:
            os.write(self._file, b"refused %.6f\n" % now)
            after = self._given.retry_after
            headers = {} if after is None else {"retry-after": str(after)}
            raise RefusalError(429, "rate_limit_exceeded", "too many requests", headers=headers)
        self._level -= 1
        os.write(self._file, b"let %.6f\n" % now)
        await asyncio.sleep(self._given.latency)
        return {"word": "word"}
