"""Agents against llama.cpp's own Chat Completions. The wording of answers is not asserted."""

import pytest
from pydantic import BaseModel

from toolstone import Agent, ChatCompletions, Request, Settings, StatusError, TruncatedError
from toolstone.errors import FailedError
from toolstone.items import FunctionCallOutput, parse_item, user
from toolstone.local.brains.llama.engine import Engine
from toolstone.local.weights import model_file
from toolstone.responses.exchange import nobody

pytestmark = pytest.mark.llama


class City(BaseModel):
    name: str


@pytest.fixture(scope="module")
def url():
    engine = Engine(model_file())
    yield f"chat+{engine._url}/v1#smollm2"
    engine._server = None


def cut(tokens):
    return Settings(max_output_tokens=tokens, temperature=0)


async def test_text_streamed_and_plain(url):
    agent = Agent(url, settings=cut(64))
    asked = "Name one colour. Answer in one word."
    plain = await agent.run(asked)
    async with agent.stream(asked) as stream:
        said = "".join([text async for text in stream.text()])
        streamed = await stream.result()

    assert said == streamed.output
    assert plain.output
    assert 0 < plain.usage.output_tokens <= 64
    assert streamed.usage.input_tokens == plain.usage.input_tokens


async def test_a_cut_is_told(url):
    with pytest.raises(TruncatedError):
        await Agent(url, settings=cut(16)).run("Tell me a very long story about a dragon.")


async def test_a_schema_is_kept_to(url):
    result = await Agent(url, output=City, settings=cut(100)).run("The city is called Paris.")
    assert isinstance(result.output, City)
    assert result.output_mode == "native"


async def test_too_much_is_told_for_what_it_is(url):
    with pytest.raises(FailedError) as caught:
        await Agent(url, settings=cut(16)).run("word " * 9000)
    error = caught.value.__cause__
    assert isinstance(error, StatusError)
    assert (error.means, error.attempts) == ("context", 1)


async def test_a_history_with_calls_is_taken(url):
    call = {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"}
    history = [
        user("How warm is it?"),
        parse_item(call),
        FunctionCallOutput({"type": "function_call_output", "call_id": "c", "output": "14"}),
        user("Thanks."),
    ]
    address, _, name = url.removeprefix("chat+").partition("#")
    response = await ChatCompletions(base_url=address, model=name).respond(
        Request(history, settings=cut(16)), nobody
    )
    assert response.status in ("completed", "incomplete")
    assert response.usage.input_tokens > 0
