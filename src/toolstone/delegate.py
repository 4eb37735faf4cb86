"""An agent as a tool of another: it spends from the other's budget, call by call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolstone.errors import RunError, ToolError
from toolstone.runs.loop import spending
from toolstone.sessions import Wish
from toolstone.tools.context import ToolContext  # noqa: TC001  the tool's signature is read
from toolstone.tools.decorator import tool
from toolstone.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from toolstone.items import CallKey
    from toolstone.runs.budget import Purse
    from toolstone.runs.result import Result

__all__ = ["delegate"]


def delegate(
    run: Callable[[Wish, str, None], Awaitable[Result[Any]]], *, name: str, description: str
) -> Tool:
    """A tool that runs an agent.

    Args:
        run: The agent's own door.
        name: The tool's name, and the agent's in what the model is told of a failure.
        description: What the other model is told it is for.

    The tool has no time-out of its own: budget and deadlines bound the agent.
    """

    async def ask(context: ToolContext[Any], request: str) -> Any:
        parent = spending.get()
        wish = Wish(deps=context.deps, cancel=context.cancel, parent=parent)
        try:
            result = await run(wish, request, None)
        except RunError as error:
            _charge(parent, context.call, error.result)
            raise ToolError(f"{name} did not complete: {error.outcome}") from error
        _charge(parent, context.call, result)
        if result.outcome != "complete":
            raise ToolError(f"{name} waits for somebody; its session is {result.session}")
        return result.output

    return Tool.of(tool(name=name, description=description, timeout=None)(ask))


def _charge(parent: Purse | None, call: CallKey, result: Result[Any] | None) -> None:
    """Have the caller's fact of this call tell what the agent spent in it."""
    if parent is not None and result is not None:
        spent = parent.charged.get(call)
        parent.charged[call] = result.usage if spent is None else spent + result.usage
