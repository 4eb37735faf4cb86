"""Each host has its paths, its models and its spellings, and says so in its own words."""

import tomllib
from importlib import resources
from pathlib import Path

import httpx
import pytest

from toolstone.bedrock.verify import Caller
from toolstone.errors import ConfigError
from toolstone.local import Habits, HostProfile, Script, serve

DATA = Path(__file__).parent.parent / "data" / "bedrock_observed.toml"
OBSERVED = tomllib.loads(DATA.read_text())
SEED = OBSERVED["regions"]["seed"]
OSS, SOL, RUNTIME_SOL = "openai.gpt-oss-120b", "openai.gpt-5.6-sol", "us.openai.gpt-5.6-sol"


def said(reply):
    """Status, code and message of an error, whatever its shape."""
    body = reply.json()
    error = body.get("error", {})
    return (
        reply.status_code,
        error.get("code"),
        error.get("message") or body.get("message") or body.get("Message"),
    )


# --- the data


def test_the_emulator_plays_from_the_transcribed_file_and_nothing_else():
    folder = resources.files("toolstone.local.profiles")

    assert folder.joinpath("bedrock_observed.toml").read_bytes() == DATA.read_bytes()
    for file in folder.iterdir():
        assert not file.name.endswith(".py") or "dialect" not in file.read_text()


def test_every_row_says_where_it_is_from_and_how_sure_it_is():
    grades = {"doc", "live", "lib", "rep", "page", "assumed"}

    def rows(value, path):
        if isinstance(value, dict):
            if "at" in value:
                yield path, value
            for key, inner in value.items():
                yield from rows(inner, f"{path}.{key}")
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from rows(inner, f"{path}[{index}]")

    found = list(rows(OBSERVED, ""))
    assert len(found) > 90
    for path, row in found:
        assert set(row["grade"].split(", ")) <= grades, path
    # what was assumed says why
    assert not [
        path
        for path, row in found
        if row["grade"] == "assumed" and not (row.get("says") or row.get("meaning"))
    ]


# --- the twelve regions, both hosts


@pytest.mark.parametrize("region", SEED)
def test_both_hosts_answer_under_their_names_in_every_seed_region(aws, callers, region):
    with aws(None, "mantle", region) as mantle:
        runtime = callers_at(mantle, callers, "runtime", region)

        assert mantle.create(OSS, prefix="/v1").json()["model"] == OSS
        assert runtime.create("global.openai.gpt-5.6-terra").json()["status"] == "completed"


def callers_at(other, callers, kind, region):
    class Served:
        base_url = str(other.origin)

    return callers(Served, kind, region, other.key)


def test_a_name_that_is_no_host_of_ours_is_misdirected():
    with serve(Script(["pong"]), profile="mantle") as endpoint:
        for host in (
            "evil.example",
            "bedrock-mantle.ca-central-1.api.aws",
            "bedrock-mantle.api.aws",
        ):
            reply = httpx.get(f"{endpoint.base_url}/models", headers={"Host": host})
            assert said(reply)[:2] == (421, "misdirected_request")


@pytest.mark.parametrize(
    "wrong", [{"kind": "mantel"}, {"region": "mars"}, {"region": "ca-central-1"}]
)
def test_a_profile_of_a_host_that_does_not_exist_is_a_mistake(wrong):
    with pytest.raises(ConfigError):
        HostProfile(**wrong)


# --- paths


@pytest.mark.parametrize(
    ("model", "prefix", "status"),
    [
        (OSS, "/v1", 200),
        (OSS, "/openai/v1", 400),
        (SOL, "/openai/v1", 200),
        (SOL, "/v1", 400),
        ("google.gemma-4-31b", "/openai/v1", 200),
        ("xai.grok-4.3", "/openai/v1", 200),
        ("xai.grok-4.3", "/v1", 400),
    ],
)
def test_on_mantle_the_prefix_goes_by_the_family(aws, model, prefix, status):
    with aws() as mantle:
        reply = mantle.create(model, prefix=prefix)

    assert reply.status_code == status
    if status == 400:
        assert said(reply)[2] == f"model `{model}` isn't supported on this route"


@pytest.mark.parametrize(
    ("habit", "expected"),
    [
        (
            "api_unsupported",
            (
                400,
                "validation_error",
                f"The model '{OSS}' does not support the '/openai/v1/responses' API",
            ),
        ),
        ("not_enabled", (401, "unauthorized", f"The model '{OSS}' is not enabled")),
    ],
)
def test_a_wrong_prefix_has_been_answered_in_other_ways_too(aws, habit, expected):
    with aws(Script(["pong"]), profile=HostProfile(habits=Habits(wrong_prefix=habit))) as mantle:
        assert said(mantle.create(OSS)) == expected


def test_a_wrong_prefix_may_hang_until_the_client_gives_up(aws):
    with (
        aws(Script(["pong"]), profile=HostProfile(habits=Habits(wrong_prefix="hang"))) as mantle,
        pytest.raises(httpx.ReadTimeout),
    ):
        mantle.create(OSS, timeout=0.3)


@pytest.mark.parametrize(
    "path",
    ["/v1/responses", "/responses", "/openai/responses", "/openai/v1/models", "/model/x/converse"],
)
def test_on_runtime_a_wrong_path_is_a_200_that_is_none(aws, path):
    with aws(None, "runtime") as runtime:
        reply = runtime.send("POST", path, {"model": RUNTIME_SOL, "input": "ping"})

    assert reply.status_code == 200
    assert reply.json()["Output"]["__type"].endswith("#UnknownOperationException")
    assert "object" not in reply.json()


def test_the_control_plane_of_mantle_stands_under_v1_only(aws):
    with aws() as mantle:
        assert mantle.send("GET", "/v1/models").status_code == 200
        assert mantle.send("GET", "/openai/v1/models").status_code == 404
        assert mantle.send("GET", "/v1/responses/resp_x/input_items").status_code == 404
        assert mantle.send("POST", "/v1/responses/compact", {"model": OSS}).status_code == 404


# --- models


def test_the_catalogue_differs_by_region(aws, callers):
    with aws() as mantle:
        frankfurt = callers_at(mantle, callers, "mantle", "eu-central-1")
        listed = {m["id"] for m in mantle.send("GET", "/v1/models").json()["data"]}
        there = {m["id"] for m in frankfurt.send("GET", "/v1/models").json()["data"]}

    assert SOL in listed
    assert OSS in listed & there
    assert not [name for name in there if name.startswith("openai.gpt-5")]


def test_a_model_has_a_record_with_its_status_and_its_retention(aws):
    profile = HostProfile(account=account(unavailable={SOL: "no agreement"}))
    with aws(Script(["pong"]), profile=profile) as mantle:
        record = mantle.send("GET", f"/v1/models/{SOL}").json()
        other = mantle.send("GET", "/v1/models/openai.gpt-5.6-terra").json()
        absent = mantle.send("GET", "/v1/models/openai.gpt-6-astra")
        refused = mantle.create(SOL)

    assert (record["status"], record["status_reason"]) == ("unavailable", "no agreement")
    assert record["data_retention"]["mode"] == "default"
    assert "none" not in record["data_retention"]["allowed_modes"]
    assert (other["status"], "none" in other["data_retention"]["allowed_modes"]) == (
        "available",
        True,
    )
    assert said(absent) == (404, "model_not_found", "The model 'openai.gpt-6-astra' does not exist")
    assert refused.status_code == 401
    assert "aws-marketplace:Subscribe" in said(refused)[2]


def account(**fields):
    from toolstone.local import Account

    return Account(**fields)


@pytest.mark.parametrize(
    ("model", "region", "expected"),
    [
        (SOL, "eu-central-1", (404, "model_not_found", f"The model '{SOL}' does not exist")),
        (
            "openai.gpt-7",
            "us-east-1",
            (404, "model_not_found", "The model 'openai.gpt-7' does not exist"),
        ),
        (
            RUNTIME_SOL,
            "us-east-1",
            (404, "model_not_found", f"The model '{RUNTIME_SOL}' does not exist"),
        ),
        (
            "openai.gpt-oss-120b-1:0",
            "us-east-1",
            (404, "model_not_found", "The model 'openai.gpt-oss-120b-1:0' does not exist"),
        ),
        (
            "qwen.qwen3-32b",
            "us-east-1",
            (
                400,
                "validation_error",
                "The model 'qwen.qwen3-32b' does not support the '/openai/v1/responses' API",
            ),
        ),
    ],
)
def test_on_mantle_a_model_that_is_not_there_says_so(aws, model, region, expected):
    with aws(None, "mantle", region) as mantle:
        assert said(mantle.create(model)) == expected


def test_a_model_of_other_regions_has_also_been_refused_as_a_wrong_route(aws):
    profile = HostProfile(habits=Habits(absent="wrong_route"))
    with aws(Script(["pong"]), "mantle", "eu-central-1", profile=profile) as mantle:
        assert said(mantle.create(SOL))[:2] == (400, "validation_error")


ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.openai.gpt-5.6-sol"


@pytest.mark.parametrize(
    ("model", "region", "expected"),
    [
        (RUNTIME_SOL, "us-east-1", 200),
        ("global.openai.gpt-5.6-sol", "sa-east-1", 200),
        ("us-gov.openai.gpt-5.6-luna", "us-gov-west-1", 200),
        (ARN, "us-east-1", 200),
        (
            SOL,
            "us-east-1",
            (400, None, f"Invocation of model ID {SOL} with on-demand throughput isn't supported"),
        ),
        (OSS, "us-east-1", (400, None, "The provided model identifier is invalid")),
        (
            "google.gemma-4-31b",
            "us-east-1",
            (400, None, "The provided model identifier is invalid"),
        ),
        (RUNTIME_SOL, "eu-west-1", (400, None, "The provided model identifier is invalid")),
        (
            "global.openai.gpt-5.6-luna",
            "us-gov-west-1",
            (400, None, "The provided model identifier is invalid"),
        ),
        (ARN, "us-west-2", (400, None, "The provided model identifier is invalid")),
        (
            "openai.gpt-oss-120b-1:0",
            "us-east-1",
            (404, "not_found", "The model doesn't exist or doesn't support this API"),
        ),
        (
            "us.anthropic.claude-sonnet-5",
            "us-east-1",
            (404, "not_found", "The model doesn't exist or doesn't support this API"),
        ),
    ],
)
def test_on_runtime_a_model_goes_by_its_profile(aws, model, region, expected):
    with aws(None, "runtime", region) as runtime:
        reply = runtime.create(model)

    assert (reply.status_code if expected == 200 else said(reply)) == expected


def test_a_dated_alias_is_the_model(aws):
    with aws() as mantle:
        assert mantle.create("openai.gpt-5.5-2026-04-23").json()["status"] == "completed"


@pytest.mark.parametrize("kind", ["mantle", "runtime"])
def test_a_request_without_a_model_is_refused_by_both(aws, kind):
    with aws(None, kind) as host:
        reply = host.send(
            "POST", "/openai/v1/responses", {"input": "ping", "previous_response_id": "resp_1"}
        )

    assert said(reply) == (400, "validation_error", "Missing required parameter: 'model'")


JSON = {"Content-Type": "application/json"}


def anybody(asked):
    return Caller("arn:aws:iam::123456789012:user/test", "signature")


@pytest.mark.parametrize("raw", [b"{", b"[]", b'{"model": 3}'])
def test_a_body_that_is_no_request_is_refused_in_the_host_s_envelope(raw):
    with serve(Script(["pong"]), profile=HostProfile(verify=anybody)) as endpoint:
        reply = httpx.post(f"{endpoint.base_url}/responses", content=raw, headers=JSON)

    assert said(reply)[:2] == (400, "validation_error")


def test_a_body_of_another_type_is_refused():
    with serve(Script(["pong"]), profile=HostProfile(verify=anybody)) as endpoint:
        reply = httpx.post(f"{endpoint.base_url}/responses", content=b"model=x")

    assert said(reply)[:2] == (415, "unsupported_media_type")


def test_a_control_route_that_is_not_played_is_not_found(aws):
    with aws() as mantle:
        assert mantle.send("POST", "/v1/organization/projects", {"name": "x"}).status_code == 404
        assert mantle.send("PUT", "/v1/data_retention", ["none"]).status_code == 400


# --- what every answer bears


def test_every_answer_bears_its_request_id_twice_and_a_date(aws):
    with aws() as mantle:
        replies = [
            mantle.create(OSS, prefix="/v1"),
            mantle.create(OSS),
            mantle.send("GET", "/nowhere"),
        ]

    for reply in replies:
        assert reply.headers["x-request-id"].startswith("req_")
        assert reply.headers["x-request-id"] == reply.headers["x-amzn-requestid"]
        assert len(reply.headers.get_list("date")) == 1


def test_a_response_has_the_extra_keys_of_bedrock(aws):
    with aws() as mantle:
        response = mantle.create(OSS, prefix="/v1").json()

    assert set(response["billing"]) == {"payer"}
    assert response["service_tier"] == "default"


# --- OpenAI's own host


def test_the_openai_profile_takes_an_openai_key_and_no_other():
    with serve(Script(["pong"]), profile="openai") as endpoint:

        def post(key, **body):
            return httpx.post(f"{endpoint.base_url}/responses", json={"model": "gpt-5.6", "input": "ping", **body},
                              headers={"Authorization": f"Bearer {key}"})  # fmt: skip

        assert post("sk-test").json()["status"] == "completed"
        assert "billing" not in post("sk-test").json()
        assert said(post("ABSKexample"))[:2] == (401, "invalid_api_key")
        assert said(post("bedrock-api-key-eA=="))[:2] == (401, "invalid_api_key")
        assert said(post("sk-test", previous_response_id="resp_x"))[:2] == (
            400,
            "previous_response_not_found",
        )

        def get(path):
            return httpx.get(endpoint.base_url + path, headers={"Authorization": "Bearer sk-test"})

        assert get("/models").json()["object"] == "list"
        assert get("/models/gpt-5.6").json()["id"] == "gpt-5.6"
        assert get("/responses/resp_x").status_code == 404
        assert get("/nowhere").status_code == 404
        assert get(f"/responses/{post('sk-test').json()['id']}").json()["status"] == "completed"
