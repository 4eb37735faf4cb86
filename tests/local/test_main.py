"""`python -m toolstone.local` says where it serves, and ends with its parent."""

import json
import os
import signal
import subprocess
import sys

import httpx
import pytest

from toolstone.local.__main__ import main


def until_gone(pid):
    """Wait until a process is gone, five seconds at most."""
    subprocess.run(["timeout", "5", "tail", f"--pid={pid}", "-f", "/dev/null"], check=True)


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "script.toml"
    path.write_text('[[answer]]\ntext = "hi"')
    return path


def command(script):
    arguments = ["--brain", "script", "--script", str(script), "--watch-stdin"]
    return [sys.executable, "-m", "toolstone.local", *arguments]


def test_it_serves_a_script_until_its_stdin_ends(script):
    with subprocess.Popen(command(script), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        base_url = json.loads(child.stdout.readline())["base_url"]
        reply = httpx.post(f"{base_url}/responses", json={"model": "m", "input": "x"})
        child.stdin.close()
        code = child.wait(5)

    assert reply.json()["output"][0]["content"][0]["text"] == "hi"
    assert code == 0


def test_it_is_gone_when_its_parent_is_killed(script):
    parent_code = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen({command(script)!r}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", parent_code], stdin=pipe, stdout=pipe) as parent:
        child_pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)

    until_gone(child_pid)


def test_a_script_that_is_missing_is_said_on_stderr(tmp_path, capsys):
    assert main(["--brain", "script", "--script", str(tmp_path / "none.toml")]) == 1
    assert "cannot read the script" in capsys.readouterr().err


def test_a_script_brain_needs_a_script(capsys):
    with pytest.raises(SystemExit):
        main(["--brain", "script"])
    assert "--script FILE.toml" in capsys.readouterr().err
