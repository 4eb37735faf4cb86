"""A script answers from a list, and runs side by side do not disturb each other."""

import pytest

from toolstone.errors import ConfigError
from toolstone.local import Script, answer, call, error, item
from toolstone.local.brain import (
    Arguments,
    Call,
    Choice,
    Decline,
    End,
    Message,
    RefusalError,
    Text,
    Turn,
    Usage,
)
from toolstone.local.brains.script import model_turns

USER = {"type": "message", "role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "1"}
SAID = {"type": "message", "role": "assistant", "content": "done"}


def turn(*items):
    return Turn({"model": "m"}, items, Choice("none", ()))


async def pieces(script, *items):
    return [piece async for piece in script.answer(turn(*items))]


async def text(script, *items):
    return "".join(piece.delta for piece in await pieces(script, *items) if isinstance(piece, Text))


def test_turns_of_the_model_are_counted_since_the_last_user_message():
    conversation = [USER, CALL, CALL, OUTPUT, OUTPUT, CALL, OUTPUT, SAID, USER, CALL, OUTPUT]
    assert model_turns(conversation) == 1
    assert model_turns(conversation, by="conversation") == 4
    assert model_turns([USER, {"type": "reasoning", "summary": []}, CALL, OUTPUT]) == 1
    assert model_turns([USER]) == 0


async def test_the_answer_is_read_from_the_conversation_not_from_the_number_of_requests():
    script = Script(["first", "second"])
    assert await text(script, USER) == "first"
    assert await text(script, USER) == "first"
    assert await text(script, USER, CALL, OUTPUT) == "second"
    assert await text(script, USER, CALL, OUTPUT, SAID, USER) == "first"


async def test_in_sequence_every_request_takes_the_next_answer():
    script = Script([error(500), "second"], by="sequence")
    with pytest.raises(RefusalError):
        await text(script, USER)
    assert await text(script, USER) == "second"


async def test_a_script_that_is_over_says_so():
    script = Script(["only"])
    with pytest.raises(RefusalError, match="holds 1 answers; this is turn 2") as refused:
        await text(script, USER, CALL, OUTPUT)
    assert refused.value.code == "script_exhausted"


async def test_an_answer_is_recited_in_chunks_with_the_usage_it_names():
    script = Script([answer("abcde", call("f", x=1), usage=Usage(1, 2), chunk=4)])
    assert await pieces(script, USER) == [
        Message(),
        Text("abcd"),
        Text("e"),
        Call("f"),
        Arguments('{"x"'),
        Arguments(": 1}"),
        End(Usage(1, 2)),
    ]


def test_what_cannot_be_said_is_refused_when_the_script_is_written():
    with pytest.raises(ConfigError, match="cannot say a int"):
        Script([3])
    with pytest.raises(ConfigError, match="cannot say a NoneType"):
        Script([["text", None]])


async def test_a_script_is_read_from_toml(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text(
        """
        by = "conversation"
        [[answer]]
        text = "let me see"
        calls = [{name = "weather", arguments = {city = "Paris"}, call_id = "c9"}, {name = "raw", arguments = "{]"}]
        usage = {input_tokens = 5, output_tokens = 6}
        chunk = 100
        [[answer]]
        refusal = "no"
        [[answer]]
        json = {a = [1, 2]}
        incomplete = "content_filter"
        [[answer]]
        failed = {code = "server_error", message = "x"}
        [[answer]]
        error = {status = 503, code = "overloaded", message = "later", headers = {retry-after = "1"}}
        """
    )
    script = Script.load(path)
    step = [CALL, OUTPUT]

    assert await pieces(script, USER) == [
        Message(),
        Text("let me see"),
        Call("weather", "c9"),
        Arguments('{"city": "Paris"}'),
        Call("raw"),
        Arguments("{]"),
        End(Usage(5, 6)),
    ]
    assert (await pieces(script, USER, *step))[:2] == [Message(), Decline("no")]
    third = await pieces(script, USER, *step * 2)
    assert third[1] == Text('{"a": [1, 2]')
    assert (third[-1].status, third[-1].reason) == ("incomplete", "content_filter")
    fourth = await pieces(script, USER, *step * 3)
    assert (fourth[-1].status, fourth[-1].error["code"]) == ("failed", "server_error")
    with pytest.raises(RefusalError) as refused:
        await pieces(script, USER, *step * 4)
    assert (refused.value.status, refused.value.headers) == (503, {"retry-after": "1"})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[[answer]]\nsong = 1", "unknown \\['song'\\]"),
        ("by = 'mood'", "by = 'mood'"),
        ("speed = 1", "unknown \\['speed'\\]"),
        ("[[answer", "cannot read"),
        ("[[answer]]\ncalls = [{arguments = {}}]", "answer 0: KeyError"),
        ("[[answer]]\nerror = {colour = 1}", "answer 0: TypeError"),
    ],
)
def test_a_script_file_that_is_wrong_says_where(tmp_path, written, message):
    path = tmp_path / "script.toml"
    path.write_text(written)
    with pytest.raises(ConfigError, match=message):
        Script.load(path)


async def test_items_of_any_type_are_said_as_they_are():
    script = Script([item(type="reasoning", summary=[])])
    assert (await pieces(script, USER))[0].item == {"type": "reasoning", "summary": []}
