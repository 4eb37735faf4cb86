"""When to try again: the rules alone, in virtual time."""

import asyncio

import pytest

from toolstone import limits
from toolstone.errors import ServiceError, TransportError
from toolstone.wire import Quota, Retry
from toolstone.wire.retry import persist
from toolstone.wire.retry_after import retry_after


async def tried(failures, *, quota=None, **options):
    """Fail so often; what was slept, announced and returned."""
    slept, told, left = [], [], list(failures)

    async def sleep(seconds):
        slept.append(seconds)

    async def attempt():
        if left:
            raise left.pop(0)
        return "answer"

    async def announce(error, number, wait):
        told.append((error, number, wait))

    first = left.pop(0)
    options = {"random": lambda: 1.0, **options}
    try:
        answer = await persist(
            attempt,
            first,
            retry=Retry(sleep=sleep, **options),
            quota=quota or Quota(),
            announce=announce,
        )
    except ServiceError as error:
        answer = error
    return answer, slept, told


async def test_it_goes_on_until_an_answer():
    errors = [TransportError("one"), TransportError("two")]
    answer, slept, told = await tried(errors)

    assert (answer, slept) == ("answer", [0.5, 1.0])
    assert told == [(errors[0], 1, 0.5), (errors[1], 2, 1.0)]


async def test_the_last_failure_is_raised_itself():
    errors = [TransportError("one"), TransportError("two"), TransportError("three")]
    answer, slept, _ = await tried(errors)

    assert (answer, len(slept)) == (errors[2], 2)


async def test_what_is_not_worth_it_is_not_tried():
    hopeless = TransportError("no", retryable=False)
    assert await tried([hopeless]) == (hopeless, [], [])
    answer, slept, _ = await tried([TransportError("x"), hopeless])
    assert (answer, len(slept)) == (hopeless, 1)


async def test_one_attempt_is_one_attempt():
    error = TransportError("no")
    assert await tried([error], attempts=1) == (error, [], [])


async def test_a_wish_of_the_server_is_honoured_up_to_the_bound():
    polite = TransportError("later", retry_after=7)
    assert (await tried([polite], random=lambda: 0.0))[1] == [7]
    rude = TransportError("later", retry_after=60.1)
    assert await tried([rude]) == (rude, [], [])
    assert (await tried([rude], after_max=100, random=lambda: 0.0))[1] == [60.1]


async def test_jitter_is_full():
    for share in (0.0, 0.3, 1.0):
        _, slept, _ = await tried([TransportError("x")], random=lambda share=share: share)
        assert slept == [0.5 * share]


async def test_an_empty_quota_tries_nothing():
    quota = Quota(30)
    answer, slept, _ = await tried([TransportError("x")] * 5, attempts=9, quota=quota)

    assert isinstance(answer, TransportError)
    assert (len(slept), quota.left) == (2, 2)


async def test_the_quota_gets_back_what_the_last_retry_cost():
    quota = Quota()
    await tried([TransportError("x")] * 2, quota=quota)

    assert quota.left == limits.RETRY_QUOTA - limits.RETRY_COST
    quota.refill(10_000)
    assert quota.left == limits.RETRY_QUOTA


async def test_cancellation_passes_through():
    async def attempt():
        raise asyncio.CancelledError

    async def nothing(*_):
        pass

    with pytest.raises(asyncio.CancelledError):
        await persist(
            attempt,
            TransportError("x"),
            retry=Retry(sleep=nothing),
            quota=Quota(),
            announce=nothing,
        )


async def test_other_exceptions_pass_through():
    async def attempt():
        raise KeyError("mine")

    async def nothing(*_):
        pass

    with pytest.raises(KeyError):
        await persist(
            attempt,
            TransportError("x"),
            retry=Retry(sleep=nothing),
            quota=Quota(),
            announce=nothing,
        )


def test_without_a_date_of_the_answer_our_own_clock_counts():
    headers = {"retry-after": "Sat, 21 Nov 2026 10:00:05 GMT"}
    then = 1795255205

    assert retry_after(headers, now=lambda: then - 5) == 5
    assert retry_after(headers, now=lambda: then + 5) is None


@pytest.mark.parametrize("skew", [-600, 0, 600])
def test_a_skewed_clock_does_not_matter_where_the_answer_has_its_date(skew):
    headers = {
        "date": "Sat, 21 Nov 2026 10:00:00 GMT",
        "retry-after": "Sat, 21 Nov 2026 10:00:05 GMT",
    }
    assert retry_after(headers, now=lambda: 1795255200 + skew) == 5
