"""A 200 is a response, or is told for what it is."""

import json

import pytest
import toolstone_wire_data as wire

from toolstone.errors import ProtocolError, RateLimitError, ServerError, StatusError
from toolstone.items import FunctionCall, Message, Other, Reasoning
from toolstone.responses import parse_response
from toolstone.usage import Usage


def parsed(value, **headers):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return parse_response(body, sent=b"sent", headers=headers)


def test_a_response_is_read_whole():
    response = parsed(wire.RESPONSES["both"])

    assert (response.id, response.status, response.model) == (
        "resp_1",
        "completed",
        "some-model-2026",
    )
    assert [type(item) for item in response.items] == [Reasoning, Message, FunctionCall]
    assert [item.raw for item in response.items] == wire.RESPONSES["both"]["output"]
    assert response.usage == Usage(11, 7, cached_tokens=3, reasoning_tokens=2, requests=1)
    assert response.text == wire.MESSAGE["content"][0]["text"]
    assert response.sent == b"sent"
    assert json.loads(response.received) == wire.RESPONSES["both"]


def test_only_three_fields_must_be_there():
    response = parsed({"id": "r", "status": "completed", "output": []})

    assert (response.items, response.usage, response.model) == ((), Usage(requests=1), "")


def test_fields_of_the_wrong_type_are_passed_over_where_unused():
    odd = {"model": 7, "usage": "x", "incomplete_details": [], "error": 0, "created_at": "now"}
    response = parsed({"id": "r", "status": "completed", "output": [None], **odd})

    assert (response.model, response.reason, response.error, response.items) == ("", None, None, ())


def test_why_it_is_incomplete_is_told():
    assert parsed(wire.RESPONSES["cut"]).reason == "max_output_tokens"


def test_unknown_statuses_and_types_are_carried():
    value = {"id": "r", "status": "resting", "output": [{"type": "acme:thing", "x": 1}, {"no": 1}]}
    response = parsed(value)

    assert response.status == "resting"
    assert [(type(item), item.raw) for item in response.items] == [
        (Other, {"type": "acme:thing", "x": 1}),
        (Other, {"no": 1}),
    ]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b" \r\n", b"\xef\xbb\xbf \n"])
def test_a_byte_order_mark_and_space_are_passed_over(mark):
    assert parsed(mark + json.dumps(wire.RESPONSES["text"]).encode()).id == "resp_1"


NOT_RESPONSES = {
    "empty": (b"", "an empty body"),
    "space": (b"  \n ", "an empty body"),
    "html": (b"<!DOCTYPE html><html>sign-in here</html>", "a web page.*captive portal"),
    "utf-16": ('{"id": 1}'.encode("utf-16"), "UTF-16"),
    "utf-16 without mark": ('{"id": 1}'.encode("utf-16-le"), "UTF-16|not JSON"),
    "utf-32": ('{"id": 1}'.encode("utf-32-le"), "UTF-16|not JSON"),
    "list": (b"[]", "JSON list"),
    "text": (b'"hello"', "JSON str"),
    "null": (b"null", "JSON NoneType"),
    "word": (b"OK", "not JSON"),
    "cut": (b'{"id": "r", "sta', "not JSON"),
    "two": (b"{}{}", "not JSON"),
    "deep": (b'{"a":' * 5000 + b"1" + b"}" * 5000, "not JSON"),
    "utf-8": (b'{"id": "\xff"}', "not UTF-8 at byte 8"),
    "no object": (b"{}", "without id and status and output"),
    "no output": (b'{"id": "r", "status": "completed"}', "without output"),
    "chat": (b'{"id": "x", "object": "chat.completion", "choices": []}', "a chat completion"),
    "aws": (
        b'{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}',
        "UnknownOperationException.*base_url",
    ),
    "id": (b'{"id": 7, "status": "completed", "output": []}', "id is a int"),
    "status": (b'{"id": "r", "status": null, "output": []}', "status a NoneType"),
    "output": (b'{"id": "r", "status": "completed", "output": {}}', "not with a response"),
    "item": (b'{"id": "r", "status": "completed", "output": [{}, 7]}', r"output\[1\] is a int"),
}


@pytest.mark.parametrize("name", NOT_RESPONSES)
def test_what_is_no_response_is_told_for_what_it_is(name):
    body, message = NOT_RESPONSES[name]
    with pytest.raises(ProtocolError, match=f"(?s){message}") as caught:
        parsed(body, **{"content-type": "text/html; charset=x", "x-request-id": "req_1"})

    assert not caught.value.retryable
    assert "sign-in" not in str(caught.value)


def test_an_output_that_is_no_list_has_no_items():
    from toolstone.responses.parse import read_items

    assert read_items(None) == read_items({}) == ()


def test_an_error_in_a_200_is_that_error():
    with pytest.raises(RateLimitError, match="slow down"):
        parsed({"error": {"code": "rate_limit_exceeded", "message": "slow down"}})
    with pytest.raises(StatusError, match="no such thing"):
        parsed({"error": "no such thing"})


def test_a_failed_response_is_an_error_that_carries_it():
    value = wire.response(status="failed", error={"code": "server_error", "message": "broke"})
    with pytest.raises(ServerError, match="broke") as caught:
        parsed(value, **{"x-request-id": "req_1"})

    error = caught.value
    assert (error.retryable, error.code, error.request_id) == (True, "server_error", "req_1")
    assert error.partial.usage.input_tokens == 11


@pytest.mark.parametrize("error", [None, "broke", {}, [], {"message": None, "code": 5}])
def test_a_failed_response_may_say_nothing_of_use(error):
    with pytest.raises(StatusError):
        parsed(wire.response(status="failed", error=error))
