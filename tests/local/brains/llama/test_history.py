"""What the small model reads of a conversation, and what it refuses to."""

import pytest

from toolstone.local.brain import RefusalError
from toolstone.local.brains.llama.history import check_read
from toolstone.local.request import make_turn

IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
FILE = {"type": "input_file", "file_data": "data:text/plain;base64,AA=="}
TEXT = {"type": "input_text", "text": "what is this?"}


def said(*parts):
    return {"type": "message", "role": "user", "content": list(parts)}


def returned(*parts):
    return [
        {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": list(parts)},
    ]


def refused(earlier, given):
    with pytest.raises(RefusalError) as caught:
        check_read(make_turn({"model": "m", "input": given}, [*earlier, *given]))
    assert (caught.value.status, caught.value.code) == (400, "unsupported_value")
    assert "reads text only" in caught.value.message
    return caught.value.param


def test_an_image_or_a_file_is_refused_by_its_path():
    assert refused([], [said(TEXT, IMAGE)]) == "input[0].content[1]"
    assert refused([], [said(TEXT), said(FILE)]) == "input[1].content[0]"
    assert refused([], [said(TEXT), *returned(TEXT, IMAGE)]) == "input[2].output[1]"


def test_one_that_was_said_earlier_is_refused_too():
    assert refused([said(IMAGE)], [said(TEXT)]) == "input"


def test_text_is_read():
    given = [said(TEXT), *returned(TEXT)]
    check_read(make_turn({"model": "m", "input": given}, given))
    check_read(make_turn({"model": "m", "input": "hi"}, [said(TEXT)]))
