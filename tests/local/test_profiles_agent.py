"""Whole agents through the profiles, signed for real, under the names of real hosts."""

import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

import toolstone.bedrock.model as bedrock_model_module
from toolstone import Agent, Settings
from toolstone.bedrock import Keys, MintedKey, SigV4, bedrock_model
from toolstone.errors import (
    AuthError,
    FailedError,
    RateLimitError,
    ServiceError,
    StatusError,
    TransportError,
)
from toolstone.events import Noted
from toolstone.local import (
    Account,
    Allowance,
    Habits,
    HostProfile,
    LoopbackTransport,
    Script,
    Statement,
    call,
    item,
    serve,
)
from toolstone.local.profiles.account import EXAMPLE
from toolstone.responses import Responses
from toolstone.wire import Deadlines, HttpRequest, Retry

OBSERVED = tomllib.loads(
    (Path(__file__).parent.parent / "data" / "bedrock_observed.toml").read_text()
)
SEED = OBSERVED["regions"]["seed"]
KEYS = Keys(EXAMPLE.id, EXAMPLE.secret)
OSS, SOL = "bedrock-mantle/openai.gpt-oss-120b", "bedrock-mantle/openai.gpt-5.6-sol"
ON_RUNTIME = "bedrock-runtime/global.openai.gpt-5.6-terra"
FINAL = {"city": "Paris", "temp_c": 14.5, "population": 2103000}


class Report(BaseModel):
    city: str
    temp_c: float
    population: int


async def weather(city: str) -> float:
    """Current temperature in Celsius."""
    assert city == "Paris"
    return 14.5


def population(city: str) -> int:
    """Number of inhabitants."""
    assert city == "Paris"
    return 2103000


def report_script():
    return Script(
        [[call("weather", city="Paris"), call("population", city="Paris")], FINAL], by="question"
    )


@pytest.fixture(autouse=True)
def nothing_learnt(monkeypatch):
    """What one test has learnt of a host is not known to the next."""
    monkeypatch.setattr(bedrock_model_module, "_learnt", {})
    for name in (
        "AWS_BEARER_TOKEN_BEDROCK",
        "AWS_BEDROCK_BASE_URL",
        "OPENAI_BASE_URL",
        "OPENAI_API_KEY",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def world():
    """One endpoint that plays every host in every region."""
    with serve(report_script(), profile="mantle") as served:
        yield served


def model(name, region, served, *, key=KEYS, auth=None, **options):
    service = "bedrock" if name.startswith("bedrock-runtime") else "bedrock-mantle"
    return bedrock_model(
        name,
        region=region,
        auth=auth or SigV4(region, service, credentials=key),
        transport=LoopbackTransport(served.base_url),
        **options,
    )


def agent(*args, **kwargs):
    return Agent(model(*args, **kwargs), tools=[weather, population], output=Report)


ONCE = Retry(attempts=1)
QUICK = Retry(sleep=lambda _: _no_wait())


async def _no_wait():
    return None


# --- the twelve regions of the seed, both hosts, streamed and not


@pytest.mark.parametrize("region", SEED)
@pytest.mark.parametrize("name", [OSS, ON_RUNTIME])
async def test_a_whole_agent_runs_in_every_seed_region_on_both_hosts(world, name, region):
    reporter = agent(name, region, world)

    result = await reporter.run("Report on Paris")
    async with reporter.stream("Report on Paris") as stream:
        streamed = await stream.result()

    assert result.output == streamed.output == Report(**FINAL)
    assert [each.output for each in result.calls] == ["14.5", "2103000"]


@pytest.mark.parametrize("name", [SOL, ON_RUNTIME])
async def test_a_minted_key_carries_a_whole_agent_too(world, name):
    minted = MintedKey("us-east-1", credentials=KEYS)

    result = await agent(name, "us-east-1", world, auth=minted).run("Report on Paris")

    assert result.output == Report(**FINAL)


async def test_call_ids_that_restart_do_not_mix_up_the_rounds():
    rounds = [
        [call("weather", city="Paris"), call("population", city="Paris")],
        [call("population", city="Paris"), call("weather", city="Paris")],
        FINAL,
    ]
    with serve(Script(rounds), profile="mantle") as served:
        reporter = agent(SOL, "us-east-1", served)
        result = await reporter.run("Report on Paris")
        async with reporter.stream("Report on Paris") as stream:
            streamed = await stream.result()

    for each in (result, streamed):
        assert each.output == Report(**FINAL)
        assert [c.output for c in each.calls] == ["14.5", "2103000", "2103000", "14.5"]


# --- who asks


def mended(result):
    """What the client had to mend, in order."""
    facts = [record.fact for record in result.records]
    return [
        fact.data["mend"] for fact in facts if isinstance(fact, Noted) and fact.what == "mended"
    ]


async def failure(reporter, text="Report on Paris"):
    """What the service said that ended a run."""
    with pytest.raises(FailedError) as caught:
        await reporter.run(text)
    assert isinstance(caught.value.__cause__, StatusError)
    return caught.value.__cause__


async def test_a_wrong_secret_is_an_error_of_authentication(world):
    for name in (SOL, ON_RUNTIME):
        error = await failure(agent(name, "us-east-1", world, key=Keys(EXAMPLE.id, "other")))

        assert isinstance(error, AuthError)
        assert error.means == "auth"


async def test_a_policy_that_forbids_names_the_action():
    account = Account(allow=[Statement(["bedrock-mantle:Get*", "bedrock-mantle:List*"])])
    with serve(report_script(), profile=HostProfile(account=account)) as served:
        mantle = await failure(agent(SOL, "us-east-1", served))
        runtime = await failure(agent(ON_RUNTIME, "us-east-1", served))

    assert (mantle.status, mantle.means) == (401, "permission")
    assert "bedrock-mantle:CreateInference" in str(mantle)
    assert (runtime.status, runtime.means) == (403, "permission")
    assert "bedrock:InvokeModel" in str(runtime)


async def test_a_clock_that_is_off_is_corrected_once():
    with serve(report_script(), profile=HostProfile(habits=Habits(skew=900))) as served:
        result = await agent(SOL, "us-east-1", served).run("Report on Paris")

    assert result.output == Report(**FINAL)


# --- what goes wrong and is survived


@pytest.mark.parametrize(
    "habits",
    [
        Habits(internal_400=1),
        Habits(unavailable=1),
        Habits(failed_at_end=1),
        Habits(error_frame=1),
        Habits(trailing_junk=1),
        Habits(reasoning=3),
        Habits(reasoning=3, spelling="openai"),
        Habits(done=False),
        Habits(closed_items=True),
        Habits(unproven="refuse"),
    ],
    ids=lambda h: ",".join(n for n in h.__slots__ if getattr(h, n) != getattr(Habits(), n)),
)
async def test_a_habit_is_survived_streamed_and_not(habits):
    for streamed in (False, True):
        with serve(report_script(), profile=HostProfile(habits=habits)) as served:
            reporter = agent(SOL, "us-east-1", served, retry=QUICK)
            if streamed:
                async with reporter.stream("Report on Paris") as stream:
                    result = await stream.result()
            else:
                result = await reporter.run("Report on Paris")

        assert result.output == Report(**FINAL)


async def test_hidden_server_tools_of_gpt_oss_are_no_calls_of_ours():
    with serve(report_script(), profile=HostProfile(habits=Habits(hidden_tools=2))) as served:
        result = await agent(OSS, "us-east-1", served).run("Report on Paris")

    assert result.output == Report(**FINAL)
    assert len(result.calls) == 2


async def test_an_empty_answer_is_asked_for_again():
    with serve(report_script(), profile=HostProfile(habits=Habits(empty=1))) as served:
        result = await agent(SOL, "us-east-1", served).run("Report on Paris")

    assert result.output == Report(**FINAL)


async def test_a_stalled_stream_ends_by_its_idle_limit_and_is_asked_again():
    with serve(report_script(), profile=HostProfile(habits=Habits(stall=1))) as served:
        reporter = agent(SOL, "us-east-1", served, retry=QUICK, deadlines=Deadlines(idle=0.3))
        async with reporter.stream("Report on Paris") as stream:
            result = await stream.result()

    assert result.output == Report(**FINAL)


@pytest.mark.parametrize("how", ["wrong_route", "api_unsupported", "not_enabled"])
async def test_a_table_with_the_wrong_prefix_is_corrected_by_the_refusal(how):
    """The client's prefix is moved behind its back; the emulator goes by its own file."""
    known = OBSERVED["prefix"][1]
    assert (known["starts"], known["prefix"]) == (["openai.gpt-oss-"], "/v1")
    with serve(report_script(), profile=HostProfile(habits=Habits(wrong_prefix=how))) as served:
        wrong = agent(OSS, "us-east-1", served, dialect=with_wrong_prefix())
        result = await wrong.run("Report on Paris")

    assert result.output == Report(**FINAL)
    assert mended(result) == ["switch-prefix"]


def with_wrong_prefix():
    from toolstone.bedrock import Dialect

    return Dialect.load().with_(families={"gpt-oss": {"prefix": "/openai/v1"}})


async def test_a_quota_that_is_used_up_is_a_rate_limit():
    account = Account(quotas={"openai.gpt-5.6-sol": Allowance(input_tokens=10)})
    with serve(report_script(), profile=HostProfile(account=account)) as served:
        error = await failure(agent(SOL, "us-east-1", served, retry=ONCE))

    assert isinstance(error, RateLimitError)
    assert "max_output_tokens" in str(error)


@pytest.mark.parametrize(
    "settings", [Settings(temperature=0.5), Settings(top_p=0.5), Settings(effort="minimal")]
)
async def test_a_refused_parameter_is_left_out_if_it_may_be(world, settings):
    reporter = agent(SOL, "us-east-1", world)

    result = await reporter.run("Report on Paris", settings=settings)

    assert result.output == Report(**FINAL)
    assert mended(result) == ["drop-parameter"]


async def test_state_that_is_lost_is_rebuilt():
    with serve(report_script(), profile=HostProfile(habits=Habits(lost_state=1))) as served:
        kept = await agent(SOL, "us-east-1", served).run(
            "Report on Paris", settings=Settings(state="server")
        )

    assert kept.output == Report(**FINAL)
    assert mended(kept) == ["rebuild"]


@pytest.mark.parametrize("name", [SOL, ON_RUNTIME])
async def test_a_conversation_chained_by_the_service_goes_on(world, name):
    kept = await agent(name, "us-east-1", world).run(
        "Report on Paris", settings=Settings(state="server")
    )

    assert kept.output == Report(**FINAL)


async def test_encrypted_reasoning_is_replayed_at_home_and_stripped_abroad():
    thought = item(type="reasoning", summary=[])
    rounds = [[thought, call("weather", city="Paris")], [thought, FINAL]]
    wish = Settings(include=["reasoning.encrypted_content"])
    with serve(Script(rounds), profile="mantle") as served:
        here = agent(SOL, "us-east-1", served)
        there = agent(SOL, "us-east-2", served)
        first = await here.run("Report on Paris", settings=wish)
        again = await here.run("Once more", after=first, settings=wish)
        abroad = await there.run("Once more", after=again, settings=wish)
        brought = await there.run([*again.items, "Once more"], settings=wish)

    assert first.output == again.output == abroad.output == brought.output == Report(**FINAL)
    assert [mended(each) for each in (first, again, abroad)] == [[], [], []]
    assert set(mended(brought)) == {"strip-reasoning"}  # nobody knows where it is from


async def test_a_bare_id_on_runtime_gets_its_profile(world):
    bare = "bedrock-runtime/openai.gpt-5.6-sol"
    result = await agent(bare, "us-east-1", world).run("Report on Paris")

    assert result.output == Report(**FINAL)


async def test_gpt_oss_on_runtime_is_told_where_it_answers(world):
    error = await failure(agent("bedrock-runtime/openai.gpt-oss-120b", "us-east-1", world))

    assert (error.status, error.means) == (404, "model")


async def test_a_model_that_the_region_has_not_is_told_so(world):
    error = await failure(agent(SOL, "eu-central-1", world))

    assert (error.status, error.means) == (404, "model")


@pytest.mark.parametrize("name", [OSS, "bedrock-mantle/google.gemma-4-31b"])
async def test_a_forced_call_that_is_ignored_is_asked_for_once_more(name):
    script = Script(["I would rather talk", [call("weather", city="Paris")], FINAL], by="sequence")
    with serve(script, profile="mantle") as served:
        result = await agent(name, "us-east-1", served).run(
            "Report on Paris", settings=Settings(tool_choice="weather")
        )

    assert result.output == Report(**FINAL)
    assert [each.name for each in result.calls] == ["weather"]


async def test_the_200_of_a_wrong_path_on_runtime_is_an_error(world):
    region, host = "us-east-1", "https://bedrock-runtime.us-east-1.amazonaws.com"
    lost = Responses(
        model="us.openai.gpt-5.6-sol",
        base_url=f"{host}/v1",
        auth=SigV4(region, "bedrock", credentials=KEYS),
        transport=LoopbackTransport(world.base_url),
    )

    with pytest.raises(FailedError, match="UnknownOperation"):
        await Agent(lost).run("hi")


# --- the transport itself


@pytest.mark.parametrize(
    "url",
    [
        "https://bedrock-mantle.ca-central-1.api.aws/v1/models",
        "https://bedrock-mantel.us-east-1.api.aws/v1/models",
        "https://example.com/",
    ],
)
async def test_a_host_that_does_not_exist_cannot_be_reached(world, url):
    transport = LoopbackTransport(world.base_url)

    with pytest.raises(TransportError) as caught:
        await transport.send(HttpRequest("GET", url, {}))

    assert isinstance(caught.value, ServiceError)
    assert caught.value.phase == "connect"


async def test_names_can_be_taken_to_different_endpoints(world):
    with serve(Script(["other"]), profile="openai") as openai:
        transport = LoopbackTransport(
            {
                "api.openai.com": openai.base_url,
                "bedrock-mantle.us-east-1.api.aws": world.base_url,
            }
        )
        listed = HttpRequest(
            "GET", "https://api.openai.com/v1/models", {"authorization": "Bearer sk-x"}
        )
        unsigned = HttpRequest("GET", "https://bedrock-mantle.us-east-1.api.aws/v1/models", {})
        elsewhere = HttpRequest("GET", "https://bedrock-mantle.us-east-2.api.aws/v1/models", {})

        assert (await transport.send(listed)).status == 200
        async with transport.stream(unsigned) as answer:
            assert answer.status == 401
        with pytest.raises(TransportError):
            await transport.send(elsewhere)
        await transport.aclose()
