"""A Python function is a brain: whatever it returns is said, and at once if it is a generator."""

import asyncio
import contextlib
import contextvars
import threading
from dataclasses import dataclass

import httpx
import pytest
from pydantic import BaseModel

from toolstone.items import parse_item
from toolstone.local import Function, answer, call, item, refusal, serve
from toolstone.local.brain import (
    Arguments,
    Call,
    Choice,
    Decline,
    End,
    Item,
    Message,
    RefusalError,
    Text,
    Turn,
    Usage,
)

USER = {"type": "message", "role": "user", "content": "hi"}
TURN = Turn({"model": "m"}, (USER,), Choice("none", ()))
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": []}


class City(BaseModel):
    name: str


@dataclass
class Point:
    x: int


async def pieces(function, turn=TURN):
    *said, end = [piece async for piece in Function(function).answer(turn)]
    assert isinstance(end, End)
    return said


async def end(function):
    return [piece async for piece in Function(function).answer(TURN)][-1]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("hello", [Message(), Text("hello")]),
        (call("f", a=1), [Call("f"), Arguments('{"a": 1}')]),
        (item(**THOUGHT), [Item(THOUGHT)]),
        (parse_item(THOUGHT), [Item(THOUGHT)]),
        (refusal("no"), [Message(), Decline("no")]),
        (["a", call("f")], [Message(), Text("a"), Call("f"), Arguments("{}")]),
        (["a", parse_item(THOUGHT)], [Message(), Text("a"), Item(THOUGHT)]),
        ({"a": 1}, [Message(), Text('{"a": 1}')]),
        (City(name="Rome"), [Message(), Text('{"name":"Rom'), Text('e"}')]),
        (Point(3), [Message(), Text('{"x":3}')]),
        (14.5, [Message(), Text("14.5")]),
        ([Call("f", "c1"), Arguments("{}")], [Call("f", "c1"), Arguments("{}")]),
        (Text("bare"), [Text("bare")]),
        (answer("slow", chunk=2), [Message(), Text("sl"), Text("ow")]),
    ],
)
async def test_what_the_function_returns_is_said(returned, said):
    async def later(_):
        return returned

    assert await pieces(lambda _: returned) == said
    assert await pieces(later) == said


async def test_a_generator_says_each_piece_when_it_yields_it():
    heard = asyncio.Event()

    async def slowly(turn):
        yield "one "
        await heard.wait()  # nothing comes of this unless the first piece has gone out
        yield "two"
        yield call("f")

    told = aiter(Function(slowly).answer(TURN))
    assert await anext(told) == Text("one ")
    heard.set()
    rest = [piece async for piece in told]
    assert rest[:-1] == [Text("two"), Call("f"), Arguments("{}")]
    assert rest[-1].usage.output_tokens > 0


async def test_a_plain_generator_may_block_and_is_ended_where_it_says():
    def blocking(turn):
        yield Message("commentary")
        yield "a"
        yield End(Usage(3, 4), "incomplete", "max_output_tokens")
        yield "never"

    assert await pieces(blocking) == [Message("commentary"), Text("a")]
    assert await end(blocking) == End(Usage(3, 4), "incomplete", "max_output_tokens")


async def test_a_blocking_function_runs_beside_the_loop_in_the_context_of_the_request():
    who = contextvars.ContextVar("who")
    who.set("Ann")
    threads = []

    def blocking(turn):
        threads.append(threading.current_thread())
        return who.get()

    assert await pieces(blocking) == [Message(), Text("Ann")]
    assert threads != [threading.current_thread()]


@pytest.mark.parametrize("blocking", [False, True])
async def test_a_generator_is_closed_when_nobody_listens_any_more(blocking):
    closed = []

    def plainly(turn):
        try:
            yield "a"
            yield "b"
        finally:
            closed.append("a")

    async def slowly(turn):
        with contextlib.closing(plainly(turn)) as each:
            for one in each:
                yield one

    told = Function(plainly if blocking else slowly).answer(TURN)
    await anext(told)
    await told.aclose()
    assert closed == ["a"]


async def test_a_callable_object_whose_call_is_async_is_awaited():
    class Talker:
        async def __call__(self, turn):
            return turn.model

    assert await pieces(Talker()) == [Message(), Text("m")]


@pytest.mark.parametrize(
    ("returned", "why"), [(None, "returned None"), (object(), "a object, which is no JSON")]
)
async def test_what_cannot_be_said_is_a_500_that_names_its_type(returned, why):
    with pytest.raises(RefusalError, match=why) as refused:
        await pieces(lambda _: returned)
    assert refused.value.status == 500


def test_over_http_the_function_is_a_model_of_its_own_name():
    def echo(turn):
        return f"{turn.instructions}: {turn.items[-1]['content']}"

    with serve(Function(echo, models=["echo"])) as endpoint:
        url = f"{endpoint.base_url}/responses"
        said = httpx.post(url, json={"model": "echo", "instructions": "I", "input": "you"})
        other = httpx.post(url, json={"model": "other", "input": "you"})
        listed = httpx.get(f"{endpoint.base_url}/models").json()

    assert said.json()["output"][0]["content"][0]["text"] == "I: you"
    assert other.status_code == 404
    assert [model["id"] for model in listed["data"]] == ["echo"]


def test_a_function_that_breaks_is_a_500_that_tells_nothing_of_it():
    def broken(turn):
        raise ValueError("the secret sauce")

    with serve(Function(broken)) as endpoint:
        reply = httpx.post(f"{endpoint.base_url}/responses", json={"model": "m", "input": "x"})

    assert reply.status_code == 500
    assert "sauce" not in reply.text
