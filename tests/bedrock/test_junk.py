"""What is known to follow arguments is taken off, and nothing else."""

import pytest

from toolstone import limits
from toolstone.bedrock import Dialect
from toolstone.bedrock.junk import without_junk
from toolstone.items import parse_item
from toolstone.ports import Response

JUNK = tuple(Dialect.load().habits["junk"])


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
