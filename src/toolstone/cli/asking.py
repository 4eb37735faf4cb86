"""Asks somebody at the terminal about the calls a run waits for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from toolstone.cli.words import clean, in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.cli.talk import Talk
    from toolstone.runs.result import Result, ToolCall

__all__ = ["ask_about"]


def ask_about(talk: Talk, result: Result[Any], ask: Callable[[str], str] = input) -> Result[Any]:
    """Ask about every waiting call, rule as told, and go on until nothing waits."""
    while result.waiting:
        for call in result.waiting:
            _ask_about(talk, call, ask)
        result = talk.resume()
    return result


def _ask_about(talk: Talk, call: ToolCall, ask: Callable[[str], str]) -> None:
    shown = _in_full(call)
    match call.state:
        case "approval":
            if _choose(ask, f"{shown}\nRun it? [y/n] ", "yn") == "y":
                talk.approve(call)
            else:
                talk.deny(call, ask("Why not? (told to the model; may be empty) "))
        case "unknown":
            question = "It had started, and nobody knows how it ended: run it [a]gain, "
            chosen = _choose(ask, f"{shown}\n{question}it [f]ailed, or give its [r]esult? ", "afr")
            _settle(talk, call, chosen, ask)
        case "deferred":
            talk.settle(call, result=ask(f"{shown}\nIts result: "))
        case _:
            pass  # it runs when the session goes on


def _settle(talk: Talk, call: ToolCall, chosen: str, ask: Callable[[str], str]) -> None:
    match chosen:
        case "a":
            talk.settle(call, again=True)
        case "f":
            talk.settle(call, failed=ask("What is the model told? ") or "it failed")
        case _:
            talk.settle(call, result=ask("Its result: "))


def _choose(ask: Callable[[str], str], question: str, letters: str) -> str:
    while True:
        said = ask(question).strip().lower()[:1]
        if said and said in letters:
            return said
        question = f"Please answer with one of {', '.join(letters)}: "


def _in_full(call: ToolCall) -> str:
    """The whole call: who says yes must have seen all of it."""
    told = in_words(call)
    try:
        arguments = json.dumps(json.loads(told or "{}"), indent=2, ensure_ascii=False)
    except ValueError:
        arguments = told
    return f"{call.key}  {clean(call.name)} {clean(arguments)}"
