"""What somebody decided about a call, as a fact: for function calls, and for items that are none.

An item such as `computer_call` is answered by an item of its own kind (responses-api.md §4.2). The
plain ones are made here; the others are given as they go to the wire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import InputError
from toolstone.events import Ruled
from toolstone.items import CallKey, FunctionCallOutput, Other, parse_item
from toolstone.parts import Image
from toolstone.tools.results import ResultProblem, render_result
from toolstone.tools.tool import Tool

if TYPE_CHECKING:
    from toolstone.items import Item
    from toolstone.runs.state import CallState

__all__ = ["MCP_APPROVAL", "approved", "denied", "given_up", "render_output", "run_again", "taken"]

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
    if call.kind == "custom" and _is_item(result, "custom_tool_call_output"):
        return Ruled(_NO_CALL, "result", result.get("output", ""))
    return Ruled(_NO_CALL, "result", _told(result))


def given_up(call: CallState, *, text: str) -> Ruled:
    """Tell the model that it failed.

    Raises:
        InputError: The item that is to be answered cannot say so.
    """
    if call.call_id is not None:
        return Ruled(_NO_CALL, "failed", render_result(str(text)))
    match call.name:
        case "apply_patch_call":
            answer = {**_answer(call, str(text)), "status": "failed"}
        case "shell_call":
            answer = _answer(call, [{"stderr": str(text), "exit_code": 1}])
        case "tool_search_call":
            answer = _answer(call, [])
        case _:
            answer = _answer(call, str(text))
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
    raw = call.item.raw
    link = raw.get("call_id")
    if isinstance(result, Mapping) and isinstance(result.get("type"), str):
        return dict(result)
    match call.name, result:
        case "computer_call", Image():
            return {"type": "computer_call_output", "call_id": link, "output": _shot(raw, result)}
        case "local_shell_call", str():  # here `id` is the link, and it names the call (§4.2)
            return {"type": "local_shell_call_output", "id": link, "output": _told(result)}
        case "shell_call", str() | Mapping() | Sequence():
            return _shell_output(raw, [result] if isinstance(result, str | Mapping) else result)
        case "apply_patch_call", str() | None:
            answer = {"type": "apply_patch_call_output", "call_id": link, "status": "completed"}
            return answer if result is None else {**answer, "output": _told(result)}
        case "tool_search_call", Sequence() if not isinstance(result, str):
            found = [_definition(one) for one in result]
            said = {"call_id": link, "execution": "client", "tools": found}
            return {"type": "tool_search_output", **said}
    raise InputError(
        f"an item {call.name!r} is not answered by a {type(result).__name__!r}: give "
        f"{_WANTED.get(call.name, 'the item that answers it')}, or the item that goes to the wire, "
        'such as {"type": "..._output", "call_id": ..., ...}'
    )


_WANTED: Final = {
    "computer_call": "an Image of the screen",
    "local_shell_call": "what the command wrote, as text",
    "shell_call": "a list with {'stdout': ..., 'stderr': ..., 'exit_code': ...} for each command",
    "apply_patch_call": "text, or None where there is nothing to say",
    "tool_search_call": "a list of the tools that were found",
}


def _is_item(result: Any, kind: str) -> bool:
    return isinstance(result, Mapping) and result.get("type") == kind


def _shot(raw: JSON, image: Image) -> JSON:
    """A screenshot; what the service wants a person to look at first is not waved through."""
    if raw.get("pending_safety_checks"):
        raise InputError(
            "this computer_call has pending_safety_checks: look at them in call.item, then answer "
            "with the whole item, those you accept in its acknowledged_safety_checks"
        )
    part: Any = _told(image)[0]
    found = {key: part[key] for key in ("image_url", "file_id") if key in part}
    return {"type": "computer_screenshot", **found}


def _shell_output(raw: JSON, results: Sequence[Any]) -> JSON:
    """What each command wrote, and how it ended."""
    answer = {"type": "shell_call_output", "call_id": raw.get("call_id")}
    action = raw.get("action")
    most = action.get("max_output_length") if isinstance(action, Mapping) else None
    said = {} if most is None else {"max_output_length": most}
    return {**answer, "output": [_ended(one) for one in results], **said}


def _ended(one: Any) -> JSON:
    if isinstance(one, str):
        one = {"stdout": one}
    if not isinstance(one, Mapping) or one.keys() - _SHELL_KEYS:
        raise InputError(
            "a shell_call is answered by a list with one dict for each command: stdout, stderr, "
            "and exit_code (or outcome, as the wire has it: {'type': 'timeout'})"
        )
    outcome = one.get("outcome") or {"type": "exit", "exit_code": one.get("exit_code", 0)}
    told = {key: _told(str(one.get(key, ""))) for key in ("stdout", "stderr")}
    return {**told, "outcome": outcome}


_SHELL_KEYS: Final = {"stdout", "stderr", "exit_code", "outcome"}


def _definition(one: Any) -> JSON:
    """A tool as the wire has it."""
    if isinstance(one, Mapping):
        return dict(one)
    spec = Tool.of(one).spec
    if spec.raw is not None:
        return dict(spec.raw)
    said = {"description": spec.description} if spec.description else {}
    parameters = dict(spec.parameters)
    more = {"parameters": parameters, "strict": spec.strict}
    return {"type": "function", "name": spec.name, **said, **more}


def render_output(call: CallState) -> Item:
    """What the model is told of a call that came home, as the wire has it."""
    returned = call.returned
    output = returned.output if returned is not None else ""
    if call.kind == "function":
        return FunctionCallOutput(
            {"type": "function_call_output", "call_id": call.call_id, "output": output}
        )
    if call.kind == "custom":
        return Other({"type": "custom_tool_call_output", "call_id": call.call_id, "output": output})
    if isinstance(output, list) and len(output) == 1:
        return parse_item(output[0])
    kind = call.item.type
    return Other(
        {"type": f"{kind}_output", "call_id": call.item.raw.get("call_id"), "output": output}
    )
