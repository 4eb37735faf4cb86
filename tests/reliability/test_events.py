"""Block E: events that contradict each other, and what is made of them."""

import pytest
import toolstone_rows as rows
from toolstone_meeting import check


@pytest.mark.parametrize(("case", "door"), rows.cases("E"))
async def test_events_come_to_what_their_row_says(case, door, meet):
    met = meet(case["scenario"], times=case.get("times"))

    check(case, await met.ask(door), met.time)
