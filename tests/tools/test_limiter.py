"""At most n at once: across tasks, loops and threads, in order, leaving nothing behind."""

import asyncio
import gc
import threading

import pytest

from toolstone.errors import DefinitionError
from toolstone.tools.limiter import Gate, Limit


class Crowd:
    """Counts who is inside, from any thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.now = self.most = 0

    def __enter__(self):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)

    def __exit__(self, *_):
        with self.lock:
            self.now -= 1


async def visit(gate, crowd, turns=3):
    await gate.acquire()
    try:
        with crowd:
            for _ in range(turns):
                await asyncio.sleep(0)
    finally:
        gate.release()


async def test_no_more_than_n_are_inside_at_once():
    gate, crowd = Gate(3), Crowd()

    await asyncio.gather(*[visit(gate, crowd) for _ in range(20)])

    assert (crowd.most, crowd.now) == (3, 0)


def test_the_limit_holds_across_threads_and_loops():
    limit, crowd = Limit("across", 2), Crowd()
    start = threading.Barrier(4)

    def loop():
        start.wait(5)
        asyncio.run(everyone())

    async def everyone():
        await asyncio.gather(*[visit(Limit("across", 2).gate, crowd) for _ in range(25)])

    threads = [threading.Thread(target=loop) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)

    assert not any(one.is_alive() for one in threads)
    assert (crowd.most, crowd.now) == (2, 0)
    assert limit.gate._free == 2


async def test_places_are_given_in_the_order_of_asking():
    gate, order = Gate(1), []

    async def ask(n):
        await gate.acquire()
        order.append(n)
        gate.release()

    await gate.acquire()
    tasks = []
    for n in range(5):
        tasks.append(asyncio.create_task(ask(n)))
        await asyncio.sleep(0)
    gate.release()
    await asyncio.gather(*tasks)

    assert order == [0, 1, 2, 3, 4]


async def test_who_leaves_the_queue_takes_no_place():
    gate = Gate(1)
    await gate.acquire()
    leaving = asyncio.create_task(gate.acquire())
    staying = asyncio.create_task(gate.acquire())
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait([leaving])
    gate.release()
    await staying
    gate.release()

    assert gate._free == 1


async def test_a_place_given_to_somebody_just_cancelled_is_passed_on():
    gate = Gate(1)
    await gate.acquire()
    unlucky = asyncio.create_task(gate.acquire())
    next_one = asyncio.create_task(gate.acquire())
    await asyncio.sleep(0)
    gate.release()  # granted to the first, which has not woken up yet
    unlucky.cancel()
    await asyncio.wait([unlucky])
    await next_one
    gate.release()

    assert unlucky.cancelled()
    assert gate._free == 1


def test_a_waiter_whose_loop_is_gone_is_passed_over():
    gate = Gate(1)
    first = asyncio.new_event_loop()
    first.run_until_complete(gate.acquire())
    waiting = first.create_task(gate.acquire())
    first.run_until_complete(asyncio.sleep(0))
    waiting._log_destroy_pending = False
    first.close()

    gate.release()

    asyncio.run(gate.acquire())
    assert gate._free == 0


def test_two_limits_of_one_name_must_agree():
    kept = Limit("agree", 3)
    assert Limit("agree", 3).gate is kept.gate
    with pytest.raises(
        DefinitionError, match=r"Limit\('agree', 4\) and Limit\('agree', 3\) disagree"
    ):
        Limit("agree", 4)


def test_a_limit_that_nobody_holds_is_forgotten():
    Limit("forgotten", 3)
    gc.collect()

    assert Limit("forgotten", 4).n == 4


@pytest.mark.parametrize("n", [0, -1, 1.5, True])
def test_a_limit_is_at_least_one(n):
    with pytest.raises(DefinitionError, match="n must be at least 1"):
        Limit("bad", n)
