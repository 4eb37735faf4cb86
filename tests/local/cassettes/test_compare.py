"""Two requests are the same if the same answer may be expected; else it is said where they part."""

import pytest

from toolstone.local.cassettes.compare import canonical, differences

USER = {"type": "message", "role": "user", "content": "the secret plan"}


def call(call_id, **more):
    made = {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}
    return {**made, **more}


def came(call_id, output="1"):
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def same(one, other):
    return canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"input": "hi"}, {"input": [{"type": "message", "role": "user", "content": "hi"}]}),
        ({"input": [{"role": "user", "content": "hi"}]}, {"input": "hi"}),
        ({"model": "a", "input": "hi"}, {"model": "b", "input": "hi"}),
        (
            {"input": [call("c1", id="fc_1", status="completed"), came("c1")]},
            {"input": [call("x9"), came("x9")]},
        ),
        (  # Bedrock starts its ids anew in each response
            {"input": [call("call_0"), came("call_0"), call("call_0"), came("call_0", "2")]},
            {"input": [call("a"), came("a"), call("b"), came("b", "2")]},
        ),
    ],
)
def test_what_is_made_up_anew_each_time_does_not_count(one, other):
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"input": "hi"}, {"input": "ho"}),
        ({"input": "hi"}, {"input": "hi", "temperature": 0}),
        (
            {"input": [call("a"), call("b"), came("a"), came("b", "2")]},
            {"input": [call("a"), call("b"), came("b"), came("a", "2")]},
        ),
        ({"input": [came("a")]}, {"input": [call("a"), came("a")]}),
    ],
)
def test_what_makes_another_answer_counts(one, other):
    assert not same(one, other)


def told(recorded, asked):
    return differences(canonical(recorded), canonical(asked))


def test_where_they_differ_is_said_without_a_word_of_anybody():
    longer = {**USER, "content": "the secret plot thickens"}
    assert told({"input": [USER]}, {"input": [longer]}) == [
        "input[0].content: text of 24 characters, recorded 15, different from character 13 on"
    ]
    assert told({"instructions": "abc"}, {"instructions": None}) == [
        "instructions: null, recorded str"
    ]
    parts = {**USER, "content": [{"type": "input_text", "text": "the secret plan"}]}
    assert told({"input": [USER]}, {"input": [parts]}) == ["input[0].content: list, recorded str"]


def test_an_input_that_is_no_list_of_items_is_compared_as_it_is():
    assert told({"input": ["odd"]}, {"input": ["odd", 3]}) == ["input: 2 of them, recorded 1"]
    assert told({"input": [["odd"]]}, {"input": [{"role": "user"}]}) == [
        "input[0]: dict, recorded list"
    ]


def test_settings_and_schemas_are_quoted():
    one = {"temperature": 0.5, "tools": [{"name": "f", "description": "d" * 99}], "top_p": 1}
    two = {"temperature": 0, "tools": [{"name": "g", "description": {}}], "truncation": "auto"}
    assert told(one, two) == [
        "temperature: 0, recorded 0.5",
        f"tools[0].description: dict, recorded '{'d' * 59}…",
        "tools[0].name: 'g', recorded 'f'",
        "top_p is missing",
        "truncation is new",
    ]


def test_a_longer_conversation_is_told_by_its_length_and_the_kinds_of_items():
    assert told({"input": [USER]}, {"input": [USER, call("c")]}) == ["input: 2 of them, recorded 1"]
    assert told({"input": [call("c")]}, {"input": [came("c")]})[-1] == (
        "input[0].type: 'function_call_output', recorded 'function_call'"
    )
