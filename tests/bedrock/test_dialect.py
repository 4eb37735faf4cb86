"""The table: of the form, whole, and overridable."""

import dataclasses
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import toolstone.bedrock.dialect
from toolstone.bedrock import Dialect
from toolstone.bedrock.dialect import Family
from toolstone.bedrock.dialect_schema import _Spoken, check
from toolstone.errors import AuthError, ConfigError
from toolstone.ports import Profile
from toolstone.responses.failures import TABLE, failure, read_error

FILE = Path(toolstone.bedrock.dialect.__file__).with_name("dialect.toml")
DIALECT = Dialect.load()
SEED_REGIONS = [
    "us-east-2",
    "us-east-1",
    "us-west-2",
    "ap-southeast-3",
    "ap-south-1",
    "ap-northeast-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-south-1",
    "eu-north-1",
    "sa-east-1",
]


def test_the_table_is_of_the_form_and_dated():
    data = tomllib.loads(FILE.read_text())
    assert check(data) is data
    assert DIALECT.date == str(data["date"])


def test_every_entry_says_how_it_is_known():
    tables = ("hosts", "features", "regions", "families", "models", "gates", "errors", "iam")
    for table in (*tables, "capabilities", "endpoints"):
        for name, entry in DIALECT.data[table].items():
            assert entry["grade"] in {"doc", "live", "lib", "rep", "ours"}, (table, name)


def test_mantle_is_in_all_seed_regions_and_those_added_since():
    assert set(SEED_REGIONS) < set(DIALECT.regions("mantle"))
    assert {"ap-southeast-2", "us-gov-west-1"} <= set(DIALECT.regions("mantle"))
    assert not {"us-west-1", "ap-northeast-2", "ca-central-1"} & set(DIALECT.regions("mantle"))
    assert {"us-west-1", "eu-west-1"} <= set(DIALECT.regions("runtime"))


@pytest.mark.parametrize(
    ("model", "family", "prefix"),
    [
        ("openai.gpt-oss-120b", "gpt-oss", "/v1"),
        ("openai.gpt-oss-safeguard-20b", "gpt-oss-safeguard", "/v1"),
        ("openai.gpt-5.4", "gpt-5.4", "/openai/v1"),
        ("openai.gpt-5.5-2026-04-23", "gpt-5.5", "/openai/v1"),
        ("openai.gpt-5.6-cyber", "gated", "/openai/v1"),
        ("openai.gpt-daybreak-blue", "gated", "/openai/v1"),
        ("openai.gpt-6.1-terra", "gpt-6", "/openai/v1"),
        ("openai.something-new", "gpt-next", "/openai/v1"),
        ("google.gemma-4-31b", "gemma-4", "/openai/v1"),
        ("google.gemma-3-27b", "chat-only", "/v1"),
        ("xai.grok-4.3", "grok-4.3", "/openai/v1"),
        ("xai.grok-4.6", "grok-4.6", "/openai/v1"),
        ("qwen.qwen3-coder", "chat-only", "/v1"),
        ("anthropic.claude-x", "claude", "/anthropic/v1"),
        ("acme.new", "", "/v1"),
    ],
)
def test_a_family_is_found_by_the_longest_beginning(model, family, prefix):
    found = DIALECT.family(model)
    assert (found.name, found.prefix) == (family, prefix)


def allowed(model, host, parameter):
    gate = DIALECT.gates(model, host).get(parameter)
    return None if gate is None else gate.allowed


@pytest.mark.parametrize(
    ("model", "parameter", "values"),
    [
        ("openai.gpt-oss-120b", "tool_choice", ("auto", "none")),
        ("openai.gpt-oss-120b", "temperature", None),
        ("openai.gpt-oss-120b", "effort", ("none", "low", "medium", "high", "xhigh", "max")),
        ("xai.grok-4.6", "effort", ("none", "low", "medium", "high", "xhigh")),
        ("openai.gpt-5.6-sol", "effort", ("none", "low", "medium", "high", "xhigh", "max")),
        ("openai.gpt-6-astra", "effort", ("low", "medium", "high", "xhigh", "max")),
        ("openai.gpt-6.1-terra", "effort", ("none", "low", "medium", "high", "xhigh", "max")),
        ("openai.gpt-5.6-sol", "top_p", ()),
        ("openai.gpt-5.6-sol", "temperature", (1,)),
        ("openai.gpt-5.6-sol", "service_tier", ("auto", "default")),
        ("xai.grok-4.6", "service_tier", ("auto", "default", "flex", "priority")),
        ("openai.gpt-5.5", "prompt_cache_options", ()),
        ("openai.gpt-5.6-sol", "prompt_cache_options", None),
        ("google.gemma-4-31b", "top_p", None),
    ],
)
def test_gates_are_those_of_the_page(model, parameter, values):
    assert allowed(model, "mantle", parameter) == values


def test_a_gate_may_hold_on_one_host_alone():
    assert allowed("openai.gpt-5.6-sol", "runtime", "background") == (False,)
    assert allowed("openai.gpt-5.6-sol", "mantle", "background") is None


def test_what_is_taken_without_effect_is_marked():
    assert DIALECT.gates("openai.gpt-5.6-sol", "mantle")["max_tool_calls"].ignored


MANTLE_DENIED = (
    "User: arn:aws:iam::1:user/x is not authorized to perform: bedrock-mantle:CreateInference on "
    "resource: arn:aws:bedrock-mantle:us-east-1:1:project/default"
)


def error(message, code=None, param=None):
    return {"error": {"message": message, "code": code, "param": param, "type": "x"}}


@pytest.mark.parametrize(
    ("status", "raw", "means", "mend", "retryable"),
    [
        (401, error(MANTLE_DENIED, "access_denied"), "permission", "", False),
        (403, {"Message": MANTLE_DENIED}, "permission", "", False),
        (403, {"message": "no", "__type": "x#AccessDeniedException"}, "permission", "", False),
        (401, error("The security token included in the request is invalid."), "auth", "", False),
        (
            403,
            {"Message": "Authentication failed: Please make sure your API Key is valid."},
            "auth",
            "",
            False,
        ),
        (401, error("gpt-oss is not enabled"), "wrong-route", "switch-prefix", False),
        (
            400,
            error("model `x` isn't supported on this route"),
            "wrong-route",
            "switch-prefix",
            False,
        ),
        (
            400,
            error("The model 'x' does not support the '/v1/responses' API"),
            "wrong-route",
            "switch-prefix",
            False,
        ),
        (404, error("The model 'x' does not exist"), "model", "", False),
        (404, error("The model doesn't exist or doesn't support this API"), "model", "", False),
        (400, error("The provided model identifier is invalid."), "model", "translate-id", False),
        (
            400,
            error("Invocation of model ID x with on-demand throughput isn't supported."),
            "model",
            "translate-id",
            False,
        ),
        (400, error("Unsupported parameter: 'top_p'"), "gate", "drop-parameter", False),
        (
            400,
            error("temperature: only the default value is supported"),
            "gate",
            "drop-parameter",
            False,
        ),
        (
            400,
            error('This model does not support tool_choice. Supported options ["auto"]'),
            "gate",
            "drop-parameter",
            False,
        ),
        (
            400,
            error("prompt_cache_options is not supported on this model"),
            "gate",
            "drop-parameter",
            False,
        ),
        (400, error("The background parameter is not supported."), "gate", "", False),
        (400, error("Invalid 'tools': unknown variant `shell`"), "gate", "", False),
        (400, error("value did not match any expected variant"), "malformed", "strip-items", False),
        (400, error("prompt tokens (9) exceed model maximum (8)"), "context", "", False),
        (400, error("x", "context_length_exceeded"), "context", "", False),
        (400, error("Internal server error"), "transient", "", True),
        (400, error("x", "invalid_encrypted_content"), "malformed", "strip-reasoning", False),
        (404, error("Response not found."), "state-lost", "rebuild", False),
        (404, error("The requested resource could not be found"), "state-lost", "rebuild", False),
        (404, error("not available under data retention mode 'none'"), "gate", "", False),
        (429, error("too many tokens"), "throttled", "", True),
        (503, error("capacity"), "transient", "", True),
    ],
)
def test_a_refusal_means_what_the_page_says(status, raw, means, mend, retryable):
    found = failure(read_error(raw), status=status, table=DIALECT.failures)
    assert (found.means, found.mend, found.retryable) == (means, mend, retryable)
    assert isinstance(found, AuthError) == (means in {"auth", "permission"})


@pytest.mark.parametrize(
    ("message", "param", "named"),
    [
        ("Unsupported parameter: 'top_p' is not supported with this model.", None, "top_p"),
        ("Unsupported value: 'temperature' only the default (1)", None, "temperature"),
        ("'temperature' does not support 0.2; only the default (1)", None, "temperature"),
        ("prompt_cache_options is not supported on this model", None, "prompt_cache_options"),
        ("does not support tool_choice", None, "tool_choice"),
        ("Unsupported parameter: 'x'", "reasoning.effort", "reasoning.effort"),
    ],
)
def test_a_refusal_names_its_parameter(message, param, named):
    raw = error(message, param=param)
    assert failure(read_error(raw), status=400, table=DIALECT.failures).param == named


def test_what_every_server_says_is_still_understood():
    assert DIALECT.failures[-len(TABLE) :] == TABLE


def test_an_entry_of_your_own_is_merged_and_leaves_the_first_table_alone():
    mine = DIALECT.with_(gates={"top-p-gpt": {"allowed": [1]}}, families={"acme": ACME})
    assert mine.gates("openai.gpt-5.5", "mantle")["top_p"].allowed == (1,)
    assert mine.family("acme.new") == Family(
        name="acme", prefix="/openai/v1", hosts=("mantle",), apis=("responses",), grade="ours"
    )
    assert DIALECT.gates("openai.gpt-5.5", "mantle")["top_p"].allowed == ()


ACME = {
    "match": ["acme."],
    "prefix": "/openai/v1",
    "hosts": ["mantle"],
    "apis": ["responses"],
    "grade": "ours",
}


def test_an_error_of_your_own_is_looked_at_first():
    mine = DIALECT.with_(
        errors={"mine": {"pattern": "Response not found", "means": "model", "grade": "ours"}}
    )
    found = failure(read_error(error("Response not found.")), status=404, table=mine.failures)
    assert found.means == "model"


def test_a_whole_table_of_your_own_replaces_ours(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(FILE.read_text().replace("date = 2026-11-21", "date = 2027-01-01"))
    assert Dialect.load(path).date == "2027-01-01"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda text: text.replace('grade = "live"', 'grade = "sure"', 1), "hosts.mantle.grade"),
        (lambda text: text.replace("format = 1", "format = 2"), "format"),
        (lambda text: text + "\n[extra]\nx = 1\n", "extra"),
        (lambda _: "not toml", "cannot be read"),
    ],
)
def test_a_table_that_is_not_of_the_form_is_refused_where_it_is_wrong(tmp_path, change, where):
    path = tmp_path / "mine.toml"
    path.write_text(change(FILE.read_text()))
    with pytest.raises(ConfigError, match=where):
        Dialect.load(path)


def test_a_table_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="has no table 'gatez'"):
        DIALECT.with_(gatez={})


def test_reading_the_table_loads_neither_pydantic_models_nor_aws():
    code = (
        "import sys; from toolstone.bedrock import Dialect; Dialect.load().family('x');"
        "print([m for m in ('botocore', 'boto3', 'httpx', 'toolstone.bedrock.dialect_schema')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_actions_are_found_by_feature_and_host():
    assert DIALECT.actions("respond", "mantle") == ("bedrock-mantle:CreateInference",)
    assert "bedrock:InvokeModel" in DIALECT.actions("respond", "runtime")
    assert DIALECT.actions("count_tokens", "runtime") == ()


def test_a_host_that_is_not_there_is_named():
    with pytest.raises(ConfigError, match="'moon': Bedrock has mantle and runtime"):
        DIALECT.host("moon")


def test_the_longest_beginning_of_a_gate_counts_wherever_it_stands():
    mine = {"parameter": "top_p", "match": ["openai."], "allowed": [2], "grade": "ours"}
    for entry in ({"zz": mine}, {"top-p-gpt": DIALECT.data["gates"]["top-p-gpt"], "zz": mine}):
        gates = DIALECT.with_(gates=entry).gates("openai.gpt-5.5", "mantle")
        assert gates["top_p"].allowed == ()


def test_a_habit_of_your_own_replaces_the_known_one():
    mine = DIALECT.with_(habits={"junk": ["#"], "smallest_output": 1})
    assert (mine.habits["junk"], mine.habits["smallest_output"]) == (["#"], 1)
    assert mine.habits["unasked_items"] == DIALECT.habits["unasked_items"]
    with pytest.raises(ConfigError, match=r"habits\.junk"):
        DIALECT.with_(habits={"junk": "#"})


def test_an_entry_that_is_none_is_refused():
    with pytest.raises(ConfigError, match=r"families\.mine"):
        DIALECT.with_(families={"mine": 5})


# ---------------------------------------------------------------------- servers that are no Bedrock


def test_the_known_servers_each_have_a_profile_by_their_name():
    known = ("openai", "local", "llama.cpp", "litellm", "transformers")
    assert DIALECT.endpoints() == known
    assert [DIALECT.profile(name).name for name in known] == list(known)


def test_what_was_measured_of_a_server_is_dated_and_names_its_version():
    for name in ("llama.cpp", "litellm", "transformers"):
        entry = DIALECT.endpoint(name)
        assert entry["version"] and entry["date"].year >= 2026, name


def test_a_profile_is_that_of_the_protocol_asked_for():
    assert DIALECT.profile("llama.cpp") == DIALECT.profile("llama.cpp", "chat")
    said = DIALECT.profile("llama.cpp", "responses")
    assert (said.hides_cuts, said.schema_field) == (True, "response_format")
    assert not DIALECT.profile("llama.cpp").hides_cuts
    assert DIALECT.profile("openai").resumes and DIALECT.profile("local").resumes


def test_every_field_of_a_profile_can_stand_in_the_table():
    fields = {field.name for field in dataclasses.fields(Profile)} - {"name"}
    assert set(_Spoken.model_fields) == fields


def test_what_a_server_cannot_do_is_its_own_and_that_of_its_like():
    cannot = DIALECT.profile("llama.cpp", "responses").unsupported
    assert "state='local'" in cannot["stateful"]
    assert DIALECT.unsupported("local").items() <= cannot.items()
    assert DIALECT.profile("litellm").unsupported.keys() == {"stateful"}


def test_a_server_has_its_own_words_for_errors():
    said = {"error": {"message": "Failed to parse tool call arguments as JSON: x", "code": 500}}
    ours = failure(read_error(said), status=500, table=DIALECT.failures_of("llama.cpp"))
    assert (ours.means, ours.retryable) == ("malformed", False)
    assert failure(read_error(said), status=500).retryable


def test_a_server_of_your_own_is_added_like_any_entry():
    mine = DIALECT.with_(
        endpoints={
            "vllm": {"date": DIALECT.data["date"], "grade": "ours", "responses": {"idle": 9.0}}
        }
    )
    assert mine.profile("vllm").idle == 9.0
    with pytest.raises(ConfigError, match="server 'vllm': known are openai, local"):
        DIALECT.profile("vllm")
    with pytest.raises(ConfigError, match=r"endpoints\.vllm\.responses\.idel"):
        mine.with_(endpoints={"vllm": {"responses": {"idel": 9.0}}})
