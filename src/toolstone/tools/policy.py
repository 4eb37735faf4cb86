"""How calls of a tool are made: what `@tool(...)` attaches to a function."""

from __future__ import annotations

import inspect
import math
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, Literal

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError
from toolstone.tools.limiter import Gate, Limit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolstone.schema.strict import Wish

__all__ = ["DEFAULT", "Grammar", "Policy", "policy_of"]

ATTRIBUTE: Final = "__toolstone__"
"""Where a function keeps its policy."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """What the free text of a custom tool is held to; without a syntax, nothing."""

    syntax: Literal["regex", "lark"] | None = None
    definition: str = ""

    @staticmethod
    def of(regex: str | None, lark: str | None) -> Grammar | None:
        """The one grammar that was given; None if none was.

        Raises:
            DefinitionError: Both were, or it is no text or too long.
        """
        if regex is not None and lark is not None:
            raise DefinitionError("regex= and lark=: a tool has one grammar; give one of them")
        given = lark if regex is None else regex
        if given is None:
            return None
        if not isinstance(given, str) or not 0 < len(given) <= limits.GRAMMAR_CHARACTERS:
            raise DefinitionError(
                f"a grammar is text of 1 to {limits.GRAMMAR_CHARACTERS} characters, "
                f"not a {type(given).__name__!r} of {len(str(given))}"
            )
        return Grammar("lark" if regex is None else "regex", given)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """How calls of one tool are made.

    Attributes:
        timeout: Seconds a call may take, retries included; None for no end.
        retries: How often a failed call is made again, without the model.
        repeatable: Whether doing it twice is the same as once: after a crash it is just done again.
        limit: At most so many at once of a resource.
        serial: Whether calls of this tool never overlap.
        approve: Whether a person must say yes first; or what decides it from the arguments.
        strict: Strict schema, not strict, or strict where that keeps Python's meaning.
        name: What the model calls it; by default the function's name.
        description: What the model is told; by default from the docstring.
        grammar: For a tool that takes free text: what the text is held to.
    """

    timeout: float | None = limits.TOOL_SECONDS
    retries: int = 0
    repeatable: bool = False
    limit: Limit | None = None
    serial: bool = False
    approve: bool | Callable[[Mapping[str, Any]], bool] = False
    strict: Wish = "auto"
    name: str | None = None
    description: str | None = None
    grammar: Grammar | None = None
    gate: Gate | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.timeout is not None and not 0 < self.timeout < math.inf:
            raise DefinitionError(f"timeout={self.timeout!r}: give seconds above 0, or None")
        if type(self.retries) is not int or self.retries < 0:
            raise DefinitionError(f"retries={self.retries!r}: give 0 or more")
        if self.strict not in (True, False, "auto"):
            raise DefinitionError(f'strict={self.strict!r}: give True, False or "auto"')
        if self.serial and self.limit is not None:
            raise DefinitionError(
                "serial=True and limit=: serial is a limit of 1 of the tool's own; give one of them"
            )
        if inspect.iscoroutinefunction(self.approve):
            raise DefinitionError(
                "approve= is an async function, and the decision must be there at once; "
                "give a plain one, or True to ask a person every time"
            )
        gate = Gate(1) if self.serial else self.limit.gate if self.limit else None
        object.__setattr__(self, "gate", gate)


DEFAULT: Final = Policy()


def policy_of(function: Any) -> Policy:
    """The policy attached to a function, or the default."""
    found = getattr(function, ATTRIBUTE, None)
    if found is None and hasattr(function, "func"):  # a partial of a decorated function
        return policy_of(function.func)
    return found if isinstance(found, Policy) else DEFAULT
