"""`toolstone run`, through pipes: what a program or a file gets."""

import json
import subprocess
import sys

from toolstone import SQLiteLedger

AGENTS = __file__.replace("test_run.py", "agents_under_test.py")


def agent(name):
    return f"{AGENTS}:{name}"


def sessions(tmp_path):
    import asyncio

    ledger = SQLiteLedger(tmp_path / "state" / "toolstone" / "sessions.sqlite")
    try:
        return asyncio.run(ledger.sessions())
    finally:
        ledger.close()


def test_the_answer_is_all_that_stands_on_stdout(command):
    done = command("run", agent("reporter"), "go")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"city": "Paris", "population": 2103000}
    assert 'weather(city="Paris") returned in' in done.stderr
    assert "2 requests, 20 tokens in, 10 out" in done.stderr


def test_nothing_moves_or_is_coloured_without_a_terminal(command):
    done = command("run", agent("failer"), "go")
    assert "\x1b" not in done.stdout + done.stderr
    assert "fails() failed in" in done.stderr


def test_text_reaches_a_pipe_as_the_model_said_it(command):
    assert command("run", agent("greeter"), "hi").stdout == "Hello \x1b[31mthere.\n"


def test_what_to_say_can_come_from_stdin(command):
    done = command("run", agent("greeter"), "-", "--json", stdin="from a pipe")
    began = json.loads(done.stdout.splitlines()[0])
    assert began["input"][0]["content"] == "from a pipe"


def test_json_gives_every_event_and_the_result_last(command):
    done = command("run", agent("reporter"), "go", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [line["type"] for line in lines if not line["type"].endswith("delta")]
    assert kinds == [
        "began", "asked", "answered", "started", "tool_progress", "returned", "returned",
        "asked", "answered", "finished", "result",
    ]  # fmt: skip
    assert [line["seq"] for line in lines if "seq" in line] == list(range(9))
    result = lines[-1]
    assert result["output"] == {"city": "Paris", "population": 2103000}
    assert result["outcome"] == "complete"
    assert [made["output"] for made in result["calls"]] == ["21.5", "2103000"]
    assert result["usage"]["requests"] == 2
    assert done.stderr == ""


def test_json_tells_of_an_error_on_stdout_too(command):
    done = command("run", agent("broken"), "go", "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert done.returncode == 1
    assert (last["type"], last["error"], last["outcome"]) == ("error", "FailedError", "failed")
    assert last["session"].startswith("run-")


def test_an_error_is_one_message_and_the_way_on_without_a_traceback(command):
    done = command("run", agent("broken"), "go")
    assert done.returncode == 1
    assert "FailedError: the line is dead" in done.stderr
    assert "To go on: toolstone run" in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(command):
    done = command("run", agent("broken"), "go", "--debug")
    assert "Traceback" in done.stderr
    assert "TransportError" in done.stderr


def test_an_unnamed_run_leaves_nothing_behind_once_it_is_complete(command, tmp_path):
    command("run", agent("greeter"), "hi")
    assert sessions(tmp_path) == []


def test_a_named_session_stays_and_goes_on(command, tmp_path):
    command("run", agent("greeter"), "first", "--session", "talk")
    done = command("run", agent("greeter"), "second", "--session", "talk", "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["session"] == "talk"
    assert sessions(tmp_path) == ["talk"]


def test_a_run_that_waits_says_for_what_and_exits_3(command):
    done = command("run", agent("payer"), "pay", "--session", "s")
    assert done.returncode == 3
    assert done.stdout == ""
    assert "0.0  pay(amount=5)  (approval)" in done.stderr
    assert "--session s --resume" in done.stderr


def test_a_waiting_call_is_approved_from_another_process(command):
    command("run", agent("payer"), "pay", "--session", "s")
    done = command("run", agent("paid"), "--session", "s", "--resume", "--approve", "0.0")
    assert (done.returncode, done.stdout) == (0, "Paid.\n")
    assert "pay(amount=5) returned in" in done.stderr


def test_a_waiting_call_is_denied_from_another_process(command):
    command("run", agent("payer"), "pay", "--session", "s")
    words = ("--session", "s", "--resume", "--deny", "0.0", "--json")
    done = command("run", agent("paid"), *words)
    made = json.loads(done.stdout.splitlines()[-1])["calls"]
    assert [one["failed"] for one in made] == [True]


def test_a_ledger_of_your_own_is_used_instead(command, tmp_path):
    done = command("run", agent("payer"), "pay", "--session", "s", "--ledger", "mine.sqlite")
    assert "--resume --ledger mine.sqlite" in done.stderr
    assert (tmp_path / "mine.sqlite").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "state").exists()


def test_a_mistake_in_the_command_exits_2_and_says_the_mend(command):
    for words, said in [
        (("run", agent("nobody"), "hi"), "reporter, greeter"),
        (("run", agent("not_an_agent"), "hi"), "is a int, not an agent"),
        (("run", AGENTS, "hi"), f"agents there: {AGENTS}:reporter"),
        (("run", "no.such.module:agent", "hi"), "there is no module 'no.such.module'"),
        (("run", "nothing.py:agent", "hi"), "there is no file 'nothing.py'"),
        (("run", agent("greeter")), "say something"),
        (("run", agent("greeter"), "--resume"), "--session NAME"),
        (("run", agent("greeter"), "hi", "--resume", "--session", "s"), "leave TEXT out"),
        (("run", agent("greeter"), "hi", "--approve", "0.0"), "add --resume"),
        (("run", agent("greeter"), "--resume", "--session", "s"), "there is no session 's'"),
        (("run", agent("greeter"), "hi", "--session", "not a name"), "session name"),
        (("walk",), "No such command 'walk'"),
    ]:
        done = command(*words)
        assert (done.returncode, said in done.stderr) == (2, True), (words, done.stderr)
        assert "Traceback" not in done.stderr


def test_the_only_agent_of_a_module_needs_no_name(command, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from toolstone import Agent\n"
        "from toolstone.testing import Scripted\n"
        "helper = Agent(Scripted('Here.'))\n"
    )
    assert command("run", "mine", "hi").stdout == "Here.\n"


def test_a_module_that_breaks_while_it_is_imported_is_named(command, tmp_path):
    (tmp_path / "mine.py").write_text("1 / 0\n")
    done = command("run", "mine:agent", "hi")
    assert done.returncode == 2
    assert "importing 'mine' raised ZeroDivisionError" in done.stderr


def test_a_module_that_needs_another_one_names_that_one(command, tmp_path):
    (tmp_path / "mine.py").write_text("import not_here_at_all\n")
    done = command("run", "mine:agent", "hi")
    assert "'mine' needs a module that is not here: not_here_at_all" in done.stderr


def test_an_agent_that_cannot_be_is_told_as_it_is(command, tmp_path):
    (tmp_path / "mine.py").write_text("from toolstone import Agent\nagent = Agent('what')\n")
    done = command("run", "mine:agent", "hi")
    assert done.returncode == 2
    assert done.stderr.startswith("DefinitionError: model 'what' is not understood")


def test_a_place_for_sessions_that_cannot_be_made_is_told_with_the_mend(command, tmp_path):
    (tmp_path / "state").write_text("a file in the way")
    done = command("run", agent("greeter"), "hi")
    assert done.returncode == 1
    assert "name a file of your own: --ledger FILE" in done.stderr
    assert command("run", agent("greeter"), "hi", "--ledger", "l.sqlite").returncode == 0


def test_an_item_that_a_client_must_answer_waits_under_its_type(command):
    done = command("run", agent("rich_answer"), "go")
    assert done.returncode == 3
    assert "0.0  computer_call()  (deferred)" in done.stderr


def test_a_bug_of_the_agents_own_code_is_one_line(command, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from toolstone import Agent\n"
        "from toolstone.testing import Scripted\n"
        "def tell(context): raise KeyError('nowhere')\n"
        "agent = Agent(Scripted('x'), instructions=tell)\n"
    )
    done = command("run", "mine", "hi")
    assert done.returncode == 2
    assert "instructions=tell: it raised KeyError" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_gone_is_no_traceback(home, tmp_path):
    words = [sys.executable, "-m", "toolstone", "run", agent("reporter"), "go", "--json"]
    done = subprocess.run(
        f"{' '.join(words)} | head -n 1", shell=True, cwd=tmp_path, env=home,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout)["type"] == "began"
    assert "Traceback" not in done.stderr


def test_without_its_extra_the_command_says_what_to_install():
    code = (
        "import sys; sys.modules['typer'] = None\n"
        "from toolstone.__main__ import main\n"
        "sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "pip install 'toolstone[cli]'" in done.stderr


def test_the_version_is_said(command):
    import toolstone

    assert command("--version").stdout.strip() == toolstone.__version__


def test_images_and_files_go_along_with_what_is_said(command, tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "b.txt").write_text("hi")
    done = command(
        "run",
        f"{AGENTS}:looking",
        "Look",
        "--image",
        "a.png",
        "--image",
        "a.png",
        "--file",
        "b.txt",
    )
    assert done.stdout == "input_text, input_image, input_image, input_file\n"
    done = command("run", f"{AGENTS}:looking", "Look", "--file", "gone.txt")
    assert (done.returncode, "gone.txt') cannot be read" in done.stderr) == (2, True)
    done = command("run", f"{AGENTS}:looking", "--resume", "--session", "s", "--file", "b.txt")
    assert (done.returncode, "go along with something that is said" in done.stderr) == (2, True)


def test_what_the_service_does_itself_and_what_an_item_asks_for_are_shown(command):
    done = command("run", f"{AGENTS}:searching", "Go")
    assert 'web_search_call(action={"query": "x"}) by the service, completed' in done.stderr
    assert "sql(SELECT 1) returned" in done.stderr
    assert '0.1  shell_call(action={"commands": ["ls"]})  (deferred)' in done.stderr
