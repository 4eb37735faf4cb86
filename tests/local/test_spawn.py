"""The small model in a child process: one for each name, and it never outlives its parent."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from toolstone.errors import ConfigError
from toolstone.local import spawn
from toolstone.local.weights import model_file


def until_gone(pid):
    subprocess.run(["timeout", "5", "tail", f"--pid={pid}", "-f", "/dev/null"], check=True)


def test_an_unknown_model_says_what_is_known():
    with pytest.raises(ConfigError, match="no local model 'gpt-9'; write 'local/smollm2'"):
        spawn.endpoint("gpt-9")


@pytest.mark.llama
def test_threads_that_ask_at_once_share_one_child():
    try:
        with ThreadPoolExecutor(4) as pool:
            urls = set(pool.map(spawn.endpoint, ["smollm2"] * 4))
        [(process, _)] = spawn._children.running.values()
        listed = httpx.get(f"{next(iter(urls))}/models").json()
    finally:
        spawn.stop()

    assert len(urls) == 1
    assert [model["id"] for model in listed["data"]] == ["smollm2"]
    assert process.returncode == 0


@pytest.mark.llama
def test_a_child_that_died_is_started_anew():
    try:
        first = spawn.endpoint("smollm2")
        [(process, _)] = spawn._children.running.values()
        process.kill()
        process.wait()
        second = spawn.endpoint("smollm2")
        assert httpx.get(f"{second}/models").status_code == 200
    finally:
        spawn.stop()

    assert first != second


@pytest.mark.llama
def test_a_forked_copy_has_children_of_its_own():
    try:
        spawn.endpoint("smollm2")
        pid = os.fork()
        if pid == 0:
            os._exit(len(spawn._children.running))
        _, status = os.waitpid(pid, 0)
        [(_, base_url)] = spawn._children.running.values()
        assert httpx.get(f"{base_url}/models").status_code == 200
    finally:
        spawn.stop()

    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.llama
def test_the_child_is_gone_when_its_parent_is_killed():
    model_file()
    code = (
        "import sys\n"
        "from toolstone.local import spawn\n"
        "spawn.endpoint('smollm2')\n"
        "print(next(iter(spawn._children.running.values()))[0].pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as parent:
        child_pid = int(parent.stdout.readline())
        os.kill(parent.pid, signal.SIGKILL)

    until_gone(child_pid)


@pytest.mark.llama
def test_the_child_is_gone_when_its_parent_ends():
    code = (
        "from toolstone.local import spawn\n"
        "spawn.endpoint('smollm2')\n"
        "print(next(iter(spawn._children.running.values()))[0].pid, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, check=True, timeout=30
    )

    until_gone(int(done.stdout))


@pytest.mark.llama
def test_a_file_that_is_no_model_is_said_when_it_is_started(tmp_path):
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF nonsense")
    with pytest.raises(ConfigError, match="did not start"):
        spawn.endpoint(str(path))
