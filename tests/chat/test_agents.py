"""Whole agents over the older protocol, against the endpoint on this machine."""

import threading

import pytest
import toolstone_chat_data as wire
import toolstone_peer as peer
from pydantic import BaseModel

from toolstone import (
    Agent,
    DroppedError,
    FailedError,
    RefusedError,
    Settings,
    TruncatedError,
    Unsupported,
)
from toolstone.chat import ChatCompletions
from toolstone.local import Script, call, empty, error, incomplete, refusal, serve
from toolstone.ports import Profile
from toolstone.wire import Retry


class Report(BaseModel):
    city: str
    temp_c: float


def weather(city: str) -> float:
    """Current temperature."""
    return 14.5


def population(city: str) -> int:
    """Number of inhabitants."""
    return 2_100_000


def url(endpoint):
    return f"chat+{endpoint.base_url}#m"


async def both(agent, asked):
    """The result, plain and streamed."""
    plain = await agent.run(asked)
    async with agent.stream(asked) as stream:
        said = "".join([text async for text in stream.text()])
        streamed = await stream.result()
    return plain, streamed, said


REPORT = {"city": "Paris", "temp_c": 14.5}
BATCH = [call("weather", city="Paris"), call("population", city="Paris")]


async def test_no_more_calls_are_carried_out_than_max_tool_calls_says():
    with serve(Script([BATCH, "warm"])) as endpoint:
        agent = Agent(
            url(endpoint), tools=[weather, population], settings=Settings(max_tool_calls=1)
        )
        result = await agent.run("Report")
    assert [(one.name, one.failed) for one in result.calls] == [
        ("weather", False),
        ("population", True),
    ]


async def test_an_agent_with_tools_streamed_and_plain():
    with serve(Script([BATCH, "warm and large"])) as endpoint:
        agent = Agent(url(endpoint), tools=[weather, population])
        plain, streamed, said = await both(agent, "Report")

    assert plain.output == streamed.output == said == "warm and large"
    for result in (plain, streamed):
        assert [(c.name, c.output) for c in result.calls] == [
            ("weather", "14.5"),
            ("population", "2100000"),
        ]
        assert [m["role"] for m in result.requests[1]["messages"]] == [
            "user",
            "assistant",
            "tool",
            "tool",
        ]
        assert result.usage.requests == 2
        assert result.usage.input_tokens > 0
    assert plain.usage == streamed.usage


async def test_calls_of_one_turn_run_side_by_side():
    barrier = threading.Barrier(2, timeout=5)

    def meet(city: str) -> str:
        """Meet."""
        barrier.wait()
        return city

    with serve(Script([[call("meet", city="a"), call("meet", city="b")], "met"])) as endpoint:
        result = await Agent(url(endpoint), tools=[meet]).run("go")
    assert [c.output for c in result.calls] == ["a", "b"]


@pytest.mark.parametrize("output", ["native", "tool", "prompted"])
async def test_a_typed_answer_however_it_is_asked_for(output):
    answer = call("final_answer", **REPORT) if output == "tool" else REPORT
    with serve(Script([call("weather", city="Paris"), answer])) as endpoint:
        profile = Profile(name="x", output=output)
        model = ChatCompletions(base_url=endpoint.base_url, model="m", profile=profile)
        agent = Agent(model, tools=[weather], output=Report)
        plain, streamed, _ = await both(agent, "Report")

    assert plain.output == streamed.output == Report(**REPORT)
    assert ("response_format" in plain.requests[0]) == (output == "native")


async def test_a_wrong_answer_is_asked_for_again():
    with serve(Script([{"city": "Paris"}, REPORT], by="conversation")) as endpoint:
        result = await Agent(url(endpoint), output=Report).run("Report")
    assert result.output == Report(**REPORT)
    assert result.requests[1]["messages"][1]["role"] == "assistant"


async def test_a_forced_call_happens_once():
    with serve(Script([call("weather", city="Paris"), "warm"])) as endpoint:
        agent = Agent(url(endpoint), tools=[weather], settings=Settings(tool_choice="weather"))
        result = await agent.run("go")
    assert result.requests[0]["tool_choice"] == {
        "type": "function",
        "function": {"name": "weather"},
    }
    assert result.requests[1].get("tool_choice", "auto") == "auto"


async def test_a_session_goes_on():
    with serve(Script(["one", "two"])) as endpoint:
        agent = Agent(url(endpoint), instructions="Count.")
        await agent.run("first", session="s")
        result = await agent.run("second", session="s")
    assert [m["content"] for m in result.requests[0]["messages"]] == [
        "Count.",
        "first",
        "one",
        "second",
    ]


@pytest.mark.parametrize(
    ("turn", "raised"),
    [(incomplete("half"), TruncatedError), (refusal("no"), RefusedError)],
    ids=["cut", "refused"],
)
async def test_how_it_ended_is_what_it_is(turn, raised):
    with serve(Script([turn, turn])) as endpoint:
        agent = Agent(url(endpoint))
        with pytest.raises(raised):
            await agent.run("go")
        with pytest.raises(raised):
            async with agent.stream("go") as stream:
                await stream.result()


async def test_an_empty_answer_is_asked_for_again():
    with serve(Script([empty(), "there"], by="sequence")) as endpoint:
        assert (await Agent(url(endpoint)).run("go")).output == "there"


async def test_an_overloaded_server_is_asked_again_and_a_refusal_is_final():
    overloaded = error(503, "server_overloaded", "later")
    with serve(Script([overloaded, "there"], by="sequence")) as endpoint:
        assert (await Agent(url(endpoint)).run("go")).output == "there"
    with serve(Script([error(400, "invalid_value", "bad thing")])) as endpoint:
        with pytest.raises(FailedError, match="bad thing"):
            await Agent(url(endpoint)).run("go")


async def test_what_the_protocol_cannot_say_is_refused_before_it_is_sent():
    with serve(Script(["never"])) as endpoint:
        agent = Agent(url(endpoint), settings=Settings(state="server"))
        with pytest.raises(Unsupported, match="history is sent whole"):
            await agent.run("go")


@pytest.mark.parametrize(
    ("finish", "raised", "said"),
    [
        (None, DroppedError, "finish_reason"),
        ("meditating", FailedError, "meditating"),
        ("tool_calls", FailedError, "there is no call"),
        ("error", FailedError, "broke off"),
        ("content_filter", RefusedError, "content_filter"),
    ],
)
async def test_an_end_that_is_none_is_no_answer(finish, raised, said):
    answer = peer.json_reply(wire.completion(finish, content="It is"))
    async with peer.Peer(answer) as there:
        retry = Retry(sleep=no_sleep)
        model = ChatCompletions(base_url=there.url, model="m", retry=retry)
        with pytest.raises(raised, match=said) as caught:
            await Agent(model).run("go")
    assert caught.value.result.output is None


async def no_sleep(_):
    pass
