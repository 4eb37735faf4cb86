"""A long conversation is made shorter, and what stands for it is understood when it comes back."""

import json

import httpx
import pytest

from toolstone.local import RefusalError, Script, serve
from toolstone.local.brain import End, Text
from toolstone.local.compaction import shorter

LONG = "x" * 1_000
USER = {"type": "message", "role": "user", "content": "look it up"}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": LONG}
HISTORY = [
    {"type": "message", "role": "system", "content": "be brief"},
    USER,
    {"type": "reasoning", "summary": []},
    CALL,
    OUTPUT,
    {"type": "message", "role": "assistant", "content": LONG},
    *({"type": "message", "role": "user", "content": f"and {n}"} for n in range(6)),
]


def post(endpoint, path="", **body):
    body = {"model": "m", **body}
    return httpx.post(f"{endpoint.base_url}/responses{path}", json=body, timeout=5)


@pytest.fixture
def brain(says):
    return says(Text("hi"), End())


@pytest.fixture
def endpoint(brain):
    with serve(brain) as served:
        yield served


def bare(items):
    return [{k: v for k, v in item.items() if k != "id"} for item in items]


def test_the_users_messages_stay_and_the_rest_is_one_item(endpoint):
    compacted = post(endpoint, "/compact", input=HISTORY).json()

    assert compacted["object"] == "response.compaction"
    *messages, last = compacted["output"]
    assert [m["content"][0]["text"] for m in messages] == [
        "look it up",
        *(f"and {n}" for n in range(6)),
    ]
    assert last.keys() == {"id", "type", "encrypted_content"}
    usage = compacted["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] < usage["input_tokens"]


def test_what_comes_back_is_opened_in_its_old_order_without_doubles(endpoint, brain):
    window = post(endpoint, "/compact", input=HISTORY).json()["output"]
    post(endpoint, input=[*window, {"role": "user", "content": "go on"}])

    [turn] = brain.turns
    items = bare(turn.items)
    clipped = f"{'x' * 400} [600 characters left out]"
    assert items[:2] == HISTORY[:2]
    assert items[2] == CALL
    assert items[3] == {**OUTPUT, "output": clipped}
    assert items[4]["content"] == clipped
    assert items[5:-1] == HISTORY[6:]
    assert items[-1]["content"] == "go on"


def test_what_stands_in_parts_is_clipped_part_by_part(endpoint, brain):
    image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}
    text = {"type": "input_text", "text": LONG}
    shown = {"type": "message", "role": "user", "content": [text, image]}
    output = {**OUTPUT, "output": [text, image]}
    said = [{"type": "output_text", "text": LONG}, {"type": "refusal", "refusal": LONG}]
    answered = {"type": "message", "role": "assistant", "content": said}
    window = post(endpoint, "/compact", input=[shown, CALL, output, answered, *HISTORY[-6:]]).json()
    post(endpoint, input=window["output"])

    clipped = f"{'x' * 400} [600 characters left out]"
    items = bare(brain.turns[0].items)
    assert items[0] == shown
    assert items[2]["output"] == [
        {"type": "input_text", "text": clipped},
        {"type": "input_text", "text": "[input_image left out]"},
    ]
    assert items[3]["content"] == [{**said[0], "text": clipped}, said[1]]


def test_the_newest_items_stay_whole(endpoint, brain):
    window = post(endpoint, "/compact", input=[USER, CALL, OUTPUT]).json()["output"]
    post(endpoint, input=[*window, {"role": "user", "content": "go on"}])

    assert bare(brain.turns[0].items)[:3] == [USER, CALL, OUTPUT]


def test_messages_that_were_put_in_front_are_kept(endpoint, brain):
    *_, item = post(endpoint, "/compact", input=HISTORY).json()["output"]
    rules = {"type": "message", "role": "developer", "content": "new rules"}
    post(endpoint, input=[rules, item, {"role": "user", "content": "go on"}])

    assert bare(brain.turns[0].items)[0] == rules


def test_compacting_what_was_compacted_holds_it_all(endpoint, brain):
    window = post(endpoint, "/compact", input=HISTORY).json()["output"]
    later = {"role": "user", "content": "later"}
    again = post(endpoint, "/compact", input=[*window, later]).json()["output"]
    post(endpoint, input=again)

    said = [item.get("content") for item in brain.turns[0].items]
    assert said[0] == "be brief"
    assert said[-1] == "later"
    assert len(said) == len(HISTORY)  # without the reasoning, with one more message


def test_a_changed_item_is_refused(endpoint):
    *_, item = post(endpoint, "/compact", input=HISTORY).json()["output"]
    blob = item["encrypted_content"]
    for changed in (blob[:-9] + "AAAAAAAA=", blob[:40], "toolstone1.", "toolstone1.!"):
        reply = post(endpoint, input=[{**item, "encrypted_content": changed}])
        assert reply.status_code == 400
        assert reply.json()["error"]["code"] == "invalid_encrypted_content"
        assert reply.json()["error"]["param"] == "input[0].encrypted_content"


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"input": "x"}, "model", "missing_required_parameter"),
        ({"model": "m"}, "input", "missing_required_parameter"),
        ({"model": "m", "input": "x", "stream": True}, "stream", "unknown_parameter"),
        ({"model": "m", "input": [CALL]}, "input", "invalid_value"),
    ],
)
def test_a_wrong_request_to_compact_is_refused(endpoint, body, param, code):
    reply = httpx.post(f"{endpoint.base_url}/responses/compact", json=body)

    assert reply.status_code == 400
    assert (reply.json()["error"]["param"], reply.json()["error"]["code"]) == (param, code)


def test_a_stored_conversation_can_be_compacted_by_its_id(endpoint, brain):
    made = post(endpoint, input="remember").json()
    window = post(endpoint, "/compact", previous_response_id=made["id"]).json()["output"]
    post(endpoint, input=window)

    assert [item["role"] for item in brain.turns[1].items] == ["user", "assistant"]


def test_the_server_compacts_when_the_threshold_is_passed(endpoint, brain):
    manage = [{"type": "compaction", "compact_threshold": 100}]
    small = post(endpoint, input="hi", context_management=manage).json()
    large = post(endpoint, input=HISTORY, context_management=manage).json()
    after = post(endpoint, input="more", previous_response_id=large["id"]).json()

    assert [item["type"] for item in small["output"]] == ["message"]
    assert [item["type"] for item in large["output"]] == ["compaction", "message"]
    assert large["context_management"] == manage
    seen = [len(json.dumps(list(turn.items))) for turn in brain.turns]
    assert seen[1] < len(json.dumps(HISTORY))
    assert after["status"] == "completed"
    assert bare(brain.turns[2].items)[:2] == HISTORY[:2]
    assert [item["type"] for item in brain.turns[2].items].count("compaction") == 0


def test_a_trigger_asks_for_nothing_else(endpoint, brain):
    made = post(endpoint, input=[*HISTORY, {"type": "compaction_trigger"}]).json()
    post(endpoint, input="more", previous_response_id=made["id"])

    assert [item["type"] for item in made["output"]] == ["compaction"]
    assert made["usage"]["input_tokens"] > made["usage"]["output_tokens"] > 0
    [turn] = brain.turns
    assert turn.items[-1]["content"] == "more"


class Narrow:
    """A brain that reads so many items and no more."""

    models = ()

    def __init__(self, width):
        self.width, self.read = width, []

    async def answer(self, turn):
        self.read.append(len(turn.items))
        if len(turn.items) > self.width:
            raise RefusalError(400, "context_length_exceeded", "too long", "input")
        yield Text("hi")
        yield End()

    async def close(self):
        pass


def test_what_is_too_long_is_cut_from_the_front_if_the_request_says_so():
    brain = Narrow(5)
    with serve(brain) as endpoint:
        whole = post(endpoint, input=HISTORY)
        cut = post(endpoint, input=HISTORY, truncation="auto")

    assert whole.json()["error"]["code"] == "context_length_exceeded"
    assert cut.json()["status"] == "completed"
    assert brain.read == [12, 12, 5]


def test_what_cannot_be_cut_is_refused():
    with serve(Narrow(0)) as endpoint:
        refused = post(endpoint, input=HISTORY, truncation="auto")

    assert refused.json()["error"]["code"] == "context_length_exceeded"


def test_instructions_and_the_last_question_are_never_cut():
    items = HISTORY
    while (cut := shorter(items)) is not None:
        items = cut

    assert items == [HISTORY[0], HISTORY[-1]]


def test_tokens_are_counted_by_the_brain_if_it_can(says):
    class Counts(says):
        async def count(self, turn):
            return 1_000 + len(turn.items)

    with serve(Counts(End())) as endpoint:
        counted = post(endpoint, "/input_tokens", input=HISTORY).json()

    assert counted == {"object": "response.input_tokens", "input_tokens": 1_000 + len(HISTORY)}


def test_tokens_are_estimated_as_the_script_reports_them():
    with serve(Script(["hi"])) as endpoint:
        asked = {
            "input": HISTORY,
            "instructions": "be kind",
            "tools": [{"type": "custom", "name": "g"}],
        }
        counted = post(endpoint, "/input_tokens", **asked).json()
        made = post(endpoint, **asked).json()

    assert counted["input_tokens"] == made["usage"]["input_tokens"]


def test_counting_needs_no_model_and_judges_the_request_all_the_same(endpoint):
    url = f"{endpoint.base_url}/responses/input_tokens"
    counted = httpx.post(url, json={"input": "hi"})
    wrong = httpx.post(url, json={"input": [OUTPUT]})
    unknown = httpx.post(url, json={"input": "hi", "stream": True})

    assert counted.status_code == 200
    assert wrong.json()["error"]["code"] == "invalid_value"
    assert unknown.json()["error"]["code"] == "unknown_parameter"
