"""`toolstone demo` on the real small model."""

import json
import os

import pytest

pytestmark = pytest.mark.llama


@pytest.fixture
def home(tmp_path):
    """The real home: the model is kept there."""
    return {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}


def test_the_demo_shows_calls_at_once_the_object_and_the_bill(terminal):
    seen = terminal("demo")
    seen.wait_for("the wits")
    assert seen.end() == 0
    assert "2 calls side by side" in seen.text
    assert 'partial: {"city": "Paris", "temp_c": 14.5}' in seen.text
    assert '"temp_c": 14.5' in seen.text
    assert '"population": 2103000' in seen.text
    assert "2 requests" in seen.text


def test_another_request_gets_another_report(command):
    done = command("demo", "--request", "Tell me about Rome.", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["output"] == {"city": "Rome", "temp_c": 19.2, "population": 2755000}
