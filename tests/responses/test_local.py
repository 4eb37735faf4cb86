"""The client against the endpoint of this house, which checks every request strictly."""

import pytest

from toolstone.events import TextDelta
from toolstone.items import parse_item, user
from toolstone.local import Script, call, serve
from toolstone.ports import Request, Settings, ToolSpec
from toolstone.responses import Responses

ADD = ToolSpec(
    "add",
    "Adds two numbers.",
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
    strict=True,
)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_conversation_with_a_tool_replays_what_was_said(transport, stream):
    seen = []

    async def emit(deltas):
        seen.extend(deltas)

    script = Script([call("add", a=1, b=2), "It is three."])
    with serve(script) as endpoint:
        async with Responses(
            model="script", base_url=endpoint.base_url, transport=transport()
        ) as model:
            history = [user("What is 1 + 2?")]
            first = await model.respond(Request(tuple(history), tools=(ADD,), stream=stream), emit)
            assert [made.name for made in first.calls] == ["add"]
            history += first.items
            result = {"type": "function_call_output", "call_id": first.calls[0].call_id}
            history.append(parse_item({**result, "output": "3"}))
            second = await model.respond(
                Request(tuple(history), tools=(ADD,), settings=Settings(), stream=stream), emit
            )

    assert second.text == "It is three."
    assert second.usage.requests == 1
    assert bool([d for d in seen if type(d) is TextDelta]) is stream
