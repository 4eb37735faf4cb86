"""What a run leaves: its text, its exact bodies, and the sentence that says how it ended."""

import re

import pytest
from pydantic import BaseModel

from toolstone import Agent, FailedError, OutputError, UsageError, limits
from toolstone.errors import DroppedError, RunError, TruncatedError
from toolstone.items import parse_item
from toolstone.ports import Profile, Response
from toolstone.testing import Scripted, call

TEXT = parse_item(
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "half", "annotations": []}],
    }
)


class City(BaseModel):
    name: str


@pytest.mark.parametrize(
    ("response", "kind", "said"),
    [
        (
            Response("r", "failed", (), error={"code": "server_error", "message": "secret"}),
            FailedError,
            "the service reported a failed response (code 'server_error')",
        ),
        (
            Response("r", "failed", (), error={"code": 7}),
            FailedError,
            "the service reported a failed response",
        ),
        (Response("r", "failed", ()), FailedError, "the service reported a failed response"),
        (
            Response("r", "cancelled", ()),
            RunError,
            "the service cancelled the response",
        ),
        (Response("r", "queued", ()), DroppedError, "status 'queued' is not an end"),
        (
            Response("r", "incomplete", (TEXT,), reason="max_output_tokens"),
            TruncatedError,
            (
                "the answer was cut off (max_output_tokens); nothing of it was executed. "
                "Raise Settings(max_output_tokens=...) or the token budget"
            ),
        ),
    ],
)
async def test_what_is_no_answer_says_why_and_how_to_go_on(response, kind, said):
    with pytest.raises(kind, match=f"^{re.escape(said)}. Go on with resume\\('s'\\)$") as ended:
        await Agent(Scripted(response)).run("go", session="s")

    assert ended.value.result.session == "s"


async def test_an_answer_that_must_be_a_call_is_asked_for_and_given_up():
    model = Scripted("Paris", "Paris", "Paris", profile=Profile(output="tool"))
    said = (
        "the answer did not fit the output type, also when asked again: the answer came as text. "
        "Go on with resume('s'), or allow more with Agent(reasks=...)"
    )
    with pytest.raises(OutputError, match=f"^{re.escape(said)}$"):
        await Agent(model, output=City).run("go", session="s")

    assert model.requests[1].items[-1].text == "Give your answer by calling final_answer."


async def test_where_the_model_has_said_nothing_there_is_no_text():
    with pytest.raises(RunError) as ended:
        await Agent(Scripted(Response("r", "failed", ()))).run("go")

    assert ended.value.result.text == ""


async def test_the_exact_bodies_of_the_last_exchanges_are_kept_within_bounds(monkeypatch):
    monkeypatch.setattr(limits, "KEPT_EXCHANGE_BYTES", 20)

    def add(n: int) -> int:
        """Add."""
        return n

    turns = [
        Response("r", "completed", (parse_item(raw),), sent=b'"%d"' % n, received=b'"12345"')
        for n, raw in enumerate(
            [
                *(
                    {"type": "function_call", "call_id": "c", "name": "add", "arguments": text}
                    for text in ('{"n": 1}', '{"n": 2}')
                ),
                TEXT.raw,
            ]
        )
    ]
    result = await Agent(Scripted(*turns), tools=[add]).run("go")

    assert result.exchanges == ((b'"1"', b'"12345"'), (b'"2"', b'"12345"'))
    assert result.requests == ("1", "2")


def test_a_stream_is_opened_before_it_is_read():
    agent = Agent(Scripted(call("x")))

    with pytest.raises(UsageError, match=r"^open the stream first: with agent\.stream_sync"):
        agent.stream_sync("go").result()


async def test_a_stream_that_waits_is_opened_before_it_is_read_too():
    agent = Agent(Scripted("x"))

    with pytest.raises(UsageError, match=r"^open the stream first: async with agent\.stream"):
        await agent.stream("go").result()
    await agent.stream("go").aclose()  # nothing to close is no error
