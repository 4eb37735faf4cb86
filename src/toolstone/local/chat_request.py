"""A Chat Completions request is checked, and becomes the Responses request that means the same."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolstone import limits
from toolstone.local.brain import RefusalError
from toolstone.local.chat_fields import ChatFields
from toolstone.local.request import check_fields, refuse

__all__ = ["renamed", "translate"]

JSON = dict[str, Any]

_SAME = (
    "model",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "metadata",
    "service_tier",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "stream",
)
_ELSEWHERE = {
    "functions": "send 'tools'",
    "function_call": "send 'tool_choice'",
    "stop": "the brain stops by itself; leave it out",
    "logit_bias": "the brain has no such bias; leave it out",
    "audio": "the brain has no voice; leave it out",
    "modalities": "the brain writes text; leave it out",
    "prediction": "leave it out",
    "web_search_options": "give the model a function that searches",
    "moderation": "this server does not moderate; do it before you ask",
}
"""What only other servers have, and what to do instead."""
_PARAMS = (
    ("text.format.", "response_format.json_schema."),
    ("text.format", "response_format"),
    ("text.verbosity", "verbosity"),
    ("reasoning.effort", "reasoning_effort"),
    ("max_output_tokens", "max_completion_tokens"),
    ("include", "logprobs"),
    ("input", "messages"),
)
_OUTER = ("type", "function", "custom")
"""What stands in a tool itself, and not one level down."""
_PARTS = {"text": "input_text", "image_url": "input_image", "file": "input_file"}


def translate(body: Mapping[str, Any]) -> JSON:
    """Check a request, and say it as a Responses request.

    Raises:
        RefusalError: Status 400, `param` naming the first field that is at fault.
    """
    for field, instead in _ELSEWHERE.items():
        if body.get(field) is not None:
            refuse(
                "unsupported_parameter", f"{field}: this server does not have it; {instead}", field
            )
    check_fields(body, ChatFields)
    _check_pairs(body["messages"])
    told: JSON = {name: body[name] for name in _SAME if body.get(name) is not None}
    told["store"] = False
    told["input"] = [item for message in body["messages"] for item in _items(message)]
    if body.get("tools"):
        told["tools"] = [_tool(tool) for tool in body["tools"]]
    if body.get("tool_choice") is not None:
        told["tool_choice"] = _choice(body["tool_choice"])
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    if most is not None:
        told["max_output_tokens"] = most
    if body.get("logprobs"):
        told["include"] = ["message.output_text.logprobs"]
    if body.get("reasoning_effort") is not None:
        told["reasoning"] = {"effort": body["reasoning_effort"]}
    text = _text(body)
    return {**told, "text": text} if text else told


def renamed(error: RefusalError) -> RefusalError:
    """A refusal of the translated request, in the words of the one that came.

    One that is in those words already stays as it is.
    """
    param = error.param or ""
    for theirs, ours in _PARAMS:
        if param.startswith(theirs):
            param = "messages" if ours == "messages" else ours + param.removeprefix(theirs)
            break
    else:
        head, bracket, tail = param.partition("].")
        if head.startswith("tools[") and bracket and not tail.startswith(_OUTER):
            param = f"{head}].function.{tail}"
    message = error.message.replace(error.param, param) if error.param else error.message
    message = message.replace("'text.format'", "'response_format'")
    return RefusalError(
        error.status,
        error.code,
        message,
        param or None,
        kind=error.kind,
        headers=error.headers,
        body=error.body,
    )


def _check_pairs(messages: Sequence[Mapping[str, Any]]) -> None:
    """Check that the outputs of a turn's calls follow it at once, each once."""
    waiting: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                text = "a message of the role 'tool' must answer one of the 'tool_calls' before it"
                refuse("invalid_value", text, f"messages[{index}].tool_call_id")
            waiting.remove(message["tool_call_id"])
            continue
        _check_answered(waiting, index)
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    _check_answered(waiting, len(messages))


def _check_answered(waiting: Sequence[str], index: int) -> None:
    if waiting:
        text = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            f"to each 'tool_call_id'; these have none: {', '.join(waiting)}"
        )
        refuse("invalid_value", text[: limits.KIB], f"messages[{index}]")


def _items(message: Mapping[str, Any]) -> Iterator[JSON]:
    role, content = message["role"], message.get("content")
    if role == "tool":
        call_id, output = message["tool_call_id"], _content(content)
        yield {"type": "function_call_output", "call_id": call_id, "output": output}
    elif role != "assistant":
        yield {"type": "message", "role": role, "content": _content(content)}
    else:
        yield from _turn(message)


def _turn(message: Mapping[str, Any]) -> Iterator[JSON]:
    thoughts = message.get("reasoning_content")
    if thoughts:
        said = [{"type": "reasoning_text", "text": thoughts}]
        yield {"type": "reasoning", "summary": [], "content": said}
    parts = _said(message.get("content"))
    if message.get("refusal"):
        parts.append({"type": "refusal", "refusal": message["refusal"]})
    if parts:
        yield {"type": "message", "role": "assistant", "content": parts}
    for call in message.get("tool_calls") or ():
        inner = call[call["type"]]
        kind = "function_call" if call["type"] == "function" else "custom_tool_call"
        yield {"type": kind, "call_id": call["id"], **inner}


def _said(content: str | Sequence[Mapping[str, Any]] | None) -> list[JSON]:
    if isinstance(content, str):
        return [{"type": "output_text", "text": content}] if content else []
    texts = {"text": "output_text"}
    return [{**part, "type": texts.get(part["type"], part["type"])} for part in content or ()]


def _content(content: str | Sequence[Mapping[str, Any]] | None) -> str | list[JSON]:
    if isinstance(content, str):
        return content
    return [_part(part) for part in content or ()]


def _part(part: Mapping[str, Any]) -> JSON:
    kind = part["type"]
    made = {**part, "type": _PARTS.get(kind, kind)}
    if kind == "image_url":
        image = made.pop("image_url")
        made["image_url"] = image["url"]
        made |= {key: value for key, value in image.items() if key == "detail" and value}
    if kind == "file":
        made |= made.pop("file")
    return made


def _tool(tool: Mapping[str, Any]) -> JSON:
    inner = dict(tool[tool["type"]])
    wanted = inner.get("format")
    if wanted and wanted.get("grammar"):
        inner["format"] = {"type": "grammar", **wanted["grammar"]}
    return {"type": tool["type"], **inner}


def _choice(choice: str | Mapping[str, Any]) -> str | JSON:
    if isinstance(choice, str):
        return choice
    kind = choice["type"]
    if kind == "allowed_tools":
        allowed = choice["allowed_tools"]
        tools = [_choice(one) for one in allowed["tools"]]
        return {"type": kind, "mode": allowed["mode"], "tools": tools}
    return {"type": kind, "name": choice[kind]["name"]}


def _text(body: Mapping[str, Any]) -> JSON:
    text: JSON = {}
    wanted = body.get("response_format")
    if wanted:
        text["format"] = {"type": wanted["type"], **wanted.get("json_schema", {})}
    if body.get("verbosity") is not None:
        text["verbosity"] = body["verbosity"]
    return text
