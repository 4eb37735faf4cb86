"""What a brain says is kept in a cassette, and another endpoint says it again, streamed or not."""

import asyncio
import json

import httpx
import openai
import pytest

from toolstone.local import (
    Function,
    Script,
    call,
    error,
    failed,
    incomplete,
    item,
    serve,
    thought,
)
from toolstone.local.brain import (
    Arguments,
    Call,
    Choice,
    Custom,
    Decline,
    End,
    Input,
    Item,
    Message,
    Reasoning,
    RefusalError,
    Settle,
    Summary,
    Text,
    Thought,
    Turn,
    Usage,
)
from toolstone.local.brains.recorded import Recording, Replay
from toolstone.local.cassettes.tape import read_exchanges

TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
ASKED = {"model": "m", "input": "How warm?", "tools": [TOOL]}


def turn(said="hi", **body):
    body = {"model": "m", "input": said, **body}
    return Turn(body, ({"type": "message", "role": "user", "content": said},), Choice("none", ()))


async def pieces(brain, asked):
    return [piece async for piece in brain.answer(asked)]


def post(endpoint, **body):
    reply = httpx.post(f"{endpoint.base_url}/responses", json={**ASKED, **body})
    if body.get("stream"):
        lines = [line for line in reply.text.splitlines() if line.startswith("data: {")]
        return [json.loads(line.removeprefix("data: ")) for line in lines]
    return reply


def essence(response):
    """A response without what is made up anew each time."""
    kept = {"status", "output", "error", "incomplete_details", "usage", "tools"}
    return {key: value for key, value in response.items() if key in kept}


@pytest.fixture
def recorded(tmp_path):
    """Record what these answers come to; the path of the cassette."""
    path = tmp_path / "c.jsonl"

    def record(*answers, by="sequence"):
        return Recording(Script(list(answers), by=by), path), path

    return record


def test_what_was_recorded_is_said_again_with_its_history(recorded):
    brain, path = recorded([call("weather", city="Rome")], "14.5", by="question")
    with serve(brain) as endpoint:
        first = post(endpoint).json()
        output = {
            "type": "function_call_output",
            "call_id": first["output"][0]["call_id"],
            "output": "14.5",
        }
        second = post(endpoint, input=[output], previous_response_id=first["id"]).json()

    with serve(Replay(path)) as endpoint:
        again = post(endpoint).json()
        output["call_id"] = again["output"][0]["call_id"]
        history = [{"role": "user", "content": ASKED["input"]}, *again["output"], output]
        stateless = post(endpoint, input=history, store=False).json()
        chained = post(endpoint, input=[output], previous_response_id=again["id"]).json()

    assert again["output"][0]["arguments"] == first["output"][0]["arguments"]
    said = [each["output"][0]["content"] for each in (second, stateless, chained)]
    assert said[0] == said[1] == said[2]
    assert again["usage"] == first["usage"]


def test_a_stream_is_replayed_as_a_stream_and_comes_to_the_same(recorded):
    said = ["a rather long answer, in several pieces", call("weather", city="Rome")]
    brain, path = recorded(said)
    with serve(brain) as endpoint:
        post(endpoint)
    with serve(Replay(path)) as endpoint:
        plain = post(endpoint).json()
        events = post(endpoint, stream=True)

    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == said[0]
    assert events[-1]["type"] == "response.completed"
    assert essence(events[-1]["response"]) == essence(plain)


def test_the_official_sdk_streams_what_was_recorded(recorded):
    brain, path = recorded([thought("hm"), "some text", call("weather", city="Rome")])
    with serve(brain) as endpoint:
        first = post(endpoint).json()
    with (
        serve(Replay(path)) as endpoint,
        openai.OpenAI(base_url=endpoint.base_url, api_key="none", max_retries=0) as client,
        client.responses.stream(**ASKED) as stream,
    ):
        stream.until_done()
        final = stream.get_final_response()
    assert final.output_text == "some text"
    assert [item.type for item in final.output] == [item["type"] for item in first["output"]]
    assert final.usage.total_tokens == first["usage"]["total_tokens"]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (incomplete("cut", reason="content_filter"), ("incomplete", "content_filter", None)),
        (failed("so far", code="server_error"), ("failed", None, "server_error")),
    ],
)
def test_an_answer_that_is_not_whole_is_so_again(recorded, answer, told):
    brain, path = recorded(answer)
    with serve(brain) as endpoint:
        first = post(endpoint).json()
    with serve(Replay(path)) as endpoint:
        again = post(endpoint).json()

    reason = (again["incomplete_details"] or {}).get("reason")
    assert (again["status"], reason, (again["error"] or {}).get("code")) == told
    assert [part["content"] for part in again["output"]] == [p["content"] for p in first["output"]]


def test_an_error_is_the_same_error_again(recorded):
    brain, path = recorded(error(429, "rate_limit_exceeded", "slower", "model"))
    with serve(brain) as endpoint:
        first = post(endpoint)
    with serve(Replay(path)) as endpoint:
        again = post(endpoint)
    assert (again.status_code, again.json()) == (429, first.json())


def test_what_was_not_recorded_is_a_400_that_says_where_it_differs(recorded):
    brain, path = recorded("hello")
    with serve(brain) as endpoint:
        post(endpoint)
    with serve(Replay(path)) as endpoint:
        reply = post(endpoint, input="How cold is my secret place?")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "not_recorded")
    assert "input[0].content: text of 28 characters, recorded 9" in reply.text
    assert "secret" not in reply.text


def test_no_header_and_no_unlisted_field_reaches_the_file(recorded):
    brain, path = recorded("hello")
    with serve(brain) as endpoint:
        httpx.post(
            f"{endpoint.base_url}/responses",
            json={**ASKED, "metadata": {"key": "sk-metasecret12345"}, "user": "ann@example.org"},
            headers={"authorization": "Bearer sk-headersecret12345"},
        ).raise_for_status()
    kept = path.read_text()
    assert "secret" not in kept
    assert "ann@" not in kept


async def test_the_same_recorded_again_is_the_same_file(tmp_path):
    def brain():
        return Script([["a", call("f"), item(type="reasoning", summary=[])]])

    for name in ("one", "two"):
        await pieces(Recording(brain(), tmp_path / name), turn())
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


async def test_an_answer_that_nobody_heard_to_its_end_is_not_kept(tmp_path):
    path = tmp_path / "c.jsonl"
    told = Recording(Script(["a long answer in several pieces"]), path).answer(turn())
    await anext(told)
    await told.aclose()
    assert read_exchanges(path) == []


async def test_who_is_recorded_is_left_when_nobody_listens_any_more(tmp_path):
    left = []

    async def endless(_):
        try:
            while True:
                yield "more"
        finally:
            left.append(True)

    told = Recording(Function(endless), tmp_path / "c").answer(turn())
    await anext(told)
    await told.aclose()
    assert left == [True]


async def test_recording_hides_nothing_that_the_brain_can_do(tmp_path):
    closed = []

    class Able:
        models = ("able",)
        hosted = ("web_search",)

        async def count(self, turn):
            return 7

        async def close(self):
            closed.append(True)

    able = Recording(Able(), tmp_path / "c")
    assert (able.models, able.hosted, await able.count(turn())) == (("able",), ("web_search",), 7)
    assert not hasattr(Recording(Plain(), tmp_path / "c"), "count")
    await able.close()
    assert closed == [True]


class Plain:
    """A brain with nothing but the port."""

    models = ()


OUTPUT = [
    {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": "S"}],
        "content": [{"type": "reasoning_text", "text": "T"}],
        "encrypted_content": "blob",
    },
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "phase": "commentary",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "hi", "annotations": [{"type": "url_citation"}]},
            {"type": "refusal", "refusal": "no"},
        ],
    },
    {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    {"id": "ct_1", "type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "x"},
    {"id": "ws_1", "type": "web_search_call", "action": {"type": "search"}},
]


async def test_every_kind_of_item_is_told_and_closed_as_it_came(tmp_path):
    reasoning, message, made, custom, search = OUTPUT
    told = [
        Reasoning("rs_1"),
        Summary("S", 0),
        Thought("T"),
        Settle(reasoning),
        Message("commentary", "msg_1"),
        Text("hi"),
        Decline("no"),
        Settle(message),
        Call("f", "c1", "fc_1"),
        Arguments("{}"),
        Settle(made),
        Custom("g", "c2", "ct_1"),
        Input("x"),
        Settle(custom),
        Item(search),
        End(Usage(3, 4, 1, 2), service_tier="flex"),
    ]

    async def say(_):
        return told

    path = tmp_path / "c"
    await pieces(Recording(Function(say), path), turn())
    assert read_exchanges(path)[0].response["output"] == OUTPUT
    assert await pieces(Replay(path), turn()) == told


async def test_what_breaks_in_the_middle_is_kept_as_the_failure_that_was_seen(tmp_path):
    def broken(_):
        yield "half"
        raise RefusalError(503, "overloaded", "later")

    path = tmp_path / "c"
    with pytest.raises(RefusalError):
        await pieces(Recording(Function(broken), path), turn())
    [kept] = [each.response for each in read_exchanges(path)]
    assert (kept["status"], kept["error"]["code"]) == ("failed", "overloaded")
    assert kept["output"][0]["content"][0]["text"] == "half"


async def test_turns_side_by_side_are_each_kept_whole(tmp_path):
    together = asyncio.Barrier(3)

    async def meet(asked):
        await together.wait()
        return asked.items[0]["content"] * 1000

    path = tmp_path / "c"
    brain = Recording(Function(meet), path)
    await asyncio.gather(*(pieces(brain, turn(said)) for said in "abc"))
    assert sorted(each.request["input"][0]["content"] for each in read_exchanges(path)) == [*"abc"]
