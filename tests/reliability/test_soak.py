"""Shallow versions of `campaign.py faults` and `soak`: cuts anywhere, and runs side by side."""

import argparse
import asyncio
import random

import pytest
from campaigns import faults, soak
from campaigns._recordings import RECORDINGS
from campaigns._servers import relayed, servers
from campaigns._sweep import listening

from toolstone.responses import stream

SEED = 20_261_122
SCENARIOS = ["H03", "H07", "H19-400", "S12", "E01", "M01", "M15", "M27-fence"]


@pytest.fixture(scope="module")
def there():
    with servers() as both:
        yield both


@pytest.mark.parametrize("recording", RECORDINGS[1:2], ids=lambda one: one.name)
async def test_an_answer_cut_at_any_byte_is_not_taken_for_whole(recording):
    count, wrong = await faults.cut_everywhere([recording])

    assert (count, wrong) == (len(recording.body) + 1, [])


async def test_an_answer_cut_by_chance_is_not_taken_for_whole():
    assert await faults.cut_by_chance(RECORDINGS, random.Random(SEED), 1_500) == []


async def test_a_reader_that_does_not_wait_for_the_end_is_found(monkeypatch):
    """The alarm's own test."""
    whole = stream.Assembler.end

    def careless(self):
        partial = self.partial()
        return whole(self) if partial is None or self.response is not None else partial

    monkeypatch.setattr(stream.Assembler, "end", careless)

    _, wrong = await faults.cut_everywhere(RECORDINGS[1:2])

    assert any("taken for whole" in text for text in wrong)


def test_every_scenario_cut_anywhere_says_the_same_or_fails_typed(there):
    with relayed(there.faults) as relay:
        board = faults.Board(there, relay, random.Random(SEED), 1)
        asyncio.run(board.go(SCENARIOS, 4))

    assert board.wrong == []
    assert sum(board.ended.values()) >= 2 * len(SCENARIOS) * 2 * 3


def test_many_runs_some_of_which_meet_a_fault_leave_nothing_behind(there, tmp_path):
    given = argparse.Namespace(minutes=0.03, at_once=8, faults=0.2, cancelled=0.1, seed=SEED)
    with listening() as noise:
        soaked = soak.Soak(there, given, tmp_path)
        asyncio.run(soaked.go(noise))

    assert soaked.wrong + [text for text in noise.told if "left running" not in text] == []
    assert soaked.ended["well: complete"]


def test_a_slope_is_that_of_the_line_through_the_samples():
    line = [(5.0 * n, 60 + 0.01 * n) for n in range(100)]

    assert soak.find_slope(line) == pytest.approx(7.2)
    assert soak.find_slope(line[:1]) == 0
