"""The file: one exchange a line, the same bytes for the same exchanges, found by the request."""

import json

import pytest

from toolstone.errors import ConfigError, UsageError
from toolstone.local.cassettes.tape import Exchange, Recorder, Tape, read_exchanges


def exchange(said, answer="resp_1"):
    return Exchange({"input": said}, {"id": answer, "status": "completed"})


def test_what_is_kept_is_read_back_as_it_was(tmp_path):
    path = tmp_path / "deep" / "er" / "c.jsonl"
    kept = [exchange("é \u2028 \ud800 \n"), exchange("b")]
    recorder = Recorder(path)
    for each in kept:
        recorder.keep(each)

    assert read_exchanges(path) == kept
    assert path.read_bytes().count(b"\n") == 2


def test_the_same_exchanges_are_the_same_bytes_whatever_the_order_of_keys():
    one = Exchange({"b": 1, "a": 2}, {"y": 1, "x": [{"d": 1, "c": 2}]})
    two = Exchange({"a": 2, "b": 1}, {"x": [{"c": 2, "d": 1}], "y": 1})
    assert one.line() == two.line()
    assert json.loads(one.line())["v"] == 1


def test_a_recording_goes_on_or_starts_anew(tmp_path):
    path = tmp_path / "c.jsonl"
    Recorder(path).keep(exchange("a"))
    Recorder(path).keep(exchange("b"))
    assert [each.request["input"] for each in read_exchanges(path)] == ["a", "b"]
    Recorder(path, anew=True).keep(exchange("c"))
    assert [each.request["input"] for each in read_exchanges(path)] == ["c"]


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (b"nonsense", "c.jsonl:1: not JSON"),
        (b'\n{"v": 1, "request": {}}', "c.jsonl:2: an exchange is"),
        (b"[]", "an exchange is"),
        (b'{"v": 2, "request": {}, "response": {}}', "reads up to 1: upgrade"),
    ],
)
def test_a_file_that_is_no_cassette_says_where(tmp_path, written, why):
    path = tmp_path / "c.jsonl"
    path.write_bytes(written)
    with pytest.raises(ConfigError, match=why):
        read_exchanges(path)


def test_a_file_that_cannot_be_read_or_written_says_so(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the cassette"):
        read_exchanges(tmp_path / "none.jsonl")
    with pytest.raises(ConfigError, match="cannot write the cassette"):
        Recorder(tmp_path)


def test_equal_requests_are_answered_in_the_order_recorded():
    tape = Tape([exchange("a", "r1"), exchange("b", "r2"), exchange("a", "r3")], "c")

    assert tape.left == 3
    assert [tape.find({"input": said})["id"] for said in ("b", "a", "a")] == ["r2", "r1", "r3"]
    assert tape.left == 0
    with pytest.raises(UsageError, match=r"request 4 is not .* so often: it was recorded 2 times"):
        tape.find({"input": "a"})


def test_a_tape_that_may_repeat_gives_the_last_answer_again():
    tape = Tape([exchange("a", "r1"), exchange("a", "r2")], "c", again=True)
    assert [tape.find({"input": "a"})["id"] for _ in range(4)] == ["r1", "r2", "r2", "r2"]
    with pytest.raises(UsageError, match="exchange 2, but: input"):
        tape.find({"input": "b"})


def test_a_request_that_was_not_recorded_is_told_by_its_nearest_one():
    far = Exchange({"input": "x", "instructions": "y", "temperature": 1}, {})
    tape = Tape([far, exchange("what is the plan?")], "c.jsonl")
    with pytest.raises(UsageError) as unmatched:
        tape.find({"input": "what is the plot?", "user": "ann"})
    assert str(unmatched.value) == (
        "request 1 is not in the cassette 'c.jsonl'; the nearest one left is exchange 2, but: "
        "input[0].content: text of 17 characters, recorded 17, different from character 14 on; "
        "record it anew if the change is meant"
    )


def test_many_differences_are_counted_and_an_empty_tape_says_so():
    asked = dict.fromkeys(("temperature", "top_p", "top_logprobs", "include", "text", "tools"), 1)
    tape = Tape([exchange("a")], "c")
    with pytest.raises(UsageError, match=r"is new; and 2 more; record"):
        tape.find({**asked, "reasoning": {}})
    with pytest.raises(UsageError, match="which is empty"):
        Tape([], "c").find({"input": "a"})
