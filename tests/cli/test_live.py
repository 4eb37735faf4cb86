"""What the live view draws at one moment, and what it leaves above for good."""

import io

import pytest
from pydantic import BaseModel
from rich.console import Console

from toolstone.cli.live import LiveView
from toolstone.errors import RunError
from toolstone.events import Answered, Asked, Finished, Returned, Started, TextDelta
from toolstone.items import CallKey, assistant, parse_item
from toolstone.runs.result import Result
from toolstone.schema.output import OutputType
from toolstone.usage import Usage


class Report(BaseModel):
    city: str
    population: int


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def view_of(output, clock, encoding="utf-8", height=12):
    written = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=written, width=60, height=height, force_terminal=True, color_system=None)
    return LiveView(OutputType.of(output), "a/model", console=console, clock=clock)


def drawn(view):
    with view._console.capture() as captured:
        view._console.print(view._draw())
    return [line.rstrip() for line in captured.get().splitlines()]


def calling(*names):
    raw = {"type": "function_call", "call_id": "c", "arguments": "{}"}
    return Answered("r", "completed", tuple(parse_item({**raw, "name": name}) for name in names))


def keys(count):
    return tuple(CallKey(0, n) for n in range(count))


def test_while_the_model_is_silent_it_says_who_is_asked(clock):
    view = view_of(str, clock)
    view.observe("r", Asked(1))
    assert drawn(view)[-1].endswith("asking a/model")
    view.observe("r", TextDelta("Hello"))
    assert drawn(view) == ["Hello"]


def test_a_call_runs_is_home_or_waits(clock):
    view = view_of(str, clock)
    view.observe("r", calling("one", "two", "three"))
    view.observe("r", Started(keys(2)))
    clock.now = 1.5
    view.observe("r", Returned(CallKey(0, 1), "no", failed=True, how="raised"))
    first, second, third = drawn(view)
    assert first.endswith("one()   1.5 s")
    assert second == "✗  two()   1.5 s no"
    assert third == "   three()       waits"


def test_more_calls_than_lines_are_counted(clock):
    view = view_of(str, clock, height=8)
    view.observe("r", calling(*["f"] * 10))
    assert len(drawn(view)) == 5
    assert drawn(view)[-1].endswith("and 6 more")


def test_only_the_end_of_a_long_text_moves(clock):
    view = view_of(str, clock)
    view.observe("r", Asked(1))
    view.observe("r", TextDelta("\n".join(map(str, range(100)))))
    assert drawn(view) == [str(n) for n in range(91, 100)]


def test_a_typed_answer_shows_its_fields_and_which_are_done(clock):
    view = view_of(Report, clock)
    view.observe("r", Asked(1))
    view.observe("r", TextDelta('{"city": "Paris", "population": 21'))
    assert drawn(view) == ["✓ city: Paris"]


def test_a_list_that_grows_is_shown_in_one_line(clock):
    view = view_of(list[int], clock)
    view.observe("r", Asked(1))
    view.observe("r", TextDelta('{"value": [1, 2, 3'))
    assert drawn(view) == ["[ 1, 2 ]"]


def test_what_was_said_beside_calls_stays_above_them(clock):
    view = view_of(str, clock)
    text = assistant("Let me look.")
    call = calling("look").items[0]
    with view._console.capture() as captured:
        view.observe("r", Answered("r", "completed", (text, call)))
        view.observe("r", Started(keys(1)))
        clock.now = 0.25
        view.observe("r", Returned(CallKey(0, 0), "found"))
        view.observe("r", Finished("complete"))
    assert captured.get().splitlines() == ["Let me look.", "✓ look()  0.25 s  found"]


def test_a_terminal_without_unicode_gets_letters(clock):
    view = view_of(str, clock, encoding="ascii")
    view.observe("r", calling("one"))
    view.observe("r", Started(keys(1)))
    view.observe("r", Returned(CallKey(0, 0), "x"))
    assert drawn(view) == ["ok one() 0.0 s x"]


def test_a_run_that_failed_shows_what_had_arrived(clock):
    view = view_of(str, clock)
    result = Result(None, "dropped", (), Usage(), partial="Half an ans")
    with view._console.capture() as captured:
        view.fail(RunError("gone", result=result))
    assert captured.get() == "Half an ans\n"
