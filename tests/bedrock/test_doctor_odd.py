"""Hosts that answer oddly, keys and URLs that are odd, and the few readings that these have."""

import base64
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from toolstone import Settings
from toolstone.bedrock import Dialect, Keys, SigV4, Wishes, resolve_endpoint
from toolstone.bedrock.checks.statements import statement
from toolstone.bedrock.doctor import check_model, diagnose
from toolstone.bedrock.signing import mint
from toolstone.errors import ConfigError, TransportError
from toolstone.local.profiles.account import EXAMPLE
from toolstone.wire import HttpReply

KEYS = Keys(EXAMPLE.id, EXAMPLE.secret)
REGION = {"AWS_REGION": "us-east-1"}
SOL = "bedrock-mantle/openai.gpt-5.6-sol"
MESSAGE = {"type": "message", "content": [{"type": "output_text", "text": '{"pong": true}'}]}
CALL = {"type": "function_call", "call_id": "call_0", "arguments": "{}", "name": "ping"}


def response(*output, **more):
    return {"object": "response", "id": "resp_1", "status": "completed", "output": output, **more}


def refusal(message, status=400, **more):
    return status, {"error": {"message": message, "code": "validation_error", **more}}


def sse(*values):
    return b"".join(
        b"data: " + (v if isinstance(v, bytes) else json.dumps(v).encode()) + b"\n\n"
        for v in values
    )


@dataclass
class Streamed:
    status: int
    headers: dict
    body: bytes

    @property
    async def chunks(self):
        yield self.body


class Host:
    """A transport on which `answers(method, path, body)` speaks: JSON, a status with it, bytes."""

    def __init__(self, answers, date=""):
        self.answers, self.date, self.requests = answers, date, []

    async def send(self, request):
        status, body = self._answer(request)
        return HttpReply(status, {"date": self.date} if self.date else {}, body)

    @asynccontextmanager
    async def stream(self, request):
        status, body = self._answer(request)
        yield Streamed(status, {}, body)

    def _answer(self, request):
        self.requests.append(request)
        body = json.loads(request.body) if request.body else {}
        path = request.url.partition(".api.aws")[2] or request.url.partition(".com")[2]
        told = self.answers(request.method, path, body)
        if isinstance(told, Exception):
            raise told
        status, told = told if isinstance(told, tuple) else (200, told)
        return status, told if isinstance(told, bytes) else json.dumps(told).encode()

    async def aclose(self):
        pass


async def examine(answers, model=SOL, *, date="", **options):
    options.setdefault("auth", SigV4("us-east-1", "bedrock-mantle", credentials=KEYS))
    options.setdefault("environment", REGION)
    host = Host(answers, date)
    look = diagnose(model, deep=True, ask_aws=False, transport=host, **options)
    return {finding.check: finding async for finding in look}, host


def plain(_method, _path, body):
    """A host that answers everything with one response."""
    return sse({"type": "response.completed"}) if body.get("stream") else response(MESSAGE)


def unless(**odd):
    """`plain`, but for requests that have this field, or this path."""

    def answers(method, path, body):
        for name, told in odd.items():
            if name in body or path.endswith(name):
                return told
        return plain(method, path, body)

    return answers


# --- odd hosts


@pytest.mark.parametrize("date", ["", "yesterday"])
async def test_a_host_that_tells_no_time_and_no_list_is_read_as_far_as_it_goes(date):
    findings, _ = await examine(plain, date=date)

    assert findings["clock"].status == "skipped"
    assert findings["model in region"].seen == "GET /v1/models told no list"
    assert findings["data retention"].seen == "the answer names no mode"
    assert findings["request"].status == "pass"


async def test_a_host_that_is_silent_at_the_door_points_to_proxies():
    findings, host = await examine(lambda *_: TimeoutError("no answer within 5 s"))

    assert findings["reachable"].next == "look at the proxy and egress rules"
    assert len(host.requests) == 1


async def test_a_request_that_breaks_off_is_told_as_it_was():
    def answers(method, path, body):
        cut = TransportError("the connection was reset", phase="body")
        return cut if method == "POST" else plain(method, path, body)

    findings, _ = await examine(answers)

    assert findings["request"].seen == "the connection was reset"
    assert findings["identity"].status == "skipped"


async def test_a_gate_names_its_parameter():
    told = refusal("Unsupported parameter: 'input' is not supported with this model.")
    findings, _ = await examine(lambda m, *_: told if m == "POST" else response())

    assert findings["request"].next == "leave 'input' out, or correct the gates of the dialect"


async def test_a_refusal_without_a_parameter_is_for_support():
    findings, _ = await examine(lambda m, *_: refusal("no") if m == "POST" else response())

    assert "request id" in findings["request"].next


async def test_a_model_that_no_region_is_known_for_is_looked_up_by_its_maker():
    def answers(method, path, body):
        models = {"data": [{"id": "google.gemma-4-e2b"}, {"id": "openai.gpt-5.4"}]}
        return models if path.endswith("/models") else plain(method, path, body)

    findings, _ = await examine(answers, "bedrock/google.gemma-4-31b")
    stranger, _ = await examine(answers, "bedrock/acme.roadrunner-1")

    assert findings["model in region"].next == "it has google.gemma-4-e2b"
    assert stranger["model in region"].next == "`toolstone models` lists them"


async def test_a_page_instead_of_json_is_no_response():
    findings, _ = await examine(lambda *_: b"<html>welcome</html>")

    assert findings["route"].seen == "200 without a response in it: the path is wrong"


async def test_a_project_goes_with_every_request():
    _, host = await examine(plain, wishes=Wishes(project="proj_a"))

    assert {r.headers["openai-project"] for r in host.requests} == {"proj_a"}


async def test_a_bad_identity_by_a_clock_that_is_off_points_to_the_clock():
    told = refusal("The security token included in the request is invalid.", 401)
    date = "Sat, 21 Nov 2020 12:00:00 GMT"
    findings, _ = await examine(lambda m, *_: told if m == "POST" else response(), date=date)

    assert findings["clock"].status == "fail"
    assert findings["identity"].next == "set the clock first: see the check 'clock'"


# --- odd answers to the deeper probes


class LostKey:
    """Somebody whose key is gone by the time that a stream is asked for."""

    async def headers(self, method, url, headers, body):
        if headers.get("accept") == "text/event-stream":
            raise ConfigError("the key is gone")
        return {}

    async def learn(self, status, headers):
        return False


async def test_a_key_that_is_lost_on_the_way_is_told():
    findings, _ = await examine(plain, auth=LostKey())

    assert findings["stream"].seen == "the key is gone"


async def test_a_stream_that_is_refused_or_breaks_off_or_says_nothing_known():
    refused, _ = await examine(unless(stream=refusal("Unsupported parameter: 'stream'")))
    reset = TransportError("the connection was reset", phase="stream")
    broken, _ = await examine(unless(stream=reset))
    strange, _ = await examine(unless(stream=sse({"type": "acme.delta"}, b"[1]", b"[DONE]")))

    assert refused["stream"].next == "use stream=False here; the gate to add is 'stream'"
    assert broken["stream"].seen == "the connection was reset"
    assert strange["stream"].seen == "unknown events: acme.delta"
    assert strange["stream"].status == "warn"


async def test_features_that_are_refused_are_named():
    told = refusal("no")
    tools, _ = await examine(unless(tools=told))
    rest, _ = await examine(unless(text=told, include=told, previous_response_id=told))

    failed = {name for name, found in {**tools}.items() if found.status == "fail"}
    assert failed == {"function calls"}
    assert tools["forced tool choice"].status == "warn"
    assert "gate 'tool_choice'" in tools["forced tool choice"].next
    failed = {name for name, found in rest.items() if found.status == "fail"}
    assert failed == {"structured output", "stored responses", "encrypted reasoning"}


async def test_arguments_that_are_no_text_are_no_json():
    findings, _ = await examine(unless(tools=response({**CALL, "arguments": None})))

    assert findings["function calls"].seen == "the arguments are not JSON as they stand"


async def test_call_ids_that_differ_are_said_to():
    ids = iter(range(100))

    def answers(method, path, body):
        if "tools" in body:
            return response({**CALL, "call_id": f"call_{next(ids)}"})
        return plain(method, path, body)

    findings, _ = await examine(answers)

    assert findings["function calls"].seen == "call ids differ between responses"


async def test_a_background_response_that_may_not_be_read_comes_with_the_statement():
    denied = refusal("User: x is not authorized to perform: bedrock-mantle:GetInference", 401)
    findings, _ = await examine(unless(resp_1=denied))

    assert findings["background"].status == "warn"
    assert "bedrock-mantle:GetInference" in findings["background"].next


async def test_encrypted_reasoning_that_comes_back_is_seen():
    blob = {"type": "reasoning", "encrypted_content": "x"}
    findings, _ = await examine(unless(include=response(blob, MESSAGE)))

    assert findings["encrypted reasoning"].seen == "taken; it came back"


# --- odd keys, URLs and names, offline


def offline(model, *, settings=None, **environment):
    told = check_model(model, settings=settings or Settings(), environment=environment)
    return {finding.check: finding for finding in told}


def key(*, ago=0, seconds=3600, token=None):
    keys = Keys(EXAMPLE.id, EXAMPLE.secret, token)
    return mint(keys, region="us-east-1", seconds=seconds, at=time.time() - ago)


@pytest.mark.parametrize(
    ("made", "status", "seen"),
    [
        (lambda: key(seconds=120), "fail", "expires in"),
        (
            lambda: key(token="session"),
            "warn",
            "a short-term key for us-east-1, with 59 min left at most",
        ),
        (lambda: "something-else", "warn", "does not look like Bedrock's"),
        (lambda: base64.b64encode(b"x").decode(), "warn", "does not look like Bedrock's"),
    ],
)
def test_a_key_says_what_it_is(made, status, seen):
    secret = made()
    found = offline(SOL, AWS_BEARER_TOKEN_BEDROCK=secret, **REGION)["API key"]

    assert found.status == status
    assert seen in found.seen
    assert secret not in found.seen


def test_a_temporary_key_is_said_to_end_with_its_credentials():
    found = offline(SOL, AWS_BEARER_TOKEN_BEDROCK=key(token="session"), **REGION)["API key"]

    assert "ends with them" in found.next


def test_a_gateway_without_a_region_is_looked_at_without_one():
    found = offline(
        "bedrock/openai.gpt-oss-120b",
        AWS_BEDROCK_BASE_URL="https://gateway.example",
        AWS_BEARER_TOKEN_BEDROCK="ABSKexample",
    )

    assert found["region"].status == "skipped"
    assert found["endpoint"].seen.endswith("an origin of your own")


def test_a_variable_that_ends_in_responses_is_found():
    url = "https://bedrock-mantle.us-east-1.api.aws/v1/responses"
    found = offline("bedrock/openai.gpt-oss-120b", AWS_ENDPOINT_URL_BEDROCK_MANTLE=url, **REGION)
    written = offline(f"responses+{url}#openai.gpt-oss-120b", **REGION)

    for one in (found["path"], written["path"]):
        assert (one.status, one.next) == ("fail", f"use {url.removesuffix('/responses')}")


def test_a_url_in_the_clear_is_a_problem_of_the_endpoint():
    found = offline("bedrock/openai.gpt-oss-120b", AWS_BEDROCK_BASE_URL="http://gateway.example")

    assert found["endpoint"].status == "fail"
    assert found["endpoint"].next.startswith("give one base URL")


def test_a_stranger_is_warned_of_and_a_bare_name_is_bedrocks():
    stranger = offline("bedrock/acme.roadrunner-1", **REGION)
    bare = offline("openai.gpt-oss-120b@us-east-1")

    assert "is in no family" in stranger["model"].seen
    assert bare["endpoint"].seen.startswith("mantle at https://bedrock-mantle.us-east-1")


def test_what_is_taken_without_effect_is_said():
    found = offline(SOL, settings=Settings(effort="low", extra={"max_tool_calls": 3}), **REGION)

    assert found["capability"].seen == "max_tool_calls is taken by mantle without effect"


def test_statements_fit_arns_and_partitions():
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc"
    made = resolve_endpoint(f"bedrock/{arn}", environment={})
    gov = resolve_endpoint("bedrock/openai.gpt-5.6-terra@us-gov-west-1", environment={})
    said = [
        json.loads(statement("respond", end, Dialect.load()))["Resource"] for end in (made, gov)
    ]

    keep = json.loads(statement("delete", gov, Dialect.load()))

    assert keep["Resource"] == said[1][-1]
    assert said[0] == [arn, "arn:aws:bedrock:us-east-1:*:project/default"]
    assert said[1][-1] == "arn:aws-us-gov:bedrock:us-gov-west-1:*:project/default"


def test_an_old_botocore_is_warned_of(monkeypatch):
    monkeypatch.setattr("toolstone.bedrock.doctor.metadata.version", lambda _: "1.32.9")

    assert offline(SOL, **REGION)["versions"].next == "take 1.33 or later"


async def test_aws_is_asked_if_the_host_is_its_own_or_a_variable_says_where():
    asked = []
    for environment in (REGION, {**REGION, "AWS_BEDROCK_BASE_URL": "https://gateway.example"}):
        look = diagnose(SOL, offline=False, transport=Host(plain), environment=environment)
        asked.append("caller" in [finding.check async for finding in look])

    assert asked == [True, False]
