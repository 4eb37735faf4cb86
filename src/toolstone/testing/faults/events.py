"""Block E: streams whose events contradict each other, come twice, late or not at all."""

from __future__ import annotations

import json
from typing import Any, Final

from toolstone.testing.faults.saying import (
    TEXT,
    answer,
    call,
    encode,
    fill,
    message,
    narrate,
    renumber,
    response,
    stream,
)
from toolstone.testing.faults.steps import Asked, Step, scenario

__all__: list[str] = []

JSON = dict[str, Any]

_EVENTS: Final = narrate(response(message()))
_DELTAS: Final = [n for n, e in enumerate(_EVENTS) if e["type"].endswith(".delta")]
_FIRST: Final = _DELTAS[0]
_PARALLEL: Final = 32


def _add(name: str, says: str, events: list[JSON]) -> None:
    @scenario(name, says)
    def _(_asked: Asked) -> list[Step]:
        return [stream(encode(events))]


def _without(numbers: set[int]) -> list[JSON]:
    return [event for n, event in enumerate(_EVENTS) if n not in numbers]


def _inserted(at: int, *more: JSON) -> list[JSON]:
    return [*_EVENTS[:at], *more, *_EVENTS[at:]]


def _with(at: int, **fields: Any) -> list[JSON]:
    return [{**e, **fields} if n == at else e for n, e in enumerate(_EVENTS)]


def _bare(event: JSON) -> JSON:
    return {key: value for key, value in event.items() if key != "sequence_number"}


_SWAPPED: Final = [*_EVENTS]
_SWAPPED[_FIRST], _SWAPPED[_FIRST + 1] = _SWAPPED[_FIRST + 1], _SWAPPED[_FIRST]

_add("E01", "an event comes twice, the same", _inserted(_FIRST + 1, _EVENTS[_FIRST]))
_add(
    "E01-other",
    "a number comes twice, with another event",
    _inserted(_FIRST + 1, {**_EVENTS[_FIRST], "delta": "!"}),
)
_add("E02", "two events change places", _SWAPPED)
_add("E03", "an event is missing; the terminal event has everything", _without({_FIRST}))
_add(
    "E03-lost",
    "an item is missing, and the terminal event does not have it either",
    [
        *_without({*_DELTAS[1:], len(_EVENTS) - 1}),
        {**_EVENTS[-1], "response": {**_EVENTS[-1]["response"], "output": []}},
    ],
)
_add("E04", "no sequence numbers", [_bare(event) for event in _EVENTS])
_add("E05-item", "a delta before its item", renumber([*_EVENTS[:2], *_EVENTS[_FIRST:]]))
_add(
    "E05-output", "a delta of an item that is not there", _with(_FIRST, output_index=7, item_id="x")
)
_add("E05-content", "a delta of a part that is not there", _with(_FIRST, content_index=7))
_add(
    "E09", "an event that nobody knows", renumber(_inserted(_FIRST, {"type": "response.acme.new"}))
)
_add("E14", "no response.created", renumber(_EVENTS[2:]))
_add(
    "E17",
    "the terminal event has another id",
    [*_EVENTS[:-1], {**_EVENTS[-1], "response": {**_EVENTS[-1]["response"], "id": "resp_other"}}],
)


def _mismatched() -> list[JSON]:
    events = [*_EVENTS[:-1], narrate(response(message("the snapshot")))[-1]]
    for n, event in enumerate(events):
        if event["type"] == "response.output_text.done":
            events[n] = {**event, "text": "what done says"}
    return renumber(events)


_add("E06", "deltas, done and terminal event say three different things", _mismatched())


# ---------------------------------------------------------------------------------- errors

_BROKEN: Final = {"code": "server_error", "message": "the model broke"}


def _with_error(error: JSON) -> list[JSON]:
    return renumber([*_EVENTS[: _FIRST + 2], error])


for _name, _says, _error in (
    ("E11", "as OpenAI says it", {"type": "error", **_BROKEN, "param": None}),
    (
        "E11-limit",
        "a rate limit",
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow down"},
    ),
    (
        "E11-final",
        "that will not pass",
        {"type": "error", "code": "context_length_exceeded", "message": "too long"},
    ),
    ("E11-nested", "as Open Responses says it", {"type": "error", "error": _BROKEN}),
):
    _add(_name, f"an error within the stream, {_says}", _with_error(_error))
_add(
    "E11-untyped",
    "an error within the stream, without type or number",
    [*_EVENTS[: _FIRST + 2], {"error": {"type": "server_error", "message": "broke"}}],
)


def _add_failed(name: str, error: JSON) -> None:
    @scenario(name, f"the response failed: {error['code']}")
    def _(asked: Asked) -> list[Step]:
        return [answer(asked, response(status="failed", error=error))]


_add_failed("E12", _BROKEN)
_add_failed("E12-final", {"code": "context_length_exceeded", "message": "too long"})
_SECOND: Final = {**_EVENTS[-1], "response": {**_EVENTS[-1]["response"], "output": []}}
_FAILED: Final = {
    "type": "response.failed",
    "response": response(status="failed", error=_BROKEN),
}
_add("E13", "two terminal events", renumber([*_EVENTS, _SECOND]))
_add("E13-failed", "completed after failed", renumber([*_EVENTS[:-1], _FAILED, _EVENTS[-1]]))


# ----------------------------------------------------------------------------------- fields

_HUGE: Final = 10**30


def _add_usage(name: str, usage: Any) -> None:
    @scenario(name, f"usage: {name[4:]}")
    def _(asked: Asked) -> list[Step]:
        told = response(message(), usage=usage)
        if usage is None:
            del told["usage"]
        return [answer(asked, told)]


_add_usage("E15-absent", None)
_add_usage("E15-zero", {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0})
_add_usage("E15-negative", {"input_tokens": -5, "output_tokens": -1, "total_tokens": -6})
_add_usage("E15-huge", {"input_tokens": _HUGE, "output_tokens": _HUGE, "total_tokens": _HUGE})
_add_usage("E15-text", {"input_tokens": "many", "output_tokens": [], "total_tokens": {}})


@scenario("E16", "times and ids of the wrong type, where they do not matter")
def _wrong_types(asked: Asked) -> list[Step]:
    item = message(id=17)
    return [answer(asked, response(item, created_at="yesterday", model=5, parallel_tool_calls="x"))]


@scenario("E16-id", "the response's id is a number")
def _wrong_id(asked: Asked) -> list[Step]:
    return [answer(asked, response(message(), id=17))]


# ------------------------------------------------------------------------------------ calls


def _first_tool(asked: Asked) -> tuple[str, JSON]:
    tools = asked.tools
    if not tools:
        return "tool", {}
    return tools[0]["name"], fill(tools[0].get("parameters", {})) or {}


def _call_events(items: list[JSON], pieces: list[list[str]]) -> list[JSON]:
    """The calls of a response, their deltas dealt out one from each in turn."""
    told = response(*items)
    whole = narrate(told)
    added = [e for e in whole if e["type"] == "response.output_item.added"]
    closed = [e for e in whole if e["type"].endswith((".done", ".completed"))]
    deltas = [
        {
            "type": "response.function_call_arguments.delta",
            "output_index": index,
            "item_id": items[index]["id"],
            "delta": pieces[index][turn],
        }
        for turn in range(max(map(len, pieces)))
        for index in range(len(items))
        if turn < len(pieces[index])
    ]
    return renumber([*whole[:2], *added, *deltas, *closed])


@scenario("E07", "deltas of arguments cut inside escapes and surrogate pairs")
def _cut_escapes(asked: Asked) -> list[Step]:
    if asked.outputs or not asked.streams:
        return [answer(asked, response(message()))]
    name, values = _first_tool(asked)
    texts = [key for key, value in values.items() if not isinstance(value, int | bool)]
    values = {**values, **dict.fromkeys(texts[-1:], "é 😀 \n")}
    escaped = json.dumps(values)
    plain = json.dumps(values, ensure_ascii=False)
    halves = plain.encode("utf-16-be", "surrogatepass")
    units = [
        halves[n : n + 2].decode("utf-16-be", "surrogatepass") for n in range(0, len(halves), 2)
    ]
    items = [call(name, escaped, 0), call(name, plain, 1)]
    return [answer(asked, response(), _call_events(items, [list(escaped), units]))]


@scenario("E08", "32 calls whose deltas come in turns")
def _interleaved(asked: Asked) -> list[Step]:
    if asked.outputs or not asked.streams:
        return [answer(asked, response(message()))]
    name, values = _first_tool(asked)
    first = next(iter(values), "n")
    texts = [json.dumps({**values, first: n}) for n in range(_PARALLEL)]
    items = [call(name, text, n) for n, text in enumerate(texts)]
    return [answer(asked, response(), _call_events(items, [list(text) for text in texts]))]


@scenario("E10", "an item, a field and a part that nobody knows, and a call beside them")
def _unknown_items(asked: Asked) -> list[Step]:
    if asked.outputs:
        return [answer(asked, response(message()))]
    name, values = _first_tool(asked)
    new = {"type": "acme:thought", "id": "x_0", "payload": [1, {"a": None}]}
    said = message(TEXT, "msg_1", vendor={"kept": [1.0, "°"]})
    del said["status"]
    made = call(name, json.dumps(values), vendor_field={"kept": True})
    return [answer(asked, response(new, said, made))]
