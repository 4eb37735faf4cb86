"""The page about Bedrock and its examples run as they stand, against both emulated hosts.

They are the same files that run on AWS: a test sets the environment and nothing else. The policies
on the page are attached one by one to an emulated account that allows nothing besides.
"""

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from toolstone.bedrock import Keys, MintedKey, SigV4, resolve_endpoint
from toolstone.bedrock.checks.statements import statement
from toolstone.bedrock.dialect import Dialect
from toolstone.bedrock.doctor import diagnose
from toolstone.local import (
    Account,
    Function,
    HostProfile,
    LoopbackTransport,
    Statement,
    call,
    serve,
)
from toolstone.local.profiles.account import EXAMPLE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "bedrock.md"
EXAMPLES = sorted((ROOT / "examples").glob("bedrock_*.py"))
KEYS = Keys(EXAMPLE.id, EXAMPLE.secret)
FINAL = {"city": "Paris", "temp_c": 14.5, "population": 2103000}
MANTLE, RUNTIME = "bedrock-mantle/openai.gpt-5.6-terra", "bedrock-runtime/us.openai.gpt-5.6-terra"


def brain(turn):
    """A model that calls what it is offered, once, and then answers."""
    called = any(item["type"] == "function_call_output" for item in turn.items)
    if turn.tools and not called:
        return [call(tool["name"], city="Paris") for tool in turn.tools]
    return FINAL if turn.format["type"] == "json_schema" else "It is 14.5 degrees."


@pytest.fixture(scope="module")
def hosts():
    """The environment of a user whose two hosts are on this machine."""
    with (
        serve(Function(brain), profile="mantle") as mantle,
        serve(Function(brain), profile="runtime") as runtime,
    ):
        ours = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("AWS_", "OPENAI_")) and not k.lower().endswith("_proxy")
        }
        yield {
            **ours,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": EXAMPLE.id,
            "AWS_SECRET_ACCESS_KEY": EXAMPLE.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_BEDROCK_MANTLE": mantle.base_url.removesuffix("/v1"),
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": runtime.base_url.removesuffix("/openai/v1"),
        }


def run(script, folder, env):
    places = {"HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder, env={**env, **places}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_prints_what_it_says(path, hosts, tmp_path):
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    promised = textwrap.dedent(docstring.partition("\nPrints:\n")[2]).strip()

    done = run(path, tmp_path, hosts)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == promised


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_python_on_the_page_runs_from_top_to_bottom(hosts, tmp_path):
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks("python")))

    done = run(script, tmp_path, hosts)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("It is 14.5 degrees.\n")


# --- policies


def policies():
    """The statements of the page, by their Sid."""
    return {found["Sid"]: found for found in map(json.loads, blocks("json"))}


def allowed(*sids):
    """An account in which these statements are attached, and nothing else."""
    said = [policies()[sid] for sid in sids]
    many = [
        (s, s["Resource"] if isinstance(s["Resource"], list) else [s["Resource"]]) for s in said
    ]
    return Account(allow=[Statement(s["Action"], resources) for s, resources in many])


async def examine(model, *sids, auth=None, without=None):
    """What the doctor finds, deep, with these statements attached; one action left out."""
    service = "bedrock" if "runtime" in model else "bedrock-mantle"
    account = allowed(*sids)
    if without is not None:
        account = Account(
            allow=[
                Statement([a for a in s.actions if a != without], s.resources)
                for s in account.allow
            ]
        )
    with serve(Function(brain), profile=HostProfile(account=account)) as endpoint:
        look = diagnose(
            model,
            deep=True,
            ask_aws=False,
            environment={"AWS_REGION": "us-east-1"},
            auth=auth or SigV4("us-east-1", service, credentials=KEYS),
            transport=LoopbackTransport(endpoint.base_url),
        )
        return {finding.check: finding.status async for finding in look}


CASES = [
    (MANTLE, ["AskMantle"], "bedrock-mantle:CreateInference", "request"),
    (RUNTIME, ["AskRuntime"], "bedrock:InvokeModel", "request"),
    (RUNTIME, ["AskRuntime"], "bedrock:InvokeModelWithResponseStream", "stream"),
    (MANTLE, ["AskMantle", "LookMantle"], "bedrock-mantle:ListModels", "model in region"),
    (MANTLE, ["AskMantle", "KeepMantle"], "bedrock-mantle:DeleteInference", "stored responses"),
    (MANTLE, ["AskMantle", "KeepMantle"], "bedrock-mantle:GetInference", "background"),
    (MANTLE, ["AskMantle", "KeepMantle"], "bedrock-mantle:CancelInference", "background"),
    (RUNTIME, ["AskRuntime", "KeepRuntime"], "bedrock:DeleteInvoke", "stored responses"),
]


@pytest.mark.parametrize(("model", "sids", "action", "check"), CASES)
async def test_a_policy_is_enough_and_none_of_its_actions_is_idle(model, sids, action, check):
    enough = await examine(model, *sids)
    without = await examine(model, *sids, without=action)

    assert enough[check] == "pass"
    assert without[check] != "pass"


@pytest.mark.parametrize(
    ("model", "sids"),
    [(MANTLE, ["AskMantle", "KeyMantle"]), (RUNTIME, ["AskRuntime", "KeyRuntime"])],
)
async def test_keys_need_one_action_more(model, sids):
    minted = MintedKey("us-east-1", credentials=KEYS)
    enough = await examine(model, *sids, auth=minted)
    without = await examine(model, sids[0], auth=minted)

    assert (enough["request"], without["permissions"]) == ("pass", "fail")


FEATURES = {
    "AskMantle": (MANTLE, "respond"),
    "KeyMantle": (MANTLE, "api_key"),
    "LookMantle": (MANTLE, "catalogue"),
    "AskRuntime": (RUNTIME, "respond"),
    "KeyRuntime": (RUNTIME, "api_key"),
    "FirstUse": (MANTLE, "first_use"),  # the marketplace is not played by policy
}


@pytest.mark.parametrize(("sid", "model", "feature"), [(s, *f) for s, f in FEATURES.items()])
def test_the_page_says_what_the_doctor_says(sid, model, feature):
    endpoint = resolve_endpoint(model, region="us-east-1", environment={})
    said = json.loads(statement(feature, endpoint, Dialect.load()))

    assert {"Sid": sid, **said} == policies()[sid]


def test_every_policy_on_the_page_is_tried():
    tried = {sid for _, sids, _, _ in CASES for sid in sids} | set(FEATURES)
    assert set(policies()) == tried


def test_the_policy_file_on_the_page_is_one(tmp_path):
    (tmp_path / "account.toml").write_text(blocks("toml")[0])
    account = Account.load(tmp_path / "account.toml")

    assert (account.retention, account.quotas["openai.gpt-5.5"].input_tokens) == ("none", 1000)
    assert not account.may("bedrock-mantle:CreateInference", "*")
