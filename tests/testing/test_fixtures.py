"""The fixtures, in a pytest of their own: what a project that uses them sees."""

import os
import subprocess
import sys

import pytest

CONFTEST = 'pytest_plugins = ["toolstone.testing.fixtures"]\n'


@pytest.fixture
def project(tmp_path):
    """Run pytest on a test file in an empty project; its exit code and output."""

    def run(source, conftest=CONFTEST, **env):
        (tmp_path / "conftest.py").write_text(conftest)
        (tmp_path / "test_it.py").write_text(source)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"],
            cwd=tmp_path,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stdout + done.stderr

    return run


ENDPOINT = """
import asyncio
from openai import OpenAI, RateLimitError
from toolstone import Agent
from toolstone.local import error
from toolstone.testing import call

def weather(city: str) -> float:
    "Current temperature."
    return 14.5

def test_an_agent(responses_endpoint):
    responses_endpoint.say(call("weather", city="Rome"), "14.5 degrees")
    result = Agent(responses_endpoint.model("m"), tools=[weather]).run_sync("How warm?")
    assert result.output == "14.5 degrees"
    assert [asked["model"] for asked in responses_endpoint.requests] == ["m", "m"]
    assert responses_endpoint.requests[1]["input"][-1]["output"] == "14.5"

def test_any_other_client(responses_endpoint):
    responses_endpoint.say("hello", error(429), by="sequence")
    with OpenAI(base_url=responses_endpoint.base_url, api_key="none", max_retries=0) as client:
        assert client.responses.create(model="m", input="hi").output_text == "hello"
        try:
            client.responses.create(model="m", input="hi")
        except RateLimitError:
            pass
        else:
            raise AssertionError
    responses_endpoint.say("anew")
    assert responses_endpoint.requests == []
"""


def test_the_endpoint_says_what_the_test_tells_it_to_any_client(project):
    assert project(ENDPOINT)[0] == 0, project(ENDPOINT)[1]


SCRIPTED = """
from toolstone import Agent

def test_all_said(scripted):
    assert Agent(scripted("hello")).run_sync("hi").output == "hello"

def test_some_left(scripted):
    Agent(scripted("hello", "and more")).run_sync("hi")

def test_that_fails_anyway(scripted):
    scripted("never asked for")
    assert False
"""


def test_turns_that_were_never_asked_for_are_told_of_a_test_that_passes(project):
    code, said = project(SCRIPTED)
    assert code == 1
    assert "1 of 2 scripted turns were never asked for" in said
    assert "1 failed, 2 passed, 1 error" in said


CASSETTE = """
import os, pytest
from toolstone import Agent
from toolstone.testing import Scripted

LIVE = Scripted(*["answer %s" % n for n in range(3)])

@pytest.mark.parametrize("said", ["hi there", "bye"])
def test_one(cassette, said):
    assert Agent(cassette(LIVE)).run_sync(said).output.startswith("answer")

def test_two(cassette):
    Agent(cassette(LIVE, "by name")).run_sync("once")
    if os.environ.get("TOOLSTONE_RECORD") == "1":
        assert len(LIVE.requests) == 3
    else:
        assert LIVE.requests == []
"""


def test_each_test_has_a_cassette_of_its_own_recorded_on_demand(project, tmp_path):
    one_by_one = "from toolstone.testing.fixtures import cassette\n"
    missing = project(CASSETTE, one_by_one)
    recorded = project(CASSETTE, TOOLSTONE_RECORD="1")
    replayed = project(CASSETTE, TOOLSTONE_RECORD="")
    assert (missing[0], "record it: TOOLSTONE_RECORD=1" in missing[1]) == (1, True)
    assert (recorded[0], replayed[0]) == (0, 0), recorded[1] + replayed[1]
    folder = tmp_path / "cassettes" / "test_it"
    names = ["by-name.jsonl", "test_one-bye.jsonl", "test_one-hi-there.jsonl"]
    assert sorted(path.name for path in folder.iterdir()) == names

    kept = folder / "by-name.jsonl"
    kept.write_bytes(kept.read_bytes() * 2)
    code, said = project(CASSETTE, TOOLSTONE_RECORD="")
    assert (code, "1 exchanges of" in said) == (1, True)


def test_nothing_of_pytest_is_loaded_with_the_rest():
    code = "import sys, toolstone.testing; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
