"""Every example runs as it stands, and prints what it says it prints."""

import ast
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
REAL = {"local_model"}
"""Those that need the real small model."""


def names():
    """Those that need no host; tests/bedrock/test_pages.py plays Bedrock's for the others."""
    stems = (path.stem for path in EXAMPLES.glob("*.py"))
    return sorted(stem for stem in stems if not stem.startswith("bedrock_"))


def run_example(name, folder):
    """Run it in an empty folder, warnings as errors, its home elsewhere."""
    places = {"HOME": str(folder), "XDG_STATE_HOME": str(folder)} if name not in REAL else {}
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        cwd=folder,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=120,
    )


def promised(name):
    """What the example's docstring says it prints."""
    docstring = ast.get_docstring(ast.parse((EXAMPLES / f"{name}.py").read_text()))
    _, mark, printed = docstring.partition("\nPrints:\n")
    assert mark, f"{name}: its docstring does not say what it prints"
    return textwrap.dedent(printed).strip()


@pytest.mark.parametrize("name", [name for name in names() if name not in REAL])
def test_an_example_prints_what_it_says(name, tmp_path):
    done = run_example(name, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == promised(name)


@pytest.mark.llama
def test_the_example_on_the_real_model_gets_what_the_tools_returned(tmp_path):
    done = run_example("local_model", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "temp_c=14.5 population=2103000" in done.stdout
