"""C16: some hundreds of the seeds that `campaign.py schedule` goes through."""

import asyncio

import pytest
from campaigns import schedule

from toolstone import Agent, CancelToken, FailedError, MemoryLedger
from toolstone.runs.journal import Journal
from toolstone.testing import Scripted

SEEDS = range(20_000, 20_250)  # others than the campaign's


def test_c16_delays_faults_and_cancellations_chosen_by_a_seed_break_no_invariant():
    played = {seed: schedule.play(seed) for seed in SEEDS}

    wrong = {seed: found for seed, (_, found, _) in played.items() if found}
    assert wrong == {}, f"python tools/campaign.py schedule --seed {next(iter(wrong), '')}"
    endings = {ended for ended, _, _ in played.values()}
    assert {"complete", "waiting", "CancelledError", "RunCancelled", "FailedError"} <= endings


def test_c16_a_seed_says_all_that_happens():
    ended, _, told = schedule.play(SEEDS[7])

    assert schedule.play(SEEDS[7])[::2] == (ended, told)
    assert told


def test_c16_a_journal_that_forgets_what_a_cancelled_append_kept_is_found(monkeypatch):
    """The alarm's own test."""

    async def forgets(self, _ledger):
        return None

    monkeypatch.setattr(Journal, "_catch_up", forgets)

    assert [seed for seed in SEEDS[60:120] if schedule.play(seed)[1]]


async def test_a_token_used_while_a_failure_is_written_down_does_not_look_like_a_cancellation():
    """Seed 2323: the caller saw CancelledError, and had cancelled nothing."""
    token = CancelToken()

    class Slow(MemoryLedger):
        async def append(self, session, records):
            if records[-1].fact.type == "finished":
                token.cancel()
                await asyncio.sleep(0)
            await super().append(session, records)

    agent = Agent(Scripted(RuntimeError("a model of one's own")), ledger=Slow())

    with pytest.raises(FailedError) as raised:
        await agent.run("go", session="s", cancel=token)

    assert isinstance(raised.value.__cause__, RuntimeError)
    assert asyncio.current_task().cancelling() == 0
