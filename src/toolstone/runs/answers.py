"""What somebody decided about a call, as a fact: for function calls, and for items that are none.

An item such as `computer_call` is answered by an item of its own kind (responses-api.md §4.2). The
plain ones are made here; the others are given as they go to the wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import InputError
from toolstone.events import Ruled
from toolstone.items import CallKey
from toolstone.parts import Image
from toolstone.tools.results import ResultProblem, render_result

if TYPE_CHECKING:
    from toolstone.runs.state import CallState

__all__ = ["MCP_APPROVAL", "approved", "denied", "given_up", "run_again", "taken"]

JSON = dict[str, Any]

_NO_CALL: Final = CallKey(0, 0)
"""Whoever records the ruling puts the call's own key in."""
MCP_APPROVAL: Final = "mcp_approval_request"
"""An item that asks for a person's yes."""


def approved(call: CallState) -> Ruled:
    """Let it run."""
    if call.name == MCP_APPROVAL and call.call_id is None:
        return Ruled(_NO_CALL, "result", [_mcp_response(call, approve=True)])
    return Ruled(_NO_CALL, "approve")


def denied(call: CallState, *, reason: str) -> Ruled:
    """Do not let it run."""
    if call.name == MCP_APPROVAL and call.call_id is None:
        return Ruled(_NO_CALL, "failed", [_mcp_response(call, approve=False, reason=reason)])
    return Ruled(_NO_CALL, "deny", render_result(str(reason)))


def run_again(call: CallState) -> Ruled:
    """Run it again.

    Raises:
        InputError: It is no function call: nobody here can run it.
    """
    if call.call_id is None:
        raise InputError(f"an item {call.name!r} is not run here: settle it with result=")
    return Ruled(_NO_CALL, "again")


def taken(call: CallState, *, result: Any) -> Ruled:
    """Take this as its result.

    Raises:
        InputError: It has no form a model could read, or does not answer such an item.
    """
    if call.call_id is None:
        return Ruled(_NO_CALL, "result", [_answer(call, result)])
    return Ruled(_NO_CALL, "result", _told(result))


def given_up(call: CallState, *, text: str) -> Ruled:
    """Tell the model that it failed.

    Raises:
        InputError: The item that is to be answered cannot say so.
    """
    if call.call_id is not None:
        return Ruled(_NO_CALL, "failed", render_result(str(text)))
    answer = _answer(call, str(text))
    if call.name == "apply_patch_call":
        answer["status"] = "failed"
    return Ruled(_NO_CALL, "failed", [answer])


def _told(result: Any) -> str | list[JSON]:
    try:
        return render_result(result)
    except ResultProblem as problem:
        raise InputError(f"settle(result=...): {problem}") from None


def _mcp_response(call: CallState, *, approve: bool, reason: str = "") -> JSON:
    link = call.item.raw.get("id")
    answer = {"type": "mcp_approval_response", "approval_request_id": link, "approve": approve}
    return {**answer, "reason": render_result(str(reason))} if reason else answer


def _answer(call: CallState, result: Any) -> JSON:
    """The item that answers an item."""
    link = call.item.raw.get("call_id")
    if isinstance(result, Mapping) and isinstance(result.get("type"), str):
        return dict(result)
    match call.name, result:
        case "computer_call", Image():
            part: Any = _told(result)[0]
            shot = {"type": "computer_screenshot", "image_url": part["image_url"]}
            return {"type": "computer_call_output", "call_id": link, "output": shot}
        case "custom_tool_call", _:
            return {"type": "custom_tool_call_output", "call_id": link, "output": _told(result)}
        case "local_shell_call", str():
            return {"type": "local_shell_call_output", "id": link, "output": _told(result)}
        case "apply_patch_call", str():
            answer = {"type": "apply_patch_call_output", "call_id": link, "status": "completed"}
            return {**answer, "output": _told(result)}
    raise InputError(
        f"an item {call.name!r} is not answered by a {type(result).__name__!r}: give the item that "
        'answers it, such as {"type": "..._output", "call_id": ..., ...}'
    )
