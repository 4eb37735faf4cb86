"""Tools whose schema somebody wrote by hand, or another process told us."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import DefinitionError
from toolstone.ports import ToolSpec
from toolstone.schema.foreign import ForeignSchema
from toolstone.schema.lint import strict_problems
from toolstone.tools.tool import Tool, check_description, check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolstone.schema.strict import Wish
    from toolstone.tools.policy import Policy

__all__ = ["handwritten"]

_CONTEXT: Final = "\0context"
"""Where the context stands among the arguments; no JSON key of ours or of a sane schema."""


def handwritten(
    name: str,
    parameters: Mapping[str, Any],
    invoke: Callable[..., Any] | None,
    description: str,
    strict: Wish,
    policy: Policy,
) -> Tool:
    """See `Tool.from_schema`."""
    who = f"tool {check_name(name)!r}"
    check_description(name, description)
    compiled = ForeignSchema(who, parameters)
    chosen, reasons = _decide(who, compiled.schema, strict)
    wants_context = invoke is not None and _wants_context(invoke)
    return Tool(
        ToolSpec(name, description, compiled.schema, chosen),
        reasons,
        policy,
        deferred=invoke is None,
        wants_context=wants_context,
        _read=compiled.read,
        _run=None if invoke is None else _taking_keywords(invoke),
        _waits=invoke is not None and _waits(invoke),
        _context=_CONTEXT if wants_context else None,
    )


def _decide(who: str, schema: Mapping[str, Any], strict: Wish) -> tuple[bool, tuple[str, ...]]:
    if strict is False:
        return False, ("strict=False was asked for",)
    problems = tuple(strict_problems(schema))
    if problems and strict is True:
        raise DefinitionError(f"{who} cannot be strict: {'; '.join(problems[:5])}")
    return not problems, problems


def _waits(invoke: Any) -> bool:
    return inspect.iscoroutinefunction(invoke) or inspect.iscoroutinefunction(
        getattr(invoke, "__call__", None)  # noqa: B004  a callable object may be async
    )


def _wants_context(invoke: Callable[..., Any]) -> bool:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        found = inspect.signature(invoke).parameters.values()
    except (TypeError, ValueError):
        return False
    return len([p for p in found if p.kind in kinds]) > 1


def _taking_keywords(invoke: Callable[..., Any]) -> Callable[..., Any]:
    def run(**given: Any) -> Any:
        if _CONTEXT in given:
            context = given.pop(_CONTEXT)
            return invoke(given, context)
        return invoke(given)

    return run
