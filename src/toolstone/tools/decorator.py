"""`@tool` attaches policy to a function and returns the same function, callable and typed."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, overload

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.schema.signature import UnknownNameError, check_parameters
from toolstone.tools.policy import ATTRIBUTE, Policy
from toolstone.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolstone.schema.strict import Wish
    from toolstone.tools.limiter import Limit

__all__ = ["in_a_class", "tool"]

F = TypeVar("F", bound="Callable[..., Any]")


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *,
    timeout: float | None = ...,
    retries: int = ...,
    repeatable: bool = ...,
    limit: Limit | None = ...,
    serial: bool = ...,
    approve: bool | Callable[[Mapping[str, Any]], bool] = ...,
    strict: Wish = ...,
    name: str | None = ...,
    description: str | None = ...,
) -> Callable[[F], F]: ...
def tool(
    function: F | None = None,
    /,
    *,
    timeout: float | None = limits.TOOL_SECONDS,
    retries: int = 0,
    repeatable: bool = False,
    limit: Limit | None = None,
    serial: bool = False,
    approve: bool | Callable[[Mapping[str, Any]], bool] = False,
    strict: Wish = "auto",
    name: str | None = None,
    description: str | None = None,
) -> F | Callable[[F], F]:
    """Say how calls of a function are made. Plain functions are tools without it.

    Args:
        function: The function, where `@tool` stands without arguments.
        timeout: Seconds a call may take, retries included; None for no end.
        retries: How often a failed call is made again, without the model.
        repeatable: Doing it twice is the same as once, so after a crash it is just done again.
        limit: At most so many at once of a resource, anywhere in the process.
        serial: Calls of this tool never overlap.
        approve: A person must say yes first; or a function of the arguments that decides it.
        strict: True, False or "auto": strict where that keeps Python's meaning.
        name: What the model calls it; by default the function's name.
        description: What the model is told; by default from the docstring.

    Raises:
        DefinitionError: The function cannot be a tool; names it, the parameter, and the mend.

    Example:
        @tool(timeout=10, retries=2, repeatable=True, limit=Limit("db", 3))
        async def find(query: str) -> list[str]:
            ...
    """
    policy = Policy(
        timeout=timeout,
        retries=retries,
        repeatable=repeatable,
        limit=limit,
        serial=serial,
        approve=approve,
        strict=strict,
        name=name,
        description=description,
    )

    def attach(function: F) -> F:
        target = function.__func__ if isinstance(function, classmethod | staticmethod) else function
        before = getattr(target, ATTRIBUTE, None)
        try:
            setattr(target, ATTRIBUTE, policy)
        except AttributeError as error:
            raise DefinitionError(
                f"a {type(function).__name__!r} cannot carry a policy; decorate a function"
            ) from error
        try:
            _check(target, bound=isinstance(function, classmethod) or in_a_class(target))
        except BaseException:
            setattr(target, ATTRIBUTE, before)  # what is refused leaves nothing behind
            raise
        return function

    return attach if function is None else attach(function)


def in_a_class(function: Any) -> bool:
    """Whether a function stands in a class body: its names may not be known yet."""
    around, _, _ = getattr(function, "__qualname__", "").rpartition(".")
    return bool(around) and not around.endswith("<locals>") and inspect.isfunction(function)


def _check(function: Any, *, bound: bool) -> None:
    """Refuse at decoration what can be seen now; a method is seen whole when it is bound."""
    if not bound:
        with suppress(UnknownNameError):  # defined further down, perhaps: the agent asks again
            Tool.of(function)
        return
    parameters = list(inspect.signature(function).parameters.values())
    if parameters and parameters[0].annotation is parameters[0].empty:
        parameters = parameters[1:]
    check_parameters(function.__qualname__, parameters)
