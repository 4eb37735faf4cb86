"""A proxy asks another model in the client's words, and tells its answer as it is."""

import asyncio
import contextlib
import json
from dataclasses import replace

import httpx
import openai
import pytest

from toolstone import Agent, Responses, Settings
from toolstone.chat import ChatCompletions
from toolstone.errors import (
    DeadlineError,
    InputError,
    LimitError,
    StatusError,
    TransportError,
    Unsupported,
)
from toolstone.events import ArgumentsDelta, ReasoningDelta, RefusalDelta, Retrying, TextDelta
from toolstone.items import parse_item
from toolstone.local import Function, Script, call, error, failed, incomplete, serve, thought
from toolstone.local.brain import (
    Arguments,
    Call,
    Choice,
    Decline,
    End,
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
from toolstone.local.brains.asking import HERE
from toolstone.local.brains.proxy import Proxy
from toolstone.ports import Response
from toolstone.testing import Scripted
from toolstone.usage import Usage as Spent
from toolstone.wire import Retry

USER = {"type": "message", "role": "user", "content": "hi"}
TEXT = {"type": "output_text", "text": "hello", "annotations": [{"type": "url_citation"}]}
MESSAGE = {"type": "message", "id": "msg_1", "role": "assistant", "content": [TEXT]}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "blob"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"}
NAMELESS = {key: value for key, value in MESSAGE.items() if key != "id"}
ODD = {"type": "vendor:thing", "id": "x_1", "deep": {"a": [1, None]}}


def turn(*items, **body):
    return Turn({"model": "any", **body}, items or (USER,), Choice("none", ()))


def answered(*raw, **more):
    items = tuple(parse_item(item) for item in raw)
    return Response("resp_1", "completed", items, Spent(3, 4, 1, 5, 2, 1), **more)


class Live:
    """A model that emits these batches of deltas, and then answers, or raises."""

    def __init__(self, *batches, end):
        self.batches, self.end, self.request = batches, end, None

    async def respond(self, request, emit):
        self.request = request
        for batch in self.batches:
            await emit(batch)
        if isinstance(self.end, BaseException):
            raise self.end
        return self.end


async def pieces(model, asked=None):
    return [piece async for piece in Proxy(model).answer(asked or turn())]


async def streamed(*batches, end):
    return [bare(piece) for piece in await pieces(Live(*batches, end=end), turn(stream=True))]


def bare(piece):
    """A piece without an id that was made up."""
    return replace(piece, id=None) if HERE in str(getattr(piece, "id", "")) else piece


# --- what is asked


async def test_what_the_client_said_is_asked_and_nothing_else():
    model = Scripted("ok")
    tools = [
        {
            "type": "function",
            "name": "f",
            "description": "F.",
            "parameters": {"type": "object"},
            "strict": True,
        },
        {"type": "function", "name": "g"},
        {"type": "custom", "name": "h", "format": {"type": "text"}},
    ]
    schema = {"type": "object", "properties": {}}
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}
    output = {"type": "function_call_output", "call_id": "c1", "output": "1"}
    history = [USER, THOUGHT, CALL, output, ODD]
    mine = {**MESSAGE, "id": "msg_here_1"}
    stored = [{**USER, "id": "msg_9"}, THOUGHT, CALL, {**output, "id": "out_9"}, ODD, mine]
    await pieces(
        model,
        turn(
            *stored,
            instructions="be brief",
            tools=tools,
            tool_choice=choice,
            text={
                "verbosity": "low",
                "format": {"type": "json_schema", "name": "out", "schema": schema, "strict": True},
            },
            reasoning={"effort": "low", "summary": "auto"},
            temperature=0,
            metadata={"a": "b"},
            presence_penalty=0.5,
            user="ann",
            store=True,
            background=True,
            previous_response_id="resp_0",
            stream=False,
        ),
    )
    [request] = model.requests
    assert [item.raw for item in request.items] == [*history, NAMELESS]
    assert (request.instructions, request.tool_choice) == ("be brief", choice)
    assert (request.previous, request.stream) == (None, False)
    plain, bare, custom = request.tools
    assert (plain.name, plain.strict, plain.raw) == ("f", True, None)
    assert [bare.raw, custom.raw] == tools[1:]
    assert (request.output.name, request.output.schema, request.output.strict) == (
        "out",
        schema,
        True,
    )
    assert request.settings == Settings(
        temperature=0,
        metadata={"a": "b"},
        effort="low",
        summary="auto",
        verbosity="low",
        store=False,
        extra={"presence_penalty": 0.5, "user": "ann"},
    )


async def test_json_mode_and_reasoning_of_other_kinds_go_on():
    model = Scripted("ok")
    more = {"effort": "low", "context": "all_turns"}
    await pieces(model, turn(text={"format": {"type": "json_object"}}, reasoning=more))
    settings = model.requests[0].settings
    assert (settings.json_mode, settings.effort) == (True, None)
    assert settings.extra == {"reasoning": more}


# --- what is told


async def test_a_plain_answer_is_told_item_by_item_as_it_came():
    model = Live(end=answered(THOUGHT, MESSAGE, CALL, ODD, service_tier="flex"))
    assert await pieces(model) == [
        *(Item(raw) for raw in (THOUGHT, MESSAGE, CALL, ODD)),
        End(Usage(3, 4, 1, 2, 5), service_tier="flex"),
    ]


async def test_a_stream_is_told_while_it_arrives():
    heard = asyncio.Event()

    class Slow:
        async def respond(self, request, emit):
            await emit([TextDelta("he", 0)])
            await heard.wait()  # nothing comes of this unless the first piece has gone out
            await emit([TextDelta("llo", 0)])
            return answered(MESSAGE)

    told = Proxy(Slow()).answer(turn(stream=True))
    assert [bare(await anext(told)), await anext(told)] == [Message(), Text("he")]
    heard.set()
    assert [piece async for piece in told] == [
        Text("llo"),
        Settle(NAMELESS),
        End(Usage(3, 4, 1, 2, 5)),
    ]


async def test_thoughts_and_text_follow_each_other_and_calls_come_whole():
    thought = {
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "hm"}],
    }
    told = await streamed(
        [ReasoningDelta("hm", 0)],
        [TextDelta("hello", 1), ArgumentsDelta("{}", 2, "f")],
        end=answered(thought, MESSAGE, CALL),
    )
    assert told[:5] == [Reasoning(), Thought("hm"), Message(), Text("hello"), Settle(NAMELESS)]
    assert [type(piece).__name__ for piece in told[5:]] == ["Call", "Arguments", "Settle", "End"]
    assert told[5].call_id == "c1"


async def test_the_order_of_items_is_kept_where_deltas_do_not_tell_it():
    told = await streamed([TextDelta("hello", 1)], end=answered(THOUGHT, MESSAGE))
    assert [piece.item for piece in told if isinstance(piece, Settle)] == [THOUGHT, MESSAGE]


async def test_what_deltas_left_out_of_a_text_is_told_at_its_end():
    told = await streamed([TextDelta("he", 0)], end=answered(MESSAGE))
    assert told[:4] == [Message(), Text("he"), Text("llo"), Settle(NAMELESS)]


async def test_an_answer_begun_anew_that_says_the_same_is_told_once():
    again = Retrying(2, 0.0, "it broke")
    told = await streamed(
        [TextDelta("hel", 0)], [again], [TextDelta("hello", 0)], end=answered(MESSAGE)
    )
    assert told[:4] == [Message(), Text("hel"), Text("lo"), Settle(NAMELESS)]


@pytest.mark.parametrize("end", [answered(MESSAGE), answered()])
async def test_an_answer_begun_anew_that_says_something_else_fails(end):
    with pytest.raises(RefusalError, match="began anew") as refused:
        await streamed([TextDelta("bye", 0)], [Retrying(2, 0.0, "it broke")], end=end)
    assert refused.value.status == 502


async def test_the_other_side_is_left_alone_when_nobody_listens_any_more():
    left = asyncio.Event()

    class Endless:
        async def respond(self, request, emit):
            try:
                while True:
                    await emit([TextDelta("x", 0)])
            finally:
                left.set()

    told = Proxy(Endless()).answer(turn(stream=True))
    await anext(told)
    await told.aclose()
    assert left.is_set()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (DeadlineError("silent for 5 s", phase="stream"), 504, "upstream_timeout"),
        (TransportError("connection refused", phase="connect"), 502, "upstream_gone"),
        (LimitError("too large"), 502, "upstream_error"),
        (Unsupported("it has no web_search"), 400, "unsupported_value"),
        (InputError("no JSON"), 400, "invalid_value"),
        (StatusError("x", status=422, code="odd"), 422, "odd"),
        (StatusError("x"), 500, "server_error"),
    ],
)
async def test_whatever_goes_wrong_there_is_an_http_error_here(raised, status, code, stream):
    with pytest.raises(RefusalError) as refused:
        await pieces(Live(end=raised), turn(stream=stream))
    assert (refused.value.status, refused.value.code) == (status, code)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_breaks_is_no_answer(stream):
    with pytest.raises(ZeroDivisionError):
        await pieces(Live(end=ZeroDivisionError()), turn(stream=stream))


async def test_a_model_that_cannot_count_is_guessed_for_and_closing_is_its_own_affair():
    proxy = Proxy(Scripted())
    assert await proxy.count(turn()) > 0
    await proxy.close()


async def test_a_refusal_is_told_while_it_arrives_and_a_summary_is_no_raw_thought():
    part = {"type": "summary_text", "text": "So."}
    thinking = {"type": "reasoning", "summary": [part, {"type": "odd"}]}
    declined = {**NAMELESS, "content": [{"type": "refusal", "refusal": "no"}]}
    told = await streamed(
        [ReasoningDelta("So.", 0, summary=True)],
        [RefusalDelta("no", 1)],
        end=answered(thinking, declined),
    )
    assert told[:5] == [Reasoning(), Summary("So."), Message(), Decline("no"), Settle(declined)]


# --- over HTTP, both sides real


@contextlib.contextmanager
def behind(brain, **options):
    """An endpoint that is a proxy of another one."""
    options = {"api_key": "sk-upstream-secret-1", "retry": Retry(attempts=1), **options}
    with serve(brain) as far:
        model = Responses(base_url=far.base_url, model="far-model", **options)
        with serve(Proxy(model)) as near:
            yield near


def post(endpoint, **body):
    body = {"model": "any", "input": "hi", **body}
    return httpx.post(f"{endpoint.base_url}/responses", json=body)


def events(reply):
    lines = [line for line in reply.text.splitlines() if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


EVERYTHING = [THOUGHT, {**MESSAGE, "phase": "commentary", "status": "completed"}, CALL, ODD]


def everything(_):
    return [*(Item(raw) for raw in EVERYTHING), End(Usage(7, 8, 1, 2))]


def test_items_usage_and_order_come_through_plain_and_streamed():
    with behind(Function(everything)) as endpoint:
        plain = post(endpoint).json()
        last = events(post(endpoint, stream=True))[-1]

    assert plain["output"] == last["response"]["output"] == EVERYTHING
    assert last["type"] == "response.completed"
    assert plain["usage"] == last["response"]["usage"]
    assert plain["usage"]["total_tokens"] == 15


def test_a_stream_has_the_ids_of_the_other_side_from_the_first_event_on():
    told = [
        Item(THOUGHT),
        Message("commentary", "msg_far"),
        Text("hello"),
        Call("f", "c_far", "fc_far"),
        Arguments("{}"),
        End(),
    ]
    with behind(Function(lambda _: told)) as endpoint:
        heard = events(post(endpoint, stream=True))
    begun = [e["item"] for e in heard if e["type"] == "response.output_item.added"]
    ended = [e["item"] for e in heard if e["type"] == "response.output_item.done"]
    assert [item["id"] for item in begun] == ["rs_1", "msg_far", "fc_far"]
    assert [item["id"] for item in ended] == ["rs_1", "msg_far", "fc_far"]
    assert (begun[1]["phase"], begun[2]["call_id"]) == ("commentary", "c_far")
    assert "response.function_call_arguments.delta" in [event["type"] for event in heard]


def test_the_official_sdk_streams_through_it():
    script = Script([[thought("hm"), "some text", call("f", a=1)]])
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
    with (
        behind(script) as endpoint,
        openai.OpenAI(base_url=endpoint.base_url, api_key="none", max_retries=0) as client,
    ):
        with client.responses.stream(model="any", input="hi", tools=[tool]) as stream:
            stream.until_done()
            final = stream.get_final_response()
    assert final.output_text == "some text"
    assert [item.type for item in final.output] == ["reasoning", "message", "function_call"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_only_server_answers_as_responses(stream):
    """The same script, asked over the older protocol."""
    with serve(Script([[thought("hm"), "some text", call("f", a=1)]])) as far:
        model = ChatCompletions(base_url=far.base_url, model="m", retry=Retry(attempts=1))
        with serve(Proxy(model)) as near:
            tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
            reply = post(near, stream=stream, tools=[tool])
    response = events(reply)[-1]["response"] if stream else reply.json()
    said = {item["type"]: item for item in response["output"]}
    assert said["message"]["content"][0]["text"] == "some text"
    assert json.loads(said["function_call"]["arguments"]) == {"a": 1}
    assert response["status"] == "completed"


@pytest.mark.parametrize("stream", [False, True])
def test_an_error_has_the_status_and_code_of_the_other_side_and_no_key(stream):
    refused = error(
        429, "rate_limit_exceeded", "slow down sk-upstream-secret-1", headers={"retry-after": "7"}
    )
    with behind(Script([refused], by="sequence")) as endpoint:
        reply = post(endpoint, stream=stream)
    said = reply.json()["error"]
    assert (reply.status_code, said["code"], said["type"]) == (
        429,
        "rate_limit_exceeded",
        "rate_limit_error",
    )
    assert said["message"] == "slow down [redacted]"
    assert reply.headers["retry-after"] == "7"
    assert "secret" not in reply.text


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_that_failed_there_fails_here_with_what_it_holds(stream):
    with behind(Script([failed("half", code="oops", message="it broke")])) as endpoint:
        reply = post(endpoint, stream=stream)
    response = events(reply)[-1]["response"] if stream else reply.json()
    assert (response["status"], response["error"]["code"]) == ("failed", "oops")
    assert response["output"][0]["content"][0]["text"] == "half"


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_that_was_cut_there_is_cut_here(stream):
    with behind(Script([incomplete("half")])) as endpoint:
        reply = post(endpoint, stream=stream)
    response = events(reply)[-1]["response"] if stream else reply.json()
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}


def test_an_agent_runs_through_it_with_tools_and_the_key_stays_here():
    def weather(city: str) -> float:
        """Current temperature."""
        return 14.5

    script = Script([[call("weather", city="Rome"), call("weather", city="Oslo")], "Both 14.5."])
    with behind(script) as endpoint:
        agent = Agent(f"responses+{endpoint.base_url}#any", tools=[weather])
        result = agent.run_sync("How warm?")
        with agent.stream_sync("How warm?") as stream:
            assert "".join(stream.text()) == "Both 14.5."

    assert result.output == "Both 14.5."
    assert [asked.model for asked in script.turns] == ["far-model"] * 4


def test_the_history_stays_here_and_is_sent_whole():
    script = Script(["one", "two"], by="sequence")
    with behind(script) as endpoint:
        first = post(endpoint).json()
        post(endpoint, input="and?", previous_response_id=first["id"]).raise_for_status()
    asked = script.turns[-1]
    assert asked.body["store"] is False
    assert "previous_response_id" not in asked.body
    assert [item["type"] for item in asked.items] == ["message"] * 3


def test_tokens_are_counted_by_the_other_side():
    class Counted(Script):
        async def count(self, turn):
            return 700 + len(turn.items)

    with behind(Counted(["hi"])) as endpoint:
        url = f"{endpoint.base_url}/responses/input_tokens"
        near = httpx.post(url, json={"model": "any", "input": "hi", "instructions": "be brief"})
    assert near.json()["input_tokens"] == 701


async def test_a_count_that_fails_there_is_an_error_here():
    nowhere = Responses(base_url="http://127.0.0.1:9/v1", model="m", retry=Retry(attempts=1))
    with pytest.raises(RefusalError) as refused:
        await Proxy(nowhere).count(turn())
    assert refused.value.status == 502


def test_nobody_there_is_a_502():
    nowhere = Responses(base_url="http://127.0.0.1:9/v1", model="m", retry=Retry(attempts=1))
    with serve(Proxy(nowhere)) as endpoint:
        reply = post(endpoint)
    assert (reply.status_code, reply.json()["error"]["code"]) == (502, "upstream_gone")
