"""The seventeen cases of the Open Responses compliance suite that go over HTTP, in our own words.

Those over a WebSocket stand in `test_websocket_cases.py`. Each runs against the script and, marked
`llama`, against the small model.
"""

import base64
import struct
import zlib


def message(role, content, **fields):
    return {"type": "message", "role": role, "content": content, **fields}


def well(response):
    """Whether a response is completed and says something."""
    return response["status"] == "completed" and len(response["output"]) > 0


def square():
    """A 32 by 32 PNG, all of one colour, as a data URL."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    rows = zlib.compress(b"".join(b"\0" + b"\xd0\x20\x20" * 32 for _ in range(32)))
    header = struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0)
    raw = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(raw).decode()}"


WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather at a place now",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "A city, e.g. Oslo"}},
        "required": ["location"],
    },
}


def test_1_a_user_message_is_answered(served):
    assert well(served.create(input=[message("user", "Greet me in three words.")]))


def test_2_assistant_messages_with_a_phase_are_taken(served):
    said = [
        message("assistant", "Let me look the number up.", phase="commentary"),
        message("assistant", "It is four.", phase="final_answer"),
        message("user", "Say the number again."),
    ]

    assert well(served.create(input=said))


def test_3_a_response_with_phased_messages_is_well_formed(served):
    response = served.create(input="hello")
    [said] = response["output"]
    phased = [{**said, "id": f"msg_{p}", "phase": p} for p in ("commentary", "final_answer")]

    served.schema.check("ResponseResource", {**response, "output": phased})


def test_4_a_stream_adds_up_to_a_completed_response(served):
    events = served.stream(input=[message("user", "Count to five.")])

    assert events[-1]["type"] == "response.completed"
    assert well(events[-1]["response"])


def test_12_a_system_message_is_taken(served):
    said = [message("system", "Talk as a sailor does."), message("user", "Say hello.")]

    assert well(served.create(input=said))


def test_13_a_question_that_needs_a_tool_becomes_a_call(served):
    said = [message("user", "What is the weather in San Francisco?")]
    response = served.create(input=said, tools=[WEATHER])

    assert "function_call" in [item["type"] for item in response["output"]]


def test_14_an_image_is_taken(served):
    parts = [
        {"type": "input_text", "text": "What is in this picture?"},
        {"type": "input_image", "image_url": square()},
    ]

    assert well(served.create(input=[message("user", parts)]))


def test_15_a_history_of_messages_is_taken(served):
    said = [
        message("user", "I am called Alice."),
        message("assistant", "Good day, Alice."),
        message("user", "What am I called?"),
    ]

    assert well(served.create(input=said))


def test_16_a_history_is_compacted(served):
    said = [message("user", "We launch on Tuesday."), message("assistant", "Noted: Tuesday.")]
    body = {"model": "smollm2", "input": said, "prompt_cache_key": "compact-test"}
    compacted = served.send("POST", "/responses/compact", json=body)

    served.schema.check("CompactResource", compacted)
    assert compacted["object"] == "response.compaction"
    assert "compaction" in [item["type"] for item in compacted["output"]]


def test_17_compacting_needs_a_model(served):
    error = served.send(
        "POST", "/responses/compact", 400, json={"input": [message("user", "Compact this.")]}
    )

    assert error["error"]["param"] == "model"
