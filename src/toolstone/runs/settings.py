"""Settings that cannot be: found once, when a run is planned, before anything is sent. Pure.

Closed sets and bounds alone are looked at. Words that services add to (`effort`, `verbosity`,
`service_tier` ...) stay open, and `extra` is the user's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import InputError
from toolstone.runs.choice import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from toolstone.ports import Settings

__all__ = ["check_values"]

_LIKELIHOODS: Final = 20


def check_values(settings: Settings, tools: Sequence[str]) -> None:
    """Refuse settings of values that can never be.

    Args:
        settings: Those of one run.
        tools: The names of its tools.

    Raises:
        InputError: It has one; says the value, and what would be right.
    """
    for problem in (*_values(settings), *_choice(settings, tools)):
        raise InputError(f"Settings({problem}")


def _values(settings: Settings) -> Iterator[str]:
    for name, (fits, right) in _RULES.items():
        value = getattr(settings, name)
        if value is not None and not fits(value):
            yield f"{name}={value!r}): {right}"


def _choice(settings: Settings, tools: Sequence[str]) -> Iterator[str]:
    choice = settings.tool_choice
    if choice is None:
        return
    if not isinstance(choice, str) and not _typed(choice):
        yield (
            f"tool_choice={choice!r}): give 'auto', 'none', 'required', the name of a tool, or an "
            "object with a type"
        )
    elif tools and "tools" not in settings.extra:  # without any the choice is not sent
        missing = sorted((named(choice) or frozenset()).difference(tools))
        if missing:
            there = ", ".join(tools)
            yield f"tool_choice={choice!r}): no tool is named {missing[0]!r}; the tools: {there}"


def _typed(choice: object) -> bool:
    return isinstance(choice, Mapping) and isinstance(choice.get("type"), str)


def _either(value: object) -> bool:
    return isinstance(value, bool)


def _positive(value: object) -> bool:
    return type(value) is int and value > 0


_Rule = tuple["Callable[[Any], bool]", str]
_YES_OR_NO: Final[_Rule] = (_either, "give True or False")
_COUNT: Final[_Rule] = (_positive, "give a whole number above 0")
_RULES: Final[Mapping[str, _Rule]] = {
    "state": (lambda value: value in ("local", "server"), "give 'local' or 'server'"),
    "conversation": (
        lambda value: isinstance(value, str) and value != "",
        "give the id that `model.conversations.create()` gave, or leave it out",
    ),
    "include": (
        lambda value: not isinstance(value, str),
        "give a list of names",
    ),
    **dict.fromkeys(
        ("background", "store", "json_mode", "parallel_tool_calls", "stream"), _YES_OR_NO
    ),
    **dict.fromkeys(("compact_threshold", "max_output_tokens", "max_tool_calls"), _COUNT),
    "top_logprobs": (
        lambda value: type(value) is int and 0 <= value <= _LIKELIHOODS,
        "give a whole number of 0 to 20",
    ),
}
