"""A response, or its events, told as a chat completion or its chunks. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toolstone.local.narrate import Event

__all__ = ["Chunks", "completion"]

JSON = dict[str, Any]

_CALLS = {"function_call": ("function", "arguments"), "custom_tool_call": ("custom", "input")}
_DELTAS = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning_content",
    "response.reasoning.delta": "reasoning_content",
    "response.reasoning_summary_text.delta": "reasoning_content",
}
_MORE = {
    "response.function_call_arguments.delta": ("function", "arguments"),
    "response.custom_tool_call_input.delta": ("custom", "input"),
}
_FIELDS = {
    "output_text": ("content", "text"),
    "refusal": ("refusal", "refusal"),
    "reasoning_text": ("reasoning_content", "text"),
    "summary_text": ("reasoning_content", "text"),
}


def completion(response: Mapping[str, Any]) -> JSON:
    """The chat completion that says what a response says; what has no form there is left out."""
    message: JSON = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    calls: list[JSON] = []
    logprobs: list[Any] = []
    for item in response["output"]:
        for field, text, part in _texts(item):
            message[field] = (message.get(field) or "") + text
            message["annotations"] += map(_nested, part.get("annotations") or ())
            logprobs += part.get("logprobs") or ()
        if item["type"] in _CALLS:
            calls.append(_call(item))
    if calls:
        message["tool_calls"] = calls
    choice = {
        "index": 0,
        "message": message,
        "logprobs": {"content": logprobs, "refusal": None} if logprobs else None,
        "finish_reason": _finish(response, called=bool(calls)),
    }
    return {
        **_head(response),
        "object": "chat.completion",
        "choices": [choice],
        "usage": _usage(response),
    }


class Chunks:
    """Tells the events of one response as chunks.

    Args:
        response: The response, as it begins.
        usage: Whether the usage comes in a chunk of its own at the end.
    """

    def __init__(self, response: Mapping[str, Any], *, usage: bool) -> None:
        self._head = {**_head(response), "object": "chat.completion.chunk"}
        if usage:
            self._head["usage"] = None
        self._usage = usage
        self._calls: dict[int, int] = {}
        self._spoken: set[int] = set()
        self._logprobs: JSON | None = None

    def start(self) -> JSON:
        """The first chunk: who speaks."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def tell(self, event: Event) -> Iterator[JSON]:
        """The chunks of one event; of most there are none."""
        kind = event["type"]
        if kind in _DELTAS:
            self._spoken.add(event["output_index"])
            weighed = event.get("logprobs")
            yield self._chunk({_DELTAS[kind]: event["delta"]}, logprobs=weighed)
        elif kind in _MORE:
            outer, field = _MORE[kind]
            index = self._calls[event["output_index"]]
            yield self._called({"index": index, outer: {field: event["delta"]}})
        elif kind == "response.output_item.added" and event["item"]["type"] in _CALLS:
            index = self._calls[event["output_index"]] = len(self._calls)
            yield self._called({"index": index, **_call(event["item"])})
        elif kind == "response.output_item.done" and event["output_index"] not in self._spoken:
            for field, text, part in _texts(event["item"]):
                yield self._chunk({field: text}, logprobs=part.get("logprobs"))
        elif kind in ("response.completed", "response.incomplete"):
            yield from self._end(event["response"])
        elif kind == "response.failed":
            error = event["response"]["error"]
            yield {"error": {"type": "server_error", "param": None, **error}}

    def _end(self, response: Mapping[str, Any]) -> Iterator[JSON]:
        yield self._chunk({}, finish=_finish(response, called=bool(self._calls)))
        if self._usage:
            yield {**self._head, "choices": [], "usage": _usage(response)}

    def _called(self, call: JSON) -> JSON:
        return self._chunk({"tool_calls": [call]})

    def _chunk(
        self, delta: JSON, *, finish: str | None = None, logprobs: Sequence[Any] | None = None
    ) -> JSON:
        weighed = {"content": logprobs, "refusal": None} if logprobs else None
        choice = {"index": 0, "delta": delta, "logprobs": weighed, "finish_reason": finish}
        return {**self._head, "choices": [choice]}


def _head(response: Mapping[str, Any]) -> JSON:
    return {
        "id": "chatcmpl-" + response["id"].removeprefix("resp_"),
        "created": response["created_at"],
        "model": response["model"],
        "service_tier": response["service_tier"],
        "system_fingerprint": None,
    }


def _texts(item: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The texts of an item: the field of a message each belongs to, itself, and its part."""
    for part in (*item.get("summary", ()), *(item.get("content") or ())):
        found = _FIELDS.get(part.get("type"))
        if found is not None:
            yield found[0], part[found[1]], part


def _call(item: Mapping[str, Any]) -> JSON:
    kind, field = _CALLS[item["type"]]
    return {
        "id": item["call_id"],
        "type": kind,
        kind: {"name": item["name"], field: item[field]},
    }


def _nested(annotation: Mapping[str, Any]) -> JSON:
    inner = {key: value for key, value in annotation.items() if key != "type"}
    return {"type": annotation["type"], annotation["type"]: inner}


def _finish(response: Mapping[str, Any], *, called: bool) -> str:
    if response["status"] == "incomplete":
        reason = (response["incomplete_details"] or {}).get("reason")
        return "content_filter" if reason == "content_filter" else "length"
    return "tool_calls" if called else "stop"


def _usage(response: Mapping[str, Any]) -> JSON:
    usage = response["usage"]
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": dict(usage["input_tokens_details"]),
        "completion_tokens_details": dict(usage["output_tokens_details"]),
    }
