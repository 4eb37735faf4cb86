"""Importing the package does nothing (I10), in a fresh interpreter."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PROBE = """
import _thread, json, sys
events = []
WATCHED = ("socket.", "subprocess.", "os.system", "os.fork", "os.exec", "os.putenv", "os.spawn",
           "_thread.start_new_thread", "os.mkdir", "os.remove", "os.rename", "shutil.")
def watch(event, args):
    if event.startswith(WATCHED):
        events.append(event)
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        events.append(f"open {args[0]}")
def started(*given):  # CPython tells of threads from 3.12 on
    events.append("_thread.start_new_thread")
    return start(*given)
start, _thread.start_new_thread = _thread.start_new_thread, started
sys.dont_write_bytecode = True
sys.addaudithook(watch)
import toolstone
after_import = len(sys.modules)
%s
heavy = sorted({m.split(".")[0] for m in sys.modules}
               & {"httpx", "jsonschema", "tenacity", "sqlite3", "boto3", "botocore", "aiohttp",
                  "starlette", "uvicorn", "typer", "rich", "xllamacpp", "openai"})
print(json.dumps({"events": events, "heavy": heavy, "modules": len(sys.modules),
                  "after_import": after_import}))
"""
FIRST_AGENT = """
def weather(city: str) -> float:
    '''Current temperature.

    Args:
        city: Where.
    '''
agent = toolstone.Agent("responses+http://127.0.0.1:9/v1#m", tools=[weather])
"""


def probe(code="", python=sys.executable):
    done = subprocess.run(
        [python, "-I", "-c", PROBE % code], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_importing_opens_writes_and_starts_nothing():
    assert probe()["events"] == []


def test_importing_loads_nothing_heavy():
    assert probe()["heavy"] == []


def test_a_first_agent_opens_and_loads_nothing_heavy_either():
    found = probe(FIRST_AGENT)
    assert (found["events"], found["heavy"]) == ([], [])


def test_every_public_name_can_be_loaded():
    assert probe("[getattr(toolstone, name) for name in toolstone.__all__]")["events"] == []


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A virtual environment with `pip install toolstone` and nothing else."""
    place = tmp_path_factory.mktemp("plain")
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*install, str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return python


def test_a_plain_install_imports_and_makes_an_agent_and_does_nothing_else(plain):
    found = probe(FIRST_AGENT, plain)
    assert (found["events"], found["heavy"]) == ([], [])


def test_a_plain_install_says_which_extra_the_command_needs(plain):
    done = subprocess.run([plain, "-m", "toolstone", "demo"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'toolstone[cli]'" in done.stderr


def test_a_plain_install_says_which_extra_the_local_model_needs(plain):
    code = "import toolstone; toolstone.Agent('local/smollm2').run_sync('hi')"
    empty = {**os.environ, "XDG_CACHE_HOME": str(plain.parent)}
    done = subprocess.run([plain, "-c", code], capture_output=True, text=True, env=empty)
    assert "toolstone[llama]" in done.stderr
    assert "ConfigError" in done.stderr
    assert "fetching" not in done.stderr
