"""Whatever a brain says comes out as the events and items of the protocol."""

import json

import httpx
import pytest

from toolstone.local import serve
from toolstone.local.brain import (
    Annotate,
    Arguments,
    Call,
    Custom,
    Decline,
    End,
    Input,
    Message,
    Reasoning,
    Settle,
    Summary,
    Text,
    Thought,
    Usage,
)

CITATION = {
    "type": "url_citation",
    "url": "https://example.com",
    "title": "Example",
    "start_index": 0,
    "end_index": 2,
}
LIKELY = {"token": "hi", "logprob": -0.1, "bytes": [104, 105], "top_logprobs": []}


def post(endpoint, **body):
    body = {"model": "m", "input": "hello", **body}
    return httpx.post(f"{endpoint.base_url}/responses", json=body, timeout=5)


def told(brain, **body):
    """The response, and the events of the same answer without those around it."""
    with serve(brain) as endpoint:
        response = post(endpoint, **body).json()
        lines = post(endpoint, stream=True, **body).text.split("\n")
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    final = events[-1]["response"]
    assert unnamed(final["output"]) == unnamed(response["output"])
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done == final["output"]
    return response, [(e["type"].removeprefix("response."), e) for e in events[2:-1]]


def unnamed(output):
    made_up = ("id", "call_id", "encrypted_content")
    return [{k: v for k, v in item.items() if k not in made_up} for item in output]


def kinds(events):
    return [kind for kind, _ in events]


def test_reasoning_is_told_as_summary_parts_and_as_thoughts(says):
    pieces = [
        Reasoning(),
        Summary("a"),
        Summary("b"),
        Summary("c", 1),
        Thought("de"),
        Thought("ep"),
    ]
    response, events = told(says(*pieces, End()))

    [item] = unnamed(response["output"])
    assert item == {
        "type": "reasoning",
        "status": "completed",
        "summary": [
            {"type": "summary_text", "text": "ab"},
            {"type": "summary_text", "text": "c"},
        ],
        "content": [{"type": "reasoning_text", "text": "deep"}],
    }
    part = ["reasoning_summary_part.added", "reasoning_summary_text.delta"]
    end = ["reasoning_summary_text.done", "reasoning_summary_part.done"]
    assert kinds(events) == [
        "output_item.added",
        *part,
        "reasoning_summary_text.delta",
        *end,
        *part,
        *end,
        "content_part.added",
        "reasoning.delta",
        "reasoning.delta",
        "reasoning.done",
        "content_part.done",
        "output_item.done",
    ]
    assert [e["summary_index"] for _, e in events if "summary_index" in e] == [0] * 5 + [1] * 4
    assert events[0][1]["item"]["summary"] == []


def test_thoughts_and_text_open_their_items_themselves(says):
    response, _ = told(says(Thought("hm"), Text("hi"), Thought("and"), End()))

    assert [item["type"] for item in response["output"]] == ["reasoning", "message", "reasoning"]


def test_the_input_of_a_custom_call_is_told_as_it_is(says):
    tools = [{"type": "custom", "name": "run", "format": {"type": "text"}}]
    pieces = [Custom("run", "c1"), Input("ls "), Input(""), Input("-l"), End()]
    response, events = told(says(*pieces), tools=tools)

    [item] = response["output"]
    assert item == {
        "id": item["id"],
        "type": "custom_tool_call",
        "status": "completed",
        "call_id": "c1",
        "name": "run",
        "input": "ls -l",
    }
    assert response["tools"] == tools
    assert kinds(events) == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]


def test_annotations_are_told_where_they_stand(says):
    other = {**CITATION, "start_index": 3}
    response, events = told(says(Text("hi"), Annotate(CITATION), Annotate(other), Text("!"), End()))

    [part] = response["output"][0]["content"]
    assert (part["text"], part["annotations"]) == ("hi!", [CITATION, other])
    notes = [e for kind, e in events if kind == "output_text.annotation.added"]
    assert [note["annotation_index"] for note in notes] == [0, 1]
    added = next(e for kind, e in events if kind == "content_part.added")
    assert added["part"]["annotations"] == []


@pytest.mark.parametrize(
    ("asked", "known"),
    [
        ({}, []),
        ({"top_logprobs": 2}, [LIKELY]),
        ({"include": ["message.output_text.logprobs"]}, [LIKELY]),
    ],
)
def test_likelihoods_are_told_to_who_asks(says, asked, known):
    response, events = told(says(Text("hi", [LIKELY]), Text("!"), End()), **asked)

    assert response["output"][0]["content"][0]["logprobs"] == known
    by_kind = dict(events)
    assert by_kind["output_text.done"]["logprobs"] == known
    assert by_kind["content_part.done"]["part"]["logprobs"] == known


def test_ids_and_phases_that_a_brain_knows_are_kept(says):
    pieces = [
        *(Reasoning("rs_1"), Thought("x"), Message("commentary", "msg_1"), Text("wait")),
        *(Call("f", "c1", "fc_1"), Arguments("{}"), Custom("g", "c2", "ctc_1"), Input("x"), End()),
    ]
    response, events = told(says(*pieces))

    assert [item["id"] for item in response["output"]] == ["rs_1", "msg_1", "fc_1", "ctc_1"]
    added = [e["item"]["id"] for kind, e in events if kind == "output_item.added"]
    assert added == ["rs_1", "msg_1", "fc_1", "ctc_1"]
    assert response["output"][1]["phase"] == "commentary"


def test_an_item_is_settled_as_somebody_else_has_it(says):
    whole = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "theirs": 1}
    pieces = [Call("f", "c1", "fc_1"), Arguments("{"), Arguments("}"), Settle(whole), End()]
    response, events = told(says(*pieces))

    assert response["output"] == [{"id": "fc_1", **whole}]
    assert kinds(events)[-2:] == ["function_call_arguments.done", "output_item.done"]


def test_an_item_that_nobody_opened_is_settled_whole(says):
    whole = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "theirs"}
    response, events = told(says(Settle(whole), End()))

    assert response["output"] == [whole]
    assert kinds(events) == ["output_item.added", "output_item.done"]


def test_text_and_refusal_are_parts_of_one_message(says):
    response, _ = told(says(Text("well"), Decline("no"), End()))

    [message] = response["output"]
    assert [part["type"] for part in message["content"]] == ["output_text", "refusal"]


def test_the_tier_and_the_tokens_are_the_brains(says):
    usage = Usage(10, 5, cached_tokens=4, reasoning_tokens=3, cache_write_tokens=2)
    response, _ = told(says(End(usage, service_tier="flex")), service_tier="priority")
    plain, _ = told(says(End()), service_tier="priority")

    assert response["service_tier"] == "flex"
    assert plain["service_tier"] == "default"
    assert response["usage"]["input_tokens_details"] == {
        "cached_tokens": 4,
        "cache_write_tokens": 2,
    }


@pytest.mark.parametrize(
    "pieces",
    [
        [Text("x"), Arguments("{}")],
        [Call("f"), Input("x")],
        [Custom("f"), Arguments("{}")],
        [Input("x")],
    ],
)
def test_what_cannot_come_here_fails_the_response(says, pieces, caplog):
    with serve(says(*pieces, End())) as endpoint:
        response = post(endpoint).json()

    assert response["status"] == "failed"
    assert "ValueError" in caplog.text


def test_what_breaks_off_is_incomplete_in_every_kind_of_item(says):
    for piece, kind in [(Thought("x"), "reasoning"), (Custom("f"), "custom_tool_call")]:
        end = End(status="incomplete", reason="max_output_tokens")
        response, _ = told(says(piece, end))
        assert [(i["type"], i["status"]) for i in response["output"]] == [(kind, "incomplete")]


def test_deltas_are_padded_for_who_asks(says):
    options = {"stream": True, "stream_options": {"include_obfuscation": True}}
    with serve(says(Text("hi"), Text("longer than that, by far"), End())) as endpoint:
        lines = post(endpoint, **options).text.split("\n")
        plain = post(endpoint, stream=True).text
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]

    deltas = [event for event in events if event["type"].endswith(".delta")]
    assert [(len(e["delta"]) + len(e["obfuscation"])) % 16 for e in deltas] == [0, 0]
    assert "obfuscation" not in plain


def test_sealed_thoughts_come_back_to_the_brain_that_had_them(says):
    brain = says(Thought("deep"), Text("hi"), End())
    asked = {"include": ["reasoning.encrypted_content"], "store": False}
    with serve(brain) as endpoint:
        reasoning, message = post(endpoint, **asked).json()["output"]
        bare = {key: reasoning[key] for key in ("type", "summary", "encrypted_content")}
        again = post(endpoint, input=[bare, message])
        changed = {**bare, "encrypted_content": bare["encrypted_content"][:-8] + "AAAAAAA="}
        refused = post(endpoint, input=[message, changed]).json()["error"]
        foreign = post(endpoint, input=[{**bare, "encrypted_content": "theirs"}, message])

    assert again.status_code == 200
    assert brain.turns[1].items[0]["content"] == [{"type": "reasoning_text", "text": "deep"}]
    assert refused["code"] == "invalid_encrypted_content"
    assert refused["param"] == "input[1].encrypted_content"
    assert foreign.status_code == 200


def test_what_another_endpoint_sealed_is_refused(says):
    brain = says(Thought("deep"), Text("hi"), End())
    asked = {"include": ["reasoning.encrypted_content"]}
    with serve(brain) as first, serve(brain) as second:
        output = post(first, **asked).json()["output"]
        refused = post(second, input=output).json()["error"]

    assert refused["code"] == "invalid_encrypted_content"
