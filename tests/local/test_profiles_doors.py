"""Who may come in, and what they may do: signatures, keys, policies, projects."""

import base64
import dataclasses
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from toolstone.bedrock.verify import AccessKey, LongTermKey
from toolstone.errors import ConfigError
from toolstone.local import Account, Habits, HostProfile, Script, Statement, call
from toolstone.local.profiles.account import EXAMPLE

OSS, SOL, RUNTIME_SOL = "openai.gpt-oss-120b", "openai.gpt-5.6-sol", "us.openai.gpt-5.6-sol"
BAD_TOKEN = (401, "invalid_api_key", "The security token included in the request is invalid.")
TEMPORARY = AccessKey("ASIAIOSFODNN7EXAMPLE", "secret/2", "session/2==")


def said(reply):
    body = reply.json()
    error = body.get("error", {})
    return (
        reply.status_code,
        error.get("code"),
        error.get("message") or body.get("message") or body.get("Message"),
    )


def mint(region="us-east-1", key=EXAMPLE, seconds=3600):
    request = AWSRequest("POST", "https://bedrock.amazonaws.com/", {"host": "bedrock.amazonaws.com"},
                         params={"Action": "CallWithBearerToken"})  # fmt: skip
    signer = SigV4QueryAuth(
        Credentials(key.id, key.secret, key.session), "bedrock", region, seconds
    )
    signer.add_auth(request)
    text = request.url.removeprefix("https://") + "&Version=1"
    return "bedrock-api-key-" + base64.b64encode(text.encode()).decode()


# --- who


@pytest.mark.parametrize("key", [EXAMPLE, TEMPORARY], ids=["permanent", "temporary"])
@pytest.mark.parametrize(("kind", "model"), [("mantle", SOL), ("runtime", RUNTIME_SOL)])
def test_a_signature_and_a_minted_key_are_let_in_by_both_hosts(aws, kind, model, key):
    profile = HostProfile(account=Account(keys=[key]))
    with aws(None, kind, key=key, profile=profile) as host:
        assert host.create(model).status_code == 200
        assert host.create(model, bearer=mint(key=key)).status_code == 200


@pytest.mark.parametrize(("kind", "status"), [("mantle", 200), ("runtime", 403)])
def test_mantle_takes_a_key_in_x_api_key_too_and_runtime_does_not(aws, kind, status):
    model = {"mantle": SOL, "runtime": RUNTIME_SOL}[kind]
    with aws(None, kind) as host:
        reply = httpx.post(
            host.origin.join("/openai/v1/responses"),
            json={"model": model, "input": "ping"},
            headers={"Host": host.host, "x-api-key": mint()},
        )

    assert reply.status_code == status


STRANGERS = {
    "another secret": {"key": dataclasses.replace(EXAMPLE, secret="other")},
    "an unknown key": {"key": dataclasses.replace(EXAMPLE, id="AKIANOBODY")},
    "another region": {"region": "us-east-2"},
    "another service": {"service": "bedrock-mantle-x"},
}


@pytest.mark.parametrize("what", STRANGERS)
def test_mantle_answers_every_stranger_alike(aws, what):
    with aws() as mantle:
        vars(mantle).update(STRANGERS[what])

        assert said(mantle.create(SOL)) == BAD_TOKEN


@pytest.mark.parametrize(
    ("what", "errortype"),
    [
        ("another secret", "InvalidSignatureException"),
        ("an unknown key", "UnrecognizedClientException"),
        ("another region", "InvalidSignatureException"),
        ("another service", "InvalidSignatureException"),
    ],
)
def test_runtime_tells_a_bad_signature_from_bad_credentials(aws, what, errortype):
    with aws(None, "runtime") as runtime:
        vars(runtime).update(STRANGERS[what])
        reply = runtime.create(RUNTIME_SOL)

    assert (reply.status_code, reply.headers["x-amzn-errortype"]) == (403, errortype)


BAD_KEYS = {
    "from another region": lambda: mint("eu-west-1"),
    "with another secret": lambda: mint(key=dataclasses.replace(EXAMPLE, secret="other")),
    "cut short": lambda: mint()[:-9],
    "long-term, unknown": lambda: "ABSKunknown",
    "OpenAI's": lambda: "sk-proj-leftover",
}


@pytest.mark.parametrize("what", BAD_KEYS)
def test_a_bad_key_is_401_on_mantle_and_403_on_runtime(aws, what):
    with aws() as mantle, aws(None, "runtime") as runtime:
        assert said(mantle.create(SOL, bearer=BAD_KEYS[what]())) == BAD_TOKEN
        assert said(runtime.create(RUNTIME_SOL, bearer=BAD_KEYS[what]())) == (
            403,
            None,
            "Authentication failed: Please make sure your API Key is valid.",
        )


def test_a_minted_key_ends_and_a_new_one_is_taken(aws):
    later = HostProfile(clock=lambda: datetime.now(UTC) + timedelta(minutes=20))
    with aws(profile=later) as mantle:
        assert said(mantle.create(SOL, bearer=mint(seconds=900))) == BAD_TOKEN
        assert mantle.create(SOL, bearer=mint(seconds=3600)).status_code == 200


def test_a_long_term_key_on_file_is_let_in(aws):
    with aws(profile=HostProfile(account=Account(api_keys=[LongTermKey("ABSKknown")]))) as mantle:
        assert mantle.create(SOL, bearer="ABSKknown").status_code == 200


def test_a_skewed_clock_refuses_signatures_and_shows_in_the_date(aws):
    with aws(profile=HostProfile(habits=Habits(skew=600))) as mantle:
        reply = mantle.create(SOL)

    theirs = datetime.strptime(reply.headers["date"], "%a, %d %b %Y %H:%M:%S GMT").replace(
        tzinfo=UTC
    )
    assert said(reply) == BAD_TOKEN
    assert timedelta(minutes=9) < theirs - datetime.now(UTC) < timedelta(minutes=11)


# --- may they


def allowed(*statements, **fields):
    return HostProfile(account=Account(allow=statements, **fields))


INFER = Statement(["bedrock-mantle:CreateInference"])


def test_on_mantle_iam_says_401_with_a_code_of_its_own(aws):
    with aws(profile=allowed(Statement(["bedrock-mantle:Get*", "bedrock-mantle:List*"]))) as mantle:
        listed = mantle.send("GET", "/v1/models")
        status, code, message = said(mantle.create(SOL))

    assert listed.status_code == 200
    assert (status, code) == (401, "access_denied")
    assert message.startswith(
        "User: arn:aws:iam::123456789012:user/test is not authorized to perform: "
        "bedrock-mantle:CreateInference on resource: "
        "arn:aws:bedrock-mantle:us-east-1:123456789012:project/default"
    )


def test_who_comes_with_a_key_needs_the_permission_to_use_keys(aws):
    with aws(profile=allowed(INFER)) as mantle:
        assert mantle.create(SOL).status_code == 200
        status, code, message = said(mantle.create(SOL, bearer=mint()))

    assert (status, code) == (401, "access_denied")
    assert "bedrock-mantle:CallWithBearerToken on resource: *" in message


def test_an_organisation_can_ban_keys_of_one_type(aws, tmp_path):
    file = tmp_path / "account.toml"
    file.write_text("""
        api_keys = ["ABSKknown"]
        [[deny]]
        actions = ["bedrock-mantle:CallWithBearerToken"]
        bearers = ["LONG_TERM"]
    """)
    with aws(profile=HostProfile(account=Account.load(file))) as mantle:
        assert mantle.create(SOL, bearer=mint()).status_code == 200
        assert said(mantle.create(SOL, bearer="ABSKknown"))[1] == "access_denied"
        assert mantle.create(SOL).status_code == 200


ON_PROFILE = Statement(["bedrock:InvokeModel"], ["arn:aws:bedrock:*:*:inference-profile/*"])
ON_PROJECT = Statement(["bedrock:InvokeModel"], ["arn:aws:bedrock:*:*:project/default"])


def test_on_runtime_the_forgotten_default_project_is_blamed_on_the_model(aws):
    with aws(None, "runtime", profile=allowed(ON_PROFILE)) as runtime:
        reply = runtime.create(RUNTIME_SOL)

    assert (reply.status_code, reply.headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
    assert (
        f"bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1:123456789012:inference-profile/{RUNTIME_SOL}"
        in reply.json()["Message"]
    )


def test_on_runtime_a_stream_needs_a_permission_of_its_own(aws):
    with aws(None, "runtime", profile=allowed(ON_PROFILE, ON_PROJECT)) as runtime:
        assert runtime.create(RUNTIME_SOL).status_code == 200
        reply = runtime.create(RUNTIME_SOL, stream=True)

    assert "bedrock:InvokeModelWithResponseStream" in reply.json()["Message"]


ROUTES = {
    "mantle": {
        ("GET", "/openai/v1/responses/{id}"): "bedrock-mantle:GetInference",
        ("POST", "/openai/v1/responses/{id}/cancel"): "bedrock-mantle:CancelInference",
        ("DELETE", "/openai/v1/responses/{id}"): "bedrock-mantle:DeleteInference",
        ("GET", "/v1/models"): "bedrock-mantle:ListModels",
        ("GET", f"/v1/models/{SOL}"): "bedrock-mantle:GetModel",
        ("GET", "/v1/data_retention"): "bedrock-mantle:GetAccountDataRetention",
        ("PUT", "/v1/data_retention"): "bedrock-mantle:PutAccountDataRetention",
        ("GET", "/v1/organization/projects"): "bedrock-mantle:ListProjects",
    },
    "runtime": {
        ("GET", "/openai/v1/responses/{id}"): "bedrock:GetInvoke",
        ("POST", "/openai/v1/responses/{id}/cancel"): "bedrock:CancelInvoke",
        ("DELETE", "/openai/v1/responses/{id}"): "bedrock:DeleteInvoke",
    },
}


@pytest.mark.parametrize("kind", ROUTES)
def test_each_route_needs_its_own_action(aws, kind):
    service = {"mantle": "bedrock-mantle", "runtime": "bedrock"}[kind]
    for (method, path), action in ROUTES[kind].items():
        profile = HostProfile(account=Account(deny=[Statement([action])]))
        model = SOL if kind == "mantle" else RUNTIME_SOL
        with aws(None, kind, profile=profile) as host:
            response_id = host.create(model, background=None).json()["id"]
            reply = host.send(method, path.format(id=response_id))

        assert reply.status_code in (401, 403)
        assert f"perform: {action} on" in said(reply)[2], action
        assert action.startswith(service)


def test_the_managed_policy_for_inference_can_neither_cancel_nor_delete(aws, tmp_path):
    file = tmp_path / "account.toml"
    file.write_text('managed = ["AmazonBedrockMantleInferenceAccess"]')
    with aws(profile=HostProfile(account=Account.load(file))) as mantle:
        response_id = mantle.create(SOL, bearer=mint()).json()["id"]
        path = f"/openai/v1/responses/{response_id}"

        assert mantle.send("GET", path).status_code == 200
        assert said(mantle.send("POST", f"{path}/cancel"))[1] == "access_denied"
        assert said(mantle.send("DELETE", path))[1] == "access_denied"


# --- projects


def test_a_stray_project_breaks_calls_and_a_known_one_does_not(aws):
    with aws(profile=HostProfile(account=Account(projects=["proj_a"]))) as mantle:
        assert mantle.create(SOL, headers={"OpenAI-Project": "proj_a"}).status_code == 200
        assert mantle.create(SOL, headers={"OpenAI-Project": "default"}).status_code == 200
        assert mantle.create(SOL, headers={"OpenAI-Project": "proj_openai"}).status_code == 404
        listed = mantle.send("GET", "/v1/organization/projects").json()["data"]

    assert [each["id"] for each in listed] == ["default", "proj_a"]


def test_runtime_knows_the_default_project_alone(aws):
    arn = "arn:aws:bedrock:us-east-1:123456789012:project/default"
    with aws(None, "runtime", profile=HostProfile(account=Account(projects=["proj_a"]))) as runtime:
        assert runtime.create(RUNTIME_SOL, headers={"OpenAI-Project": arn}).status_code == 200
        assert runtime.create(RUNTIME_SOL, headers={"OpenAI-Project": "proj_a"}).status_code == 404


def test_the_resource_of_a_denial_is_the_project(aws):
    account = Account(projects=["proj_a"], allow=[Statement(["*"], ["*:project/default"])])
    with aws(profile=HostProfile(account=account)) as mantle:
        assert mantle.create(SOL).status_code == 200
        assert "project/proj_a" in said(mantle.create(SOL, headers={"OpenAI-Project": "proj_a"}))[2]


# --- the account's file


def test_an_account_is_read_from_a_file(tmp_path):
    file = tmp_path / "account.toml"
    file.write_text("""
        retention = "none"
        projects = ["proj_a"]
        api_keys = ["ABSKknown"]
        [[keys]]
        id = "ASIA"
        secret = "s"
        session = "t"
        expires = 2027-01-01T00:00:00Z
        [[allow]]
        actions = ["bedrock:*"]
        [[deny]]
        actions = ["bedrock:GetInvoke"]
        resources = ["arn:*"]
        [quotas."openai.gpt-5.5"]
        input_tokens = 1000
        [unavailable]
        "openai.gpt-6-astra" = "no agreement"
    """)

    account = Account.load(file)

    assert account.keys[0] == AccessKey(
        "ASIA", "s", "t", EXAMPLE.user, datetime(2027, 1, 1, tzinfo=UTC)
    )
    assert account.may("bedrock:InvokeModel", "arn:x")
    assert not account.may("bedrock:GetInvoke", "arn:x")
    assert not account.may("bedrock-mantle:CreateInference", "arn:x")
    assert account.quotas["openai.gpt-5.5"].input_tokens == 1000
    assert account.unavailable == {"openai.gpt-6-astra": "no agreement"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("retention = 'forever'", "aws_review"),
        ("managed = ['Admin']", "AmazonBedrockMantleReadOnly"),
        ("[[keys]]\nid = 'x'", "keys.0.secret"),
        ("policy = 1", "policy"),
        ("= 1", "cannot read"),
    ],
)
def test_an_account_that_cannot_be_is_named_with_its_place(tmp_path, text, named):
    file = tmp_path / "account.toml"
    file.write_text(text)

    with pytest.raises(ConfigError, match=named):
        Account.load(file)


def test_an_account_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml"):
        Account.load(tmp_path / "gone.toml")


# --- the official client, with its own signer and its own idea of the paths


@pytest.mark.parametrize(("endpoint", "model"), [("mantle", SOL), ("runtime", RUNTIME_SOL)])
@pytest.mark.parametrize("how", ["signed", "minted"])
def test_the_official_client_s_bedrock_provider_is_let_in(monkeypatch, aws, endpoint, model, how):
    openai = pytest.importorskip("openai")
    providers = pytest.importorskip("openai.providers")
    httpx2 = pytest.importorskip("httpx2")
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_BEDROCK_BASE_URL", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    secrets = {"signed": {"access_key_id": EXAMPLE.id, "secret_access_key": EXAMPLE.secret, "api_key": None},
               "minted": {"token_provider": mint}}  # fmt: skip
    provider = providers.bedrock(endpoint=endpoint, region="us-east-1", **secrets[how])

    with aws(Script([[call("f", x=1)], "pong"]), endpoint) as host:

        class Loopback(httpx2.HTTPTransport):
            def handle_request(self, request):
                url = request.url.copy_with(scheme="http", host="127.0.0.1", port=host.origin.port)
                request.url = url  # the Host header stays
                return super().handle_request(request)

        with (
            httpx2.Client(transport=Loopback()) as http,
            openai.OpenAI(provider=provider, http_client=http, max_retries=0) as client,
        ):
            tools = [
                {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
            ]
            first = client.responses.create(model=model, input="ping", tools=tools)
            again = [
                {"type": "function_call_output", "call_id": first.output[0].call_id, "output": "1"}
            ]
            second = client.responses.create(
                model=model, input=again, tools=tools, previous_response_id=first.id, stream=True
            )
            ended = [event for event in second if event.type == "response.completed"]

    assert ended[0].response.output_text == "pong"
    assert (first.output[0].call_id == "call_0") == (endpoint == "mantle")
