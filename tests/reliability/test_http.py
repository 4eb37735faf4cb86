"""Block H: what becomes of a request that meets a fault of HTTP, by either library."""

import pytest
import toolstone_rows as rows
from toolstone_meeting import check, options_of


@pytest.mark.parametrize(("case", "door"), rows.cases("H"))
async def test_a_fault_ends_as_its_row_says(case, door, meet):
    met = meet(case["scenario"], times=case.get("times"), **options_of(case))

    check(case, await met.ask(door), met.time)
