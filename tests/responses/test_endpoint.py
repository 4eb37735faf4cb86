"""Every raw operation against an endpoint that has them all: the one on this machine."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from toolstone import Agent, InputError, Settings, StatusError, Unsupported, user
from toolstone.items import assistant
from toolstone.local import Function, Script, answer, call, serve
from toolstone.ports import Profile, Request
from toolstone.responses import Responses

RESUMES = Profile("local", resumes=True)
TEXT = "one two three four five six seven"


@pytest.fixture(scope="module")
def endpoint():
    with serve(Function(lambda turn: f"{len(turn.items)} items")) as served:
        yield served


@pytest.fixture
def client(endpoint):
    return Responses(base_url=endpoint.base_url, model="any", api_key="k")


async def test_a_stored_response_is_fetched_listed_and_deleted(client):
    made = await client.create(input=["one", user("two")], store=True)
    stored = await client.retrieve(made.id)
    page = await client.input_items(made.id, order="asc", limit=1)
    texts = [item.text async for item in page]
    await client.delete(made.id)

    assert (stored.text, stored.usage) == (made.text, made.usage)
    assert texts == ["one", "two"]
    for look in (client.retrieve, client.delete, client.input_items):
        with pytest.raises(StatusError) as caught:
            await look(made.id)
        assert (caught.value.status, caught.value.means) == (404, "state-lost")


async def test_one_that_was_not_stored_is_not_there(client):
    made = await client.create(input="hi", store=False)
    with pytest.raises(StatusError, match="not found"):
        await client.retrieve(made.id)


async def test_a_background_response_is_begun_looked_at_and_waited_for(client):
    begun = await client.create(input="hi", background=True)
    over = await client.wait(begun.id)
    cancelled = await client.cancel(begun.id)

    assert begun.status in {"queued", "in_progress"}
    assert (over.text, over.status) == ("1 items", "completed")
    assert cancelled.status == "completed"  # it was over


async def test_a_stored_stream_is_taken_up_from_outside(client):
    async with client.stream(input="hi", background=True) as told:
        events = [event async for event in told]
        response = await told.response()
    heard = []
    for after in (None, 0, 4, len(events) - 2):
        async with client.stream_stored(response.id, after=after) as told:
            heard.append([event async for event in told])
            assert (await told.response()).text == response.text

    assert heard == [events, events[1:], events[5:], events[-1:]]


async def test_what_is_no_stored_stream_is_refused(client, endpoint):
    for odd in (-1, True, "4"):
        with pytest.raises(InputError, match="sequence_number"):
            client.stream_stored("resp_1", after=odd)
    with pytest.raises(InputError, match="an id"):
        client.stream_stored("../models")
    async with client.stream_stored("resp_none") as told:
        with pytest.raises(StatusError, match="not found"):
            await told.response()
    less = Profile("less", unsupported={"stream_resume": "Poll it."})
    other = Responses(base_url=endpoint.base_url, model="any", api_key="k", profile=less)
    with pytest.raises(Unsupported, match=r"less has no stream_resume\. Poll it\."):
        other.stream_stored("resp_1")


async def test_one_that_was_never_in_the_background_cannot_be_cancelled(client):
    made = await client.create(input="hi", store=True)
    with pytest.raises(StatusError) as caught:
        await client.cancel(made.id)
    assert caught.value.status == 400


async def test_models_and_tokens(client):
    models = await client.models()
    counted = await client.count_tokens(input="hello there", instructions="Be brief.")

    assert [model.id for model in models] == [(await client.find_model()).id] == ["any"]
    assert counted.exact
    assert counted.tokens > 2


async def test_a_compaction_is_the_next_input(client):
    history = [user("hi"), assistant("hello"), user("how are you?")]
    made = await client.compact(input=history)
    again = await client.create(input=made.items)

    assert [item.type for item in made.items][-1] == "compaction"
    assert again.status == "completed"


async def test_a_conversation_from_beginning_to_end(client):
    conversations = client.conversations
    begun = await conversations.create(["one"], metadata={"topic": "counting"})
    await client.create(input="two", conversation=begun.id)
    added = await conversations.add(begun.id, "four")
    page = await conversations.items(begun.id, order="asc", limit=2)
    items = [item async for item in page]
    first = await conversations.item(begun.id, items[0].id)
    await conversations.remove(begun.id, items[0].id)
    changed = await conversations.update(begun.id, {"topic": "none"})
    left = [item.text async for item in await conversations.items(begun.id, order="asc")]
    await conversations.delete(begun.id)

    assert [item.text for item in items] == ["one", "two", "2 items", "four"]
    assert (first.text, added.items[0].text) == ("one", "four")
    assert (begun.metadata, changed.metadata) == ({"topic": "counting"}, {"topic": "none"})
    assert left == ["two", "2 items", "four"]
    with pytest.raises(StatusError):
        await conversations.retrieve(begun.id)


async def test_a_run_goes_on_in_a_conversation_and_sends_only_what_is_new():
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    script = Script([call("add", a=1, b=2), "three", "bye"], by="sequence")
    with serve(script) as served:
        model = Responses(base_url=served.base_url, model="any")
        conversation = await model.conversations.create()
        settings = Settings(conversation=conversation.id)
        agent = Agent(model, tools=[add], settings=settings)
        first = await agent.run("1+2", session="s")
        second = await agent.run("thanks", session="s")
        kept = [i.type async for i in await model.conversations.items(conversation.id)]

    sent = [[item["type"] for item in body["input"]] for body in first.requests]
    assert (first.output, second.output) == ("three", "bye")
    assert sent == [["message"], ["function_call_output"]]
    assert [item["content"] for item in second.requests[0]["input"]] == ["thanks"]
    assert len(kept) == 6


async def test_events_of_a_stream_end_with_the_response(client):
    async with client.stream(input="hi") as events:
        seen = [event["type"] async for event in events]
        response = await events.response()

    assert (seen[0], seen[-1]) == ("response.created", "response.completed")
    assert response.text == "1 items"


@asynccontextmanager
async def relay(base_url, cuts):
    """A way to the endpoint on which the n-th connection breaks after so many bytes of answers."""
    there, cuts = urlsplit(base_url), list(cuts)

    async def pump(reader, writer, left):
        while data := await reader.read(256):
            writer.write(data[:left])
            left -= len(data)
            if left <= 0:
                break
        writer.close()

    async def serve_one(reader, writer):
        upstream = await asyncio.open_connection(there.hostname, there.port)
        left = cuts.pop(0) if cuts else 2**40
        pumps = [
            asyncio.create_task(pump(reader, upstream[1], 2**40)),
            asyncio.create_task(pump(upstream[0], writer, left)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (*pumps, upstream[1], writer):
                each.cancel() if isinstance(each, asyncio.Task) else each.close()

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{there.path}"


@pytest.mark.parametrize("profile", [RESUMES, Profile("polled")], ids=["resumed", "polled"])
@pytest.mark.parametrize("cut", [1_500, 3_500, 4_500])
async def test_a_stream_whose_connection_breaks_goes_on_and_nothing_is_made_twice(profile, cut):
    seen = []

    async def emit(events):
        seen.extend(getattr(event, "text", "") for event in events)

    script = Script([answer(TEXT, chunk=2)])
    with serve(script) as served:
        async with relay(served.base_url, [cut]) as url:
            model = Responses(base_url=url, model="any", profile=profile)
            request = Request((user("go"),), settings=Settings(background=True), stream=True)
            response = await model.respond(request, emit)

    assert response.text == "".join(seen) == TEXT
    assert len(script.turns) == 1
