"""The agent over a real endpoint: what a run owes to HTTP."""

import asyncio
import threading

import pytest

from toolstone import Agent, DroppedError, FailedError, Settings, TruncatedError
from toolstone.local import Script, answer, call, empty, error, incomplete, serve


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def test_a_run_streamed_and_plain_gives_the_same():
    with serve(Script([call("add", a=1, b=2), "three"])) as endpoint:
        agent = Agent(f"responses+{endpoint.base_url}#m", tools=[add])
        plain = await agent.run("1+2")
        async with agent.stream("1+2") as stream:
            streamed = await stream.result()
    assert plain.output == streamed.output == "three"
    assert [c.output for c in plain.calls] == [c.output for c in streamed.calls] == ["3"]


async def test_the_exact_requests_and_responses_are_on_the_result():
    with serve(Script([call("add", a=1, b=2), "three"])) as endpoint:
        result = await Agent(f"responses+{endpoint.base_url}#m", tools=[add]).run("1+2")
    assert [r["model"] for r in result.requests] == ["m", "m"]
    assert [r["store"] for r in result.requests] == [False, False]
    assert result.requests[0]["tools"][0]["strict"] is True
    assert result.responses[1]["output"][0]["content"][0]["text"] == "three"


async def test_server_state_goes_through_a_real_server():
    with serve(Script([call("add", a=1, b=2), "three"])) as endpoint:
        agent = Agent(
            f"responses+{endpoint.base_url}#m", tools=[add], settings=Settings(state="server")
        )
        result = await agent.run("1+2")
    assert result.output == "three"
    assert "previous_response_id" in result.requests[1]
    assert [i["type"] for i in result.requests[1]["input"]] == ["function_call_output"]


async def test_leaving_a_stream_closes_the_http_response():
    with serve(Script([answer("x" * 4000, chunk=1, pause=0.01)])) as endpoint:
        agent = Agent(f"responses+{endpoint.base_url}#m")
        async with asyncio.timeout(5), agent.stream("go") as stream:
            async for _ in stream.text():
                break


async def test_a_cut_answer_is_truncated_over_http_too():
    with serve(Script([incomplete("half")])) as endpoint:
        agent = Agent(f"responses+{endpoint.base_url}#m")
        for door in (agent.run("go"), read(agent)):
            with pytest.raises(TruncatedError) as caught:
                await door
            assert caught.value.result.partial == "half"


async def read(agent):
    async with agent.stream("go") as stream:
        return await stream.result()


async def test_a_refused_request_fails_with_the_services_words():
    refused = error(400, "invalid_value", "bad thing")
    with (
        serve(Script([refused], by="sequence")) as endpoint,
        pytest.raises(FailedError, match="bad thing") as caught,
    ):
        await Agent(f"responses+{endpoint.base_url}#m").run("go")
    assert caught.value.__cause__.status == 400


async def test_an_empty_answer_is_asked_for_again_over_http():
    with serve(Script([empty(), "there"], by="sequence")) as endpoint:
        result = await Agent(f"responses+{endpoint.base_url}#m").run("go")
    assert result.output == "there"


def test_one_agent_from_eight_threads_with_loops_of_their_own():
    with serve(Script([call("add", a=1, b=2), "three"])) as endpoint:
        agent = Agent(f"responses+{endpoint.base_url}#m", tools=[add])
        found = []

        def work():
            found.append(asyncio.run(agent.run("1+2")).output)
            found.append(agent.run_sync("1+2").output)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert found == ["three"] * 16


async def test_a_server_that_is_not_there_is_a_failure_that_can_be_retried():
    with serve(Script(["x"])) as endpoint:
        url = endpoint.base_url
    with pytest.raises((FailedError, DroppedError)) as caught:
        await Agent(f"responses+{url}#m").run("go")
    assert (caught.value.kind, caught.value.retryable) == ("transport", True)
