"""The money of a job."""

import asyncio

import pytest

from toolstone import Budget, DefinitionError, Price, StoppedError, Usage
from toolstone.extract.till import Tally, Till

PRICES = {"m": Price(input=1_000_000, output=1_000_000)}  # a dollar a token


def till(clock=lambda: 0.0, **limits):
    return Till(Budget(**{"requests": None, **limits}), "m", clock)


async def spend(money, usage, *, wanted=(1, 1), entered=None, leave=None):
    tally = Tally()
    async with money.room(tally, *wanted):
        if entered is not None:
            entered.set()
        if leave is not None:
            await leave.wait()
        tally.usage = usage
        money.purse.spend(usage, usage.requests)


@pytest.mark.parametrize("limits", [{"tokens": 10}, {"dollars": 10, "prices": PRICES}])
async def test_a_document_waits_while_another_holds_what_it_might_need(limits):
    money, entered, leave, second = (
        till(**limits),
        asyncio.Event(),
        asyncio.Event(),
        asyncio.Event(),
    )
    first = asyncio.create_task(
        spend(money, Usage(1, 1, requests=1), wanted=(4, 4), entered=entered, leave=leave)
    )
    await entered.wait()
    other = asyncio.create_task(
        spend(money, Usage(1, 1, requests=1), wanted=(4, 4), entered=second)
    )
    for _ in range(10):
        await asyncio.sleep(0)
    assert not second.is_set()
    leave.set()
    await first
    await other
    assert second.is_set()


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        ({"tokens": 10}, "tokens"),
        ({"dollars": 10, "prices": PRICES}, "dollars"),
        ({"requests": 2}, "requests"),
    ],
)
async def test_what_nobody_can_give_back_ends_the_job(limits, word):
    money = till(**limits)
    await spend(money, Usage(3, 3, requests=2))
    with pytest.raises(StoppedError, match=f"budget of {word} does not last") as caught:
        await spend(money, Usage(), wanted=(3, 3))
    assert f"Budget({word}=...)" in str(caught.value)


async def test_beside_others_there_must_be_room_for_reasks_and_alone_for_one_request():
    money, order = till(tokens=60), []  # for both, if what was said were not sent again

    async def document(name, leave):
        async with money.room(Tally(), 4, 4, reasks=2):
            order.append(name)
            await leave.wait()

    leave = asyncio.Event()
    both = [asyncio.create_task(document(name, leave)) for name in "ab"]
    for _ in range(10):
        await asyncio.sleep(0)
    assert order == ["a"]
    leave.set()
    await asyncio.gather(*both)
    assert order == ["a", "b"]
    money.spend(Usage(25, 25, requests=2))
    await document("c", leave)
    assert order == ["a", "b", "c"]


async def test_time_that_is_over_ends_the_job():
    now = [0.0]
    money = till(seconds=5, clock=lambda: now[0])
    await spend(money, Usage(1, 1, requests=1))
    now[0] = 5.0
    with pytest.raises(StoppedError, match="seconds"):
        await spend(money, Usage())


async def test_what_an_earlier_process_spent_stays_spent():
    money = till(tokens=10)
    money.spend(Usage(4, 4, requests=3))
    assert money.purse.left(0).tokens == 2
    with pytest.raises(StoppedError, match="tokens"):
        await spend(money, Usage(), wanted=(2, 2))


def test_a_model_without_a_price_is_refused_at_once():
    with pytest.raises(DefinitionError, match="no price for model 'other'"):
        Till(Budget(dollars=1, prices=PRICES), "other")
