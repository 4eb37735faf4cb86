"""Set-ups that are wrong on purpose, against the emulated hosts: each is found, named and mended."""

import json
import re
import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from toolstone import Settings, limits
from toolstone.bedrock import Keys, MintedKey, SigV4, Wishes
from toolstone.bedrock.doctor import CHECKS, QUESTIONS, diagnose
from toolstone.bedrock.signing import mint
from toolstone.bedrock.verify import LongTermKey
from toolstone.local import (
    Account,
    Allowance,
    Habits,
    HostProfile,
    LoopbackTransport,
    Script,
    Statement,
    serve,
)
from toolstone.local.profiles.account import EXAMPLE

KEYS = Keys(EXAMPLE.id, EXAMPLE.secret)
REGION = {"AWS_REGION": "us-east-1"}
MANTLE, RUNTIME = (
    "https://bedrock-mantle.us-east-1.api.aws",
    "https://bedrock-runtime.us-east-1.amazonaws.com",
)
LONG = "ABSKexamplekey0000"
SOL = "bedrock-mantle/openai.gpt-5.6-sol"
MANAGED = ("bedrock-mantle:CreateInference", "bedrock-mantle:Get*", "bedrock-mantle:List*")


def signer(service="bedrock-mantle", region="us-east-1", keys=KEYS, **options):
    return SigV4(region, service, credentials=keys, **options)


def minted(region="us-east-1", *, ago=0, seconds=3600, keys=KEYS):
    return mint(keys, region=region, seconds=seconds, at=time.time() - ago)


async def examine(model, *, account=None, habits=None, ask_aws=False, served=None, **options):
    """Every finding by its name."""
    options.setdefault("environment", REGION)
    played = HostProfile(account=account or Account(), habits=habits or Habits())
    with serve(Script(["pong"] * 20, by="sequence"), profile=played) as endpoint:
        transport = LoopbackTransport(served or endpoint.base_url)
        look = diagnose(model, transport=transport, ask_aws=ask_aws, **options)
        return {finding.check: finding async for finding in look}


def those(findings, status):
    return {name for name, finding in findings.items() if finding.status == status}


# --- nothing is wrong


@pytest.mark.parametrize(
    ("model", "service"),
    [
        ("bedrock/openai.gpt-oss-120b", "bedrock-mantle"),
        ("bedrock/google.gemma-4-31b", "bedrock-mantle"),
        ("bedrock/qwen.qwen3-32b", "bedrock-mantle"),
        ("bedrock-runtime/openai.gpt-oss-safeguard-20b", "bedrock"),
        (SOL, "bedrock-mantle"),
        ("bedrock/openai.gpt-5.6-sol", "bedrock"),
        ("bedrock-runtime/global.openai.gpt-5.6-terra", "bedrock"),
    ],
)
async def test_where_nothing_is_wrong_nothing_is_found(model, service):
    findings = await examine(model, auth=signer(service))

    assert those(findings, "fail") == those(findings, "warn") == set()
    assert findings["request"].status == "pass"
    assert list(findings) == [c.name for c in CHECKS] + [
        q.name for q in QUESTIONS if q.phase in ("get", "post")
    ]


async def test_a_minted_key_and_a_key_in_openais_variables_are_right_too():
    bearer = await examine(SOL, environment={**REGION, "AWS_BEARER_TOKEN_BEDROCK": minted()})
    openai = {"OPENAI_BASE_URL": f"{MANTLE}/v1", "OPENAI_API_KEY": minted()}
    by_variables = await examine("openai/openai.gpt-oss-120b", environment=openai)

    assert those(bearer, "fail") == those(bearer, "warn") == set()
    assert those(by_variables, "fail") == those(by_variables, "warn") == set()


# --- what is wrong, one thing at a time


@dataclass
class Wrong:
    """One mistake, the checks that fail or warn of it, and what the first of them says."""

    name: str
    model: str = SOL
    fails: set[str] = field(default_factory=set)
    warns: set[str] = field(default_factory=set)
    seen: str = ""
    then: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def openai(url, key=LONG):
    return {"environment": {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": key}}


def bearer(key, **more):
    return {"environment": {**REGION, "AWS_BEARER_TOKEN_BEDROCK": key, **more}}


KNOWN = {"account": Account(api_keys=[LongTermKey(LONG)])}
SIGNED = {"auth": signer()}
SIGNED_RUNTIME = {"auth": signer("bedrock")}
BEARERLESS = Account(allow=[Statement(MANAGED)])
WRONG = [
    Wrong(
        "a key of another region",
        fails={"API key", "identity"},
        seen="a short-term key for us-west-2; requests go to us-east-1",
        then="mint one for us-east-1, or use @us-west-2",
        options=bearer(minted("us-west-2")),
    ),
    Wrong(
        "stray variables of OpenAI",
        warns={"variables"},
        seen="OPENAI_ORG_ID (an OpenAI library sends it, and Bedrock refuses it); OPENAI_PROJECT_ID",
        then="unset",
        options={
            **SIGNED,
            "environment": {**REGION, "OPENAI_ORG_ID": "org-x", "OPENAI_PROJECT_ID": "proj_x"},
        },
    ),
    Wrong(
        "the runtime host's URL without /openai/v1",
        "openai/openai.gpt-5.6-sol",
        fails={"path", "route"},
        warns={"API key"},
        seen="the runtime host answers under '/openai/v1' alone",
        then=f"use {RUNTIME}/openai/v1",
        options={**openai(f"{RUNTIME}/v1"), **KNOWN},
    ),
    Wrong(
        "a minted key that has expired",
        fails={"API key", "identity"},
        seen="expired 1 h ",
        then="mint another one",
        options=bearer(minted(ago=7200, seconds=3600)),
    ),
    Wrong(
        "a clock that is off by ten minutes",
        fails={"clock"},
        seen="s behind the host's",
        then="set the clock",
        options={**SIGNED, "habits": Habits(skew=600)},
    ),
    Wrong(
        "gpt-oss on the runtime host",
        "bedrock-runtime/openai.gpt-oss-120b",
        fails={"model", "route"},
        seen="does not answer Responses on the runtime host",
        then="write 'bedrock-mantle/openai.gpt-oss-120b'",
        options=SIGNED_RUNTIME,
    ),
    Wrong(
        "a policy that lets read alone",
        fails={"permissions"},
        seen="read-only: models may be listed, not asked",
        then='attach {"Effect": "Allow", "Action": ["bedrock-mantle:CreateInference"]',
        options={
            **SIGNED,
            "account": Account(allow=[Statement(["bedrock-mantle:Get*", "bedrock-mantle:List*"])]),
        },
    ),
    Wrong(
        "a quota of zero",
        fails={"quota"},
        seen="429",
        then="the quota is used up, or zero",
        options={
            **SIGNED,
            "account": Account(quotas={"openai.gpt-5.6-sol": Allowance(input_tokens=0)}),
        },
    ),
    Wrong(
        "OpenAI's key for AWS",
        fails={"credentials"},
        seen="that is OpenAI's key, and it does not go to AWS",
        then="set AWS_BEARER_TOKEN_BEDROCK to a Bedrock API key",
        options=bearer("sk-proj-1234567890"),
    ),
    Wrong(
        "OpenAI's key in OpenAI's variable, with Bedrock's URL",
        "openai/openai.gpt-oss-120b",
        fails={"credentials"},
        seen="it does not go to AWS",
        options=openai(f"{MANTLE}/v1", "sk-proj-1234567890"),
    ),
    Wrong(
        "a Bedrock key for somebody else",
        "openai/openai.gpt-oss-120b",
        fails={"credentials"},
        warns={"endpoint"},
        seen="a Bedrock API key would go to gateway.example, which is not Amazon Bedrock",
        then="it is not sent there",
        options=openai("https://gateway.example/v1"),
    ),
    Wrong(
        "a URL that ends in /responses",
        "openai/openai.gpt-oss-120b",
        fails={"endpoint", "path"},
        seen="ends",
        then=f"use {MANTLE}/v1",
        options=openai(f"{MANTLE}/v1/responses"),
    ),
    Wrong(
        "a region that has no mantle host",
        "bedrock-mantle/openai.gpt-oss-120b@us-west-1",
        fails={"region", "reachable"},
        seen="mantle is not known in us-west-1",
        then="us-east-1",
        options={"auth": signer(region="us-west-1")},
    ),
    Wrong(
        "only AWS_DEFAULT_REGION is set",
        warns={"region"},
        seen="only AWS_DEFAULT_REGION is set",
        then="set AWS_REGION=us-east-1",
        options={**SIGNED, "environment": {"AWS_DEFAULT_REGION": "us-east-1"}},
    ),
    Wrong(
        "no credentials at all",
        fails={"credentials found"},
        seen="no AWS credentials were found",
        then="set AWS_BEARER_TOKEN_BEDROCK",
    ),
    Wrong(
        "a model that this region has not",
        "bedrock-mantle/openai.gpt-6-astra",
        fails={"model in region", "route"},
        warns={"model"},
        seen="openai.gpt-6-astra is not among the 19 models of us-east-1",
        then="write 'bedrock/openai.gpt-6-astra@us-west-2'",
        options=SIGNED,
    ),
    Wrong(
        "a mantle id that is sent to the runtime host",
        "bedrock-runtime/google.gemma-4-31b",
        fails={"model", "route"},
        seen="does not answer Responses on the runtime host",
        then="write 'bedrock-mantle/google.gemma-4-31b'",
        options=SIGNED_RUNTIME,
    ),
    Wrong(
        "an id on demand, without us. or global.",
        f"responses+{RUNTIME}/openai/v1#openai.gpt-5.6-sol",
        fails={"model", "route"},
        seen="runtime refuses it without an inference profile",
        then="use 'us.openai.gpt-5.6-sol' or 'global.openai.gpt-5.6-sol'",
        options=SIGNED_RUNTIME,
    ),
    Wrong(
        "the runtime host's spelling for mantle",
        f"responses+{MANTLE}/openai/v1#us.openai.gpt-5.6-sol",
        fails={"model", "model in region", "route"},
        seen="is the runtime host's spelling",
        then="mantle knows it as 'openai.gpt-5.6-sol'",
        options=SIGNED,
    ),
    Wrong(
        "background without data retention",
        "bedrock-mantle/openai.gpt-oss-120b",
        fails={"data retention"},
        seen="mode 'none': nothing is stored",
        then="another mode",
        options={
            **SIGNED,
            "account": Account(retention="none"),
            "wishes": Wishes(background=True),
        },
    ),
    Wrong(
        "a retention mode that excludes the model",
        fails={"data retention", "access to the model", "request"},
        seen="mode 'none', which openai.gpt-5.6-sol does not allow",
        then="the model takes default",
        options={**SIGNED, "account": Account(retention="none")},
    ),
    Wrong(
        "the other path prefix, in a variable",
        "openai/openai.gpt-5.6-sol",
        fails={"path"},
        warns={"API key", "route"},
        seen="the path is '/v1'",
        then=f"use {MANTLE}/openai/v1",
        options={**openai(f"{MANTLE}/v1"), **KNOWN},
    ),
    Wrong(
        "the other path prefix, in a plain client",
        f"responses+{MANTLE}/openai/v1#openai.gpt-oss-120b",
        fails={"path", "route"},
        seen="the path is '/openai/v1'",
        then=f"use {MANTLE}/v1",
        options=SIGNED,
    ),
    Wrong(
        "CallWithBearerToken is denied",
        fails={"permissions"},
        seen="bedrock-mantle:CallWithBearerToken",
        then='["bedrock-mantle:CallWithBearerToken"], "Resource": "*"}; or sign',
        options={**bearer(minted()), "account": BEARERLESS},
    ),
    Wrong(
        "requests that go to OpenAI",
        "openai/gpt-5.6",
        fails={"endpoint"},
        seen="requests go to OpenAI's own host",
        then="write 'bedrock/MODEL'",
        options={"environment": {"OPENAI_API_KEY": "sk-proj-1234567890"}},
    ),
    Wrong(
        "a URL of another region than the environment's",
        "openai/openai.gpt-oss-120b",
        fails={"region", "API key", "identity"},
        seen="is in us-west-2, and the environment says us-east-1",
        then="set AWS_REGION=us-west-2",
        options={
            "environment": {
                **REGION,
                "OPENAI_BASE_URL": "https://bedrock-mantle.us-west-2.api.aws/v1",
                "OPENAI_API_KEY": minted(),
            }
        },
    ),
    Wrong(
        "no region",
        "bedrock/openai.gpt-oss-120b",
        fails={"endpoint", "region"},
        seen="no region for 'openai.gpt-oss-120b'",
        then="set AWS_REGION",
        options={"environment": {}},
    ),
    Wrong(
        "a wrong secret",
        fails={"identity"},
        seen="security token",
        then="these are the credentials, not a policy",
        options={"auth": signer(keys=Keys(EXAMPLE.id, "other"))},
    ),
    Wrong(
        "no agreement to the model's terms",
        fails={"access to the model"},
        seen="unavailable: no agreement",
        then="console",
        options={
            **SIGNED,
            "account": Account(unavailable={"openai.gpt-5.6-sol": "no agreement"}),
        },
    ),
    Wrong(
        "no subscription, on a host without a catalogue",
        "bedrock-runtime/us.openai.gpt-5.6-sol",
        fails={"access to the model"},
        seen="aws-marketplace:Subscribe",
        then='"Action": ["aws-marketplace:Subscribe"',
        options={
            **SIGNED_RUNTIME,
            "account": Account(unavailable={"openai.gpt-5.6-sol": "no agreement"}),
        },
    ),
    Wrong(
        "the runtime host without the project's statement",
        "bedrock-runtime/us.openai.gpt-5.6-sol",
        fails={"permissions"},
        seen="bedrock:InvokeModel",
        then="arn:aws:bedrock:us-east-1:*:project/default",
        options={
            **SIGNED_RUNTIME,
            "account": Account(allow=[Statement(["bedrock:*"], ["*:inference-profile/*"])]),
        },
    ),
    Wrong(
        "a model that speaks neither protocol",
        "bedrock/anthropic.claude-sonnet-5",
        fails={"model", "route"},
        seen="speaks messages, and not Responses",
        then="toolstone models",
        options=SIGNED,
    ),
    Wrong(
        "a long-term key",
        warns={"API key"},
        seen="a long-term key of 18 characters",
        then="exploration alone",
        options={**bearer(LONG), **KNOWN},
    ),
    Wrong(
        "a key that is not whole",
        fails={"API key", "identity"},
        seen="it is not whole",
        then="copy it whole",
        options=bearer(minted()[:-30]),
    ),
    Wrong(
        "settings that the model refuses",
        warns={"capability"},
        seen="top_p='0.5' is refused by openai.gpt-5.6-sol on mantle (it takes nothing)",
        then="leave it out",
        options={**SIGNED, "settings": Settings(top_p=0.5)},
    ),
    Wrong(
        "background on the runtime host",
        "bedrock-runtime/openai.gpt-5.6-sol",
        warns={"capability"},
        seen="background is on mantle alone: write 'bedrock-mantle/openai.gpt-5.6-sol'",
        options={**SIGNED_RUNTIME, "wishes": Wishes(background=True)},
    ),
    Wrong(
        "stored responses with a global profile",
        "bedrock-runtime/global.openai.gpt-5.6-sol",
        warns={"state"},
        seen="each lives in the region that served it",
        then="use 'us.openai.gpt-5.6-sol'",
        options={**SIGNED_RUNTIME, "settings": Settings(state="server")},
    ),
    Wrong(
        "a model string with a URL, which sends no key",
        f"responses+{MANTLE}/v1#openai.gpt-oss-120b",
        fails={"credentials"},
        warns={"variables"},
        seen="sends no key: write 'bedrock/MODEL'",
        options=bearer(LONG),
    ),
]


@pytest.mark.parametrize("wrong", [pytest.param(w, id=w.name) for w in WRONG])
async def test_a_wrong_set_up_is_found_and_named_and_no_key_is_shown(wrong):
    findings = await examine(wrong.model, **wrong.options)

    assert (those(findings, "fail"), those(findings, "warn")) == (wrong.fails, wrong.warns)
    told = [findings[name] for name in wrong.fails or wrong.warns]
    assert [one for one in told if wrong.seen in one.seen and wrong.then in one.next], told
    assert all(one.next for one in told)
    assert_nothing_secret(findings, wrong.options.get("environment", {}))


def assert_nothing_secret(findings, environment):
    """Neither a key nor the number of an account is in what is shown."""
    shown = json.dumps([[f.seen, f.next] for f in findings.values()])
    keys = [environment.get("AWS_BEARER_TOKEN_BEDROCK"), environment.get("OPENAI_API_KEY")]
    for secret in [*filter(None, keys), EXAMPLE.id, EXAMPLE.secret]:
        assert secret not in shown
    assert not re.search(r"(?<!\d)\d{12}(?!\d)", shown)


def test_at_least_twenty_mistakes_are_known():
    assert len({wrong.name for wrong in WRONG}) >= 20


# --- what the next step says is right


def attached(finding):
    """The IAM statement that a finding says to attach."""
    said, _ = json.JSONDecoder().raw_decode(finding.next[finding.next.index("{") :])
    resource = said["Resource"]
    return Statement(said["Action"], [resource] if isinstance(resource, str) else resource)


@pytest.mark.parametrize(
    "model", [SOL, "bedrock/openai.gpt-oss-120b", "bedrock-runtime/us.openai.gpt-5.6-sol"]
)
async def test_the_statements_it_prints_are_the_ones_that_are_missing(model):
    """From nothing, attach what it says until nothing is missing: two for a key, one to ask."""
    allow, auth = [], MintedKey("us-east-1", credentials=KEYS)
    for _ in range(3):
        findings = await examine(model, auth=auth, account=Account(allow=list(allow)))
        if findings["permissions"].status == "pass":
            break
        allow.append(attached(findings["permissions"]))

    assert findings["request"].status == "pass"
    assert len(allow) == 2


async def test_what_it_may_not_ask_is_skipped_with_the_statement_that_lets_it():
    asking = Statement(["bedrock-mantle:CreateInference"])
    findings = await examine(SOL, auth=signer(), account=Account(allow=[asking]))
    told = [findings["model in region"], findings["data retention"]]
    allow = [asking, *(attached(one) for one in told)]
    again = await examine(SOL, auth=signer(), account=Account(allow=allow))

    assert [one.status for one in told] == ["skipped", "skipped"]
    assert [again[one.check].status for one in told] == ["pass", "pass"]


# --- hosts that do not answer


async def test_a_host_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(limits, "DOCTOR_IDLE_SECONDS", 0.5)
    findings = await examine(
        f"responses+{MANTLE}/openai/v1#openai.gpt-oss-120b",
        auth=signer(),
        habits=Habits(wrong_prefix="hang"),
    )

    assert those(findings, "fail") == {"path", "request"}
    assert findings["request"].seen == "no answer within 0.5 s"
    assert "seen to hang" in findings["request"].next


async def test_a_host_that_cannot_be_reached_is_asked_once():
    nowhere = "http://127.0.0.1:9"
    findings = await examine(SOL, auth=signer(), served=nowhere)

    assert those(findings, "fail") == {"reachable"}
    assert findings["request"].seen == "the host cannot be reached"


async def test_a_service_that_is_at_capacity_is_no_mistake_of_yours():
    findings = await examine(SOL, auth=signer(), habits=Habits(unavailable=1))

    assert (those(findings, "fail"), those(findings, "warn")) == (set(), {"request"})
    assert "try again" in findings["request"].next


async def test_offline_nobody_is_asked():
    findings = await examine(SOL, served="http://127.0.0.1:9", offline=True)

    assert list(findings) == [check.name for check in CHECKS]


@pytest.mark.parametrize("model", ["local/smollm2", "responses+http://127.0.0.1:9/v1#any"])
async def test_of_a_compatible_server_no_more_is_said(model):
    findings = await examine(model)

    assert those(findings, "warn") == {"endpoint"}
    assert "compatible server" in findings["endpoint"].seen
    assert those(findings, "fail") == set()
    assert those(findings, "pass") == {"versions"}
