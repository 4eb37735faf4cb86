"""The view for files and pipes."""

from toolstone.cli.plain import PlainView
from toolstone.errors import RunError
from toolstone.events import Retrying
from toolstone.runs.result import Result
from toolstone.usage import Usage


def test_a_retry_is_a_line_on_stderr(capsys):
    PlainView().observe("r", Retrying(2, 0.5, "reset"))
    assert capsys.readouterr() == ("", "asking again in 0.5 s (attempt 2)\n")


def test_what_had_arrived_of_a_failed_answer_is_shown(capsys):
    result = Result(None, "dropped", (), Usage(), partial="Half\x1b[2J")
    PlainView().fail(RunError("gone", result=result))
    assert capsys.readouterr() == ("", "what had arrived: Half\\x1b[2J\n")
