"""Block E: events that contradict each other, and what is made of them."""

import pytest
import toolstone_rows as rows
from toolstone_meeting import Meeting, check

from toolstone import Agent


@pytest.mark.parametrize(("case", "door"), rows.cases("E"))
async def test_events_come_to_what_their_row_says(case, door, meet):
    met = meet(case["scenario"], times=case.get("times"))

    check(case, await met.ask(door), met.time)


def noting(given):
    def book(seats: int, name: str = "") -> str:
        """Book seats."""
        given.append((seats, name))
        return "booked"

    return book


async def stream_with(peer, scenario, transport, tools):
    met = Meeting(peer, peer.base_url(scenario), transport)
    async with Agent(met.model, tools=tools).stream("go") as stream:
        return await stream.result()


async def test_e07_arguments_cut_anywhere_are_the_same_arguments(peer, transport):
    given = []
    await stream_with(peer, "E07", transport, [noting(given)])

    assert given == [(1, "é 😀 \n")] * 2


async def test_e08_calls_told_in_turns_are_each_put_together_alone(peer, transport):
    given = []
    result = await stream_with(peer, "E08", transport, [noting(given)])

    assert sorted(given) == [(n, "") for n in range(32)]
    assert [c.output for c in result.calls] == ["booked"] * 32


@pytest.mark.parametrize("door", ["plain", "streamed"])
async def test_e10_what_nobody_knows_goes_back_as_it_came(door, peer, transport):
    met = Meeting(peer, peer.base_url("E10"), transport)
    agent = Agent(met.model, tools=[noting([])])
    if door == "plain":
        await agent.run("go")
    else:
        async with agent.stream("go") as stream:
            await stream.result()

    first, second = peer.met
    sent_back = second.json["input"][1:-1]
    assert [item["type"] for item in sent_back] == ["acme:thought", "message", "function_call"]
    new, said, made = sent_back
    assert new["payload"] == [1, {"a": None}]
    assert said["vendor"] == {"kept": [1.0, "°"]}
    assert "status" not in said
    assert made["vendor_field"] == {"kept": True}
    assert second.json["input"][0] == first.json["input"][0]
