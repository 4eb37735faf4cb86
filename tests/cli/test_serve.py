"""`toolstone serve`: an endpoint that other processes can ask until it is stopped."""

import json
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import pytest

from toolstone import Agent
from toolstone.cli.brains import BrainPlan
from toolstone.cli.serving import Place, serve_until_stopped
from toolstone.errors import InputError, ToolstoneError

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
def started(home, tmp_path):
    """Start `toolstone serve WORDS...` in an empty folder."""
    opened = []

    def start(*words, **env):
        opened.append(
            subprocess.Popen(
                [sys.executable, "-m", "toolstone", "serve", *words],
                cwd=tmp_path,
                env={**home, **env},
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
            process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def served(started, tmp_path):
    """Serve the script."""
    (tmp_path / "answers.toml").write_text(SCRIPT)
    return partial(started, "answers.toml", "--brain", "script")


def url(process):
    """Where it says that it answers."""
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return json.loads(line)["base_url"]


def ask(base_url, said="hi", **headers):
    body = {"model": "any", "input": said}
    return httpx.post(f"{base_url}/responses", json=body, headers=headers)


def text(reply):
    return reply.json()["output"][-1]["content"][0]["text"]


def test_it_says_where_on_one_line_of_json_and_answers_there(served):
    base_url = url(served("--json"))
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


def test_a_function_of_a_module_answers(started, tmp_path):
    (tmp_path / "echoes.py").write_text("def echo(turn): return turn.items[-1]['content'].upper()")
    for target in ("echoes:echo", "echoes.py:echo"):
        base_url = url(started(target, "--brain", "function", "--json"))
        assert text(ask(base_url, "loud")) == "LOUD"


def test_what_another_endpoint_says_is_recorded_and_replayed_without_it(started, served, tmp_path):
    far = served("--json")
    to = f"responses+{url(far)}#far"
    near = started("--to", to, "--record", "c.jsonl", "--json")
    recorded = Agent(f"responses+{url(near)}#any", tools=[add]).run_sync("1 + 2?")
    for process in (near, far):
        process.terminate()
        process.wait(20)

    again = url(started("--replay", "c.jsonl", "--json"))
    replayed = Agent(f"responses+{again}#any", tools=[add]).run_sync("1 + 2?")
    assert (recorded.output, replayed.output) == ("Three.", "Three.")
    assert len((tmp_path / "c.jsonl").read_text().splitlines()) == 2
    missed = ask(again, "2 + 2?")
    assert (missed.status_code, missed.json()["error"]["code"]) == (400, "not_recorded")


def test_a_key_is_asked_for_and_never_shown(served):
    for words, env in (
        (("--api-key", "sk-mine-123456"), {}),
        ((), {"TOOLSTONE_API_KEY": "sk-mine-123456"}),
    ):
        process = served(*words, **env)
        base_url = process.stdout.readline().split()[-1]
        said = process.stdout.readline() + process.stdout.readline()
        assert "api_key=...)" in said
        assert "sk-mine" not in said
        assert ask(base_url).status_code == 401
        assert ask(base_url, authorization="Bearer sk-mine-123456").status_code == 200


def test_what_is_stored_outlives_the_process_and_is_shared_by_workers(served):
    first = served("--store", "kept.db", "--json")
    kept = ask(url(first)).json()["id"]
    first.terminate()
    first.wait(20)

    base_url = url(served("--store", "kept.db", "--workers", "2", "--json"))
    found = [httpx.get(f"{base_url}/responses/{kept}") for _ in range(8)]
    assert {reply.json()["id"] for reply in found} == {kept}


def test_a_port_that_is_taken_is_said_once(served, command):
    port = httpx.URL(url(served("--json"))).port
    done = command("serve", "answers.toml", "--brain", "script", "--port", str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"ConfigError: cannot listen on 127.0.0.1:{port}: port {port} is taken; "
        "choose another, or 0 for a free one (--port 0)\n"
    )


@pytest.mark.parametrize("protocol", ["responses", "chat", "litellm"])
def test_the_key_of_the_other_side_is_sent_there_and_asked_of_nobody(started, served, protocol):
    far = url(served("--json", TOOLSTONE_API_KEY="sk-far-123456"))
    words = ("--to", f"{protocol}+{far}#m", "--json")
    keyless = ask(url(started(*words)))
    keyed = ask(url(started(*words, TOOLSTONE_TO_API_KEY="sk-far-123456")), "say")
    assert keyless.status_code == 401
    assert keyed.json()["output"][0]["name"] == "add"


def test_people_are_told_how_other_machines_come_in(served):
    process = served("--host", "0.0.0.0", TOOLSTONE_API_KEY="sk-mine-123456")
    first, *_, elsewhere = (process.stdout.readline().split() for _ in range(4))
    here = httpx.URL(first[-1])
    assert here.host == "127.0.0.1"
    assert elsewhere == ["elsewhere:", f"http://THIS-MACHINE:{here.port}/v1"]


def test_a_mistake_in_the_command_is_told_with_its_mend(command):
    for words, code, said in [
        (("serve", "--brain", "oracle"), 2, "oracle"),
        (("serve", "none.toml", "--brain", "script"), 1, "cannot read the script 'none.toml'"),
        (("serve", "json:dumps", "--brain", "function", "--host", "0.0.0.0"), 1, "--api-key"),
        (("serve", "--port", "99999"), 2, "65535"),
        (("serve", "--port=-1"), 2, "'--port'"),
    ]:
        done = command(*words)
        assert (done.returncode, said in done.stderr) == (code, True), (words, done.stderr)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "script"}, "toolstone serve FILE.toml"),
        ({"target": "some.toml"}, "a script is for --brain script"),
        ({"kind": "script", "target": "a", "model": Path("x.gguf")}, "a script needs no model"),
        ({"kind": "function"}, "toolstone serve MODULE:FUNCTION"),
        ({"kind": "proxy"}, "--to MODEL says whom"),
        ({"kind": "llama", "to": "openai/m"}, "leave out --brain llama, or leave out --to"),
        (
            {"kind": "script", "target": "a.toml", "to": "openai/m"},
            "leave out --brain script and 'a.toml', or leave out --to",
        ),
        ({"target": "some.toml", "to": "openai/m"}, "a script is for --brain script"),
        ({"replay": Path("c"), "to": "openai/m"}, "from its file alone"),
        ({"to": "openai/m", "record": Path(__file__)}, "is there already"),
    ],
)
def test_options_that_do_not_fit_each_other_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        BrainPlan(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "function", "target": "json:decoder"}, "is a module, not a function"),
        ({"kind": "script", "target": "none.toml"}, "cannot read the script"),
        ({"to": "gpt"}, "model 'gpt' is not understood"),
        ({"replay": Path("none.jsonl")}, "cannot read the cassette 'none.jsonl'"),
    ],
)
def test_a_brain_that_is_not_there_says_so_when_it_is_made(options, said):
    plan = BrainPlan(**options)
    with pytest.raises(ToolstoneError, match=said):
        plan()


def test_workers_need_a_store():
    plan = BrainPlan(to="responses+http://127.0.0.1:9/v1#m")
    with pytest.raises(InputError, match="add --store FILE"):
        serve_until_stopped(plan, Place("127.0.0.1", 0, workers=2), as_json=True)
