"""The model from the outside: whole agents through the emulated hosts, really signed."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from pydantic import BaseModel
from toolstone_bedrock_stage import (
    GEMMA,
    GPT,
    KEYS,
    OSS,
    SEED_REGIONS,
    Peered,
    Stage,
    nobody,
    notes_of,
    refusal,
    sent_ids,
    told,
    tool_named,
    weather,
    whats,
)

from toolstone import Agent, Settings, tool, user
from toolstone.bedrock import (
    MintedKey,
    SigV4,
    Wishes,
    bedrock_model,
)
from toolstone.bedrock.verify import AccessKey
from toolstone.errors import (
    FailedError,
    StatusError,
)
from toolstone.ledgers.memory import MemoryLedger
from toolstone.local import call
from toolstone.local.profiles import Account
from toolstone.ports import Request
from toolstone.wire import Retry

RUNTIME = "bedrock-runtime/openai.gpt-5.6-terra"


@pytest.mark.parametrize("region", SEED_REGIONS)
@pytest.mark.parametrize("model", [OSS, RUNTIME], ids=["mantle", "runtime"])
@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_a_whole_agent_runs_in_every_seed_region_with_a_real_signature(region, model, streamed):
    with Stage([call("weather", city="Paris"), "It is sunny."], model, region=region) as stage:
        agent = stage.agent(settings=Settings(stream=streamed))
        result = agent.run_sync("Weather in Paris?")
    assert (result.output, [c.name for c in result.calls]) == ("It is sunny.", ["weather"])


@pytest.mark.parametrize("model", [OSS, GPT, GEMMA, "bedrock/openai.gpt-5.6-sol"])
@pytest.mark.parametrize("signed", ["sigv4", "minted"])
def test_every_family_is_reached_on_its_host_by_either_credential(model, signed):
    with Stage(["hello"], model) as stage:
        minted = MintedKey("us-east-1", credentials=KEYS)
        options = {"auth": minted} if signed == "minted" else {}
        assert stage.agent(model=stage.model(**options)).run_sync("hi").output == "hello"


def test_the_model_goes_with_every_request_and_nothing_else_unasked():
    with Stage([call("weather", city="Paris"), "done"], GPT) as stage:
        result = stage.agent(settings=Settings(state="server")).run_sync("hi")
    first, second = result.requests
    assert first["model"] == second["model"] == "openai.gpt-5.6-sol"
    assert "previous_response_id" in second
    assert set(first) == {"model", "stream", "store", "input", "tools"}
    assert first["tools"][0]["strict"] is True


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_calls_that_restart_at_call_0_are_told_apart_across_parallel_rounds(streamed):
    rounds = [
        [call("weather", city="Paris"), call("weather", city="Rome")],
        [call("weather", city="Oslo"), call("weather", city="Bern")],
        "done",
    ]
    with Stage(rounds, GPT) as stage:
        result = stage.agent(settings=Settings(stream=streamed)).run_sync("four cities")
    assert [c.output for c in result.calls] == [
        f"sunny in {city}" for city in ("Paris", "Rome", "Oslo", "Bern")
    ]
    assert sent_ids(result)[-1] == [
        *["call_0", "call_1", "call_0", "call_1"],
        *["call_0_r2", "call_1_r2", "call_0_r2", "call_1_r2"],
    ]


def test_a_resumed_session_sends_the_same_names_and_stores_the_wires():
    ledger = MemoryLedger()

    def pay(amount: int) -> str:
        """Pay.

        Args:
            amount: How much.
        """
        return f"paid {amount}"

    script = [call("weather", city="Paris"), call("pay", amount=5), "done"]
    with Stage(script, GPT) as stage:
        approved = tool(approve=True)(pay)
        first = stage.agent(weather, approved, ledger=ledger)
        waiting = first.run_sync("pay", session="s").waiting
        second = stage.agent(weather, approved, ledger=ledger)
        second.approve_sync("s", waiting[0])
        result = second.resume_sync("s")
    stored = [
        item.raw["call_id"]
        for record in asyncio.run(ledger.load("s"))
        if record.fact.type == "answered"
        for item in record.fact.items
        if item.type == "function_call"
    ]
    assert stored == ["call_0", "call_0"]
    assert sent_ids(result)[-1] == ["call_0", "call_0", "call_0_r2", "call_0_r2"]
    assert result.output == "done"


def test_lost_state_is_rebuilt_from_the_ledger():
    """A 404 for what to go on from; the whole history is sent once, and the run goes on."""
    script = [call("weather", city="Paris"), call("weather", city="Rome"), "done"]
    ledger = MemoryLedger()
    with Stage(script, GPT, lost_state=1) as stage:
        agent = stage.agent(settings=Settings(state="server"), ledger=ledger)
        result = agent.run_sync("hi", session="s")
    assert result.output == "done"
    previous = ["previous_response_id" in request for request in result.requests]
    assert previous == [False, False, True]  # the refused one is no exchange
    assert sent_ids(result)[1] == ["call_0", "call_0"]
    notes = asyncio.run(notes_of(ledger))
    assert [n.text for n in notes if n.what == "mended"] == [
        "the service has lost the response to go on from; the whole history was sent"
    ]


async def test_a_forced_call_that_did_not_happen_is_asked_for_again(peer, wire):
    answers = [
        peer.json_reply(told(wire, "I'd rather talk")),
        peer.json_reply(wire.response(wire.CALL)),
        peer.json_reply(told(wire)),
    ]
    async with Peered(peer, *answers) as stage:
        agent = stage.agent(tool_named("weather"), settings=Settings(tool_choice="required"))
        result = await agent.run("hi")
        choices = [body["tool_choice"] for body in stage.bodies]
    assert (result.output, len(result.calls)) == ("hello", 1)
    assert choices == ["required", "required", "auto"]


async def test_a_forced_call_that_never_happens_is_an_error_and_not_prose(peer, wire):
    async with Peered(peer, peer.json_reply(told(wire, "no"))) as stage:
        agent = stage.agent(tool_named("weather"), settings=Settings(tool_choice="weather"))
        with pytest.raises(FailedError, match="tool_choice forces a call"):
            await agent.run("hi")


def test_a_model_that_takes_auto_alone_is_forced_in_words():
    """gpt-oss refuses any other tool_choice (400); the wish is kept all the same."""
    script = ["prose", call("weather", city="Paris"), "done"]
    with Stage(script, OSS, by="sequence") as stage:
        agent = stage.agent(settings=Settings(tool_choice="required"))
        result = agent.run_sync("hi")
    assert (result.output, len(result.calls)) == ("done", 1)
    assert all(request.get("tool_choice", "auto") == "auto" for request in result.requests)


class City(BaseModel):
    name: str


@pytest.mark.parametrize("model", [OSS, GPT, GEMMA])
def test_structured_output_is_asked_for_and_checked_here(model):
    with Stage(['{"name": "Paris"}'], model) as stage:
        assert Agent(stage.model(), output=City).run_sync("city").output == City(name="Paris")


async def test_what_the_table_has_against_an_endpoint_is_noted_with_the_first_answer(peer, wire):
    ledger = MemoryLedger()
    async with Peered(peer, peer.json_reply(told(wire)), model="bedrock/acme.new") as stage:
        agent = stage.agent(ledger=ledger)
        await agent.run("hi", session="s")
        await agent.run("hi", session="t")
        assert stage.model.endpoint.warnings
    assert whats(await notes_of(ledger, "s")) == ["warning"]
    assert await notes_of(ledger, "t") == []


async def test_stray_openai_variables_leak_into_nothing(peer, wire, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "stray-value")
    async with Peered(peer, peer.json_reply(told(wire))) as stage:
        await stage.agent().run("hi")
        [seen] = stage.peer.requests
    assert not [v for v in seen.headers.values() if "stray" in v]
    assert seen.headers["authorization"] == "Bearer ABSKkey"


async def test_a_project_goes_with_every_request(peer, wire):
    async with Peered(peer, peer.json_reply(told(wire)), wishes=Wishes(project="proj_1")) as stage:
        await stage.agent().run("hi")
        assert stage.peer.requests[0].headers["openai-project"] == "proj_1"


async def test_credentials_go_to_the_origin_alone(peer):
    async with peer.Peer(peer.json_reply({})) as other:
        answer = peer.reply(307, b"", f"location: {other.url}/responses")
        async with Peered(peer, answer) as stage:
            with pytest.raises(FailedError, match="not followed"):
                await stage.agent().run("hi")
        assert other.requests == []


def test_a_model_shows_no_secret_and_is_named_as_it_was_asked_for():
    model = bedrock_model(f"{OSS}@us-east-1", api_key="ABSKvery-secret")
    assert model.name == f"{OSS}@us-east-1"
    assert "very-secret" not in repr(model) + repr(model.auth)
    assert replace(model.endpoint, region="x").region == "x"


async def test_every_failed_mend_keeps_the_record_of_the_attempts(peer):
    first = refusal(peer, 400, "model `x` isn't supported on this route")
    second = refusal(peer, 404, "The model 'x' does not exist")
    async with Peered(peer, first, second) as stage:
        with pytest.raises(StatusError) as caught:
            await stage.model.respond(Request((user("hi"),)), nobody)
    assert whats(caught.value.notes) == ["attempt", "mended", "attempt"]


def test_a_cap_on_calls_that_the_service_ignores_is_kept_here():
    """`max_tool_calls` is taken by Bedrock and does nothing (bedrock.md §10)."""
    both = [call("weather", city="Paris"), call("weather", city="Rome")]
    ledger = MemoryLedger()
    with Stage([both, "done"], GPT) as stage:
        agent = stage.agent(settings=Settings(extra={"max_tool_calls": 1}), ledger=ledger)
        result = agent.run_sync("hi", session="s")
    assert result.calls[0].output == "sunny in Paris"
    assert "1" in result.calls[1].output
    assert [c.failed for c in result.calls] == [False, True]
    assert "ignored" in whats(asyncio.run(notes_of(ledger)))


async def test_connections_are_closed_when_told_to(peer, wire):
    async with Peered(peer, peer.json_reply(told(wire))) as stage:
        async with stage.model as model:
            await Agent(model).run("hi")
        await asyncio.wait_for(stage.peer.gone.wait(), 5)


REFUSED = [
    ("mantle/openai.gpt-oss-120b", {"effort": "minimal"}),
    ("mantle/openai.gpt-oss-120b", {"service_tier": "reserved"}),
    ("mantle/openai.gpt-5.4", {"top_p": 0.5}),
    ("mantle/openai.gpt-5.5", {"temperature": 0.2}),
    ("mantle/openai.gpt-5.6-sol", {"top_p": 0.5, "temperature": 0.2, "effort": "minimal"}),
    ("runtime/openai.gpt-5.6-sol", {"service_tier": "priority"}),
    ("runtime/openai.gpt-6-astra", {"effort": "none"}),
    ("runtime/openai.gpt-6.1-sol", {"effort": "none"}),
    ("mantle/google.gemma-4-31b", {"extra": {"prompt_cache_options": {"ttl": "30m"}}}),
    ("mantle/openai.gpt-5.5", {"extra": {"prompt_cache_options": {"ttl": "30m"}}}),
    ("runtime/xai.grok-4.6", {"effort": "max"}),
    ("mantle/openai.gpt-5.6-sol", {"max_output_tokens": 5}),
]


@pytest.mark.parametrize(("model", "settings"), REFUSED)
@pytest.mark.parametrize("gated", ["learn", "drop"])
def test_what_a_host_refuses_is_left_out_by_its_own_words_or_by_the_table(model, settings, gated):
    """The hosts' refusals were transcribed apart from the table: each is a check of the other."""
    ledger = MemoryLedger()
    region = "us-west-2" if "grok" in model or "astra" in model else "us-east-1"
    with Stage(["hello"], f"bedrock-{model}", region=region) as stage:
        agent = stage.agent(
            model=stage.model(gated=gated), settings=Settings(**settings), ledger=ledger
        )
        assert agent.run_sync("hi", session="s").output == "hello"
    notes = whats(asyncio.run(notes_of(ledger)))
    names = [n for n in settings if n != "max_output_tokens"]
    asked_again = len(names) if gated == "learn" else 0
    assert notes.count("attempt") == notes.count("mended") == asked_again
    assert notes.count("dropped_parameter") == len(names) - asked_again


def test_the_ways_to_use_aws_credentials_are_said_in_a_word():
    minted = bedrock_model(f"{OSS}@us-east-1", auth="minted", profile="work")
    signed = bedrock_model(f"{OSS}@us-east-1")
    assert (type(minted.auth.auth), type(signed.auth.auth)) == (MintedKey, SigV4)


async def test_rotating_credentials_are_each_verified_whole_by_the_host():
    """Every call of the provider gives another triple; a mixed one would be refused (401)."""
    triples = [AccessKey(f"ASIA{n:016d}", f"secret-{n}", f"session-{n}") for n in range(40)]
    turn = itertools.cycle(triples)

    def provider():
        key = next(turn)
        return key.id, key.secret, key.session

    with Stage(["hello"] * 4, account=Account(keys=triples)) as stage:
        signer = SigV4("us-east-1", "bedrock-mantle", credentials=provider)
        agent = stage.agent(model=stage.model(auth=signer, retry=Retry(attempts=1)))
        waves = [await asyncio.gather(*(agent.run("hi") for _ in range(50))) for _ in range(4)]
    assert {result.output for wave in waves for result in wave} == {"hello"}
    assert {len(result.requests) for wave in waves for result in wave} == {1}
