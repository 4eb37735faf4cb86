"""Our client against llama.cpp's own server. What the protocol makes of it counts, never wording.

No bound of time: the model reads and writes on whatever processor is left to it.
"""

import asyncio

import interop_servers
import pytest
from interop_rows import BROKEN, ROWS, STORY, TIMES, TOO_SMALL, Column, add, multiply

from toolstone import Agent, Responses, Settings, StatusError, TruncatedError
from toolstone.chat import ChatCompletions
from toolstone.items import parse_item, user
from toolstone.models import resolve_model

pytestmark = pytest.mark.llama

DEGRADED = {
    "a wrong model name": {"answers whatever the name"},
    "a broken call, not mended": {"refused: 500"},
    "state kept by the server": {"not there: refused before sending"},
    "object, prompted": {TOO_SMALL, "asked 2 times"},
    "object, by a tool": {None, TOO_SMALL, "asked 2 times"},
    "object after a tool": {None, TOO_SMALL, "without the call"},
}
"""Rows where the server cannot do better, or the model of 135 million parameters may not."""


@pytest.fixture(scope="module")
def served():
    with interop_servers.llama_cpp() as found:
        yield found


@pytest.mark.parametrize("label", ROWS)
@pytest.mark.parametrize("api", ["responses", "chat"])
def test_what_is_asked_works_or_is_degraded_as_is_known(served, api, label):
    assert asyncio.run(ROWS[label](Column(served, api))) in DEGRADED.get(label, {None})


@pytest.mark.parametrize(
    ("scheme", "kind"), [("llama.cpp", ChatCompletions), ("responses", Responses)]
)
def test_a_model_string_is_all_it_takes(served, scheme, kind):
    name = f"{scheme}+{served.base_url}#{served.model}"
    assert isinstance(resolve_model(name), kind)
    result = Agent(name, tools=[multiply, add]).run_sync(TIMES)
    assert result.calls[0].name == "multiply"
    assert result.calls[0].output == "12"
    assert result.output


async def test_without_the_profile_a_cut_answer_passes_for_whole_and_with_it_does_not(served):
    """The server says `completed` either way."""
    column = Column(served, "responses")
    plain = await column.respond(
        user(STORY), client=column.client(hides_cuts=False), max_output_tokens=16
    )
    known = await column.respond(user(STORY), max_output_tokens=16)
    assert (plain.status, known.status) == ("completed", "incomplete")
    assert known.reason == "max_output_tokens"
    assert known.usage.output_tokens == 16


async def test_a_refused_history_is_malformed_and_not_asked_again(served):
    for api in ("responses", "chat"):
        column = Column(served, api)
        client = column.client(reads_arguments=False)
        with pytest.raises(StatusError) as caught:
            await column.respond(user("hi"), *map(parse_item, BROKEN), client=client)
        assert (caught.value.status, caught.value.means) == (500, "malformed")
        assert caught.value.attempts == 1
        assert "the profile 'llama.cpp' mends them" in str(caught.value)


async def test_a_cut_answer_keeps_what_had_arrived(served):
    for api in ("responses", "chat"):
        agent = Column(served, api).agent(settings=Settings(max_output_tokens=16))
        with pytest.raises(TruncatedError) as caught:
            await agent.run(STORY)
        assert caught.value.result.partial
