"""`toolstone doctor`, `models` and `serve --profile`: the real commands against the emulated hosts."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from toolstone.bedrock.verify import LongTermKey
from toolstone.local import Account, HostProfile, Script, Statement, serve
from toolstone.local.profiles.account import EXAMPLE

LONG = "ABSKexamplekey0000"
SCRIPT = '[[answer]]\ntext = "pong"\n'
POLICY = """
api_keys = ["ABSKexamplekey0000"]
[[allow]]
actions = ["bedrock-mantle:List*", "bedrock-mantle:CallWithBearerToken"]
"""


def variables(base_url, **more):
    """What a user's environment would be, with the host on this machine."""
    origin = base_url.removesuffix("/v1").removesuffix("/openai")
    return {
        "AWS_BEDROCK_BASE_URL": origin,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": EXAMPLE.id,
        "AWS_SECRET_ACCESS_KEY": EXAMPLE.secret,
        "AWS_EC2_METADATA_DISABLED": "true",
        **more,
    }


@pytest.fixture
def aws_home(home, tmp_path):
    """An environment without anybody's AWS settings."""
    ours = {k: v for k, v in home.items() if not k.startswith(("AWS_", "OPENAI_", "TOOLSTONE_"))}
    files = {
        name: str(tmp_path / name) for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE")
    }
    return {**ours, **files, "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def toolstone(aws_home, tmp_path):
    def run(*words, **env):
        return subprocess.run(
            [sys.executable, "-m", "toolstone", *words],
            cwd=tmp_path, env={**aws_home, **env}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    return run


@pytest.fixture
def mantle():
    account = Account(api_keys=[LongTermKey(LONG)], unavailable={"openai.gpt-5.5": "no agreement"})
    with serve(Script(["pong"], by="question"), profile=HostProfile(account=account)) as served:
        yield served.base_url


def findings(done):
    return {one["check"]: one for one in map(json.loads, done.stdout.splitlines())}


# --- doctor


def test_a_healthy_set_up_exits_with_0_and_says_so_for_people_and_programs(toolstone, mantle):
    people = toolstone("doctor", **variables(mantle))
    programs = toolstone("doctor", "--json", **variables(mantle))

    assert (people.returncode, people.stderr) == (0, "")
    assert people.stdout.startswith("bedrock/openai.gpt-oss-120b\npass     endpoint ")
    assert people.stdout.endswith("20 pass, 1 skipped\n")
    assert programs.returncode == 0
    assert {one["status"] for one in findings(programs).values()} == {"pass", "skipped"}
    assert list(findings(programs)["request"]) == ["check", "status", "seen", "next"]


def test_a_failed_check_is_the_exit_code_with_the_next_step(toolstone):
    account = Account(allow=[Statement(["bedrock-mantle:List*"])])
    with serve(Script(["pong"]), profile=HostProfile(account=account)) as served:
        done = toolstone(
            "doctor", "bedrock-mantle/openai.gpt-5.6-sol", **variables(served.base_url)
        )

    assert (done.returncode, done.stderr) == (1, "")
    assert "fail     permissions " in done.stdout
    assert (
        'next: attach {"Effect": "Allow", "Action": ["bedrock-mantle:CreateInference"]'
        in done.stdout
    )
    assert EXAMPLE.id not in done.stdout


def test_which_model_is_meant_comes_from_the_environment(toolstone):
    for env, first in [
        ({}, "bedrock/openai.gpt-oss-120b"),
        ({"TOOLSTONE_MODEL": "bedrock-mantle/xai.grok-4.3"}, "bedrock-mantle/xai.grok-4.3"),
        ({"OPENAI_BASE_URL": "https://gateway.example/v1"}, "openai/openai.gpt-oss-120b"),
    ]:
        done = toolstone("doctor", "--offline", AWS_REGION="us-east-1", **env)
        assert (done.returncode, done.stdout.partition("\n")[0]) == (0, first), done


def test_a_region_can_be_named(toolstone):
    done = toolstone("doctor", "--offline", "--json", "--region", "eu-west-1")

    assert findings(done)["region"]["seen"] == "eu-west-1"


def test_a_string_that_cannot_be_read_is_said_in_one_line(toolstone):
    done = toolstone("doctor", "bedrock/", AWS_REGION="us-east-1")

    assert done.returncode == 1
    assert done.stderr.startswith("ConfigError: model of 0 characters")


def test_at_a_terminal_it_is_a_table_with_arrows(terminal, mantle):
    env = {**variables(mantle), "AWS_BEARER_TOKEN_BEDROCK": LONG}
    shown = terminal("doctor", **env)

    shown.wait_for(
        "endpoint", "API key", "→ AWS calls these suitable", "request", "20 pass, 1 warn"
    )
    assert shown.end() == 0


def test_deep_probes_are_asked_for(toolstone, mantle):
    done = toolstone("doctor", "--deep", "--json", **variables(mantle))

    assert findings(done)["stream"]["status"] == "pass"
    assert findings(done)["function calls"]["status"] == "warn"
    assert done.returncode == 0


# --- models


def test_the_catalogue_comes_with_what_the_table_says(toolstone, mantle):
    people = toolstone("models", **variables(mantle))
    programs = toolstone("models", "--json", "--responses", **variables(mantle))

    listed = {one["id"]: one for one in map(json.loads, programs.stdout.splitlines())}
    assert people.stdout.splitlines()[0].split() == [
        *("model", "region", "status", "family", "prefix", "APIs")
    ]
    assert "unavailable: no agreement" in people.stdout
    assert "qwen.qwen3-32b" in people.stdout
    assert listed["openai.gpt-oss-120b"] == {
        "id": "openai.gpt-oss-120b",
        "host": "mantle",
        "region": "us-east-1",
        "status": "available",
        "reason": "",
        "family": "gpt-oss",
        "prefix": "/v1",
        "apis": ["responses", "chat", "converse", "invoke"],
        "responses": True,
    }
    assert "qwen.qwen3-32b" not in listed


def test_all_regions_are_asked_and_those_that_refuse_are_named(toolstone, mantle):
    """One endpoint plays one region: a signature for any other is refused."""
    done = toolstone("models", "--all-regions", "--json", **variables(mantle))
    by_key = toolstone(
        "models", "--all-regions", "--json", AWS_BEARER_TOKEN_BEDROCK=LONG, **variables(mantle)
    )

    regions = {json.loads(line)["region"] for line in done.stdout.splitlines()}
    assert (done.returncode, regions) == (1, {"us-east-1"})
    assert "eu-west-1: the service answered 401" in done.stderr
    assert by_key.returncode == 0
    assert len({json.loads(line)["region"] for line in by_key.stdout.splitlines()}) == 15


LISTS = {
    "foundation-models": {"modelSummaries": [{"modelId": "acme.roadrunner-1"}]},
    "inference-profiles": {
        "inferenceProfileSummaries": [
            {"inferenceProfileId": "us.openai.gpt-5.6-sol", "status": "ACTIVE"}
        ]
    },
}


class ServiceAPI(BaseHTTPRequestHandler):
    """Bedrock's service API, as far as lists go."""

    def do_GET(self):
        body = json.dumps(LISTS[self.path.partition("?")[0].strip("/")]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody reads it."""


def test_the_runtime_hosts_models_are_those_of_the_service_api(toolstone):
    server = ThreadingHTTPServer(("127.0.0.1", 0), ServiceAPI)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        where = f"http://127.0.0.1:{server.server_port}"
        env = variables("http://127.0.0.1:9", AWS_ENDPOINT_URL_BEDROCK=where)
        done = toolstone("models", "--host", "runtime", **env)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

    assert (done.returncode, done.stderr) == (0, "")
    assert [" ".join(line.split()) for line in done.stdout.splitlines()[1:]] == [
        "us.openai.gpt-5.6-sol us-east-1 ACTIVE gpt-5.6 /openai/v1 responses, chat, converse",
        "acme.roadrunner-1 us-east-1 - unknown - -",
    ]


def test_what_cannot_be_asked_is_one_readable_message(toolstone, mantle):
    for words, env, code, said in [
        (("--region", "x y"), {}, 1, "region 'x y' cannot be"),
        (("--region", "us-east-1", "--all-regions"), {}, 2, "one of them says where"),
        ((), {"AWS_SECRET_ACCESS_KEY": "wrong"}, 1, "security token"),
        (
            ("--host", "runtime"),
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
            1,
            "listing the models",
        ),
    ]:
        done = toolstone("models", *words, **variables(mantle, **env))
        assert (done.returncode, said in done.stderr, done.stdout) == (code, True, ""), done


# --- serve


@pytest.fixture
def played(aws_home, tmp_path):
    """Start `toolstone serve` with a profile; its first words."""
    (tmp_path / "a.toml").write_text(SCRIPT)
    (tmp_path / "policy.toml").write_text(POLICY)
    opened = []

    def start(*words):
        opened.append(
            subprocess.Popen(
                [sys.executable, "-m", "toolstone", "serve", "a.toml", "--brain", "script", *words],
                cwd=tmp_path, env=aws_home, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )
        )  # fmt: skip
        return opened[-1]

    yield start
    for process in opened:
        process.kill()
        process.communicate()


def told(process):
    """The variables that it tells people to set."""
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("Ctrl-C"):
            break
    words = [word for line in said for word in line.split() if "=" in word]
    return "".join(said), dict(word.split("=", 1) for word in words)


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("mantle", "bedrock-mantle/openai.gpt-oss-120b"),
        ("runtime", "bedrock-runtime/openai.gpt-5.6-sol"),
    ],
)
def test_what_serve_says_is_enough_to_come_in(toolstone, played, kind, model):
    said, env = told(played("--profile", kind, "--region", "us-west-2"))
    done = toolstone("doctor", model, **env)

    assert said.startswith(f"Playing the {kind} host of us-west-2 at http://127.0.0.1:")
    assert done.returncode == 0, done.stdout


def test_openais_host_is_played_too(played):
    said, env = told(played("--profile", "openai"))

    assert said.startswith("Playing OpenAI's host at http://127.0.0.1:")
    assert set(env) == {"OPENAI_BASE_URL", "OPENAI_API_KEY"}


def test_a_policy_is_a_file(toolstone, played):
    process = played("--profile", "mantle", "--policy", "policy.toml", "--json")
    base_url = json.loads(process.stdout.readline())["base_url"]
    env = variables(base_url, AWS_BEARER_TOKEN_BEDROCK=LONG)
    done = toolstone("doctor", "bedrock-mantle/openai.gpt-oss-120b", "--json", **env)

    assert findings(done)["permissions"]["status"] == "fail"
    assert findings(done)["permissions"]["seen"].startswith("read-only")


def test_profile_options_that_do_not_fit_are_refused(toolstone, tmp_path):
    (tmp_path / "a.toml").write_text(SCRIPT)
    for words, code, said in [
        (("--region", "us-east-1"), 2, "add --profile mantle"),
        (("--policy", "p.toml"), 2, "add --profile mantle"),
        (("--profile", "mantle", "--policy", "p.toml"), 1, "cannot read the account 'p.toml'"),
        (("--profile", "mantle", "--region", "us-west-1"), 1, "mantle is not in 'us-west-1'"),
        (("--profile", "azure"), 2, "azure"),
    ]:
        done = toolstone("serve", "a.toml", "--brain", "script", *words)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done.stderr)
