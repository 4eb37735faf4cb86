"""Block M: what a whole agent makes of a model that is wrong."""

import re

import pytest
import toolstone_rows as rows
from toolstone_meeting import Meeting

from toolstone import Agent
from toolstone.errors import RunError


class Booked(list):
    """Two tools that note what they were given."""

    @property
    def tools(self):
        def book(seats: int, name: str = "") -> str:
            """Book seats."""
            self.append((seats, name))
            return f"booked {len(self)}"

        def look(at: str = "") -> str:
            """Look."""
            self.append(at)
            return "seen"

        return [book, look]


async def run(agent, door, text="go"):
    """The result or the exception, by either door."""
    try:
        if door == "plain":
            return await agent.run(text)
        async with agent.stream(text) as stream:
            return await stream.result()
    except RunError as error:
        return error


def agent_for(peer, scenario, transport, booked, **options):
    met = Meeting(peer, peer.base_url(scenario), transport)
    return Agent(met.model, tools=booked.tools, **options)


@pytest.mark.parametrize(("case", "door"), rows.cases("M"))
async def test_a_run_ends_as_its_row_says(case, door, peer, transport):
    booked = Booked()
    ended = await run(agent_for(peer, case["scenario"], transport, booked), door)

    if case["ends"] == "answer":
        assert not isinstance(ended, Exception), repr(ended)
        assert ended.output == case.get("text", "Done.")
    else:
        assert type(ended).__name__ == case["ends"], repr(ended)
        assert ended.kind == case["kind"]
        assert ended.result is not None
        assert re.search(case.get("message", ""), str(ended)), str(ended)
    assert len(booked) == case.get("ran", len(booked))
    assert len(peer.met) == case.get("requests", len(peer.met))
    if "told" in case:
        told = [i for i in peer.met[-1].json["input"] if i["type"] == "function_call_output"]
        assert re.search(case["told"], told[-1]["output"]), told[-1]["output"][:500]
