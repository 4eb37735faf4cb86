"""A request body is checked as the real service checks it, and becomes a Turn."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NoReturn

from pydantic import ValidationError

from toolstone.local.brain import Choice, RefusalError, Turn
from toolstone.local.fields import RequestFields
from toolstone.local.store import Store
from toolstone.local.strictness import first_offence

__all__ = ["parse_turn"]

Items = Sequence[Mapping[str, Any]]

_CODES = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "literal_error": "invalid_value",
    "union_tag_invalid": "invalid_value",
    "string_pattern_mismatch": "invalid_value",
    "greater_than_equal": "integer_below_min_value",
    "less_than_equal": "integer_above_max_value",
}


def parse_turn(raw: bytes, store: Store) -> Turn:
    """Check a request body and resolve what it refers to.

    Raises:
        RefusalError: Status 400, `param` naming the first field that is at fault.
    """
    body = _load(raw)
    _check_fields(body)
    _check_tools(body.get("tools") or [])
    _check_format(body)
    items = _conversation(body, store)
    _check_pairs(items)
    return Turn(body, items, _choice(body))


def refuse(code: str, message: str, param: str | None) -> NoReturn:
    """Answer 400."""
    raise RefusalError(400, code, message, param)


def _load(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        message = "the body is not JSON; send one JSON object"
        raise RefusalError(400, "invalid_json", message) from error
    if not isinstance(body, dict):
        refuse("invalid_type", f"the body is a JSON {type(body).__name__}; send an object", None)
    return body


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_fields(body: Mapping[str, Any]) -> None:
    try:
        RequestFields.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        param = _path(first["loc"])
        code = _CODES.get(first["type"], "invalid_type")
        raise RefusalError(400, code, f"{param}: {first['msg']}", param) from None


def _path(loc: Iterable[str | int]) -> str:
    path = ""
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not step.startswith("<"):
            path += f".{step}" if path else step
    return path


def _check_tools(tools: Items) -> None:
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        if tool["type"] != "function":
            continue
        name = tool["name"]
        if name in seen:
            refuse(
                "invalid_value",
                f"two tools are named {name!r}; names must differ",
                f"tools[{index}].name",
            )
        seen.add(name)
        _check_schema(
            tool.get("parameters") or {"type": "object"},
            strict=tool.get("strict") is True,
            code="invalid_function_parameters",
            param=f"tools[{index}].parameters",
        )


def _check_format(body: Mapping[str, Any]) -> None:
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") == "json_schema":
        _check_schema(
            wanted["schema"],
            strict=wanted.get("strict") is True,
            code="invalid_json_schema",
            param="text.format.schema",
        )
    if wanted.get("type") == "json_object" and "json" not in _words(body).lower():
        refuse(
            "invalid_value",
            "the input must contain the word 'json' to use 'text.format' of type 'json_object'",
            "input",
        )


def _words(body: Mapping[str, Any]) -> str:
    return json.dumps([body.get("input"), body.get("instructions")])


def _check_schema(schema: Mapping[str, Any], *, strict: bool, code: str, param: str) -> None:
    if schema.get("type") != "object":
        given = schema.get("type")
        refuse(code, f"the schema's root has type {given!r}; it must be 'object'", param)
    offence = first_offence(schema) if strict else None
    if offence:
        refuse(code, f"not a strict schema: {offence}", param)


def _conversation(body: Mapping[str, Any], store: Store) -> Items:
    said = body.get("input")
    earlier: Items = ()
    if previous := body.get("previous_response_id"):
        found = store.conversation(previous)
        if found is None:
            refuse(
                "previous_response_not_found",
                "no stored response has this id: made with store=false, forgotten, or never here",
                "previous_response_id",
            )
        earlier = found
    if said is None and not earlier:
        refuse("missing_required_parameter", "input: Field required", "input")
    if isinstance(said, str):
        return (*earlier, {"type": "message", "role": "user", "content": said})
    fresh = [_resolved(item, index, store) for index, item in enumerate(said or ())]
    return (*earlier, *fresh)


def _resolved(item: Mapping[str, Any], index: int, store: Store) -> Mapping[str, Any]:
    if item.get("type") != "item_reference":
        return {"type": "message", **item}
    found = store.item(item["id"])
    if found is None:
        refuse("invalid_value", "no stored item has this id", f"input[{index}].id")
    return found


def _check_pairs(items: Items) -> None:
    """Check that each call has one output and each output its call, which comes first.

    Some services start their ids anew in each response: an id may come again once it is answered.
    """
    waiting: set[str] = set()
    for item in items:
        if item["type"] == "function_call":
            call_id = item["call_id"]
            if call_id in waiting:
                refuse("invalid_value", f"two calls wait under call_id {call_id!r}", "input")
            waiting.add(call_id)
        elif item["type"] == "function_call_output":
            call_id = item["call_id"]
            if call_id not in waiting:
                refuse(
                    "invalid_value",
                    f"No tool call found for function call output with call_id {call_id}.",
                    "input",
                )
            waiting.discard(call_id)
    for call_id in sorted(waiting):
        refuse("invalid_value", f"No tool output found for function call {call_id}.", "input")


def _choice(body: Mapping[str, Any]) -> Choice:
    offered = tuple(t["name"] for t in body.get("tools") or () if t["type"] == "function")
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, str):
        return _of_mode(choice, offered, "tool_choice")
    if choice["type"] == "function":
        _check_offered([choice["name"]], offered, "tool_choice.name")
        return Choice("required", (choice["name"],))
    names = [tool["name"] for tool in choice["tools"]]
    _check_offered(names, offered, "tool_choice.tools")
    allowed = tuple(name for name in offered if name in names)
    return _of_mode(choice["mode"], allowed, "tool_choice.mode")


def _of_mode(mode: str, names: tuple[str, ...], param: str) -> Choice:
    if mode == "required" and not names:
        refuse("invalid_value", "a call is required, but no function tool is offered", param)
    if mode == "none" or not names:
        return Choice("none", ())
    kind: Literal["auto", "required"] = "required" if mode == "required" else "auto"
    return Choice(kind, names)


def _check_offered(names: Iterable[str], offered: Sequence[str], param: str) -> None:
    for name in names:
        if name not in offered:
            refuse("invalid_value", f"tool {name!r} is not in 'tools'; offered: {offered}", param)
