"""The contract of a ledger, as one function to call from a test."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from toolstone.errors import ConflictError
from toolstone.events import Answered, Asked, Began, Finished, Record, Returned, Ruled, Started
from toolstone.items import CallKey, parse_item, user
from toolstone.usage import Usage

if TYPE_CHECKING:
    from toolstone.events import Fact
    from toolstone.ports import Ledger

__all__ = ["check_ledger"]

_ODD = {"type": "vendor:thing", "deep": {"a": [1, 2.5, None, True]}, "text": 'é "quoted" \u2028'}
_FACTS: tuple[Fact, ...] = (
    Began((user("hello"),), "abc", {"requests": 3}),
    Asked(1, 10, 20),
    Answered("resp_1", "completed", (parse_item(_ODD),), Usage(3, 4, 1, 0, 2, 1), "m"),
    Started((CallKey(0, 0), CallKey(0, 1))),
    Returned(CallKey(0, 1), [{"type": "input_text", "text": "x"}], usage=Usage(requests=2)),
    Ruled(CallKey(0, 0), "deny", "no"),
    Finished("stopped", "why"),
)


async def check_ledger(ledger: Ledger) -> None:
    """Check that a ledger keeps what it is given; on an empty ledger, in a test of yours.

    Raises:
        AssertionError: It breaks the contract of `toolstone.ports.Ledger`.
    """
    await _keeps_records_in_order(ledger)
    await _keeps_sessions_apart(ledger)
    await _refuses_a_second_writer(ledger)
    await _appends_all_or_none(ledger)
    await _lets_one_of_many_writers_win(ledger)


def _records(count: int, start: int = 0) -> list[Record]:
    facts = [_FACTS[(start + n) % len(_FACTS)] for n in range(count)]
    return [Record(start + n, 1.5 * n, "run-1", fact) for n, fact in enumerate(facts)]


async def _keeps_records_in_order(ledger: Ledger) -> None:
    _same(list(await ledger.load("contract-none")), [], "an unknown session is empty")
    records = _records(len(_FACTS))
    await ledger.append("contract-a", records[:2])
    await ledger.append("contract-a", records[2:])
    _same(list(await ledger.load("contract-a")), records, "records come back as they were")


async def _keeps_sessions_apart(ledger: Ledger) -> None:
    await ledger.append("contract-b", _records(1))
    _same(len(await ledger.load("contract-b")), 1, "a session holds its own records alone")
    _same(len(await ledger.load("contract-a")), len(_FACTS), "and others keep theirs")


async def _refuses_a_second_writer(ledger: Ledger) -> None:
    for seq in (0, 5):
        try:
            await ledger.append("contract-b", _records(1, seq))
        except ConflictError:
            continue
        raise AssertionError(f"an append at place {seq} of a session of 1 must conflict")
    _same(len(await ledger.load("contract-b")), 1, "a refused append keeps nothing")


async def _appends_all_or_none(ledger: Ledger) -> None:
    await ledger.append("contract-c", _records(3))
    _same(len(await ledger.load("contract-c")), 3, "an append keeps all its records")


async def _lets_one_of_many_writers_win(ledger: Ledger) -> None:
    async def write() -> bool:
        try:
            await ledger.append("contract-d", _records(2))
        except ConflictError:
            return False
        return True

    won = await asyncio.gather(*(write() for _ in range(8)))
    _same(sum(won), 1, "of writers at the same place exactly one wins")
    _same(len(await ledger.load("contract-d")), 2, "and only its records are kept")


def _same(found: object, expected: object, rule: str) -> None:
    if found != expected:
        raise AssertionError(f"{rule}: found {found!r}, expected {expected!r}")
