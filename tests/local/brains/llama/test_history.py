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


JSON = {"text": {"format": {"type": "json_object"}}}
FORCED = {
    "tools": [{"type": "function", "name": "look", "parameters": None}],
    "tool_choice": "required",
}


def refused(earlier, given, wanted=JSON):
    with pytest.raises(RefusalError) as caught:
        check_read(make_turn({"model": "m", "input": given, **wanted}, [*earlier, *given]))
    assert (caught.value.status, caught.value.code) == (400, "unsupported_value")
    assert "reads text only" in caught.value.message
    return caught.value.param


def test_an_image_or_a_file_is_refused_by_its_path_where_something_must_come_of_it():
    assert refused([], [said(TEXT, IMAGE)], FORCED) == "input[0].content[1]"
    assert refused([], [said(TEXT, IMAGE)]) == "input[0].content[1]"
    assert refused([], [said(TEXT), said(FILE)]) == "input[1].content[0]"
    assert refused([], [said(TEXT), *returned(TEXT, IMAGE)]) == "input[2].output[1]"


def test_one_that_was_said_earlier_is_refused_too():
    assert refused([said(IMAGE)], [said(TEXT)]) == "input"


@pytest.mark.parametrize(("part", "what"), [(IMAGE, "an image"), (FILE, "a file")])
def test_where_text_will_do_it_is_known_what_cannot_be_read(part, what):
    given = [said(TEXT, part)]
    assert check_read(make_turn({"model": "m", "input": given}, given)) == what


def test_text_is_read():
    given = [said(TEXT), *returned(TEXT)]
    check_read(make_turn({"model": "m", "input": given}, given))
    check_read(make_turn({"model": "m", "input": "hi"}, [said(TEXT)]))
