"""Pools belong to their loop: they end with it, and with whoever made them."""

import asyncio
import gc

from toolstone.wire.pools import PerLoop, _ended


class Pool:
    def __init__(self):
        self.closed = 0
        self.gone = asyncio.Event()

    async def aclose(self):
        await asyncio.sleep(0)
        self.closed += 1
        self.gone.set()


def made():
    pools = []

    def make():
        pools.append(Pool())
        return pools[-1]

    return PerLoop(make, Pool.aclose), pools


def test_a_loop_has_one_pool_which_ends_with_it():
    per_loop, pools = made()

    async def twice():
        assert await per_loop.get() is await per_loop.get()
        assert pools[-1].closed == 0

    asyncio.run(twice())
    asyncio.run(twice())

    assert [pool.closed for pool in pools] == [1, 1]
    assert per_loop._entries == {}


async def test_closing_early_closes_once_and_a_new_one_is_made():
    per_loop, pools = made()
    first = await per_loop.get()
    await per_loop.aclose()
    await per_loop.aclose()
    second = await per_loop.get()

    assert first is not second
    assert [pool.closed for pool in pools] == [1, 0]


async def test_closing_what_was_never_opened_does_nothing():
    await made()[0].aclose()


async def test_what_is_dropped_closes_in_its_loop_soon_after():
    per_loop, pools = made()
    await per_loop.get()
    del per_loop
    gc.collect()
    async with asyncio.timeout(5):
        await pools[0].gone.wait()

    assert pools[0].closed == 1


def test_a_loop_closed_without_a_last_word_is_forgotten():
    per_loop, pools = made()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(per_loop.get())
    loop.close()
    asyncio.run(per_loop.get())

    assert len(pools) == 2
    assert loop not in per_loop._entries


async def test_loops_in_threads_have_their_own():
    per_loop, pools = made()
    mine = await per_loop.get()

    async def there():
        return await per_loop.get()

    theirs = await asyncio.gather(*(asyncio.to_thread(asyncio.run, there()) for _ in range(4)))

    assert len({id(pool) for pool in (mine, *theirs)}) == 5
    assert await per_loop.get() is mine
    assert [pool.closed for pool in pools] == [0, 1, 1, 1, 1]


async def test_a_pool_that_its_loop_has_begun_to_close_is_left_to_it():
    per_loop, pools = made()
    await per_loop.get()
    (entry,) = per_loop._entries.values()
    closing = asyncio.create_task(entry.keeper.aclose())
    await asyncio.sleep(0)

    await _ended(entry.keeper)
    await closing

    assert pools[0].closed == 1
