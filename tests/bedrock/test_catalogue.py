"""What models there are: mantle's own list, and boto3's for the runtime host."""

import pytest
from toolstone_bedrock_stage import GPT, KEYS, OSS, Stage

from toolstone.bedrock import SigV4, list_models, list_runtime_models, resolve_endpoint
from toolstone.errors import AuthError, ConfigError, ProtocolError, ServerError, TransportError
from toolstone.local.profiles import Account, Statement
from toolstone.wire import HttpxTransport


@pytest.mark.parametrize("model", [OSS, GPT])
async def test_mantle_lists_its_models_whatever_their_prefix(model):
    with Stage([], model, account=Account(unavailable={"openai.gpt-5.5": "no agreement"})) as stage:
        auth = SigV4("us-east-1", "bedrock-mantle", credentials=KEYS)
        found = await list_models(stage.endpoint, auth, transport=stage.transport)
    by_id = {one.id: one for one in found}
    oss, gpt = by_id["openai.gpt-oss-120b"], by_id["openai.gpt-5.6-sol"]
    assert (oss.family, oss.prefix, oss.speaks_responses) == ("gpt-oss", "/v1", True)
    assert (gpt.family, gpt.prefix, gpt.host) == ("gpt-5.6", "/openai/v1", "mantle")
    assert (by_id["openai.gpt-5.5"].status, by_id["openai.gpt-5.5"].reason) == (
        "unavailable",
        "no agreement",
    )
    assert oss.raw["id"] == oss.id


async def test_a_list_that_may_not_be_seen_says_which_action_is_missing():
    with Stage([], account=Account(deny=[Statement(["*:ListModels"])])) as stage:
        auth = SigV4("us-east-1", "bedrock-mantle", credentials=KEYS)
        with pytest.raises(AuthError, match="ListModels") as caught:
            await list_models(stage.endpoint, auth, transport=stage.transport)
    assert caught.value.means == "permission"


async def test_a_clock_that_is_off_is_corrected_here_too():
    with Stage([], skew=900.0) as stage:
        auth = SigV4("us-east-1", "bedrock-mantle", credentials=KEYS)
        assert await list_models(stage.endpoint, auth, transport=stage.transport)


async def test_the_runtime_host_has_no_catalogue():
    endpoint = resolve_endpoint("bedrock/openai.gpt-5.5@us-east-1")
    with pytest.raises(ConfigError, match="list_runtime_models"):
        await list_models(endpoint, SigV4("us-east-1", "bedrock", credentials=KEYS))


@pytest.mark.parametrize("body", [{}, [], {"data": {}}])
async def test_a_200_that_is_no_list_is_an_error(peer, body):
    async with peer.Peer(peer.json_reply(body)) as here:
        endpoint = resolve_endpoint(
            "bedrock-mantle/openai.gpt-5.5@us-east-1", endpoint=here.url.removesuffix("/v1")
        )
        auth = SigV4("us-east-1", "bedrock-mantle", credentials=KEYS)
        with pytest.raises(ProtocolError, match="not with a list"):
            await list_models(endpoint, auth, transport=HttpxTransport())
        assert [seen.target for seen in here.requests] == ["/v1/models"]


PROFILE = {
    "inferenceProfileId": "us.openai.gpt-5.6-sol",
    "inferenceProfileName": "GPT",
    "status": "ACTIVE",
    "type": "SYSTEM_DEFINED",
    "models": [],
    "inferenceProfileArn": "arn:aws:bedrock:us-east-1:1:inference-profile/us.openai.gpt-5.6-sol",
}
SUMMARIES = [
    {"modelId": "openai.gpt-5.6-sol", "modelArn": "arn:a", "modelLifecycle": {"status": "ACTIVE"}},
    {
        "modelId": "openai.gpt-oss-120b-1:0",
        "modelArn": "arn:b",
        "modelLifecycle": {"status": "LEGACY"},
    },
]


async def test_profiles_come_first_and_page_by_page(peer, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    other = {**PROFILE, "inferenceProfileId": "global.xai.grok-4.6"}
    pages = [
        {"modelSummaries": SUMMARIES},
        {"inferenceProfileSummaries": [PROFILE], "nextToken": "more"},
        {"inferenceProfileSummaries": [other]},
    ]
    async with peer.Peer(*map(peer.json_reply, pages)) as here:
        found = await list_runtime_models("us-east-1", endpoint=here.url.removesuffix("/v1"))
        assert "nextToken=more" in here.requests[2].target
    assert [(one.id, one.status, one.family, one.speaks_responses) for one in found] == [
        ("us.openai.gpt-5.6-sol", "ACTIVE", "gpt-5.6", True),
        ("global.xai.grok-4.6", "ACTIVE", "grok-4.6", True),
        ("openai.gpt-oss-120b-1:0", "LEGACY", "gpt-oss", False),
    ]


async def test_a_list_that_aws_refuses_is_a_typed_error(peer, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    body = {"message": "not authorized to perform: bedrock:ListFoundationModels"}
    answer = peer.json_reply(body, 403, "x-amzn-errortype: AccessDeniedException")
    async with peer.Peer(answer) as here:
        with pytest.raises(TransportError, match="ListFoundationModels"):
            await list_runtime_models("us-east-1", endpoint=here.url.removesuffix("/v1"))


async def test_without_credentials_nothing_is_listed():
    with pytest.raises(ConfigError, match="no AWS credentials"):
        await list_runtime_models("us-east-1", endpoint="http://127.0.0.1:9")


async def test_a_refusal_that_is_no_json_is_told_as_text(peer):
    async with peer.Peer(peer.reply(503, b"<html>busy</html>")) as here:
        endpoint = resolve_endpoint(
            "bedrock-mantle/openai.gpt-5.5@us-east-1", endpoint=here.url.removesuffix("/v1")
        )
        auth = SigV4("us-east-1", "bedrock-mantle", credentials=KEYS)
        with pytest.raises(ServerError, match="503: busy"):
            await list_models(endpoint, auth, transport=HttpxTransport())


async def test_a_model_of_no_family_is_listed_as_the_service_tells_it(peer):
    async with peer.Peer(peer.json_reply({"data": [{"id": "acme.new", "status": "x"}]})) as here:
        endpoint = resolve_endpoint(
            "bedrock-mantle/openai.gpt-5.5@us-east-1", endpoint=here.url.removesuffix("/v1")
        )
        auth = SigV4("us-east-1", "bedrock-mantle", credentials=KEYS)
        [found] = await list_models(endpoint, auth)
    assert (found.id, found.status, found.family, found.speaks_responses) == (
        *("acme.new", "x", ""),
        False,
    )
