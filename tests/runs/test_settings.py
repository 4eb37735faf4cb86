"""Settings that cannot be are told when a run is planned, before anything is sent."""

import pytest

from toolstone import Agent, InputError, Settings
from toolstone.runs.settings import check_values
from toolstone.testing import Scripted, call


def weather(city: str) -> str:
    """Weather.

    Args:
        city: Where.
    """
    return f"sunny in {city}"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"state": "sever"}, "state='sever'): give 'local' or 'server'"),
        ({"conversation": ""}, "conversation=''): give the id"),
        ({"background": "yes"}, "background='yes'): give True or False"),
        ({"store": 1}, "store=1): give True or False"),
        ({"compact_threshold": -1}, "compact_threshold=-1): give a whole number above 0"),
        ({"max_tool_calls": True}, "max_tool_calls=True): give a whole number above 0"),
        ({"top_logprobs": 21}, "top_logprobs=21): give a whole number of 0 to 20"),
        ({"include": "x"}, "include='x'): give a list of names"),
        ({"tool_choice": "wether"}, "no tool is named 'wether'; the tools: weather"),
        ({"tool_choice": {"type": "function", "name": "rain"}}, "no tool is named 'rain'"),
        ({"tool_choice": 3}, "tool_choice=3): give 'auto', 'none', 'required'"),
        ({"tool_choice": {"name": "weather"}}, "or an object with a type"),
    ],
)
async def test_a_value_that_cannot_be_is_named_and_nothing_is_sent(settings, says):
    model = Scripted("no")
    agent = Agent(model, tools=[weather])
    with pytest.raises(InputError) as caught:
        await agent.run("hi", settings=Settings(**settings))
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"Settings({next(iter(settings))}=")
    assert model.requests == []


async def test_without_tools_a_choice_is_not_sent_and_stops_nobody():
    model = Scripted("read")
    agent = Agent(model, tools=[weather], settings=Settings(tool_choice="weather"))

    assert await agent.extract("a text") == "read"
    assert model.requests[0].tool_choice is None


@pytest.mark.parametrize(
    "settings",
    [
        Settings(effort="extreme", verbosity="baroque", service_tier="gold"),
        Settings(state="server", store=True, compact_threshold=1, top_logprobs=0),
        Settings(tool_choice="rain", extra={"tools": [{"type": "function", "name": "rain"}]}),
        Settings(tool_choice={"type": "web_search"}),
    ],
)
def test_open_words_and_tools_of_your_own_pass(settings):
    assert check_values(settings, ("weather",)) is None


@pytest.mark.parametrize("asked", [{"max_tool_calls": 1}, {"extra": {"max_tool_calls": 1}}])
async def test_no_more_calls_of_one_response_are_carried_out_than_were_asked_for(asked):
    both = [call("weather", city="Paris"), call("weather", city="Rome")]
    agent = Agent(Scripted(both, both, "done"), tools=[weather], settings=Settings(**asked))
    result = await agent.run("hi")
    assert [one.failed for one in result.calls] == [False, True, False, True]
    assert result.calls[1].output.startswith("not called: at most 1 ")
