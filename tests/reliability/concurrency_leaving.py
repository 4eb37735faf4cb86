"""Streams that are left in every way, and loops that end under runs: a program of its own.

Whatever is written to stderr is a fault; what has been seen stands on stdout.
"""

import asyncio
import contextlib
import gc
import sys
import time

from toolstone import Agent, ToolContext
from toolstone.testing import Scripted, call
from toolstone.testing.faults import faults, saying
from toolstone.testing.faults.steps import Pause, scenario

SECONDS = 1.0  # the catalogue's bound
HALF = saying.encode(saying.narrate(saying.response(saying.message()))[:5])


@scenario("C05", "half an answer, and then a comment a second, for ever")
def endless(asked):
    yield saying.head()
    yield saying.chunk(HALF)
    while True:
        yield Pause(1)
        yield saying.chunk(b": still here\n\n")


def say(*words):
    sys.stdout.write(" ".join(words) + "\n")


async def gone(peer):
    """The peer notices that the client has gone."""
    end = time.monotonic() + SECONDS
    while peer._open and time.monotonic() < end:  # noqa: ASYNC110  nothing tells of it
        await asyncio.sleep(0.005)
    assert not peer._open, "the request was not aborted within a second"


async def body(agent):
    """As the body of a streamed HTTP response is written."""
    async with agent.stream("go") as stream:
        async for event in stream.batches():
            yield event


async def first(pieces, enough):
    """Read until there is something to leave."""
    async for _ in pieces:
        if enough():
            return


async def breaks(agent, enough):
    async with agent.stream("go") as stream:
        async for _ in stream.batches():
            if enough():
                break


async def raises(agent, enough):
    with contextlib.suppress(ZeroDivisionError):
        async with agent.stream("go") as stream:
            async for _ in stream.batches():
                if enough():
                    raise ZeroDivisionError


async def collected(agent, enough):
    pieces = body(agent)
    await first(pieces, enough)
    del pieces
    gc.collect()


async def collected_within(agent, enough):
    async with agent.stream("go") as stream:
        pieces = stream.batches()
        await first(pieces, enough)
        del pieces
        gc.collect()


async def closed_elsewhere(agent, enough):
    pieces = body(agent)
    await first(pieces, enough)
    await asyncio.create_task(pieces.aclose())


async def closed_while_read(agent, enough):
    """Python refuses to close a generator that another task reads; leaving the stream ends both."""
    async with agent.stream("go") as stream:
        pieces = stream.batches()
        await first(pieces, enough)
        reading = asyncio.create_task(anext(pieces, None))
        await asyncio.sleep(0.01)
        with contextlib.suppress(RuntimeError):
            await pieces.aclose()
        await stream.aclose()
        with contextlib.suppress(Exception):
            await reading


async def cancelled(agent, enough):
    begun = asyncio.Event()

    async def read():
        async for _ in body(agent):
            if enough():
                begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


WAYS = [breaks, raises, collected, collected_within, closed_elsewhere, closed_while_read, cancelled]  # fmt: skip


async def leave_requests(peer, make):
    for way in WAYS:
        seen = len(peer.met)
        await way(make(), lambda seen=seen: len(peer.met) > seen and peer._open)
        await gone(peer)
        say("request:", way.__name__)


def hanging(begun, stopped):
    async def hangs(context: ToolContext[None]) -> str:
        begun.append(True)
        context.progress("something to be read")
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    return hangs


async def leave_tools():
    for way in WAYS:
        begun, stopped = [], asyncio.Event()
        agent = Agent(Scripted([call("hangs")]), tools=[hanging(begun, stopped)])
        await way(agent, lambda begun=begun: bool(begun))
        async with asyncio.timeout(SECONDS):
            await stopped.wait()
        say("tools:", way.__name__)


def leave_blocking(make):
    with make().stream_sync("go") as stream:
        for _ in stream.text():
            break
    with contextlib.suppress(ZeroDivisionError), make().stream_sync("go") as stream:
        for _ in stream.text():
            raise ZeroDivisionError

    def pieces():
        with make().stream_sync("go") as stream:
            yield from stream.text()

    one = pieces()
    assert next(one)
    del one
    gc.collect()


def outlive(make):
    """A generator that is still there after its loop: closed by `asyncio.run`, then by hand."""
    kept = []

    async def main():
        kept.append(body(make()))
        await anext(kept[0])

    asyncio.run(main())
    kept.clear()
    gc.collect()
    say("after asyncio.run")

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    loop.close()
    with contextlib.suppress(RuntimeError):
        kept[0].aclose().send(None)
    kept.clear()
    gc.collect()
    say("after the loop was closed by hand")


def end_in_flight(make):
    """`asyncio.run` ends while runs wait for a model, an async tool, a blocking tool."""

    begun = []

    async def waits() -> str:
        begun.append("waits")
        await asyncio.Event().wait()

    def blocks() -> str:
        begun.append("blocks")
        time.sleep(0.2)
        return ""

    def agents():
        yield make()
        for one in (waits, blocks):
            yield Agent(Scripted(call(one.__name__), "done"), tools=[one])

    async def main(held):
        for agent in [*agents(), *agents()]:
            held.append(asyncio.create_task(agent.run("go")))
        for agent in agents():
            held.append(asyncio.create_task(first(body(agent), lambda: False)))
        while len(begun) < 6 or len(peer._open) < 3:  # noqa: ASYNC110  until all are in flight
            await asyncio.sleep(0.005)
        begun.clear()

    asyncio.run(main([]))
    gc.collect()
    say("in flight")
    if "by hand" in sys.argv:
        loop, held = asyncio.new_event_loop(), []
        loop.run_until_complete(main(held))
        loop.close()
        held.clear()
        gc.collect()
        say("in flight, closed by hand")


with faults() as peer:

    def make():
        return Agent(f"responses+{peer.base_url('C05')}#m")

    if "by hand" not in sys.argv:
        asyncio.run(leave_requests(peer, make))
        asyncio.run(leave_tools())
        leave_blocking(make)
        asyncio.run(gone(peer))
        say("blocking")
        outlive(make)
    end_in_flight(make)
gc.collect()
