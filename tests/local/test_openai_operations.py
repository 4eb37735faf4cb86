"""The official `openai` SDK finds every operation it offers at the endpoint, and its types fit."""

import time

import openai
import pytest
from openai.types.responses import Response

from toolstone.local import Script, answer, call, serve
from toolstone.local.brain import Annotate, Custom, End, Input, Reasoning, Summary, Text, Thought


@pytest.fixture
def client():
    said = [answer("one two", chunk=4), "three", "four", "five"]
    with (
        serve(Script(said, by="conversation")) as endpoint,
        openai.OpenAI(base_url=endpoint.base_url, api_key="none", max_retries=0) as client,
    ):
        yield client


def until_over(client, response):
    give_up = time.monotonic() + 5
    while response.status in ("queued", "in_progress") and time.monotonic() < give_up:
        response = client.responses.retrieve(response.id)
    return response


def test_a_background_response_is_polled_and_cancelled(client):
    made = client.responses.create(model="m", input="x", background=True)
    done = until_over(client, made)

    assert (made.status, done.status, done.output_text) == ("queued", "completed", "one two")
    assert client.responses.cancel(made.id).status == "completed"


def test_a_background_stream_is_taken_up_again(client):
    with client.responses.create(model="m", input="x", background=True, stream=True) as stream:
        first = next(iter(stream))
    with client.responses.retrieve(first.response.id, stream=True, starting_after=0) as stream:
        events = list(stream)

    assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == "one two"


def test_a_response_is_retrieved_listed_and_deleted(client):
    made = client.responses.create(model="m", input="hello", metadata={"a": "b"})

    assert client.responses.retrieve(made.id) == made
    [item] = client.responses.input_items.list(made.id).data
    assert (item.role, item.content[0].text) == ("user", "hello")
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_the_pages_of_a_list_are_turned(client):
    said = [{"role": "user", "content": f"{n}"} for n in range(5)]
    made = client.responses.create(model="m", input=said)
    listed = client.responses.input_items.list(made.id, limit=2, order="asc")

    assert [item.content[0].text for item in listed] == ["0", "1", "2", "3", "4"]


def test_tokens_are_counted(client):
    counted = client.responses.input_tokens.count(model="m", input="hello")

    assert counted.object == "response.input_tokens"
    assert counted.input_tokens > 0


def test_a_compacted_conversation_goes_on(client):
    history = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "x" * 900}]
    compacted = client.responses.compact(model="m", input=history)
    window = [item.to_dict() for item in compacted.output if item.type == "compaction"]
    made = client.responses.create(model="m", input=[*window, {"role": "user", "content": "b"}])

    assert compacted.object == "response.compaction"
    assert made.output_text == "three"


def test_a_conversation_is_kept(client):
    conversation = client.conversations.create(
        items=[{"role": "user", "content": "zero"}], metadata={"a": "b"}
    )
    made = client.responses.create(model="m", input="first", conversation=conversation.id)
    items = client.conversations.items.list(conversation.id, order="asc").data

    assert made.conversation.id == conversation.id
    assert [item.content[0].text for item in items] == ["zero", "first", "one two"]
    kept = client.conversations.items.retrieve(items[0].id, conversation_id=conversation.id)
    assert kept == items[0]
    client.conversations.items.delete(items[0].id, conversation_id=conversation.id)
    added = client.conversations.items.create(
        conversation.id, items=[{"role": "user", "content": "last"}]
    )
    assert added.data[0].content[0].text == "last"
    changed = client.conversations.update(conversation.id, metadata={"c": "d"})
    assert client.conversations.retrieve(conversation.id) == changed
    assert client.conversations.delete(conversation.id).deleted


def test_models_are_listed_and_described(client):
    [model] = client.models.list().data

    assert client.models.retrieve(model.id) == model


def test_everything_a_brain_says_fits_the_types(says):
    citation = {"type": "url_citation", "url": "https://x", "title": "x"}
    brain = says(
        *(Reasoning(), Summary("a"), Summary("b", 1), Thought("deep"), Text("hi")),
        Annotate({**citation, "start_index": 0, "end_index": 2}),
        *(Custom("run"), Input("ls"), Input(" -l"), End()),
    )
    with (
        serve(brain) as endpoint,
        openai.OpenAI(base_url=endpoint.base_url, api_key="none", max_retries=0) as client,
    ):
        tools = [{"type": "custom", "name": "run"}]
        include = ["reasoning.encrypted_content"]
        plain = client.responses.with_raw_response.create(
            model="m", input="x", tools=tools, include=include
        )
        with client.responses.stream(model="m", input="x", tools=tools, include=include) as stream:
            stream.until_done()
            final = stream.get_final_response()

    Response.model_validate_json(plain.text)
    assert [item.type for item in final.output] == ["reasoning", "message", "custom_tool_call"]
    assert final.output_text == "hi"
    assert final.output[2].input == "ls -l"


def test_a_brain_that_breaks_raises_the_sdks_own_error_in_the_stream(says, caplog):
    with (
        serve(says(Text("half"), error=KeyError("secret"))) as endpoint,
        openai.OpenAI(base_url=endpoint.base_url, api_key="none", max_retries=0) as client,
    ):
        with client.responses.create(model="m", input="x", stream=True) as stream:
            with pytest.raises(openai.APIError, match="the brain broke"):
                list(stream)


async def test_the_asynchronous_client_runs_calls_side_by_side():
    import asyncio

    tools = [{"type": "function", "name": "f", "parameters": None, "strict": False}]
    with serve(Script([call("f"), "done"])) as endpoint:
        async with openai.AsyncOpenAI(base_url=endpoint.base_url, api_key="none") as client:

            async def one(number):
                made = await client.responses.create(model="m", input=f"{number}", tools=tools)
                output = {
                    "type": "function_call_output",
                    "call_id": made.output[0].call_id,
                    "output": f"{number}",
                }
                stream = await client.responses.create(
                    model="m", input=[output], previous_response_id=made.id, stream=True
                )
                return [event async for event in stream][-1].response.output_text

            said = await asyncio.gather(*(one(number) for number in range(10)))

    assert said == ["done"] * 10
