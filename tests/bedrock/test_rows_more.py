"""Rows of what is known of Bedrock that no other test has: refusals, keys, regions, other tools."""

import pytest
from toolstone_bedrock_stage import (
    GPT,
    KEYS,
    SEED_REGIONS,
    Peered,
    Stage,
    refusal,
    sent_ids,
    told,
    tool_named,
    weather,
)

from toolstone import Agent, Settings, user
from toolstone.bedrock import MintedKey, SigV4, bedrock_model
from toolstone.errors import FailedError
from toolstone.ledgers.memory import MemoryLedger
from toolstone.local import Script, call, serve
from toolstone.local.profiles import Account, HostProfile, LoopbackTransport

RUNTIME = "bedrock-runtime/openai.gpt-5.6-sol"
FINAL = [
    (GPT, 404, "The model 'openai.gpt-5.6-sol' does not exist", None, "model"),
    (RUNTIME, 404, "The model doesn't exist or doesn't support this API", None, "model"),
    (GPT, 400, "Missing required parameter: 'model'", None, ""),
    (RUNTIME, 400, "The background parameter is not supported.", None, "gate"),
    (GPT, 400, "prompt tokens (9) exceed model maximum (8)", None, "context"),
    (GPT, 403, "no", "permission_error", "permission"),
    (GPT, 400, "too long", "context_length_exceeded", "context"),
    (GPT, 400, "This model is not available under data retention mode 'none'", None, "gate"),
    (GPT, 404, "This model is not available under data retention mode 'none'", None, "gate"),
    (
        GPT,
        400,
        "Failed to deserialize the JSON body: Invalid 'tools': unknown variant `namespace`",
        None,
        "gate",
    ),
]


@pytest.mark.parametrize(("model", "status", "message", "code", "means"), FINAL)
async def test_a_refusal_that_nothing_here_can_mend_is_sent_once_and_told(
    peer, model, status, message, code, means
):
    async with Peered(peer, refusal(peer, status, message, code), model=model) as stage:
        with pytest.raises(FailedError) as caught:
            await stage.agent(weather).run("hi")
        assert len(stage.bodies) == 1
    cause = caught.value.__cause__
    assert (cause.status, cause.means, cause.retryable) == (status, means, False)


async def test_a_history_that_is_too_long_is_not_sent_anywhere_to_be_compacted(peer):
    """Standalone compaction is not proven on Bedrock: nothing relies on it."""
    answer = refusal(peer, 400, "prompt tokens (9) exceed model maximum (8)")
    async with Peered(peer, answer) as stage:
        with pytest.raises(FailedError, match="Send less"):
            await stage.agent().run("hi")
        assert stage.paths == ["/openai/v1/responses"]


@pytest.mark.parametrize(
    ("model", "status", "message"),
    [
        (GPT, 401, "The security token included in the request is invalid."),
        (RUNTIME, 403, "Authentication failed: Please make sure your API Key is valid."),
    ],
)
async def test_a_refused_key_is_asked_for_anew_once_and_not_for_ever(
    peer, wire, model, status, message
):
    refused, good = refusal(peer, status, message), peer.json_reply(told(wire))
    keys = iter(["ABSKone", "ABSKtwo", "ABSKthree", "ABSKfour"])
    options = {"model": model, "api_key": lambda: next(keys)}
    async with Peered(peer, refused, good, **options) as stage:
        assert (await stage.agent().run("hi")).output == "hello"
        said = [seen.headers["authorization"] for seen in stage.peer.requests]
    async with Peered(peer, refused, **options) as stage:
        with pytest.raises(FailedError) as caught:
            await stage.agent().run("hi")
        assert len(stage.bodies) == 2
    assert said == ["Bearer ABSKone", "Bearer ABSKtwo"]
    assert (caught.value.__cause__.means, caught.value.__cause__.status) == ("auth", status)


@pytest.mark.parametrize(
    "message",
    ["input[1]: value did not match any expected variant", "input[1]: unknown variant `x`"],
)
async def test_an_item_of_a_variant_that_the_host_does_not_know_is_sent_bare_once(
    peer, wire, message
):
    answers = [refusal(peer, 400, message), peer.json_reply(told(wire))]
    async with Peered(peer, *answers) as stage:
        result = await stage.agent().run([user("hi"), wire.MESSAGE, user("again")])
        said = ["status" in body["input"][1] for body in stage.bodies]
    assert (result.output, said) == ("hello", [True, False])


def test_functions_are_sent_flat_and_never_in_a_namespace():
    """Tools in a namespace have been refused; ours have nothing to be flattened."""
    with Stage(["hello"], GPT) as stage:
        tools = [weather, tool_named("other")]
        [request] = stage.agent(*tools).run_sync("hi").requests
    assert [(tool["type"], tool["name"]) for tool in request["tools"]] == [
        ("function", "weather"),
        ("function", "other"),
    ]
    assert all(type(tool["strict"]) is bool for tool in request["tools"])


@pytest.mark.parametrize("state", ["local", "server"])
def test_a_response_is_stored_only_to_be_gone_on_from(state):
    """Bedrock stores for 30 days unless told; what is not stored cannot be chained."""
    with Stage([call("weather", city="Paris"), "done"], GPT) as stage:
        result = stage.agent(settings=Settings(state=state)).run_sync("hi")
    assert result.output == "done"
    assert [request["store"] for request in result.requests] == [state == "server"] * 2


@pytest.mark.parametrize("elsewhere", ["us-east-2", "us-east-1"])
def test_a_session_that_moves_to_another_region_is_rebuilt_there(elsewhere):
    """Stored state is the region's; the ledger is ours."""
    turns = [call("weather", city="Paris"), "done", "again"]
    ledger, script = MemoryLedger(), Script(turns, by="sequence")
    with serve(script, profile=HostProfile()) as served:
        transport = LoopbackTransport(served.base_url)

        def at(region):
            signer = SigV4(region, "bedrock-mantle", credentials=KEYS)
            model = bedrock_model(f"{GPT}@{region}", auth=signer, transport=transport)
            return Agent(model, tools=[weather], ledger=ledger, settings=Settings(state="server"))

        at("us-east-1").run_sync("hi", session="s")
        result = at(elsewhere).run_sync("more", session="s")
    [request] = result.requests
    moved = elsewhere != "us-east-1"
    assert result.output == "again"
    assert ("previous_response_id" in request) is not moved
    assert bool(sent_ids(result)[0]) is moved


def test_a_mode_of_retention_that_excludes_the_model_is_told_with_where_to_look():
    with Stage(["hello"], GPT, account=Account(retention="none")) as stage:
        agent = stage.agent()
        with pytest.raises(FailedError, match="data_retention") as caught:
            agent.run_sync("hi")
    assert (caught.value.__cause__.means, caught.value.__cause__.attempts) == ("gate", 1)


def test_a_key_of_another_region_is_refused_as_a_key_and_not_as_a_denial():
    foreign = next(region for region in SEED_REGIONS if region != "us-east-1")
    with Stage(["hello"], GPT) as stage:
        agent = stage.agent(model=stage.model(auth=MintedKey(foreign, credentials=KEYS)))
        with pytest.raises(FailedError, match="of another region") as caught:
            agent.run_sync("hi")
    assert (caught.value.__cause__.means, caught.value.__cause__.status) == ("auth", 401)


async def test_a_search_of_the_hosts_own_is_passed_on_and_its_items_need_no_reply(peer, wire):
    search = {"type": "web_search", "external_web_access": False}
    searched = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}}
    text = {"type": "output_text", "text": "found", "annotations": []}
    answer = wire.response(searched, {**wire.MESSAGE, "content": [text]})
    async with Peered(peer, peer.json_reply(answer)) as stage:
        result = await stage.agent(settings=Settings(extra={"tools": [search]})).run("hi")
        [body] = stage.bodies
    assert (result.output, result.calls, body["tools"]) == ("found", (), [search])
