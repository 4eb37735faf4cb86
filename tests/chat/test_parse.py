"""A 200 is a chat completion, or is told for what it is; how it ended decides what it is."""

import json
from pathlib import Path

import pytest
import toolstone_chat_data as wire

from toolstone.chat import parse_completion
from toolstone.errors import (
    ProtocolError,
    RateLimitError,
    ServerError,
    StatusError,
)
from toolstone.items import FunctionCall, Message, Other, Reasoning
from toolstone.outcomes import judge
from toolstone.usage import Usage

DATA = Path(__file__).parent.parent / "data" / "chat"


def parsed(value, **headers):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return parse_completion(body, sent=b"sent", headers=headers)


def read(name):
    return parsed(wire.COMPLETIONS[name])


def test_a_completion_is_read_whole():
    response = read("parallel")

    assert (response.id, response.status, response.model, response.service_tier) == (
        "chatcmpl-1",
        "completed",
        "some-model-2026",
        "flex",
    )
    assert [item.raw for item in response.items] == [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Let me see.", "annotations": []}],
            "status": "completed",
        },
        {
            "type": "function_call",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city":"Par\\u00e9s"}',
            "status": "completed",
        },
        {
            "type": "function_call",
            "call_id": "call_2",
            "name": "population",
            "arguments": "{}",
            "status": "completed",
        },
    ]
    assert response.usage == Usage(11, 7, 3, 1, 2, requests=1)
    assert response.sent == b"sent"
    assert json.loads(response.received) == wire.COMPLETIONS["parallel"]


@pytest.mark.parametrize("server", ["llama.cpp", "vLLM"])
def test_raw_thoughts_are_a_reasoning_item_whatever_their_field(server):
    thoughts, message = read(f"thoughts of {server}").items

    assert (type(thoughts), thoughts.text, message.text) == (Reasoning, "3 times 4", "12")


def test_content_in_parts_is_thoughts_and_text():
    thoughts, message = read("parts of Mistral").items

    assert (thoughts.text, message.text) == ("hm", "one two")


def test_a_refusal_is_one():
    (message,) = read("refusal").items

    assert (type(message), message.text, message.refusal) == (Message, "", "I will not.")


def test_likelihoods_and_citations_stand_with_the_text():
    assert read("weighed").items[0].parts[0]["logprobs"] == wire.WEIGHED["content"]
    assert read("cited").items[0].parts[0]["annotations"] == [
        {"type": "url_citation", "url": "u", "start_index": 0}
    ]


def test_what_we_do_not_know_of_a_call_stays_with_it():
    (call,) = read("signature of Gemini").items

    assert call.raw["extra_content"] == {"google": {"thought_signature": "abc"}}


def test_a_call_of_a_custom_tool_has_its_input():
    (call,) = read("custom").items

    assert (type(call), call.type) == (Other, "custom_tool_call")
    assert (call.raw["call_id"], call.raw["name"], call.raw["input"]) == ("c", "sql", "select 1")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [({"city": "Paris"}, '{"city":"Paris"}'), (None, ""), ("", ""), ([1], "[1]")],
)
def test_arguments_are_text_also_where_the_server_has_parsed_them(arguments, text):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    assert parsed(wire.completion(tool_calls=[call])).calls[0].arguments == text


def test_calls_without_ids_and_with_one_id_get_ids_that_differ():
    calls = [wire.function(ident=None), wire.function(ident=""), wire.function(ident=7)]
    unnamed = parsed(wire.completion(tool_calls=calls)).calls
    twice = parsed(wire.completion(tool_calls=[wire.function(), wire.function()])).calls

    assert [c.call_id for c in unnamed] == [f"call_chatcmpl-1_{n}" for n in range(3)]
    assert [c.call_id for c in twice] == ["call_1", "call_call_1_1"]


def test_an_id_made_up_is_no_longer_than_the_wire_allows():
    value = {**wire.completion(tool_calls=[wire.function(ident=None)]), "id": "x" * 200}
    assert len(parsed(value).calls[0].call_id) <= 64


def test_the_oldest_form_of_a_call_is_one():
    call = {"name": "weather", "arguments": "{}"}
    response = parsed(wire.completion("function_call", function_call=call))

    assert [(c.name, c.arguments) for c in response.calls] == [("weather", "{}")]


def test_llama_cpp_makes_a_call():
    response = parsed((DATA / "llama_cpp_call.json").read_bytes())

    assert [type(item) for item in response.items] == [FunctionCall]
    assert response.calls[0].arguments == '{"a": 3, "b": 4}'
    assert response.usage.input_tokens > response.usage.output_tokens > 0


# ------------------------------------------------------------------------------------ how it ended

VERDICTS = {
    "text": "complete",
    "refusal": "refused",
    "call": "calls",
    "call, stop": "calls",
    "parallel": "calls",
    "thoughts, call": "calls",
    "custom": "calls",
    "cut": "truncated",
    "cut call": "truncated",
    "filtered": "refused",
    "empty": "empty",
}


@pytest.mark.parametrize("name", VERDICTS)
def test_the_one_table_judges_it(name):
    response = read(name)
    assert judge(response.status, response.reason, response.items) == VERDICTS[name]


@pytest.mark.parametrize("word", ["STOP", "end_turn", "eos_token", "tool_use", "COMPLETE"])
def test_synonyms_of_an_end_are_one(word):
    assert parsed(wire.completion(word, tool_calls=[wire.function()])).status == "completed"


@pytest.mark.parametrize("word", ["max_tokens", "MAX_TOKENS", "model_length"])
def test_synonyms_of_a_cut_are_one(word):
    response = parsed(wire.completion(word, content="It is"))

    assert (response.status, response.reason) == ("incomplete", "max_output_tokens")
    assert response.items[0].status == "incomplete"


def test_a_cut_leaves_its_last_item_incomplete():
    calls = [wire.function(), wire.function("f", "{", "c2")]
    assert [c.status for c in parsed(wire.completion("length", tool_calls=calls)).items] == [
        "completed",
        "incomplete",
    ]


def test_an_unknown_end_is_carried_and_fails():
    response = parsed(wire.completion("meditating", content="om"))

    assert response.status == "meditating"
    assert judge(response.status, response.reason, response.items) == "failed"


@pytest.mark.parametrize("finish", [None, "", 7])
def test_no_end_is_no_success(finish):
    with pytest.raises(ProtocolError, match="finish_reason") as caught:
        parsed(wire.completion(finish, content="It is"))

    assert caught.value.retryable
    assert (caught.value.outcome, caught.value.partial.text) == ("partial", "It is")
    assert caught.value.partial.status == "in_progress"


@pytest.mark.parametrize("content", [None, "I shall call it now."])
def test_an_announced_call_that_did_not_come_is_no_answer(content):
    with pytest.raises(ProtocolError, match="there is no call") as caught:
        parsed(wire.completion("tool_calls", content=content))

    assert caught.value.retryable
    assert caught.value.partial.usage.input_tokens == 11


@pytest.mark.parametrize("word", ["error", "abort", "insufficient_system_resource"])
def test_a_server_that_broke_off_is_asked_again(word):
    with pytest.raises(ServerError, match=word) as caught:
        parsed(wire.completion(word, content="It"), **{"x-request-id": "req_1"})

    assert (caught.value.retryable, caught.value.request_id) == (True, "req_1")


def test_an_error_in_a_choice_is_that_error():
    value = wire.completion("error", content="It")
    value["choices"][0]["error"] = {"code": "rate_limit_exceeded", "message": "slow down"}
    with pytest.raises(RateLimitError, match="slow down") as caught:
        parsed(value)

    assert caught.value.partial.text == "It"


# ------------------------------------------------------------------------------------------ strange


@pytest.mark.parametrize(
    "usage",
    [None, "x", [], {}, {"prompt_tokens": None}, {"prompt_tokens": -1, "completion_tokens": "7"}],
)
def test_usage_of_no_known_shape_counts_as_none(usage):
    assert parsed({**wire.COMPLETIONS["text"], "usage": usage}).usage == Usage(requests=1)


def test_usage_has_other_names_elsewhere():
    usage = {"prompt_tokens": 9, "prompt_cache_hit_tokens": 4, "reasoning_tokens": 3}
    assert parsed({**wire.COMPLETIONS["text"], "usage": usage}).usage == Usage(
        9, 0, cached_tokens=4, reasoning_tokens=3, requests=1
    )


def test_only_a_message_and_an_end_must_be_there():
    bare = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
    response = parsed(bare)

    assert (response.id, response.model, response.text) == ("", "", "hi")


STRANGE = {
    "empty": (b"", "an empty body"),
    "html": (b"<!DOCTYPE html><html>sign-in here</html>", "a web page"),
    "list": (b"[]", "JSON list"),
    "cut": (b'{"id": "r", "cho', "not JSON"),
    "no choices": (b"{}", "without choices"),
    "null": (b'{"choices": null}', "without choices"),
    "none": (b'{"choices": []}', "an empty list of choices"),
    "message": (b'{"choices": [{"finish_reason": "stop"}]}', "choices without a message"),
    "choice": (b'{"choices": [7]}', "choices without a message"),
    "response": (b'{"object": "response", "output": []}', r"a response.*responses\+https"),
    "aws": (
        b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',
        "UnknownOperationException.*base_url",
    ),
    "calls": (json.dumps(wire.completion(tool_calls={"a": 1})).encode(), "not a list"),
    "call": (json.dumps(wire.completion(tool_calls=[7])).encode(), "not a list of JSON objects"),
    "function": (json.dumps(wire.completion(tool_calls=[{"id": "c"}])).encode(), "no function"),
    "content": (json.dumps(wire.completion(content={"a": 1})).encode(), "content is a JSON dict"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_completion_is_told_for_what_it_is(name):
    body, message = STRANGE[name]
    with pytest.raises(ProtocolError, match=f"(?s){message}") as caught:
        parsed(body, **{"content-type": "text/html", "x-request-id": "req_1"})

    assert "sign-in" not in str(caught.value)


def test_an_error_in_a_200_is_that_error():
    with pytest.raises(RateLimitError, match="slow down"):
        parsed({"error": {"code": "rate_limit_exceeded", "message": "slow down"}})
    with pytest.raises(StatusError, match="no such thing"):
        parsed({"object": "error", "message": "no such thing", "code": 40303})
