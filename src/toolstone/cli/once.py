"""`toolstone run`: one request to an agent, or the rest of one."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from toolstone.cli.asking import ask_about
from toolstone.cli.failures import WAITING, reported
from toolstone.cli.find import find_agent
from toolstone.cli.talk import Talk
from toolstone.cli.view import choose_view
from toolstone.cli.words import put_waiting
from toolstone.errors import RunError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolstone.runs.result import Result
    from toolstone.sessions import Input

__all__ = ["run_once"]


def run_once(
    target: str,
    text: Input | None,
    *,
    session: str | None,
    approve: Sequence[str],
    deny: Sequence[str],
    file: Path | None,
    as_json: bool,
    debug: bool,
) -> int:
    """Say the text, or go on with the session if there is none; the exit code."""
    agent = find_agent(target)
    view = choose_view(agent.output, agent.model_name, as_json=as_json)
    with reported(debug=debug, told=view), Talk(agent, view, session=session, file=file) as talk:
        try:
            result = _go(talk, text, approve, deny)
            if result.waiting and view.asks and sys.stdin.isatty():
                with suppress(EOFError):  # Ctrl-D: let it wait
                    result = ask_about(talk, result)
        except (RunError, KeyboardInterrupt) as error:
            if unknown := getattr(getattr(error, "result", None), "waiting", ()):
                error.add_note(f"These calls had not returned:\n{put_waiting(unknown)}")
            error.add_note(f"To go on: {talk.how_to_resume(target)}")
            raise
        if not result.waiting:
            return 0
        sys.stderr.write(_waits(result, talk.how_to_resume(target)))
        return WAITING


def _go(talk: Talk, text: Input | None, approve: Sequence[str], deny: Sequence[str]) -> Result[Any]:
    if text is not None:
        return talk.say(text)
    for call in approve:
        talk.approve(call)
    for call in deny:
        talk.deny(call)
    return talk.resume()


def _waits(result: Result[Any], command: str) -> str:
    return (
        f"The run waits for somebody:\n{put_waiting(result.waiting)}\n"
        f"To answer, in a terminal: {command}\n"
        "or by a program: the same with --approve CALL or --deny CALL\n"
    )
