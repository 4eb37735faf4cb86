"""`toolstone chat`: a conversation at the terminal."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from toolstone.cli.asking import ask_about
from toolstone.cli.find import find_agent
from toolstone.cli.talk import Talk
from toolstone.cli.view import choose_view
from toolstone.cli.words import clean
from toolstone.errors import RunCancelled, ToolstoneError

if TYPE_CHECKING:
    from pathlib import Path

    from toolstone.runs.result import Result

__all__ = ["chat_with"]

_HELP = "Ctrl-C stops a run, /resume goes on with it, /quit ends the chat.\n"


def chat_with(target: str, *, session: str | None, file: Path | None, debug: bool) -> None:
    """Read, run, show; until /quit or the end of the input."""
    with suppress(ImportError):
        import readline  # noqa: F401, PLC0415  arrow keys and history for input()
    agent = find_agent(target)
    view = choose_view(agent.output, agent.model_name, as_json=False)
    prompt = "> " if sys.stdin.isatty() else ""
    with Talk(agent, view, session=session, file=file) as talk:
        if prompt:
            sys.stdout.write(f"{clean(agent.model_name)}, session {talk.session}\n{_HELP}")
        while (line := _read(prompt)) is not None:
            _turn(talk, view, line, debug=debug)
        if session is not None:
            sys.stderr.write(f"To go on: toolstone chat {target} --session {session}\n")


def _read(prompt: str) -> str | None:
    """The next line to act on; None at the end."""
    while True:
        try:
            line = input(prompt).strip()
        except EOFError:
            return None
        if line in {"/quit", "/exit"}:
            return None
        if line in {"/help", "/?"}:
            sys.stdout.write(_HELP)
        elif line:
            return line


def _turn(talk: Talk, view: Any, line: str, *, debug: bool) -> None:
    """One line of the conversation; what goes wrong is said, and the chat goes on."""
    try:
        result: Result[Any] = talk.resume() if line == "/resume" else talk.say(line)
        if result.waiting:
            ask_about(talk, result)
    except EOFError:
        sys.stderr.write("it still waits; /resume asks again\n")
    except RunCancelled:
        sys.stderr.write("stopped; /resume goes on\n")
    except ToolstoneError as error:
        if debug:
            raise
        view.fail(error)
        sys.stderr.write(f"{type(error).__name__}: {clean(str(error))}\n")
