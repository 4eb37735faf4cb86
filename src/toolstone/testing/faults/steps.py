"""What a scenario is: a name, a sentence, and the steps it takes when it is asked something."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = [
    "CLOSE",
    "HANG",
    "RESET",
    "SCENARIOS",
    "Act",
    "Asked",
    "Gate",
    "Pause",
    "Scenario",
    "Step",
    "scenario",
]

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """Something done to the connection instead of sending."""

    what: str


RESET: Final = Act("reset")
"""Break the connection at once."""
CLOSE: Final = Act("close")
"""End it in order."""
HANG: Final = Act("hang")
"""Say nothing more until the client goes."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait; the peer's `pace` says how long a second is."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Wait until somebody calls `Faults.release`, or the bound is over."""

    seconds: float = 1.0


Step = bytes | Act | Pause | Gate


@dataclass(frozen=True)
class Asked:
    """A request, as a scenario sees it."""

    method: str
    target: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    nth: int
    """Which request of its connection this is, from 1."""
    count: int
    """Which request of its base URL this is, from 1."""
    elsewhere: str = ""
    """Another origin, where nobody should ever come."""

    @cached_property
    def json(self) -> JSON:
        """The body; empty if it is no JSON object."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def streams(self) -> bool:
        """Whether a stream is asked for."""
        return self.json.get("stream") is True

    @property
    def tools(self) -> list[JSON]:
        """The functions that are offered."""
        found = self.json.get("tools")
        tools = found if isinstance(found, list) else []
        return [one for one in tools if isinstance(one, dict) and one.get("type") == "function"]

    @property
    def outputs(self) -> list[JSON]:
        """The outputs of calls that stand in the input."""
        found = self.json.get("input")
        items = found if isinstance(found, list) else []
        return [
            one
            for one in items
            if isinstance(one, dict) and one.get("type") == "function_call_output"
        ]

    @property
    def schema(self) -> JSON:
        """The schema that the answer is to fit; empty if there is none."""
        text = self.json.get("text")
        form = text.get("format") if isinstance(text, dict) else None
        schema = form.get("schema") if isinstance(form, dict) else None
        return schema if isinstance(schema, dict) else {}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One fault.

    Attributes:
        name: As it stands in a base URL.
        says: What happens, in one sentence.
        play: What is done when it is asked something.
        unread: Whether it is done before the request is read.
    """

    name: str
    says: str
    play: Callable[[Asked], Iterable[Step]] = field(repr=False)
    unread: bool = False


SCENARIOS: Final[dict[str, Scenario]] = {}
"""Every scenario, by name."""


def scenario(
    name: str, says: str, *, unread: bool = False
) -> Callable[[Callable[[Asked], Iterable[Step]]], Callable[[Asked], Iterable[Step]]]:
    """Name what a function plays."""

    def named(play: Callable[[Asked], Iterable[Step]]) -> Callable[[Asked], Iterable[Step]]:
        SCENARIOS[name] = Scenario(name, says, play, unread)
        return play

    return named
