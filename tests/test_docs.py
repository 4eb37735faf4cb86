"""Every block in the docs runs: Python is executed, `toolstone` commands are parsed."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from toolstone.cli.app import app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    """The page's blocks in a language, each behind as many empty lines as stand before it."""
    text = page.read_text()
    return [
        (text[: found.start(2)].count("\n"), found[2])
        for found in _BLOCK.finditer(text)
        if found[1] == language
    ]


def program(page):
    """The Python of a page as one program whose line numbers are those of the page."""
    lines = []
    for start, block in blocks(page, "python"):
        lines += [""] * (start - len(lines))
        lines += block.splitlines()
    return "\n".join(lines) + "\n"


def is_real(page):
    return '"local/' in program(page)


def run_page(page, folder, **env):
    script = folder / f"{page.stem}.py"
    script.write_text(program(page))
    return subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def is_hosted(page):
    """Whether tests/bedrock/test_pages.py runs it, with Bedrock's hosts played."""
    return page.stem == "bedrock"


def named(pages):
    return [pytest.param(page, id=page.stem) for page in pages]


PLAIN = [p for p in PAGES if blocks(p, "python") and not is_real(p) and not is_hosted(p)]


@pytest.mark.parametrize("page", named(PLAIN))
def test_the_python_on_a_page_runs_from_top_to_bottom(page, tmp_path):
    done = run_page(page, tmp_path, HOME=str(tmp_path), XDG_STATE_HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.mark.llama
@pytest.mark.parametrize("page", named(p for p in PAGES if is_real(p)))
def test_the_python_on_a_page_runs_on_the_real_model(page, tmp_path):
    done = run_page(page, tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", named(p for p in PAGES if blocks(p, "bash")))
def test_the_commands_on_a_page_are_commands(page):
    group = typer.main.get_command(app)
    for _, block in blocks(page, "bash"):
        for line in block.splitlines():
            for words in commands(line):
                parse(group, words)


def commands(line):
    """What follows `toolstone` in a line of shell, each command of it."""
    for part in re.split(r"&&|\||;", line.partition(" #")[0]):
        words = shlex.split(part)
        if words and words[0].endswith("toolstone"):
            yield words[1:]


def parse(group, words):
    """Refuse options and commands that are not there."""
    context = group.make_context("toolstone", list(words), resilient_parsing=True)
    if words[0].startswith("-"):
        return  # an option of `toolstone` itself, which has just been parsed
    name, command, rest = group.resolve_command(context, list(words))
    assert command is not None, f"no command {words[0]!r}"
    command.make_context(name, rest, parent=context)


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_in_the_navigation():
    listed = re.findall(r": (\w+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(page.name for page in PAGES[1:])
