"""Chat Completions on Bedrock: whole agents, signed for real, and what the hosts refuse there."""

import json
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

import toolstone.bedrock.model as bedrock_model_module
from toolstone import Agent, Settings, Unsupported
from toolstone.bedrock import Keys, MintedKey, SigV4, Wishes, bedrock_model
from toolstone.errors import FailedError
from toolstone.events import Noted
from toolstone.local import (
    Account,
    HostProfile,
    LoopbackTransport,
    Script,
    Statement,
    call,
    failed,
    serve,
)
from toolstone.local.profiles.account import EXAMPLE

OBSERVED = tomllib.loads(
    (Path(__file__).parent.parent / "data" / "bedrock_observed.toml").read_text()
)
KEYS = Keys(EXAMPLE.id, EXAMPLE.secret)
QWEN = "bedrock/qwen.qwen3-32b"
SAFEGUARD = "openai.gpt-oss-safeguard-20b"
CHAT = Wishes(api="chat")
REPORT = {"city": "Paris", "temp_c": 14.5}


class Report(BaseModel):
    city: str
    temp_c: float


def weather(city: str) -> float:
    """Current temperature in Celsius."""
    return 14.5


@pytest.fixture(autouse=True)
def nothing_learnt_before(monkeypatch):
    monkeypatch.setattr(bedrock_model_module, "_learnt", {})


def model(name, served, service="bedrock-mantle", **options):
    options.setdefault("auth", SigV4("us-east-1", service, credentials=KEYS))
    return bedrock_model(
        name,
        region="us-east-1",
        transport=LoopbackTransport(served.base_url),
        **options,
    )


def played(script, **options):
    return serve(script, profile=HostProfile(**options))


def mends(result):
    facts = [record.fact for record in result.records]
    return [f.data["mend"] for f in facts if isinstance(f, Noted) and f.what == "mended"]


PLACES = [
    (QWEN, "bedrock-mantle", Wishes()),
    (f"bedrock/{SAFEGUARD}", "bedrock-mantle", Wishes()),
    (f"bedrock-runtime/{SAFEGUARD}", "bedrock", Wishes()),
    ("bedrock-runtime/openai.gpt-oss-120b", "bedrock", CHAT),
    ("bedrock-mantle/openai.gpt-oss-120b", "bedrock-mantle", CHAT),
    ("bedrock/openai.gpt-5.6-sol", "bedrock", CHAT),
    ("bedrock/google.gemma-4-31b", "bedrock-mantle", CHAT),
]


@pytest.mark.parametrize(("name", "service", "wishes"), PLACES)
async def test_an_agent_runs_where_chat_is_spoken(name, service, wishes):
    with played(Script([call("weather", city="Paris"), REPORT])) as endpoint:
        agent = Agent(model(name, endpoint, service, wishes=wishes), tools=[weather], output=Report)
        plain = await agent.run("Report on Paris")
        async with agent.stream("Report on Paris") as stream:
            streamed = await stream.result()

    assert plain.output == streamed.output == Report(**REPORT)
    assert [c.output for c in plain.calls] == [c.output for c in streamed.calls] == ["14.5"]
    assert plain.usage == streamed.usage
    assert "messages" in plain.requests[0]


async def test_thoughts_of_gpt_oss_are_told_from_its_answer():
    said = '<reasoning>Paris, then.</reasoning>{"city": "Paris", "temp_c": 14.5}'
    with played(Script([said])) as endpoint:
        oss = model("bedrock-runtime/openai.gpt-oss-120b", endpoint, "bedrock", wishes=CHAT)
        plain = await Agent(oss, output=Report).run("Report on Paris")
        async with Agent(oss, output=Report).stream("Report on Paris") as stream:
            streamed = await stream.result()

    assert plain.output == streamed.output == Report(**REPORT)
    assert [item.type for item in plain.items][1:] == ["reasoning", "message"]


async def test_a_minted_key_asks_too():
    auth = MintedKey("us-east-1", credentials=KEYS)
    with played(Script(["pong"])) as endpoint:
        assert (await Agent(model(QWEN, endpoint, auth=auth)).run("ping")).output == "pong"


async def test_calls_that_are_numbered_anew_in_each_response_are_told_apart():
    turns = [call("weather", city="Paris"), call("weather", city="Rome"), "both"]
    with played(Script(turns)) as endpoint:
        gemma = model("bedrock/google.gemma-4-31b", endpoint, wishes=CHAT)
        result = await Agent(gemma, tools=[weather]).run("go")

    sent = result.requests[-1]["messages"]
    made = [c["id"] for m in sent for c in m.get("tool_calls", ())]
    assert len(set(made)) == len(made) == 2
    assert [m["tool_call_id"] for m in sent if m["role"] == "tool"] == made


async def test_a_wrong_prefix_is_mended_once_and_remembered():
    script = Script(["one", "two"], by="sequence")
    with played(script) as endpoint:
        qwen = model(QWEN, endpoint, endpoint="https://bedrock-mantle.us-east-1.api.aws/openai/v1")
        first = await Agent(qwen).run("ping")
        second = await Agent(qwen).run("ping")

    assert (first.output, second.output) == ("one", "two")
    assert mends(first) == ["switch-prefix"]
    assert mends(second) == []


async def test_effort_beside_tools_is_refused_and_left_out():
    script = Script([call("weather", city="Paris"), "warm"])
    settings = Settings(effort="low")
    with played(script) as endpoint:
        sol = model("bedrock/openai.gpt-5.6-sol", endpoint, "bedrock", wishes=CHAT)
        result = await Agent(sol, tools=[weather], settings=settings).run("go")
        strict = model(
            "bedrock/openai.gpt-5.6-sol", endpoint, "bedrock", wishes=CHAT, gated="raise"
        )
        with pytest.raises(Unsupported, match="effort='low'"):
            await Agent(strict, tools=[weather], settings=settings).run("go")
        assert (await Agent(strict, settings=settings).run("go")).requests[0][
            "reasoning_effort"
        ] == "low"

    assert result.output == "warm"
    assert "reasoning_effort" not in result.requests[-1]


async def test_what_chat_cannot_do_is_refused_before_it_is_sent():
    with played(Script(["never"])) as endpoint:
        qwen = model(QWEN, endpoint)
        for settings in (Settings(background=True), Settings(state="server")):
            with pytest.raises(Unsupported, match="bedrock-mantle-chat"):
                await Agent(qwen, settings=settings).run("go")
        with pytest.raises(Unsupported, match="bedrock-mantle-chat"):
            await qwen.cancel("resp_1")


async def test_a_caller_without_permission_is_told_which():
    account = Account(allow=[Statement(["bedrock-mantle:List*"], ["*"])])
    with played(Script(["never"]), account=account) as endpoint:
        with pytest.raises(FailedError, match="CreateInference"):
            await Agent(model(QWEN, endpoint)).run("go")


async def test_a_brain_that_fails_is_an_error_streamed_or_not():
    with played(Script([failed("half")])) as endpoint:
        qwen = model(QWEN, endpoint)
        with pytest.raises(FailedError):
            await Agent(qwen).run("go")
        with pytest.raises(FailedError):
            async with Agent(qwen).stream("go") as stream:
                await stream.result()


# ------------------------------------------------------------------------- the hosts, by plain HTTP


def ask(caller, name, prefix, **body):
    body = {"model": name, "messages": [{"role": "user", "content": "ping"}], **body}
    return caller.send("POST", f"{prefix}/chat/completions", body)


def error_of(reply):
    return reply.json()["error"]


FUNCTION = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize("family", OBSERVED["chat"]["effort_beside_tools"]["families"])
def test_the_newer_gpts_take_no_effort_beside_tools(aws, family):
    name = next(m["id"] for m in OBSERVED["model"] if m["family"] == family)
    region = next(m["regions"] for m in OBSERVED["model"] if m["id"] == name)[0]
    with aws(kind="mantle", region=region) as caller:
        refused = ask(caller, name, "/openai/v1", tools=[FUNCTION], reasoning_effort="low")
        plain = ask(caller, name, "/openai/v1", reasoning_effort="low")
        none = ask(caller, name, "/openai/v1", tools=[FUNCTION], reasoning_effort="none")

    assert (refused.status_code, error_of(refused)["param"]) == (400, "reasoning_effort")
    assert (plain.status_code, none.status_code) == (200, 200)


@pytest.mark.parametrize("family", OBSERVED["chat"]["max_tokens"]["families"])
def test_the_newest_gpts_want_max_completion_tokens(aws, family):
    name = next(m["id"] for m in OBSERVED["model"] if m["family"] == family)
    region = next(m["regions"] for m in OBSERVED["model"] if m["id"] == name)[0]
    with aws(kind="mantle", region=region) as caller:
        refused = ask(caller, name, "/openai/v1", max_tokens=99)
        taken = ask(caller, name, "/openai/v1", max_completion_tokens=99)

    assert (refused.status_code, error_of(refused)["param"]) == (400, "max_tokens")
    assert taken.status_code == 200


def test_a_wrong_prefix_and_a_model_without_chat_are_refused(aws):
    with aws() as caller:
        prefix = ask(caller, "qwen.qwen3-32b", "/openai/v1")
        claude = ask(caller, "anthropic.claude-sonnet-5", "/v1")
    assert prefix.status_code == 400
    assert "'/v1/chat/completions' API" in error_of(claude)["message"]


def test_a_wrong_request_is_told_in_its_own_words(aws):
    with aws() as caller:
        stop = ask(caller, "qwen.qwen3-32b", "/v1", stop=["x"])
        flat = ask(caller, "qwen.qwen3-32b", "/v1", tools=[{"type": "function", "name": "f"}])
        effort = ask(caller, "openai.gpt-oss-20b", "/v1", reasoning_effort="minimal")
        service = ask(caller, "openai.gpt-oss-20b", "/v1", tool_choice="required", tools=[FUNCTION])
    assert (error_of(stop)["param"], error_of(stop)["code"]) == ("stop", "validation_error")
    assert error_of(flat)["param"] == "tools[0].function"
    assert error_of(effort)["param"] == "reasoning_effort"
    assert service.status_code == 400


def test_a_stream_says_its_usage_if_asked(aws):
    with aws() as caller:
        with_usage = ask(
            caller, "qwen.qwen3-32b", "/v1", stream=True, stream_options={"include_usage": True}
        )
        without = ask(caller, "qwen.qwen3-32b", "/v1", stream=True)
    frames = with_usage.text.strip().split("\n\n")
    assert frames[-1] == "data: [DONE]"
    assert json.loads(frames[-2].removeprefix("data: "))["usage"]["prompt_tokens"] > 0
    assert '"usage"' not in without.text


def test_openai_itself_has_it_too(aws):
    with aws(kind="openai", region="") as caller:
        body = {"model": "gpt-x", "messages": [{"role": "user", "content": "ping"}]}
        reply = caller.send("POST", "/v1/chat/completions", body, bearer="sk-test-0123456789")
    assert reply.json()["choices"][0]["message"]["content"] == "pong"
