"""From a model string to a host, a path and an id: what the pages say, and who wins."""

import pytest

from toolstone.bedrock import Dialect, Wishes, resolve_endpoint
from toolstone.bedrock.names import known_host
from toolstone.errors import ConfigError

MANTLE = "https://bedrock-mantle.us-east-1.api.aws"
RUNTIME = "https://bedrock-runtime.us-east-1.amazonaws.com"
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


def resolve(model, environment=None, **wishes):
    return resolve_endpoint(model, environment=environment or {}, **wishes)


@pytest.mark.parametrize(
    ("model", "base_url", "spelled", "service"),
    [
        ("openai.gpt-oss-120b", f"{MANTLE}/v1", "openai.gpt-oss-120b", "bedrock-mantle"),
        ("google.gemma-4-31b", f"{MANTLE}/openai/v1", "google.gemma-4-31b", "bedrock-mantle"),
        ("xai.grok-4.3", f"{MANTLE}/openai/v1", "xai.grok-4.3", "bedrock-mantle"),
        ("openai.gpt-5.6-sol", f"{RUNTIME}/openai/v1", "us.openai.gpt-5.6-sol", "bedrock"),
        ("openai.gpt-6.1-sol", f"{RUNTIME}/openai/v1", "us.openai.gpt-6.1-sol", "bedrock"),
        ("global.openai.gpt-5.5", f"{RUNTIME}/openai/v1", "global.openai.gpt-5.5", "bedrock"),
        ("openai.brand-new", f"{MANTLE}/openai/v1", "openai.brand-new", "bedrock-mantle"),
        (
            "openai.gpt-5.6-cyber",
            f"{MANTLE}/openai/v1",
            "openai.gpt-5.6-cyber",
            "bedrock-mantle",
        ),
    ],
)
def test_a_model_alone_decides_host_path_and_spelling(model, base_url, spelled, service):
    found = resolve(f"bedrock/{model}@us-east-1")
    assert (found.base_url, found.model, found.service) == (base_url, spelled, service)
    assert found.aws
    assert found.warnings == ()


@pytest.mark.parametrize("region", SEED_REGIONS)
def test_both_hosts_are_reached_in_all_twelve_regions(region):
    mantle = resolve(f"bedrock-mantle/openai.gpt-oss-20b@{region}")
    runtime = resolve(f"bedrock-runtime/openai.gpt-5.6-terra@{region}")
    assert mantle.base_url == f"https://bedrock-mantle.{region}.api.aws/v1"
    assert mantle.warnings == ()
    assert runtime.base_url == f"https://bedrock-runtime.{region}.amazonaws.com/openai/v1"


@pytest.mark.parametrize(
    ("region", "host", "model"),
    [
        ("us-gov-west-1", "amazonaws.com", "us-gov.openai.gpt-5.6-luna"),
        ("us-west-1", "amazonaws.com", "us.openai.gpt-5.6-luna"),
        ("ca-central-1", "amazonaws.com", "global.openai.gpt-5.6-luna"),
        ("cn-north-1", "amazonaws.com.cn", "global.openai.gpt-5.6-luna"),
        ("eusc-de-east-1", "amazonaws.eu", "global.openai.gpt-5.6-luna"),
    ],
)
def test_partitions_and_geographies_follow_the_region(region, host, model):
    found = resolve(f"bedrock/openai.gpt-5.6-luna@{region}")
    assert found.origin == f"https://bedrock-runtime.{region}.{host}"
    assert found.model == model


@pytest.mark.parametrize(
    ("wishes", "host", "model"),
    [
        (Wishes(), "runtime", "us.openai.gpt-5.6-sol"),
        (Wishes(stored=True), "runtime", "us.openai.gpt-5.6-sol"),
        (Wishes(background=True), "mantle", "openai.gpt-5.6-sol"),
        (Wishes(server_tools=True), "mantle", "openai.gpt-5.6-sol"),
        (Wishes(project="proj_1"), "mantle", "openai.gpt-5.6-sol"),
        (Wishes(residency="region"), "mantle", "openai.gpt-5.6-sol"),
        (Wishes(residency="global"), "runtime", "global.openai.gpt-5.6-sol"),
        (Wishes(residency="us"), "runtime", "us.openai.gpt-5.6-sol"),
    ],
)
def test_wishes_choose_the_host_that_can_grant_them(wishes, host, model):
    found = resolve("bedrock/openai.gpt-5.6-sol@us-east-1", wishes=wishes)
    assert (found.host, found.model, found.warnings) == (host, model, ())


@pytest.mark.parametrize(
    ("model", "wishes", "warning"),
    [
        ("bedrock-runtime/openai.gpt-oss-120b@us-east-1", Wishes(), "not known to answer"),
        ("bedrock-runtime/openai.gpt-5.5@us-east-1", Wishes(background=True), "background is"),
        ("bedrock-mantle/openai.gpt-5.5@eu-central-1", Wishes(), "not seen on mantle"),
        ("bedrock-mantle/openai.gpt-oss-20b@us-west-1", Wishes(), "mantle is not known in"),
        ("bedrock-mantle/us.openai.gpt-5.5@us-east-1", Wishes(), "runtime host's spelling"),
        (
            "bedrock-runtime/openai.gpt-oss-120b@us-east-1",
            Wishes(),
            "or ask for Chat Completions: Wishes(api='chat')",
        ),
        ("bedrock/qwen.qwen3@us-east-1", Wishes(api="responses"), "speak chat and not Responses"),
        ("bedrock/qwen.qwen3@us-east-1", Wishes(stored=True), "without stored"),
        ("bedrock/anthropic.claude@us-east-1", Wishes(), "known to speak messages and not"),
        ("bedrock/acme.x@us-east-1", Wishes(), "in no family"),
        ("bedrock/openai.gpt-5.5@us-east-1", Wishes(stored=True, residency="global"), "stored"),
        ("bedrock/openai.gpt-5.5@eu-west-1", Wishes(), "may run in any region"),
        ("bedrock/openai.gpt-5.5@eu-west-1", Wishes(residency="us"), "'us' profiles"),
        ("bedrock-runtime/openai.gpt-5.5@us-east-1", Wishes(residency="region"), "may refuse"),
    ],
)
def test_the_table_advises_and_does_not_forbid(model, wishes, warning):
    found = resolve(model, wishes=wishes)
    assert any(warning in text for text in found.warnings), found.warnings


@pytest.mark.parametrize(
    ("model", "wishes", "base_url", "ident"),
    [
        ("bedrock/qwen.qwen3-32b", Wishes(), f"{MANTLE}/v1", "qwen.qwen3-32b"),
        (
            "bedrock/openai.gpt-oss-safeguard-20b",
            Wishes(),
            f"{MANTLE}/v1",
            "openai.gpt-oss-safeguard-20b",
        ),
        (
            "bedrock-runtime/openai.gpt-oss-safeguard-20b",
            Wishes(),
            f"{RUNTIME}/openai/v1",
            "openai.gpt-oss-safeguard-20b",
        ),
        (
            "bedrock-runtime/openai.gpt-oss-120b",
            Wishes(api="chat"),
            f"{RUNTIME}/openai/v1",
            "openai.gpt-oss-120b-1:0",
        ),
        ("bedrock/openai.gpt-oss-120b", Wishes(api="chat"), f"{MANTLE}/v1", "openai.gpt-oss-120b"),
        (
            "bedrock/openai.gpt-5.6-sol",
            Wishes(api="chat"),
            f"{RUNTIME}/openai/v1",
            "us.openai.gpt-5.6-sol",
        ),
    ],
)
def test_what_does_not_speak_responses_speaks_chat_and_others_do_if_you_wish(
    model, wishes, base_url, ident
):
    found = resolve(f"{model}@us-east-1", wishes=wishes)
    assert (found.api, found.path) == ("chat", "/chat/completions")
    assert (found.base_url, found.model, found.warnings) == (base_url, ident, ())
    assert found.profile.name.endswith("-chat")
    assert {"background", "stateful", "custom_tools"} <= set(found.profile.unsupported)


def test_a_model_that_only_mantle_has_goes_there_where_it_is_and_else_to_the_other_host():
    assert resolve("bedrock/openai.brand-new@us-east-1").host == "mantle"
    assert resolve("bedrock/openai.brand-new@ca-central-1").host == "runtime"


def test_ids_in_either_spelling_are_put_right_for_the_host():
    to_mantle = resolve("bedrock-mantle/openai.gpt-oss-20b-1:0@us-east-1")
    to_runtime = resolve("bedrock-runtime/openai.gpt-oss-20b@us-east-1")
    assert to_mantle.model == "openai.gpt-oss-20b"
    assert to_runtime.model == "openai.gpt-oss-20b-1:0"


def test_an_arn_is_a_model_with_its_region_and_goes_to_the_runtime_host_as_it_is():
    arn = "arn:aws:bedrock:us-east-2:123456789012:inference-profile/us.openai.gpt-5.6-sol"
    found = resolve(f"bedrock/{arn}", {"AWS_REGION": "eu-west-1"})
    assert (found.host, found.region, found.model) == ("runtime", "us-east-2", arn)
    assert found.family.name == "gpt-5.6"
    with pytest.raises(ConfigError, match="says another region"):
        resolve(f"bedrock/{arn}@us-east-1")
    with pytest.raises(ConfigError, match="not whole"):
        resolve("bedrock/arn:aws:bedrock@us-east-1")


@pytest.mark.parametrize(
    ("model", "region", "environment", "expected"),
    [
        ("bedrock/openai.gpt-oss-20b@us-east-1", None, {"AWS_REGION": "us-west-2"}, "us-east-1"),
        ("bedrock/openai.gpt-oss-20b", "us-east-2", {"AWS_REGION": "us-west-2"}, "us-east-2"),
        (
            "bedrock/openai.gpt-oss-20b",
            None,
            {"AWS_REGION": "us-west-2", "AWS_DEFAULT_REGION": "eu-west-1"},
            "us-west-2",
        ),
        ("bedrock/openai.gpt-oss-20b", None, {"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1"),
        (
            "bedrock/openai.gpt-oss-20b",
            None,
            {"OPENAI_BASE_URL": "https://bedrock-mantle.sa-east-1.api.aws/v1"},
            "sa-east-1",
        ),
    ],
)
def test_the_region_is_what_is_said_closest(model, region, environment, expected):
    assert resolve(model, environment, region=region).region == expected


def test_without_a_region_the_three_ways_to_say_it_are_named():
    with pytest.raises(ConfigError, match=r"@us-east-1.*region=.*AWS_REGION"):
        resolve("bedrock/openai.gpt-oss-20b")


@pytest.mark.parametrize(
    "region",
    [
        "us-east-1/../",
        "évil",
        "us-east-1:443",
        "us-east-1\n",
        "us-east-1.evil.example",
        "US-EAST-1",
        "",
        "us_east_1",
        "-1",
        "us-east-1#",
    ],
)
@pytest.mark.parametrize("how", ["argument", "string", "variable"])
def test_a_region_outside_the_grammar_builds_no_host(region, how):
    if how == "variable" and region.strip() in {"", "us-east-1"}:
        return  # white space around a variable's value means nothing
    with pytest.raises(ConfigError, match="region"):
        if how == "argument":
            resolve("bedrock/openai.gpt-oss-20b", region=region)
        elif how == "string":
            resolve(f"bedrock/openai.gpt-oss-20b@{region}")
        else:
            resolve("bedrock/openai.gpt-oss-20b", {"AWS_REGION": region})


def test_a_region_that_is_said_twice_differently_is_refused():
    with pytest.raises(ConfigError, match="say it once"):
        resolve("bedrock/openai.gpt-oss-20b@us-east-1", region="us-east-2")


@pytest.mark.parametrize("model", ["bedrock/", "bedrock/a b", "bedrock/@us-east-1", "bedrock/é"])
def test_a_string_without_a_model_is_refused(model):
    with pytest.raises(ConfigError, match="write it like"):
        resolve(model, region="us-east-1")


@pytest.mark.parametrize(
    ("endpoint", "base_url", "aws"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1", False),
        ("http://127.0.0.1:8080/mine/v1", "http://127.0.0.1:8080/mine/v1", False),
        ("https://gateway.example/", "https://gateway.example/v1", False),
        (
            "https://vpce-0a.bedrock-mantle.us-east-1.vpce.amazonaws.com",
            "https://vpce-0a.bedrock-mantle.us-east-1.vpce.amazonaws.com/v1",
            True,
        ),
        (
            "https://bedrock-runtime-fips.us-east-1.amazonaws.com",
            "https://bedrock-runtime-fips.us-east-1.amazonaws.com/openai/v1",
            True,
        ),
    ],
)
def test_an_endpoint_of_your_own_is_its_own_origin(endpoint, base_url, aws):
    found = resolve("bedrock/openai.gpt-oss-120b@us-east-1", endpoint=endpoint)
    assert (found.base_url, found.aws, found.source) == (base_url, aws, "argument")


def test_a_fips_endpoint_is_known_for_the_runtime_host():
    found = resolve(
        "bedrock/openai.gpt-5.5", endpoint="https://bedrock-runtime-fips.us-east-2.amazonaws.com"
    )
    assert (found.host, found.region, found.model) == (
        "runtime",
        "us-east-2",
        "us.openai.gpt-5.5",
    )


@pytest.mark.parametrize(
    ("model", "endpoint", "why"),
    [
        ("bedrock/openai.gpt-5.5@us-east-1", "http://gateway.example", "http://"),
        ("bedrock/openai.gpt-5.5@us-east-1", f"{MANTLE}/v1/responses", "it ends before /responses"),
        ("bedrock/openai.gpt-5.5@us-east-2", MANTLE, "it is in us-east-1"),
        ("bedrock-runtime/openai.gpt-5.5@us-east-1", MANTLE, "it is the mantle host"),
        ("bedrock/openai.gpt-5.5@us-east-1", "https://u:p@gateway.example", "user or password"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(model, endpoint, why):
    with pytest.raises(ConfigError, match=why):
        resolve(model, endpoint=endpoint)


@pytest.mark.parametrize(
    ("model", "environment", "origin", "source"),
    [
        (
            "bedrock/openai.gpt-oss-20b",
            {"AWS_BEDROCK_BASE_URL": "https://gateway.example"},
            "https://gateway.example",
            "AWS_BEDROCK_BASE_URL",
        ),
        (
            "bedrock/openai.gpt-5.5@us-east-1",
            {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:4566"},
            "http://127.0.0.1:4566",
            "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        ),
        (
            "bedrock/openai.gpt-oss-20b@us-east-1",
            {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:4566"},
            MANTLE,
            "table",
        ),
        (
            "bedrock/openai.gpt-oss-20b@us-east-1",
            {"AWS_ENDPOINT_URL_BEDROCK_MANTLE": "http://127.0.0.1:4566"},
            "http://127.0.0.1:4566",
            "AWS_ENDPOINT_URL_BEDROCK_MANTLE",
        ),
        (
            "bedrock/openai.gpt-5.5@us-east-1",
            {
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": "http://127.0.0.1:4566",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
            },
            RUNTIME,
            "table",
        ),
    ],
)
def test_the_users_environment_may_name_an_origin(model, environment, origin, source):
    found = resolve(model, environment)
    assert (found.origin, found.source) == (origin, source)


def test_a_variable_that_contradicts_what_was_said_is_left_alone_and_told():
    found = resolve("bedrock/openai.gpt-oss-20b@us-east-1", {"AWS_BEDROCK_BASE_URL": RUNTIME_EU})
    assert found.origin == MANTLE
    assert any("AWS_BEDROCK_BASE_URL is not used" in text for text in found.warnings)


RUNTIME_EU = "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1"


def test_a_path_that_is_known_to_be_wrong_is_told():
    found = resolve("bedrock/openai.gpt-5.5", endpoint=f"{RUNTIME}/v1")
    assert found.base_url == f"{RUNTIME}/v1"
    assert any("'/openai/v1'" in text for text in found.warnings)


def test_fips_by_variable_is_answered_with_how_to_have_it():
    found = resolve("bedrock/openai.gpt-5.5@us-east-1", {"AWS_USE_FIPS_ENDPOINT": "true"})
    assert any("bedrock-runtime-fips.us-east-1" in text for text in found.warnings)


def test_a_family_of_your_own_decides_as_the_shipped_ones_do():
    dialect = Dialect.load().with_(
        families={
            "acme": {
                "match": ["acme."],
                "prefix": "/openai/v1",
                "hosts": ["runtime"],
                "apis": ["responses"],
                "profiled": True,
                "output": "prompted",
                "grade": "ours",
            }
        }
    )
    found = resolve("bedrock/acme.x@us-east-1", dialect=dialect)
    assert (found.base_url, found.model) == (f"{RUNTIME}/openai/v1", "us.acme.x")
    assert found.profile.output == "prompted"


def test_a_variable_for_another_regions_host_is_left_alone_and_told():
    found = resolve(
        "bedrock/openai.gpt-5.5@us-east-1", {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME": RUNTIME_EU}
    )
    assert found.origin == RUNTIME
    assert any("it is of runtime in eu-west-1" in text for text in found.warnings)


def test_a_url_that_is_none_is_nobodys_host():
    assert known_host("https://[") is None
