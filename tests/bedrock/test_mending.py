"""What a refusal names is mended once, remembered, and said."""

import pytest
from toolstone_bedrock_stage import (
    GEMMA,
    GPT,
    OSS,
    Peered,
    nobody,
    notes_of,
    refusal,
    told,
    tool_named,
    whats,
)

from toolstone import Agent, Settings, user
from toolstone.bedrock import Dialect, Wishes, bedrock_model
from toolstone.errors import FailedError, ProtocolError
from toolstone.ledgers.memory import MemoryLedger
from toolstone.ports import Request


@pytest.mark.parametrize(
    "answer",
    [
        ("model `x` isn't supported on this route", 400),
        ("The model 'x' does not support the '/v1/responses' API", 400),
        ("x is not enabled", 401),
    ],
)
async def test_a_wrong_prefix_is_switched_once_and_remembered(peer, wire, answer):
    message, status = answer
    wrong, right = refusal(peer, status, message), peer.json_reply(told(wire))
    ledger = MemoryLedger()
    async with Peered(peer, wrong, right) as stage:
        agent = stage.agent(ledger=ledger)
        assert (await agent.run("hi", session="s")).output == "hello"
        assert (await agent.run("hi")).output == "hello"
        assert stage.paths == ["/openai/v1/responses", "/v1/responses", "/v1/responses"]
    assert "mended" in whats(await notes_of(ledger))


async def test_a_refusal_of_both_prefixes_is_final_and_says_why(peer):
    wrong = refusal(peer, 400, "model `x` isn't supported on this route")
    async with Peered(peer, wrong) as stage:
        with pytest.raises(FailedError, match="Chat-only") as caught:
            await stage.agent().run("hi")
        assert stage.paths == ["/openai/v1/responses", "/v1/responses"]
    assert caught.value.__cause__.means == "wrong-route"


async def test_a_401_under_a_path_of_yours_is_tried_under_the_known_one(peer, wire):
    """gpt-oss under /openai/v1 has been seen to answer 401 (bedrock.md §1)."""
    answers = [refusal(peer, 401, "unauthorized"), peer.json_reply(told(wire))]
    async with peer.Peer(*answers) as here:
        base = here.url.replace("/v1", "/openai/v1")
        model = bedrock_model(f"{OSS}@us-east-1", endpoint=base, api_key="ABSKkey")
        assert (await Agent(model).run("hi")).output == "hello"
        assert [seen.target for seen in here.requests] == ["/openai/v1/responses", "/v1/responses"]


@pytest.mark.parametrize(
    "message",
    [
        "The provided model identifier is invalid.",
        "Invocation of model ID x with on-demand throughput isn't supported.",
    ],
)
async def test_a_mantle_id_on_the_runtime_host_is_translated_once(peer, wire, message):
    answers = [refusal(peer, 400, message), peer.json_reply(told(wire))]
    wishes = Wishes(residency="region")
    model = "bedrock-runtime/openai.gpt-5.6-sol"
    async with Peered(peer, *answers, model=model, wishes=wishes) as stage:
        await stage.agent().run("hi")
        await stage.agent().run("hi")
        ids = [body["model"] for body in stage.bodies]
    assert ids == ["openai.gpt-5.6-sol", *["us.openai.gpt-5.6-sol"] * 2]


@pytest.mark.parametrize(
    ("settings", "message", "param", "field"),
    [
        (Settings(top_p=0.5), "Unsupported parameter: 'top_p'", None, "top_p"),
        (
            Settings(temperature=0.2),
            "'temperature' does not support 0.2; only the default (1)",
            None,
            "temperature",
        ),
        (Settings(effort="max"), "Unsupported value: 'max'", "reasoning.effort", "reasoning"),
        (
            Settings(summary="detailed"),
            "Unsupported parameter: 'reasoning.summary'",
            None,
            "reasoning",
        ),
        (Settings(verbosity="low"), "Unsupported parameter: 'text.verbosity'", None, "text"),
        (Settings(service_tier="flex"), "Unsupported value: 'service_tier'", None, "service_tier"),
        (
            Settings(extra={"prompt_cache_options": {"ttl": "30m"}}),
            "prompt_cache_options is not supported on this model",
            None,
            "prompt_cache_options",
        ),
    ],
)
async def test_a_refused_parameter_is_left_out_once_and_from_then_on(
    peer, wire, settings, message, param, field
):
    answers = [
        refusal(peer, 400, message, "unsupported_parameter", param),
        peer.json_reply(told(wire)),
    ]
    ledger = MemoryLedger()
    async with Peered(peer, *answers) as stage:
        agent = stage.agent(settings=settings, ledger=ledger)
        await agent.run("hi", session="s")
        await agent.run("hi", session="t")
        assert [field in body for body in stage.bodies] == [True, False, False]
    assert whats(await notes_of(ledger, "s")) == ["attempt", "mended"]
    assert whats(await notes_of(ledger, "t")) == ["dropped_parameter"]


async def test_a_parameter_that_is_to_be_raised_is_not_left_out(peer):
    answers = [refusal(peer, 400, "Unsupported parameter: 'verbosity'", None, "text.verbosity")]
    async with Peered(peer, *answers, gated="raise") as stage:
        with pytest.raises(FailedError) as caught:
            await stage.agent(settings=Settings(verbosity="low")).run("hi")
        assert len(stage.bodies) == 1
    assert caught.value.__cause__.param == "text.verbosity"


async def test_a_refusal_of_what_was_not_set_is_final(peer):
    answers = [refusal(peer, 400, "Unsupported parameter: 'top_p'", None, "top_p")]
    async with Peered(peer, *answers) as stage:
        with pytest.raises(FailedError):
            await stage.agent().run("hi")
        assert len(stage.bodies) == 1


async def test_several_parameters_are_mended_one_by_one_and_not_for_ever(peer, wire):
    names = ["top_p", "temperature", "service_tier", "truncation", "metadata"]
    answers = [refusal(peer, 400, f"Unsupported parameter: '{name}'") for name in names]
    settings = Settings(
        top_p=0.5, temperature=0.5, service_tier="x", truncation="auto", metadata={"a": "b"}
    )
    async with Peered(peer, *answers, peer.json_reply(told(wire))) as stage:
        with pytest.raises(FailedError, match="metadata"):
            await stage.agent(settings=settings).run("hi")
        assert len(stage.bodies) == 5


async def test_a_table_of_your_own_decides_what_is_dropped(peer, wire):
    dialect = Dialect.load().with_(
        gates={"mine": {"parameter": "truncation", "allowed": [], "grade": "ours"}}
    )
    async with Peered(peer, peer.json_reply(told(wire)), dialect=dialect, gated="drop") as stage:
        await stage.agent(settings=Settings(truncation="auto")).run("hi")
        assert "truncation" not in stage.bodies[0]


async def test_foreign_encrypted_reasoning_is_stripped_once_and_our_own_is_replayed(peer, wire):
    foreign = {**wire.REASONING, "id": "rs_0", "encrypted_content": "foreign"}
    ours = {**wire.REASONING, "encrypted_content": "ours"}
    answers = [
        refusal(peer, 400, "no", "invalid_encrypted_content"),
        peer.json_reply(wire.response(ours, wire.CALL)),
        peer.json_reply(told(wire)),
    ]
    history = [user("hi"), foreign, {**wire.MESSAGE}, user("again")]
    async with Peered(peer, *answers) as stage:
        result = await stage.agent(tool_named("weather")).run(history)
        blobs = [
            [item["encrypted_content"] for item in body["input"] if item["type"] == "reasoning"]
            for body in stage.bodies
        ]
    assert (result.output, blobs) == ("hello", [["foreign"], [], ["ours"]])


@pytest.mark.parametrize(
    ("model", "option", "kept"),
    [(GPT, None, 1), (GPT, "strip", 0), (OSS, None, 0), (OSS, "replay", 1)],
)
async def test_reasoning_goes_back_by_family_or_as_you_say(peer, wire, model, option, kept):
    async with Peered(peer, peer.json_reply(told(wire)), model=model, reasoning=option) as stage:
        await stage.agent().run([user("hi"), wire.REASONING, wire.MESSAGE, user("again")])
        types = [item["type"] for item in stage.bodies[0]["input"]]
    assert types.count("reasoning") == kept


async def test_items_are_sent_bare_once_a_host_refuses_their_fields(peer, wire):
    answers = [
        refusal(peer, 400, "Unknown parameter: 'input[1].status'"),
        peer.json_reply(told(wire)),
    ]
    async with Peered(peer, *answers) as stage:
        agent = stage.agent()
        await agent.run([user("hi"), wire.MESSAGE, user("again")])
        await agent.run([user("hi"), wire.MESSAGE, user("again")])
        said = ["status" in body["input"][1] for body in stage.bodies]
    assert said == [True, False, False]


async def test_mends_that_cannot_help_are_not_tried(peer):
    """A translated id that is no other, reasoning that is not there, a history that is not known."""
    cases = [
        ("bedrock-runtime/openai.gpt-5.6-sol", "The provided model identifier is invalid.", None),
        ("bedrock-runtime/openai.gpt-5.6-sol", "model `x` isn't supported on this route", None),
        (GPT, "The provided model identifier is invalid.", None),
        (GPT, "no", "invalid_encrypted_content"),
        (GPT, "Response not found.", None),
    ]
    for model, message, code in cases:
        async with Peered(peer, refusal(peer, 400, message, code), model=model) as stage:
            with pytest.raises(FailedError):
                await stage.agent().run("hi")
            assert len(stage.bodies) == 1, message


async def test_reasoning_that_is_refused_although_none_was_sent_is_final(peer, wire):
    answers = [refusal(peer, 400, "no", "invalid_encrypted_content")]
    async with Peered(peer, *answers, reasoning="strip") as stage:
        with pytest.raises(FailedError):
            await stage.agent().run([user("hi"), wire.REASONING, wire.MESSAGE, user("again")])
        assert len(stage.bodies) == 1


async def test_a_refusal_in_the_middle_of_a_stream_voids_what_was_heard(peer, wire):
    """The error comes after deltas; the mended request begins anew."""
    began = wire.narrate(told(wire, "half"))[:5]
    broken = {"type": "error", "code": "invalid_encrypted_content", "message": "no"}
    good = peer.sse_reply(*wire.narrate(told(wire)))
    history = [user("hi"), wire.REASONING, wire.MESSAGE, user("again")]
    async with Peered(peer, peer.sse_reply(*began, broken), good) as stage:
        agent = stage.agent()
        async with agent.stream(history) as stream:
            kinds = [type(event).__name__ async for event in stream.events()]
            result = await stream.result()
    assert result.output == "hello"
    assert "Retrying" in kinds


async def test_what_is_no_json_is_not_mended_and_keeps_the_warnings(peer):
    async with Peered(peer, peer.sse_reply(b"data: nonsense\n\n"), model="bedrock/acme.x") as stage:
        request = Request((user("hi"),), stream=True)
        with pytest.raises(ProtocolError) as caught:
            await stage.model.respond(request, nobody)
    assert [note.what for note in caught.value.notes] == ["warning", "attempt"]


async def test_a_mend_that_works_for_one_model_leaves_others_alone(peer, wire):
    answers = [
        refusal(peer, 400, "model `x` isn't supported on this route"),
        peer.json_reply(told(wire)),
    ]
    async with Peered(peer, *answers) as stage:
        await stage.agent().run("hi")
        origin = stage.model.endpoint.origin
        other = bedrock_model(f"{GEMMA}@us-east-1", endpoint=origin, api_key="ABSKkey")
        await Agent(other).run("hi")
        same = bedrock_model(f"{GPT}@us-east-1", endpoint=origin, api_key="ABSKkey")
        await Agent(same).run("hi")
        assert stage.paths[2:] == ["/openai/v1/responses", "/v1/responses"]
