"""Block S: what a client makes of odd streams; the decoder against every vector, however cut."""

import pytest
import toolstone_rows as rows
from toolstone_meeting import check


@pytest.mark.parametrize(("case", "door"), rows.cases("S"))
async def test_a_stream_is_read_as_its_row_says(case, door, meet):
    met = meet(case["scenario"])
    ended = await met.ask(door)

    check(case, ended, met.time)
    if case["ends"] == "answer":
        assert met.text == ended.text
