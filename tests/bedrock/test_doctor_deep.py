"""The deeper probes, what AWS itself tells, and what an agent can be told without asking."""

import asyncio
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from toolstone import Agent, Responses, Settings, limits
from toolstone.bedrock import Dialect, Keys, SigV4, bedrock_model
from toolstone.bedrock.checks.keys import read_short_term
from toolstone.bedrock.doctor import check_model, diagnose
from toolstone.local import (
    Account,
    Function,
    Habits,
    HostProfile,
    LoopbackTransport,
    Statement,
    answer,
    call,
    serve,
)
from toolstone.local.profiles.account import EXAMPLE
from toolstone.testing import Scripted

KEYS = Keys(EXAMPLE.id, EXAMPLE.secret)
REGION = {"AWS_REGION": "us-east-1"}
SOL, OSS, TERRA = (
    "bedrock-mantle/openai.gpt-5.6-sol",
    "bedrock/openai.gpt-oss-120b",
    "bedrock-runtime/us.openai.gpt-5.6-terra",
)
DEEP = [
    *("stream", "function calls", "forced tool choice", "structured output"),
    *("stored responses", "background", "encrypted reasoning"),
]


def obliging(turn):
    """A model that does what it is asked to."""
    if turn.tools:
        return call("ping", text="x")
    if (turn.body.get("text") or {}).get("format", {}).get("type") == "json_schema":
        return {"pong": True}
    return "pong"


async def probe(model, brain=obliging, *, account=None, **habits):
    service = "bedrock" if "runtime" in model else "bedrock-mantle"
    played = HostProfile(account=account or Account(), habits=Habits(**habits))
    with serve(Function(brain), profile=played) as endpoint:
        look = diagnose(
            model,
            deep=True,
            ask_aws=False,
            auth=SigV4("us-east-1", service, credentials=KEYS),
            transport=LoopbackTransport(endpoint.base_url),
            environment=REGION,
        )
        return {finding.check: finding async for finding in look}


def statuses(findings):
    return {name: findings[name].status for name in DEEP}


# --- deep


async def test_deep_probes_pass_where_everything_works():
    assert statuses(await probe(SOL)) == dict.fromkeys(DEEP, "pass")


async def test_call_ids_that_restart_are_said_to_be_scoped():
    findings = await probe(SOL)

    assert "scoped to one response (both 'call_0')" in findings["function calls"].seen


async def test_the_runtime_host_has_no_background():
    findings = await probe(TERRA)

    assert statuses(findings) == {**dict.fromkeys(DEEP, "pass"), "background": "skipped"}
    assert findings["background"].next == "use 'bedrock-mantle/openai.gpt-5.6-terra'"


async def test_a_model_that_only_talks_is_warned_of():
    findings = await probe(OSS, brain=lambda _: "pong")

    warned = [name for name, status in statuses(findings).items() if status == "warn"]
    assert warned == ["function calls", "forced tool choice", "structured output"]
    assert findings["forced tool choice"].seen == "taken with 200, and not followed"


async def test_junk_behind_arguments_is_noticed():
    findings = await probe(SOL, trailing_junk=-1)

    assert findings["function calls"].status == "warn"
    assert "toolstone strips known junk" in findings["function calls"].next


async def test_an_answer_that_fails_at_its_end_is_noticed_streamed_and_not():
    findings = await probe(SOL, failed_at_end=-1)

    assert findings["request"].status == "warn"
    assert findings["stream"].status == "fail"
    assert findings["stream"].seen == "it ended with response.failed"


async def test_a_stream_that_stalls_is_found(monkeypatch):
    monkeypatch.setattr(limits, "DOCTOR_IDLE_SECONDS", 0.5)
    slowly = answer("one two three", pause=60)
    findings = await probe(SOL, brain=lambda turn: slowly if turn.body.get("stream") else "pong")

    assert findings["stream"].status == "fail"
    assert "response.created" in findings["stream"].seen
    assert "a known stall" in findings["stream"].next


async def test_what_may_not_be_deleted_or_cancelled_comes_with_the_statement():
    managed = Statement(
        ["bedrock-mantle:CreateInference", "bedrock-mantle:Get*", "bedrock-mantle:List*"]
    )
    findings = await probe(SOL, account=Account(allow=[managed]))

    told = findings["stored responses"], findings["background"]
    assert [one.status for one in told] == ["warn", "warn"]
    for one, action in zip(told, ("DeleteInference", "CancelInference"), strict=True):
        statement = json.loads(one.next[one.next.index("{") :])
        assert statement["Action"] == [f"bedrock-mantle:{action}"]


async def test_retention_that_keeps_nothing_fails_what_needs_it():
    findings = await probe("bedrock-mantle/openai.gpt-oss-20b", account=Account(retention="none"))

    assert findings["stored responses"].status == findings["background"].status == "fail"
    assert "data retention mode 'none'" in findings["background"].seen
    assert findings["stored responses"].next.startswith("keep the history here")


async def test_no_deep_probe_is_made_where_the_small_request_failed():
    findings = await probe("bedrock-runtime/openai.gpt-oss-120b")

    assert statuses(findings) == dict.fromkeys(DEEP, "skipped")


async def found_elsewhere(model, transport=LoopbackTransport, **options):
    with serve(Function(obliging), profile="mantle") as endpoint:
        look = diagnose(
            model,
            deep=True,
            ask_aws=False,
            environment=REGION,
            transport=transport(endpoint.base_url),
            **options,
        )
        return {finding.check: finding async for finding in look}["other regions"]


async def test_a_model_that_is_not_here_is_looked_for_in_every_other_region(chain):
    found = await found_elsewhere("bedrock-mantle/openai.gpt-6-astra")
    nowhere = await found_elsewhere("bedrock-mantle/openai.gpt-6-orion")

    assert found.seen == "openai.gpt-6-astra is in us-west-2"
    assert found.next == "write 'bedrock/openai.gpt-6-astra@us-west-2'"
    assert nowhere.seen == "no region that answered has openai.gpt-6-orion"


async def test_regions_that_do_not_tell_have_nothing(chain):
    def here_alone(base_url):
        return LoopbackTransport({"bedrock-mantle.us-east-1.api.aws": base_url})

    found = await found_elsewhere("bedrock-mantle/openai.gpt-6-astra", here_alone)

    assert found.seen == "no region that answered has openai.gpt-6-astra"


async def test_other_regions_are_asked_with_the_chain_alone():
    auth = SigV4("us-east-1", "bedrock-mantle", credentials=KEYS)
    found = await found_elsewhere("bedrock-mantle/openai.gpt-6-astra", auth=auth)

    assert (found.status, found.seen) == (
        "skipped",
        "only the AWS credential chain can ask other regions",
    )


# --- what AWS tells


@pytest.fixture
def moto():
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def chain(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", EXAMPLE.id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", EXAMPLE.secret)
    return monkeypatch


async def told_by_aws(model, **options):
    with serve(Function(obliging), profile="mantle") as endpoint:
        look = diagnose(
            model,
            transport=LoopbackTransport(endpoint.base_url),
            environment=REGION,
            ask_aws=True,
            **options,
        )
        return {finding.check: finding async for finding in look}


async def test_aws_names_the_caller_without_the_account(moto, chain):
    chain.setenv("AWS_ENDPOINT_URL", moto)
    findings = await told_by_aws(SOL)

    assert findings["caller"].status == "pass"
    assert "arn:aws:" in findings["caller"].seen
    assert "ACCOUNT" in findings["caller"].seen


async def test_what_aws_does_not_tell_is_skipped_with_its_reason(moto, chain):
    """moto has no quotas and no inference profiles of Bedrock's: AWS's own errors are read."""
    chain.setenv("AWS_ENDPOINT_URL", moto)
    findings = await told_by_aws(TERRA)

    for name in ("service quotas", "inference profiles"):
        assert findings[name].status == "skipped"
        assert "AWS could not be asked (" in findings[name].seen


@contextmanager
def service_api(answers):
    """A service API that answers a path, or an `X-Amz-Target`, from a dict."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self.tell(self.headers.get("x-amz-target", "").rpartition(".")[2])

        def do_GET(self):
            self.tell(self.path.partition("?")[0].strip("/"))

        def tell(self, name):
            body = json.dumps(answers[name]).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def quota(name, value):
    return {"QuotaName": name, "Value": value, "ServiceCode": "bedrock-mantle"}


@pytest.mark.parametrize(
    ("rows", "status", "seen"),
    [
        ([("Input tokens for GPT-5.6 Sol", 10_000_000.0)], "pass", "GPT-5.6 Sol: 10,000,000"),
        ([("Input tokens for GPT-5.6 Sol", 0.0)], "fail", "GPT-5.6 Sol: 0"),
        ([("Input tokens for GPT-5.5", 500_000.0)], "skipped", "none is published"),
    ],
)
async def test_quotas_are_those_of_the_model(chain, rows, status, seen):
    answers = {"ListServiceQuotas": {"Quotas": [quota(*row) for row in rows]}}
    with service_api(answers) as url:
        chain.setenv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", url)
        chain.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9")
        findings = await told_by_aws(SOL)

    assert findings["service quotas"].status == status
    assert seen in findings["service quotas"].seen
    assert findings["caller"].status == "skipped"


@pytest.mark.parametrize(
    ("known", "status", "then"),
    [
        (["us.openai.gpt-5.6-terra", "global.openai.gpt-5.6-terra"], "pass", ""),
        (["global.openai.gpt-5.6-terra"], "fail", "there is global.openai.gpt-5.6-terra"),
        ([], "fail", "there is none for this model"),
    ],
)
async def test_inference_profiles_are_looked_up(chain, known, status, then):
    listed = [{"inferenceProfileId": one} for one in known]
    with service_api({"inference-profiles": {"inferenceProfileSummaries": listed}}) as url:
        chain.setenv("AWS_ENDPOINT_URL_BEDROCK", url)
        for service in ("STS", "SERVICE_QUOTAS"):
            chain.setenv(f"AWS_ENDPOINT_URL_{service}", "http://127.0.0.1:9")
        findings = await told_by_aws(TERRA)

    found = findings["inference profiles"]
    assert (found.status, found.next) == (status, then)


# --- a model that an agent has


def bad(findings):
    return {f.check: f.status for f in findings if f.status in ("warn", "fail")}


def test_the_offline_part_of_an_agents_model_is_data():
    agent = Agent(SOL, settings=Settings(effort="minimal", max_output_tokens=8))

    findings = check_model(SOL, settings=agent.settings, environment=REGION)

    assert bad(findings) == {"capability": "warn"}
    capability = next(f for f in findings if f.check == "capability")
    assert "effort='minimal' is refused" in capability.seen
    assert "max_output_tokens=8 is below 16" in capability.seen


def test_a_model_object_is_looked_at_as_it_is():
    wished = bedrock_model(
        "bedrock-runtime/openai.gpt-5.6-sol",
        region="us-east-1",
        api_key="ABSKexample",
    )
    beyond = Settings(extra={"background": True})
    plain = Responses(
        base_url="https://bedrock-runtime.us-east-1.amazonaws.com/v1",
        model="openai.gpt-5.6-sol",
        api_key="ABSKexample",
    )

    assert bad(check_model(wished, settings=beyond, environment={})) == {"capability": "warn"}
    assert bad(check_model(plain, environment={})) == {"path": "fail", "model": "fail"}
    assert check_model(Scripted(["hello"]), environment={}) == ()


def test_a_table_of_your_own_is_asked():
    dialect = Dialect.load().with_(families={"gpt-oss": {"prefix": "/openai/v1"}})

    async def look():
        options = {"dialect": dialect, "environment": REGION, "api_key": "ABSKexample"}
        return [f async for f in diagnose(OSS, offline=True, **options)]

    findings = {f.check: f for f in asyncio.run(look())}
    assert findings["path"].seen == "/openai/v1/responses"


@pytest.mark.parametrize("key", ["bedrock-api-key-", "bedrock-api-key-!!!", "bedrock-api-key-YQ=="])
def test_what_is_no_short_term_key_reads_as_none(key):
    assert read_short_term(key) is None
