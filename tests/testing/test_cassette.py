"""A cassette stands for a model: recorded once, replayed offline, and strict about what is asked."""

import httpx
import pytest

from toolstone import Agent, Responses, Settings, user
from toolstone.errors import (
    ConfigError,
    DefinitionError,
    RateLimitError,
    ServerError,
    StatusError,
    UsageError,
)
from toolstone.events import ArgumentsDelta, ReasoningDelta, RefusalDelta, TextDelta
from toolstone.items import parse_item
from toolstone.local import Script, error, failed, serve
from toolstone.local.brains.recorded import Recording, Replay
from toolstone.ports import Profile, Request, Response
from toolstone.testing import Cassette, Scripted, call
from toolstone.wire import Retry


def weather(city: str) -> float:
    """Current temperature in Celsius."""
    return 14.5


async def ask(model, *items, stream=False, **more):
    deltas = []

    async def emit(batch):
        deltas.extend(batch)

    response = await model.respond(Request(items or (user("hi"),), stream=stream, **more), emit)
    return response, deltas


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "c.jsonl"


@pytest.fixture
def anywhere(monkeypatch):
    """No variable of whoever runs the tests decides."""
    monkeypatch.delenv("TOOLSTONE_RECORD", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def test_a_run_is_recorded_once_and_replayed_without_the_model(path, anywhere):
    live = Scripted([call("weather", city="Rome"), call("weather", city="Oslo")], "Both 14.5.")
    recorded = Agent(Cassette(path, live, record=True), tools=[weather]).run_sync("How warm?")
    assert recorded.output == "Both 14.5."

    cassette = Cassette(path, live)
    result = Agent(cassette, tools=[weather]).run_sync("How warm?")

    assert result.output == recorded.output
    assert [made.output for made in result.calls] == ["14.5", "14.5"]
    assert result.usage == recorded.usage
    assert len(live.requests) == 2
    assert cassette.left == 0


def test_a_stream_is_replayed_as_a_stream(path, anywhere):
    Agent(Cassette(path, Scripted("a long enough answer"), record=True)).run_sync("Go")
    with Agent(Cassette(path, "openai/gpt-5.6")).stream_sync("Go") as stream:
        pieces = list(stream.text())
    assert (len(pieces) > 1, "".join(pieces)) == (True, "a long enough answer")


async def test_the_whole_answer_comes_back_as_it_was(path, anywhere):
    items = [
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "blob"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "phase": "final_answer",
            "content": [{"type": "refusal", "refusal": "no"}],
        },
        {"type": "vendor:thing", "deep": {"a": [1, None]}},
    ]
    given = Response(
        "resp_1",
        "incomplete",
        tuple(parse_item(raw) for raw in items),
        reason="content_filter",
        model="m-2026",
        service_tier="flex",
    )
    live = Scripted(items)
    first, _ = await ask(Cassette(path, live, record=True))
    second, deltas = await ask(Cassette(path, live), stream=True)
    assert [item.raw for item in second.items] == items == [item.raw for item in first.items]
    assert (second.id, second.status, second.usage) == (first.id, first.status, first.usage)
    assert deltas == [RefusalDelta("no", 1)]

    cut, _ = await ask(Cassette(path, Scripted(given), record=True))
    again, _ = await ask(Cassette(path, live))
    assert cut is given
    for name in ("status", "reason", "model", "service_tier"):
        assert getattr(again, name) == getattr(given, name)


async def test_a_request_that_was_not_recorded_says_where_it_differs(path, anywhere):
    await ask(Cassette(path, Scripted("hello"), record=True))
    cassette = Cassette(path, Scripted())
    with pytest.raises(UsageError, match=r"settings|temperature is new") as unmatched:
        await ask(cassette, settings=Settings(temperature=0.2))
    with pytest.raises(UsageError, match="text of 13 characters, recorded 2"):
        await ask(cassette, user("my own secret"))
    assert "secret" not in str(unmatched.value)
    assert cassette.left == 1
    assert repr(cassette) == "<Cassette 'c.jsonl': 1 exchanges left>"


async def test_asking_more_often_than_was_recorded_is_noticed(path, anywhere):
    await ask(Cassette(path, Scripted("hello"), record=True))
    cassette = Cassette(path, Scripted())
    await ask(cassette)
    with pytest.raises(UsageError, match="recorded 1 times"):
        await ask(cassette)


@pytest.mark.parametrize("streamed", [False, True])
async def test_what_the_service_refused_is_refused_again(path, anywhere, streamed):
    answers = [error(429, "rate_limit_exceeded", "slow down"), failed("half", code="oops")]
    with serve(Script(answers, by="sequence")) as endpoint:
        live = Responses(base_url=endpoint.base_url, model="m", retry=Retry(attempts=1))
        cassette = Cassette(path, live, record=True)
        told = []
        for _ in answers:
            with pytest.raises(StatusError) as refused:
                await ask(cassette, stream=streamed)
            told.append(refused.value)
        await live.aclose()

    cassette = Cassette(path, live)
    with pytest.raises(RateLimitError, match="slow down") as limited:
        await ask(cassette)
    with pytest.raises(StatusError) as broken:
        await ask(cassette)
    for was, is_now in zip(told, (limited.value, broken.value), strict=True):
        assert (is_now.status, is_now.code) == (was.status, was.code)
        assert is_now.retryable == was.retryable
    assert broken.value.partial.text == "half"


async def test_an_error_that_is_no_json_is_kept_as_one_clean_line(path, anywhere):
    page = error(502, body=b"<html><h1>Bad gateway</h1>token sk-secret-0123456789</html>")
    with serve(Script([page], by="sequence")) as endpoint:
        live = Responses(base_url=endpoint.base_url, model="m", retry=Retry(attempts=1))
        with pytest.raises(ServerError):
            await ask(Cassette(path, live, record=True))
        await live.aclose()
    with pytest.raises(ServerError, match=r"502.*Bad gateway"):
        await ask(Cassette(path, live))
    assert "secret" not in path.read_text()


async def test_a_model_string_is_resolved_only_to_be_recorded(path, anywhere):
    with serve(Script(["hello"])) as endpoint:
        model = f"responses+{endpoint.base_url}#m"
        assert (await ask(Cassette(path, model, record=True)))[0].text == "hello"
    assert (await ask(Cassette(path, model)))[0].text == "hello"


async def test_thoughts_and_calls_are_replayed_in_deltas_too(path, anywhere):
    thought = {
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "So."}],
        "content": [{"type": "reasoning_text", "text": "hm"}],
    }
    turn = [thought, call("f", a=1)]
    await ask(Cassette(path, Scripted(turn), record=True))
    _, deltas = await ask(Cassette(path, Scripted()), stream=True)
    assert deltas == [
        ReasoningDelta("So.", 0, summary=True),
        ReasoningDelta("hm", 0),
        ArgumentsDelta('{"a":1}', 1, "f"),
    ]


async def test_no_answer_at_all_is_not_recorded(path, anywhere):
    with pytest.raises(OSError):
        await ask(Cassette(path, Scripted(OSError("no network")), record=True))
    assert path.read_bytes() == b""


def test_the_variable_says_whether_to_record(path, monkeypatch):
    monkeypatch.setenv("TOOLSTONE_RECORD", "1")
    assert Cassette(path, Scripted("a")).recording
    monkeypatch.setenv("TOOLSTONE_RECORD", "0")
    with pytest.raises(ConfigError, match="record it: TOOLSTONE_RECORD=1"):
        Cassette(path, Scripted("a"))


def test_a_recording_begins_anew(path, anywhere):
    for answer in ("one", "two"):
        Agent(Cassette(path, Scripted(answer), record=True)).run_sync("Go")
    assert Agent(Cassette(path, Scripted())).run_sync("Go").output == "two"


def test_replaying_needs_no_key_and_recording_does(path, anywhere):
    path.parent.mkdir()
    path.write_bytes(b"")
    assert Cassette(path, "openai/gpt-5.6").name == "openai/gpt-5.6"
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        Cassette(path, "openai/gpt-5.6", record=True)
    with pytest.raises(DefinitionError, match="not understood"):
        Cassette(path, "gpt-5.6")


def test_one_that_could_not_be_made_can_still_be_shown_in_a_report(path, anywhere):
    cassette = Cassette.__new__(Cassette)
    with pytest.raises(ConfigError, match="there is no cassette"):
        cassette.__init__(path, Scripted())
    assert repr(cassette) == "<Cassette 'c.jsonl': 0 exchanges left>"


def test_it_can_do_what_the_model_can(path, anywhere):
    path.parent.mkdir()
    path.write_bytes(b"")
    able = Profile(name="able", output="tool")
    assert Cassette(path, Scripted(profile=able)).profile == able
    assert Cassette(path, "local/smollm2").profile == Profile()
    bedrock = Cassette(path, "bedrock/openai.gpt-oss-120b@us-east-1").profile
    assert bedrock.name != "responses"


def test_a_cassette_is_the_same_file_for_the_endpoint(path, tmp_path, anywhere):
    """Recorded by either, replayed by the other."""
    live = Scripted([call("weather", city="Rome")], "14.5")
    Agent(Cassette(path, live, record=True), tools=[weather]).run_sync("How warm?")
    with serve(Replay(path)) as endpoint:
        agent = Agent(f"responses+{endpoint.base_url}#any", tools=[weather])
        assert agent.run_sync("How warm?").output == "14.5"

    other = tmp_path / "other.jsonl"
    with serve(Recording(Script(["hello"]), other)) as endpoint:
        assert Agent(f"responses+{endpoint.base_url}#any").run_sync("Hi").output == "hello"
    assert Agent(Cassette(other, "openai/gpt-5.6")).run_sync("Hi").output == "hello"


def test_no_key_reaches_the_file(path, anywhere):
    with serve(Script(["hello"])) as endpoint:
        live = Responses(base_url=endpoint.base_url, model="m", api_key="sk-secret-0123456789")
        said = Settings(metadata={"token": "sk-secret-0123456789"}, safety_identifier="customer-7")
        Agent(Cassette(path, live, record=True), settings=said).run_sync("Hi")
        seen = httpx.get(f"{endpoint.base_url}/models")
    assert seen.status_code == 200
    assert "secret" not in path.read_text()
    assert "customer-7" not in path.read_text()


async def test_deltas_of_a_live_answer_are_handed_on_while_it_is_recorded(path, anywhere):
    _, deltas = await ask(Cassette(path, Scripted("abcdef"), record=True), stream=True)
    assert deltas == [TextDelta("abcd"), TextDelta("ef")]
