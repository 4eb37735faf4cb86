"""`toolstone serve`: an endpoint that other processes can ask until it is stopped."""

import json
import signal
import subprocess
import sys

import pytest

from toolstone import Agent

SCRIPT = """
[[answer]]
calls = [{name = "add", arguments = {a = 1, b = 2}}]

[[answer]]
text = "Three."
"""


def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@pytest.fixture
def served(home, tmp_path):
    (tmp_path / "answers.toml").write_text(SCRIPT)
    words = ["serve", "answers.toml", "--brain", "script"]
    opened = []

    def start(*more):
        opened.append(
            subprocess.Popen(
                [sys.executable, "-m", "toolstone", *words, *more],
                cwd=tmp_path,
                env=home,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        )
        return opened[-1]

    yield start
    for process in opened:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_it_says_where_on_one_line_of_json_and_answers_there(served):
    process = served("--json")
    base_url = json.loads(process.stdout.readline())["base_url"]
    result = Agent(f"responses+{base_url}#any", tools=[add]).run_sync("1 + 2?")
    assert (result.output, result.calls[0].output) == ("Three.", "3")


def test_it_tells_people_how_to_use_it_and_ctrl_c_stops_it(served):
    process = served()
    first, mine, others = (process.stdout.readline() for _ in range(3))
    assert first.startswith("Serving the Responses API at http://127.0.0.1:")
    assert 'Agent("responses+http://127.0.0.1:' in mine
    assert "OPENAI_BASE_URL=http://127.0.0.1:" in others
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "stopped\n")


def test_options_that_do_not_fit_are_refused_with_the_mend(command, tmp_path):
    for words, code, said in [
        (("serve", "--brain", "script"), 2, "toolstone serve FILE.toml"),
        (("serve", "some.toml"), 2, "a script is for --brain script"),
        (("serve", "a.toml", "--brain", "script", "--model", "x.gguf"), 2, "needs no model"),
        (("serve", "none.toml", "--brain", "script"), 1, "cannot read the script 'none.toml'"),
        (("serve", "--brain", "oracle"), 2, "oracle"),
    ]:
        done = command(*words)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done.stderr)
