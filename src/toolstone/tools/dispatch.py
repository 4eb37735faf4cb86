"""One batch of calls, answered as in a run, without a run: for loops of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolstone import limits
from toolstone.errors import InputError
from toolstone.events import Returned
from toolstone.items import CallKey, FunctionCall, FunctionCallOutput, Other
from toolstone.tools.calling import Pending, call_all
from toolstone.tools.context import CancelToken, ToolContext
from toolstone.tools.refusals import explain_kind, explain_limit, explain_unknown
from toolstone.tools.tool import ArgumentsProblem
from toolstone.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from toolstone.events import Delta
    from toolstone.tools.tool import Tool
    from toolstone.tools.toolbox import AnyTool

__all__ = ["dispatch", "prepare"]


async def dispatch(
    calls: Sequence[FunctionCall | Other],
    tools: Iterable[AnyTool],
    *,
    deps: Any = None,
    concurrency: int = limits.CALLS_PER_TURN,
) -> list[FunctionCallOutput | Other]:
    """Make the calls of one response side by side, and answer each.

    Args:
        calls: The calls, as the model made them: functions, and `custom_tool_call` items.
        tools: What they may call. Tools that want approval are called: who dispatches has approved.
        deps: For tools that take a `ToolContext`.
        concurrency: How many run at once.

    Returns:
        One output for each call, in their order, whatever failed.

    Raises:
        DefinitionError: Something in `tools` cannot be a tool.

    Example:
        outputs = await dispatch(response.calls, [weather, population])
    """
    offered = {one.name: one for one in Toolbox(tools).offered() if one.kind != "server"}
    cancel = CancelToken()
    returned: dict[CallKey, Returned] = {}
    batch: list[Pending] = []
    for position, call in enumerate(calls):
        key = CallKey(0, position)
        found = prepare(key, call, offered, _context(key, deps, cancel))
        if isinstance(found, Pending):
            batch.append(found)
        else:
            returned[key] = found

    async def tell(home: Sequence[Returned], _deltas: Sequence[Delta]) -> None:
        returned.update({one.call: one for one in home})

    await call_all(batch, tell, concurrency=concurrency)
    return [_output(call, returned[CallKey(0, position)]) for position, call in enumerate(calls)]


def prepare(
    key: CallKey,
    call: FunctionCall | Other,
    offered: Mapping[str, Tool],
    context: Callable[[], ToolContext[Any]],
) -> Pending | Returned:
    """A call ready to be made, or the answer to one that is not made."""
    if key.position >= limits.CALLS_PER_TURN:
        return Returned(key, explain_limit(limits.CALLS_PER_TURN), failed=True, how="limit")
    name, text, kind = read_call(call)
    one = offered.get(name)
    if one is None:
        return Returned(key, explain_unknown(name, tuple(offered)), failed=True, how="unknown")
    if one.kind != kind:
        return Returned(key, explain_kind(name, one.kind), failed=True, how="arguments")
    try:
        bound = one.read(text)
    except ArgumentsProblem as problem:
        return Returned(key, str(problem), failed=True, how="arguments")
    if one.deferred:
        said = f"'{one.name}' is not run here"
        return Returned(key, said, failed=True, how="denied")
    return Pending(key, one, bound, context)


def _context(key: CallKey, deps: Any, cancel: CancelToken) -> Callable[[], ToolContext[Any]]:
    return lambda: ToolContext("dispatch", key, deps, cancel)


def read_call(call: FunctionCall | Other) -> tuple[str, str, str]:
    """Name, arguments or input, and kind of a call.

    Raises:
        InputError: It is another item.
    """
    if isinstance(call, FunctionCall):
        return call.name, call.arguments, "function"
    if call.type != "custom_tool_call":
        raise InputError(f"an item {call.type!r} is not made here; answer it with its own output")
    return str(call.raw.get("name")), str(call.raw.get("input", "")), "custom"


def _output(call: FunctionCall | Other, home: Returned) -> FunctionCallOutput | Other:
    link, told = call.raw.get("call_id", ""), home.output
    if isinstance(call, FunctionCall):
        return FunctionCallOutput(
            {"type": "function_call_output", "call_id": call.call_id, "output": told}
        )
    return Other({"type": "custom_tool_call_output", "call_id": link, "output": told})
