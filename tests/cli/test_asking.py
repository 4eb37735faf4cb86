"""What is asked about waiting calls, and what the answers come to."""

import pytest

from toolstone.cli.asking import ask_about
from toolstone.items import CallKey
from toolstone.runs.result import Result, ToolCall
from toolstone.usage import Usage

DONE = Result("done", "complete", (), Usage())


class Talk:
    """Remembers the rulings."""

    def __init__(self):
        self.rulings = []

    def approve(self, call):
        self.rulings.append(("approve", str(call.key)))

    def deny(self, call, reason):
        self.rulings.append(("deny", str(call.key), reason))

    def settle(self, call, **how):
        self.rulings.append(("settle", str(call.key), how))

    def resume(self):
        return DONE


def waiting(*states, arguments='{"amount": 5}'):
    calls = tuple(
        ToolCall(CallKey(0, n), "pay", arguments, state=state) for n, state in enumerate(states)
    )
    return Result(None, "waiting", (), Usage(), calls, calls)


@pytest.mark.parametrize(
    ("state", "answers", "ruling"),
    [
        ("approval", ["Yes"], ("approve", "0.0")),
        ("approval", ["", "n", "too much"], ("deny", "0.0", "too much")),
        ("unknown", ["a"], ("settle", "0.0", {"again": True})),
        ("unknown", ["f", "the shop is shut"], ("settle", "0.0", {"failed": "the shop is shut"})),
        ("unknown", ["f", ""], ("settle", "0.0", {"failed": "it failed"})),
        ("unknown", ["r", "42"], ("settle", "0.0", {"result": "42"})),
        ("deferred", ["42"], ("settle", "0.0", {"result": "42"})),
    ],
)
def test_an_answer_becomes_a_ruling(state, answers, ruling):
    talk, given = Talk(), iter(answers)
    assert ask_about(talk, waiting(state), lambda _: next(given)) is DONE
    assert talk.rulings == [ruling]
    assert next(given, None) is None


def test_a_call_that_is_ready_is_not_asked_about():
    talk, asked = Talk(), []
    ask_about(talk, waiting("ready", "approval"), lambda question: asked.append(question) or "y")
    assert (len(asked), talk.rulings) == (1, [("approve", "0.1")])


def test_who_says_yes_has_seen_the_whole_call_and_nothing_that_steers_the_terminal():
    asked = []
    long = '{"note": "' + "x" * 500 + '\x1b[2J"}'
    ask_about(Talk(), waiting("approval", arguments=long), lambda q: asked.append(q) or "y")
    assert "x" * 500 + "\\x1b[2J" in asked[0]
    assert "\x1b" not in asked[0]
