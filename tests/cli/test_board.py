"""The board: events folded into what somebody should see now."""

from pydantic import BaseModel

from toolstone.cli.board import Board
from toolstone.cli.words import clean, put_bill, put_call, put_output, put_result, shorten
from toolstone.events import (
    Answered,
    ArgumentsDelta,
    Asked,
    Noted,
    Record,
    Retrying,
    Returned,
    Started,
    TextDelta,
    ToolProgress,
)
from toolstone.items import CallKey, assistant, parse_item
from toolstone.schema.output import OutputType
from toolstone.usage import Usage

KEY = CallKey(0, 0)


def answered(*items):
    return Answered("r", "completed", items)


def calling(name="weather", arguments='{"city":"Paris"}'):
    raw = {"type": "function_call", "call_id": "c", "name": name, "arguments": arguments}
    return parse_item(raw)


def test_a_call_is_followed_from_its_answer_to_its_return():
    board = Board()
    for event, now in [
        (Asked(1), 0.0),
        (answered(calling()), 1.0),
        (Started((KEY,)), 2.0),
        (ToolProgress(KEY, "half"), 2.5),
    ]:
        board.see(event, now)
    line = board.calls[KEY]
    assert (line.name, line.running, line.progress, line.seconds(3.0)) == (
        "weather", True, "half", 1.0,
    )  # fmt: skip
    board.see(Returned(KEY, "21.5"), 4.0)
    assert (line.running, line.output, line.seconds(9.0)) == (False, "21.5", 2.0)


def test_text_that_was_begun_anew_is_forgotten():
    board = Board()
    board.see(Asked(1), 0.0)
    board.see(TextDelta("half an ans"), 0.0)
    board.see(Retrying(2, 0.5, "cut off"), 0.0)
    assert (board.text, board.hint) == ("", "asking again in 0.5 s (attempt 2)")
    board.see(answered(assistant("whole")), 0.0)
    assert (board.text, board.asking) == ("whole", False)


def test_a_typed_answer_is_shown_field_by_field():
    class Report(BaseModel):
        city: str
        population: int

    board = Board(OutputType.of(Report))
    board.see(Asked(1), 0.0)
    board.see(TextDelta('{"city":"Paris","popul'), 0.0)
    assert board.partial.data == {"city": "Paris"}
    assert board.partial.done == {"city"}


def test_a_final_answer_tool_is_followed_by_its_arguments():
    board = Board(OutputType.of(list[int]))
    board.see(Asked(1), 0.0)
    board.see(ArgumentsDelta('{"value":[1,', name="final_answer"), 0.0)
    assert board.partial.data == [1]


def test_what_is_worth_a_line_is_the_hint_until_the_next_request():
    board = Board()
    board.see(Noted("attempt", "cost"), 0.0)
    assert board.hint == ""
    board.see(Noted("warning", "the same calls again"), 0.0)
    assert board.hint == "the same calls again"
    board.see(Asked(2), 0.0)
    assert board.hint == ""


def test_calls_keep_their_keys_when_a_session_is_taken_up_again():
    board = Board()
    facts = [Asked(1), answered(calling()), Started((KEY,)), Returned(KEY, "1"), Asked(2)]
    board.recall([Record(n, 0.0, "run", fact) for n, fact in enumerate(facts)])
    board.see(answered(calling("pay", "{}")), 5.0)
    board.see(Started((CallKey(1, 0),)), 5.0)
    assert board.calls[CallKey(1, 0)].name == "pay"


def test_words_for_calls_results_and_bills():
    assert put_call("weather", '{"city": "Paris", "n": 1}') == 'weather(city="Paris", n=1)'
    assert put_call("weather", "{broken") == "weather({broken)"
    assert put_call("weather", "[1]") == "weather([1])"
    assert (
        put_result([{"type": "input_image"}, {"type": "input_text"}]) == "input_image, input_text"
    )
    assert put_bill(Usage(1200, 34, requests=1), 1.25) == (
        "1 request, 1,200 tokens in, 34 out, 1.2 s"
    )
    assert put_bill(Usage(requests=2), 0.0, 0.5).endswith("$0.5000")
    assert put_output(object).startswith("<class")
    assert put_output({"a": {1}}) == '{\n  "a": [\n    1\n  ]\n}'


def test_control_characters_become_visible_and_long_lines_short():
    assert clean("a\x1b[2Jb\x07\x9b\r") == "a\\x1b[2Jb\\x07\\x9b\\x0d"
    assert clean("é\n\tü") == "é\n\tü"
    assert shorten("one\n  two three", 10) == "one two t…"
