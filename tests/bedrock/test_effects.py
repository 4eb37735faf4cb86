"""What a 200 promised: forced calls, and arguments without junk."""

import pytest

from toolstone import limits
from toolstone.bedrock import Dialect
from toolstone.bedrock.effects import Forced, forced_by, without_junk
from toolstone.items import parse_item
from toolstone.ports import Request, Response, Settings, ToolSpec

JUNK = tuple(Dialect.load().habits["junk"])
TOOL = (ToolSpec("f", "", {"type": "object"}, strict=True),)


def call(arguments="{}", name="f"):
    return parse_item(
        {"type": "function_call", "call_id": "c", "name": name, "arguments": arguments}
    )


def answered(*items, status="completed"):
    return Response("r", status, tuple(items))


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        ('{"a":1}}', '{"a":1}'),
        ('{"a":1} }\n', '{"a":1}'),
        ('{"a":1}\n```', '{"a":1}'),
        ('{"a":"}"}]}', '{"a":"}"}'),
        ('  {"a":1}}', '{"a":1}'),
    ],
)
def test_known_junk_is_taken_off_and_said(arguments, kept):
    found = without_junk(answered(call(arguments)), JUNK)
    assert [one.arguments for one in found.calls] == [kept]
    assert [note.what for note in found.notes] == ["stripped"]


@pytest.mark.parametrize(
    "arguments",
    [
        '{"a":1}',
        ' {"a":1} ',
        '{"a":1}{"b":2}',
        '{"a":1} rm -rf',
        '{"a":1',
        "[1]}",
        "",
        "{" * (limits.JSON_DEPTH * 100),
    ],
)
def test_anything_else_stays_and_is_judged_where_arguments_are_read(arguments):
    response = answered(call(arguments))
    assert without_junk(response, JUNK) is response


def forced(choice, **fields):
    return forced_by(Request((), tools=TOOL, settings=Settings(tool_choice=choice), **fields))


ALLOWED = {"type": "allowed_tools", "tools": [{"type": "function", "name": "f"}]}


@pytest.mark.parametrize(
    ("choice", "promise"),
    [
        (None, None),
        ("auto", None),
        ("none", None),
        ("required", Forced(frozenset(), must=True)),
        ("f", Forced(frozenset({"f"}), must=True)),
        ({"type": "function", "name": "f"}, Forced(frozenset({"f"}), must=True)),
        ({**ALLOWED, "mode": "required"}, Forced(frozenset({"f"}), must=True)),
        ({**ALLOWED, "mode": "auto"}, Forced(frozenset({"f"}), must=False)),
        ({"type": "web_search"}, None),
    ],
)
def test_a_tool_choice_promises(choice, promise):
    assert forced(choice) == promise


def test_the_choice_of_the_turn_is_the_one_that_counts_and_without_tools_none_does():
    assert forced("required", tool_choice="auto") is None
    assert forced_by(Request((), settings=Settings(tool_choice="required"))) is None


@pytest.mark.parametrize(
    ("promise", "response", "broken"),
    [
        (Forced(frozenset(), must=True), answered(), True),
        (Forced(frozenset(), must=True), answered(call()), False),
        (Forced(frozenset({"f"}), must=True), answered(call(name="g")), True),
        (Forced(frozenset({"f"}), must=True), answered(call(), call(name="g")), True),
        (Forced(frozenset({"f"}), must=False), answered(), False),
        (Forced(frozenset({"f"}), must=False), answered(call(name="g")), True),
        (Forced(frozenset(), must=True), answered(status="incomplete"), False),
    ],
)
def test_a_promise_is_broken_by_a_finished_answer_alone(promise, response, broken):
    assert promise.broken_by(response) is broken
