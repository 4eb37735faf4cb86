"""What a script can say beside text and calls: thoughts, custom calls, phases, citations, odds."""

import httpx
import pytest

from toolstone.errors import ConfigError
from toolstone.local import Script, answer, custom, item, message, serve, thought
from toolstone.local.brain import (
    Annotate,
    Choice,
    Custom,
    End,
    Input,
    Item,
    Message,
    Reasoning,
    Summary,
    Text,
    Thought,
    Turn,
)
from toolstone.local.brains.script import model_turns

USER = {"type": "message", "role": "user", "content": "hi"}
NOTE = {"type": "url_citation", "url": "https://example.org", "start_index": 0, "end_index": 2}


async def pieces(script):
    turn = Turn({"model": "m"}, (USER,), Choice("none", ()))
    *said, end = [piece async for piece in script.answer(turn)]
    assert isinstance(end, End)
    return said


SAID = [
    Reasoning(),
    Summary("Looks it up.", 0),
    Summary("Is sure.", 1),
    Thought("hm"),
    Message("commentary"),
    Text("ab", [{"token": "ab", "logprob": -0.5, "bytes": [97, 98], "top_logprobs": []}]),
    Annotate(NOTE),
    Custom("sql", "c1"),
    Input("SELECT 1"),
    Item({"type": "web_search_call", "status": "completed"}),
]


async def test_a_script_in_python_says_them():
    script = Script(
        [
            [
                thought("hm", summary=["Looks it up.", "Is sure."]),
                message("ab", phase="commentary", annotations=[NOTE], logprob=-0.5),
                custom("sql", "SELECT 1", call_id="c1"),
                item(type="web_search_call", status="completed"),
            ]
        ]
    )
    assert await pieces(script) == SAID


async def test_a_script_in_a_file_says_them_too(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text(
        """
        [[answer]]
        thought = "hm"
        summary = ["Looks it up.", "Is sure."]
        text = "ab"
        phase = "commentary"
        logprob = -0.5
        annotations = [{type = "url_citation", url = "https://example.org", start_index = 0, end_index = 2}]
        customs = [{name = "sql", input = "SELECT 1", call_id = "c1"}]
        items = [{type = "web_search_call", status = "completed"}]
        """
    )
    assert await pieces(Script.load(path)) == SAID


async def test_a_summary_alone_is_one_text_or_several():
    assert await pieces(Script([thought(summary="So.")])) == [Reasoning(), Summary("So.", 0)]
    assert await pieces(Script([answer(thought("abc"), chunk=2)])) == [
        Reasoning(),
        Thought("ab"),
        Thought("c"),
    ]


def test_a_phase_without_a_text_is_a_mistake_of_the_file(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text('[[answer]]\nphase = "commentary"')
    with pytest.raises(ConfigError, match="answer 0: KeyError at 'text'"):
        Script.load(path)


def test_what_answers_calls_does_not_count_as_an_answer_of_the_model():
    call = {"type": "computer_call", "call_id": "c"}
    output = {"type": "computer_call_output", "call_id": "c"}
    approval = {"type": "mcp_approval_response", "approval_request_id": "a"}
    asked = {"type": "mcp_approval_request", "id": "a"}
    assert model_turns([USER, call, output, asked, approval]) == 2


def test_over_http_they_are_items_of_the_protocol():
    script = Script([[thought("hm"), message("ab", logprob=-0.5), custom("sql", "SELECT 1")]])
    tool = {"type": "custom", "name": "sql"}
    wanted = {"tools": [tool], "include": ["message.output_text.logprobs"]}
    with serve(script) as endpoint:
        body = {"model": "m", "input": "hi", **wanted}
        said = httpx.post(f"{endpoint.base_url}/responses", json=body).json()["output"]
    thinking, told, called = said
    assert thinking["content"][0]["text"] == "hm"
    assert told["content"][0]["logprobs"][0]["logprob"] == -0.5
    assert (called["type"], called["input"]) == ("custom_tool_call", "SELECT 1")
