"""A request body is checked as the real service checks it, and becomes a Turn."""

import json
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any, Literal, NoReturn, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from toolstone import limits
from toolstone.local.brain import Choice, RefusalError, Turn
from toolstone.local.fields import RequestFields
from toolstone.local.strictness import first_offence

__all__ = [
    "Items",
    "Known",
    "check_fields",
    "check_request",
    "load_body",
    "make_turn",
    "parse_turn",
    "refuse",
    "resolve",
]

Items = Sequence[Mapping[str, Any]]
M = TypeVar("M", bound=BaseModel)

_CODES = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "literal_error": "invalid_value",
    "union_tag_invalid": "invalid_value",
    "string_pattern_mismatch": "invalid_value",
    "string_too_long": "string_above_max_length",
    "string_too_short": "string_below_min_length",
    "too_long": "array_above_max_length",
    "too_short": "array_below_min_length",
}
_BOUNDS = {
    "greater_than_equal": "integer_below_min_value",
    "less_than_equal": "integer_above_max_value",
}
_DECIMALS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_ELSEWHERE = {
    "prompt": "this server has no prompt templates; send 'instructions' and 'input'",
    "moderation": "this server does not moderate; do it before you ask",
    "background_options": "this server works at once; leave it out",
    "access_programs": "this server has no such programs; leave it out",
    "image": "this server does not compress images; send them as they are to be read",
}
"""What only the hosted service has, and what to do instead."""
_NAMED = ("function", "custom")
_SOURCES = {
    "input_image": ("image_url", "file_id"),
    "input_file": ("file_data", "file_id", "file_url"),
}
"""Where an image or a file may be."""
_KINDS = ("function_call", "custom_tool_call", "computer_call", "shell_call", "apply_patch_call")
_PAIRS = {kind: kind for kind in _KINDS} | {f"{kind}_output": kind for kind in _KINDS}
"""Calls and outputs that are paired by `call_id`, each with its kind."""


class Known(Protocol):
    """What a request may refer to, by id."""

    def conversation(self, response_id: str) -> Items | None:
        """Give the conversation that ends with that response."""
        ...

    def item(self, item_id: str) -> Mapping[str, Any] | None:
        """Give the item with that id."""
        ...


def parse_turn(raw: bytes, known: Known) -> Turn:
    """Check a request body and resolve what it refers to.

    Raises:
        RefusalError: Status 400, `param` naming the first field that is at fault.
    """
    body = load_body(raw)
    check_request(body)
    if body.get("conversation"):
        message = "conversations are not played; send 'previous_response_id' or the items"
        refuse("unsupported_parameter", message, "conversation")
    return make_turn(body, resolve(body, known))


def check_request(body: Mapping[str, Any], fields: type[BaseModel] = RequestFields) -> None:
    """Check all that can be seen from the body alone.

    Raises:
        RefusalError: Status 400.
    """
    check_fields(body, fields)
    if body.get("conversation") and body.get("previous_response_id"):
        message = "give 'previous_response_id' or 'conversation', not both"
        refuse("mutually_exclusive_parameters", message, "previous_response_id")
    for key in ("input", "items"):
        _check_parts(body.get(key), key)
    _check_tools(body.get("tools") or [])
    _check_format(body)


def make_turn(body: Mapping[str, Any], items: Items) -> Turn:
    """Make the turn of a request that was checked, with all that went in.

    Raises:
        RefusalError: Status 400: a call without its output, or a choice of what is not offered.
    """
    _check_pairs(items)
    return Turn(body, items, _choice(body))


def resolve(body: Mapping[str, Any], known: Known, earlier: Items = ()) -> Items:
    """Give all that went in, oldest first.

    Args:
        body: A request that was checked.
        known: Where ids are looked up.
        earlier: What stood in its conversation.

    Raises:
        RefusalError: Status 400: an id is not known, or nothing went in at all.
    """
    said = body.get("input")
    if previous := body.get("previous_response_id"):
        found = known.conversation(previous)
        if found is None:
            refuse(
                "previous_response_not_found",
                "no stored response has this id: made with store=false, forgotten, under way, "
                "or never here",
                "previous_response_id",
            )
        earlier = found
    if said is None and not earlier:
        refuse("missing_required_parameter", "input: Field required", "input")
    if isinstance(said, str):
        return [*earlier, {"type": "message", "role": "user", "content": said}]
    for index, item in enumerate((said or ())[:-1]):
        if item.get("type") == "compaction_trigger":
            refuse("invalid_value", "compaction_trigger must come last", f"input[{index}].type")
    fresh = [_resolved(item, index, known) for index, item in enumerate(said or ())]
    return [*earlier, *fresh]


def refuse(code: str, message: str, param: str | None) -> NoReturn:
    """Answer 400."""
    raise RefusalError(400, code, message, param)


def load_body(raw: bytes) -> dict[str, Any]:
    """Read a body.

    Raises:
        RefusalError: It is no JSON object.
    """
    try:
        body = _READER.decode(raw.decode(json.detect_encoding(raw), "surrogatepass"))
    except (ValueError, RecursionError) as error:
        message = "the body is not JSON; send one JSON object"
        raise RefusalError(400, "invalid_json", message) from error
    if raw.count(b"{") + raw.count(b"[") > limits.LOCAL_BODY_DEPTH:
        _check_depth(body)
    if not isinstance(body, dict):
        refuse("invalid_type", f"the body is a JSON {type(body).__name__}; send an object", None)
    return body


def _check_depth(body: object) -> None:
    """Check that what was read can be written again."""
    level: list[Any] = [body]
    for _ in range(limits.LOCAL_BODY_DEPTH):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [value for each in inner for value in each if isinstance(value, dict | list)]
        if not level:
            return
    message = f"the body is nested deeper than {limits.LOCAL_BODY_DEPTH} levels"
    raise RefusalError(400, "invalid_json", message)


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text} is no number that JSON can say back")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_READER = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite)  # made once


def check_fields(body: Mapping[str, Any], fields: type[M]) -> M:
    """Check the shape of a body, or of a query.

    Raises:
        RefusalError: Status 400.
    """
    for field, reason in _ELSEWHERE.items():
        if body.get(field) is not None:
            refuse("unsupported_parameter", f"{field}: {reason}", field)
    try:
        return fields.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        param = _path(first["loc"])
        code = _code(first["type"], param)
        raise RefusalError(400, code, f"{param}: {first['msg']}", param) from None


def _code(kind: str, param: str) -> str:
    if kind in _BOUNDS and param in _DECIMALS:
        return _BOUNDS[kind].replace("integer", "decimal")
    if kind == "too_long" and param == "metadata":
        return "object_above_max_properties"
    return _CODES.get(kind) or _BOUNDS.get(kind) or "invalid_type"


def _path(loc: Iterable[str | int]) -> str:
    path = ""
    for step in loc:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not step.startswith("<"):
            path += f".{step}" if path else step
    return path


def _check_parts(said: object, among: str) -> None:
    """Check that images and files are somewhere."""
    for index, item in enumerate(said if isinstance(said, list) else ()):
        for key in ("content", "output"):
            content = item.get(key)
            for at, part in enumerate(content if isinstance(content, list) else ()):
                _check_source(part, f"{among}[{index}].{key}[{at}]")


def _check_source(part: Mapping[str, Any], path: str) -> None:
    sources = _SOURCES.get(str(part.get("type")))
    if sources and not any(part.get(source) for source in sources):
        param = f"{path}.{sources[0]}"
        message = f"{param}: give one of {', '.join(sources)}"
        refuse("missing_required_parameter", message, param)


def _check_tools(tools: Items) -> None:
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        if tool["type"] not in ("function", "custom"):
            continue
        name = tool["name"]
        if name in seen:
            refuse(
                "invalid_value",
                f"two tools are named {name!r}; names must differ",
                f"tools[{index}].name",
            )
        seen.add(name)
        if tool["type"] == "function":
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


def _resolved(item: Mapping[str, Any], index: int, known: Known) -> Mapping[str, Any]:
    if item.get("type") != "item_reference":
        return {"type": "message", **item}
    found = known.item(item["id"])
    if found is None:
        refuse("invalid_value", "no stored item has this id", f"input[{index}].id")
    return found


def _check_pairs(items: Items) -> None:
    """Check that each call has one output and each output its call, which comes first.

    Some services start their ids anew in each response: an id may come again once it is answered.
    """
    waiting: set[tuple[str, str]] = set()
    answered: set[tuple[str, str]] = set()
    for item in items:
        kind = _PAIRS.get(item["type"])
        call_id = item.get("call_id")
        if kind is None or not isinstance(call_id, str):
            continue
        spoken = kind.replace("_", " ")
        if item["type"] == kind:
            if (kind, call_id) in waiting:
                refuse("invalid_value", f"two calls wait under call_id {call_id!r}", "input")
            waiting.add((kind, call_id))
        elif (kind, call_id) in waiting:
            waiting.discard((kind, call_id))
            answered.add((kind, call_id))
        elif (kind, call_id) in answered:
            message = f"The {spoken} {call_id} already has an output; give one for each call."
            refuse("invalid_value", message, "input")
        else:
            message = f"No tool call found for {spoken} output with call_id {call_id}."
            refuse("invalid_value", message, "input")
    for kind, call_id in sorted(waiting):
        spoken = kind.replace("_", " ")
        refuse("invalid_value", f"No tool output found for {spoken} {call_id}.", "input")


def _choice(body: Mapping[str, Any]) -> Choice:
    tools = body.get("tools") or ()
    offered = tuple(t["name"] for t in tools if t["type"] in ("function", "custom"))
    choice = body.get("tool_choice") or "auto"
    hosted = [t for t in tools if t["type"] not in ("function", "custom")]
    if isinstance(choice, str):
        return _of_mode(choice, offered, "tool_choice", hosted=bool(hosted))
    if choice["type"] != "allowed_tools":
        _check_offered(choice, tools, "tool_choice")
        return Choice("required", (choice["name"],) if choice["type"] in _NAMED else ())
    for index, entry in enumerate(choice["tools"]):
        _check_offered(entry, tools, f"tool_choice.tools[{index}]")
    names = [entry["name"] for entry in choice["tools"] if entry["type"] in _NAMED]
    allowed = tuple(name for name in offered if name in names)
    others = len(allowed) < len(choice["tools"])
    return _of_mode(choice["mode"], allowed, "tool_choice.mode", hosted=others)


def _of_mode(mode: str, names: tuple[str, ...], param: str, *, hosted: bool) -> Choice:
    if mode == "required" and not names and not hosted:
        refuse("invalid_value", "a call is required, but no tool is offered", param)
    if mode == "none" or not (names or hosted):
        return Choice("none", ())
    kind: Literal["auto", "required"] = "required" if mode == "required" else "auto"
    return Choice(kind, names)


def _check_offered(chosen: Mapping[str, Any], tools: Items, param: str) -> None:
    """Check that what is chosen stands among the tools."""
    kind = chosen["type"]
    keys = ("name",) if kind in _NAMED else ("server_label",) if kind == "mcp" else ()
    if any(t["type"] == kind and all(t.get(k) == chosen[k] for k in keys) for t in tools):
        return
    asked = chosen[keys[0]] if keys else kind
    offered = [str(t.get("name") or t.get("server_label") or t["type"]) for t in tools]
    at = f"{param}.{keys[0]}" if keys else f"{param}.type"
    refuse("invalid_value", f"tool {asked!r} is not in 'tools'; offered: {offered}", at)
