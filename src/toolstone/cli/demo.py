"""`toolstone demo`: two functions, called at once by a real small model on this machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from toolstone.agent import Agent
from toolstone.cli.failures import reported
from toolstone.cli.talk import Talk
from toolstone.cli.view import choose_view

if TYPE_CHECKING:
    from toolstone.cli.view import View

__all__ = ["show_demo"]

_MODEL = "local/smollm2"
_WITS = """\
That was SmolLM2, a language model of 135 million parameters, on this machine: no account, no key.
So small a model proves the wiring, not the wits: toolstone made the schemas, ran the calls side
by side and checked the answer; a larger model brings the judgement.
"""


def show_demo(request: str | None, *, as_json: bool, debug: bool) -> int:
    """Run the demo and show it; the exit code."""
    from toolstone.local import demo  # noqa: PLC0415  the task, needed here alone

    asked = request or demo.REQUESTS[0]
    agent: Agent[Any] = Agent(
        _MODEL, tools=[demo.weather, demo.population], output=demo.Report, name="demo"
    )
    view = choose_view(agent.output, _MODEL, as_json=as_json)
    with reported(debug=debug, told=view):
        if not as_json:
            _introduce(asked)
        _fetch()
        _talk(agent, view, asked)
    if not as_json:
        sys.stderr.write(_WITS)
    return 0


def _introduce(asked: str) -> None:
    sys.stderr.write(
        f'Agent("local/smollm2", tools=[weather, population], output=Report), asked:\n  {asked}\n'
    )


def _fetch() -> None:
    """Have the model's file before anything else; it says so itself when it must be fetched."""
    from toolstone.local.weights import model_file  # noqa: PLC0415  needed here alone

    model_file()


def _talk(agent: Agent[Any], view: View, asked: str) -> None:
    with Talk(agent, view) as talk:
        talk.say(asked)
