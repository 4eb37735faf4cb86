"""Both type checkers agree with what the docs promise, and see the mistakes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MARKED = {n for n, line in enumerate((HERE / "mistakes.py").read_text().splitlines(), 1) if "# error" in line}  # fmt: skip


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    cache = tmp_path_factory.mktemp("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={cache}", "--no-error-summary", "--python-version=3.11", HERE / "sample.py", HERE / "mistakes.py"],
        capture_output=True, text=True, timeout=300, check=False,
        cwd=HERE.parents[1] / "src",
    )  # fmt: skip
    return re.findall(r"(\w+\.py):(\d+): error: (.*)", done.stdout), done.stdout + done.stderr


@pytest.fixture(scope="module")
def pyright():
    pytest.importorskip("pyright")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonversion=3.11", "--pythonpath", sys.executable, HERE / "sample.py", HERE / "mistakes.py"],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    try:
        found = json.loads(done.stdout)["generalDiagnostics"]
    except ValueError:
        pytest.skip(f"pyright cannot run here: {done.stderr[-200:]}")
    return [
        (Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
        for one in found
        if one["severity"] == "error"
    ]


def test_mypy_agrees_with_the_sample(mypy):
    found, said = mypy

    assert found, said  # it has run, since it saw the mistakes
    assert [one for one in found if one[0] == "sample.py"] == []


def test_mypy_sees_the_mistakes(mypy):
    assert {int(line) for name, line, _ in mypy[0] if name == "mistakes.py"} == MARKED


def test_pyright_agrees_with_the_sample(pyright):
    assert [one for one in pyright if one[0] == "sample.py"] == []


def test_pyright_sees_the_mistakes(pyright):
    assert {line for name, line, _ in pyright if name == "mistakes.py"} == MARKED
