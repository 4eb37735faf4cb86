"""Encrypted reasoning goes to the endpoint that minted it, and to no other."""

from dataclasses import replace

import pytest

from toolstone import Agent, MemoryLedger, Settings, user
from toolstone.events import Answered, Began, Record
from toolstone.items import parse_item
from toolstone.ports import Response
from toolstone.runs.origins import native
from toolstone.runs.state import fold


class Place:
    """A model somewhere: it thinks, answers, and remembers what it was sent."""

    def __init__(self, origin):
        self.origin, self.requests = origin, []

    async def respond(self, request, _emit):
        self.requests.append(replace(request, items=tuple(request.items)))
        number = len(self.requests)
        thought = {"type": "reasoning", "id": f"rs_{number}", "summary": []}
        thought["encrypted_content"] = f"{self.origin} {number}"
        said = {"type": "message", "role": "assistant", "content": f"{self.origin} {number}"}
        items = (parse_item(thought), parse_item(said))
        return Response(f"{self.origin} {number}", "completed", items, endpoint=self.origin)

    @property
    def blobs(self):
        """What encrypted reasoning the last request had."""
        items = self.requests[-1].items
        return [i.raw["encrypted_content"] for i in items if i.type == "reasoning"]


async def test_at_one_endpoint_it_goes_back_every_time():
    a = Place("https://a")
    agent = Agent(a, ledger=MemoryLedger())
    for text in ("one", "two", "three"):
        await agent.run(text, session="s")

    assert a.blobs == ["https://a 1", "https://a 2"]


async def test_a_session_that_another_agent_goes_on_with_leaves_it_behind():
    a, b, ledger = Place("https://a"), Place("https://b"), MemoryLedger()
    await Agent(a, ledger=ledger).run("one", session="s")
    await Agent(b, ledger=ledger).run("two", session="s")
    await Agent(b, ledger=ledger).run("three", session="s")
    there = b.blobs
    await Agent(a, ledger=ledger).run("four", session="s")

    assert there == ["https://b 1"]
    assert a.blobs == ["https://a 1"]
    texts = [item.text for item in a.requests[-1].items if item.type == "message"]
    assert texts == ["one", "https://a 1", "two", "https://b 1", "three", "https://b 2", "four"]


async def test_what_a_run_begins_after_is_told_apart_too():
    a, b = Place("https://a"), Place("https://b")
    first = await Agent(a).run("one")
    second = await Agent(b).run("two", after=first)
    sent_to_b = b.blobs
    third = await Agent(a).run("three", after=second)

    assert (sent_to_b, a.blobs) == ([], [])
    assert [item.type for item in third.items].count("reasoning") == 1


async def test_what_a_run_brought_along_counts_as_its_own_endpoints():
    a, b = Place("https://a"), Place("https://b")
    first = await Agent(a).run("one")
    second = await Agent(a).run("two", after=first)
    carried = a.blobs
    await Agent(b).run("three", after=second)

    assert (carried, b.blobs) == (["https://a 1"], [])


async def test_a_model_that_does_not_say_where_it_is_gets_all():
    a, anywhere = Place("https://a"), Place("")
    first = await Agent(a).run("one")
    await Agent(anywhere).run("two", after=first)

    assert anywhere.blobs == ["https://a 1"]


async def test_what_another_service_keeps_is_not_gone_on_from():
    a, b, ledger = Place("https://a"), Place("https://b"), MemoryLedger()
    settings = Settings(state="server")
    await Agent(a, ledger=ledger, settings=settings).run("one", session="s")
    await Agent(a, ledger=ledger, settings=settings).run("two", session="s")
    at_a = a.requests[-1]
    await Agent(b, ledger=ledger, settings=settings).run("three", session="s")
    at_b = b.requests[-1]

    assert (at_a.previous, list(at_a.items)) == ("https://a 1", [user("two")])
    assert (at_b.previous, len(at_b.items)) == (None, 5)


async def test_a_conversation_of_the_service_is_sent_only_what_is_new():
    a = Place("https://a")
    agent = Agent(a, ledger=MemoryLedger(), settings=Settings(conversation="conv_1"))
    await agent.run("one", session="s")
    await agent.run("two", session="s")

    assert list(a.requests[-1].items) == [user("two")]
    assert a.requests[-1].previous is None


@pytest.mark.parametrize("endpoint", ["", "https://b"])
def test_records_of_before_the_endpoint_was_written_down_keep_all(endpoint):
    thought = parse_item({"type": "reasoning", "summary": [], "encrypted_content": "x"})
    answer = parse_item({"type": "message", "role": "assistant", "content": "yes"})
    said = [Began((user("hi"),)), Answered("resp_1", "completed", (thought, answer))]
    run = fold([Record(n, 0.0, "r", fact) for n, fact in enumerate(said)])

    assert native(run, endpoint) == run.history
