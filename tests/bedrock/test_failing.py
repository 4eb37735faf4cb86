"""Denials, broken streams and other habits of the hosts, as errors and retries."""

import json

import pytest
from toolstone_bedrock_stage import (
    GPT,
    KEYS,
    Peered,
    Stage,
    notes_of,
    told,
    tool_named,
    whats,
)

from toolstone import Settings
from toolstone.bedrock import MintedKey
from toolstone.errors import (
    AuthError,
    DroppedError,
    EmptyError,
    FailedError,
    ProtocolError,
    RateLimitError,
)
from toolstone.ledgers.memory import MemoryLedger
from toolstone.local import empty
from toolstone.local.profiles import ALWAYS, Account, Allowance, Statement
from toolstone.wire import Deadlines, Retry


def test_a_denial_is_told_from_a_bad_key_and_is_not_tried_again():
    denied = Account(deny=[Statement(["*:CreateInference"])])
    with Stage(["hello"], account=denied) as stage:
        agent = stage.agent(model=stage.model(auth=MintedKey("us-east-1", credentials=KEYS)))
        with pytest.raises(FailedError, match="CreateInference") as caught:
            agent.run_sync("hi")
    cause = caught.value.__cause__
    assert (type(cause), cause.means, cause.status, cause.attempts) == (
        AuthError,
        "permission",
        401,
        1,
    )


def test_a_bad_key_is_told_from_a_denial():
    with Stage(["hello"]) as stage, pytest.raises(FailedError) as caught:
        stage.agent(model=stage.model(api_key="ABSKwrong")).run_sync("hi")
    assert (caught.value.__cause__.means, caught.value.__cause__.status) == ("auth", 401)


def test_a_denial_on_the_runtime_host_names_the_project_statement():
    denied = Account(deny=[Statement(["bedrock:InvokeModel"])])
    with Stage(["hello"], "bedrock/openai.gpt-5.6-sol", account=denied) as stage:
        agent = stage.agent()
        with pytest.raises(FailedError, match="project/default") as caught:
            agent.run_sync("hi")
    assert (caught.value.__cause__.means, caught.value.__cause__.status) == ("permission", 403)


def test_a_clock_that_is_off_by_ten_minutes_is_corrected_on_the_way():
    with Stage(["hello"], skew=600.0) as stage:
        assert stage.agent().run_sync("hi").output == "hello"


def test_a_quota_that_reserves_the_output_says_what_may_fit():
    small = Account(quotas={"openai.gpt-5.6-sol": Allowance(input_tokens=500)})
    with Stage(["hello"], GPT, account=small) as stage:
        agent = stage.agent(model=stage.model(retry=Retry(attempts=1)))
        with pytest.raises(FailedError, match="lower max_output_tokens") as caught:
            agent.run_sync("hi", settings=Settings(max_output_tokens=4000))
        assert agent.run_sync("hi", settings=Settings(max_output_tokens=100)).output == "hello"
    assert isinstance(caught.value.__cause__, RateLimitError)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("habit", ["internal_400", "unavailable", "failed_at_end"])
def test_what_breaks_once_is_tried_again(habit, streamed):
    with Stage(["hello", "hello"], **{habit: 1}) as stage:
        result = stage.agent(settings=Settings(stream=streamed)).run_sync("hi")
    assert result.output == "hello"


def test_a_good_stream_that_always_ends_failed_is_bounded_and_keeps_the_partial():
    with Stage(["hello"] * 9, failed_at_end=ALWAYS) as stage:
        agent = stage.agent(settings=Settings(stream=True))
        with pytest.raises(FailedError) as caught:
            agent.run_sync("hi")
    cause = caught.value.__cause__
    assert (cause.attempts, cause.means, cause.partial.text) == (3, "transient", "hello")


def test_a_silent_stall_ends_by_the_idle_deadline_and_is_tried_again():
    with Stage(["hello", "hello"], stall=1) as stage:
        model = stage.model(deadlines=Deadlines(idle=0.2))
        result = stage.agent(model=model, settings=Settings(stream=True)).run_sync("hi")
    assert result.output == "hello"


def test_an_empty_completed_turn_is_asked_again_once_and_then_an_error():
    with Stage([empty(), "hello"], by="sequence") as stage:
        assert stage.agent().run_sync("hi").output == "hello"
    with Stage(["x"] * 4, empty=ALWAYS) as stage, pytest.raises(EmptyError):
        stage.agent().run_sync("hi")


@pytest.mark.parametrize("spelling", ["open_responses", "openai"])
def test_both_spellings_of_reasoning_events_are_heard(spelling):
    with Stage(["hello"], reasoning=1, spelling=spelling) as stage:
        agent = stage.agent(settings=Settings(stream=True))
        with agent.stream_sync("hi") as stream:
            thought = [e.text for e in stream.events() if type(e).__name__ == "ReasoningDelta"]
            result = stream.result()
    assert thought
    assert result.output == "hello"


FRAMES = {
    "typed": {"type": "error", "code": "server_error", "message": "boom"},
    "nested": {"type": "error", "error": {"code": "server_error", "message": "boom"}},
    "untyped": {"error": {"code": "server_error", "message": "boom"}},
    "text": {"error": "overloaded: boom"},
    "null code": {"error": {"code": None, "message": "server overloaded: boom"}},
}


@pytest.mark.parametrize("shape", FRAMES)
async def test_an_error_in_a_stream_is_one_in_each_of_its_five_shapes(peer, wire, shape):
    broken = peer.sse_reply(b"data: %s\n\n" % json.dumps(FRAMES[shape]).encode())
    good = peer.sse_reply(*wire.narrate(told(wire)))
    async with Peered(peer, broken, good) as stage:
        result = await stage.agent(settings=Settings(stream=True)).run("hi")
        assert (result.output, len(stage.bodies)) == ("hello", 2)


def test_a_stream_that_ends_in_an_error_frame_is_tried_again():
    with Stage(["hello there, you"], error_frame=1) as stage:
        result = stage.agent(settings=Settings(stream=True)).run_sync("hi")
    assert result.output == "hello there, you"


async def test_a_200_without_a_response_says_which_path_is_right(peer):
    body = {"Output": {"__type": "com.amazon#UnknownOperationException"}, "Version": "1.0"}
    model = "bedrock-runtime/openai.gpt-5.6-sol"
    async with Peered(peer, peer.json_reply(body), model=model) as stage:
        with pytest.raises(FailedError, match=r"UnknownOperation.*/openai/v1/responses") as caught:
            await stage.agent().run("hi")
    assert isinstance(caught.value.__cause__, ProtocolError)


async def test_junk_after_arguments_is_taken_off_and_noted(peer, wire):
    spoilt = {**wire.CALL, "arguments": '{"city":"Paris","deep":null}}'}
    answers = [peer.json_reply(wire.response(spoilt)), peer.json_reply(told(wire))]
    ledger = MemoryLedger()
    async with Peered(peer, *answers) as stage:
        result = await stage.agent(tool_named("weather"), ledger=ledger).run("hi", session="s")
    assert [c.output for c in result.calls] == ["sunny in Paris"]
    assert "stripped" in whats(await notes_of(ledger))


def test_calls_of_hidden_server_tools_need_no_reply():
    with Stage(["hello"], hidden_tools=1) as stage:
        assert stage.agent().run_sync("hi").output == "hello"


async def test_a_cut_stream_is_dropped_with_what_had_arrived(peer, wire):
    events = wire.narrate(told(wire))[:-1]
    async with Peered(peer, peer.sse_reply(*events), retry=Retry(attempts=1)) as stage:
        with pytest.raises(DroppedError) as caught:
            await stage.agent(settings=Settings(stream=True)).run("hi")
    assert caught.value.result.partial == "hello"


def test_a_model_that_the_host_does_not_have_is_told_with_the_host_that_has_it():
    with Stage(["hello"], "bedrock-runtime/openai.gpt-oss-120b") as stage:
        agent = stage.agent()
        with pytest.raises(FailedError, match=r"'bedrock-mantle/openai\.gpt-oss-120b'") as caught:
            agent.run_sync("hi")
    assert (caught.value.__cause__.means, caught.value.__cause__.status) == ("model", 404)
