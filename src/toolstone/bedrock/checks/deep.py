"""Deeper probes, asked for by name: each sends one or a few small requests that cost something."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from toolstone.bedrock.checks.case import failed, passed, skipped, warned
from toolstone.bedrock.checks.online import probe
from toolstone.bedrock.checks.statements import statement

if TYPE_CHECKING:
    from toolstone.bedrock.checks.answers import Answer, Visit
    from toolstone.bedrock.checks.case import Finding

__all__ = ["background", "calls", "encrypted", "forced", "schema", "stored", "stream"]

_ROOM: Final = 256
_TOOL: Final = {
    "type": "function",
    "name": "ping",
    "description": "Answers pong. Call it.",
    "parameters": {
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "additionalProperties": False,
    },
    "strict": True,
}
_FORMAT: Final = {
    "type": "json_schema",
    "name": "pong",
    "strict": True,
    "schema": {
        "type": "object",
        "properties": {"pong": {"type": "boolean"}},
        "required": ["pong"],
        "additionalProperties": False,
    },
}
_KNOWN: Final = ("response.", "error", "[DONE]")


async def _closed(visit: Visit, name: str) -> Finding | None:
    """Why there is no use in asking more; None if there is."""
    if visit.endpoint.api == "chat":
        return skipped(name, "the model speaks Chat Completions; the deep checks are of Responses")
    if (await probe(visit)).is_response:
        return None
    return skipped(name, "the small request did not succeed")


def _refused(name: str, answer: Answer, then: str) -> Finding:
    parameter = answer.refused.param if answer.refused is not None else ""
    gate = f"; the gate to add is {parameter!r}" if parameter else ""
    return failed(name, answer.said or "200 without a response in it", f"{then}{gate}")


async def stream(visit: Visit) -> Finding:
    """Whether a stream comes to its end, and by what names its events go."""
    name = "stream"
    if closed := await _closed(visit, name):
        return closed
    answer = await visit.stream({"input": "ping", "max_output_tokens": 16, "store": False})
    names = list(dict.fromkeys(answer.events))
    if answer.silent:
        seen = f"{answer.trouble} after {len(answer.events)} events ({', '.join(names[:4])})"
        return failed(name, seen, "a known stall: try another region or model, or stream=False")
    if not answer.events:
        return _refused(name, answer, "use stream=False here")
    strange = [one for one in names if not one.startswith(_KNOWN)]
    if strange:
        seen = f"unknown events: {', '.join(strange)}"
        return warned(name, seen, "they are passed over; please report them")
    if not {"response.completed", "response.incomplete"} & set(names):
        last = [one for one in names if one != "[DONE]"][-1:]
        then = "the stream ends without success: bounded retries mend that if it is rare"
        return failed(name, f"it ended with {''.join(last) or 'nothing'}", then)
    end = "with" if "[DONE]" in names else "without"
    return passed(name, f"{len(answer.events)} events, {len(names)} names, {end} [DONE]")


async def _call(visit: Visit, choice: object) -> Answer:
    body = {
        "input": "Call ping with the text 'x'.",
        "tools": [_TOOL],
        "tool_choice": choice,
        "max_output_tokens": _ROOM,
        "store": False,
    }
    return await visit.post(body)


def _calls(answer: Answer) -> list[dict[str, Any]]:
    output = answer.body.get("output") if isinstance(answer.body, dict) else None
    items = output if isinstance(output, list) else []
    return [i for i in items if isinstance(i, dict) and i.get("type") == "function_call"]


async def calls(visit: Visit) -> Finding:
    """Whether functions are called, with JSON, and how far call ids can be trusted."""
    name = "function calls"
    if closed := await _closed(visit, name):
        return closed
    answers = [await _call(visit, "auto"), await _call(visit, "auto")]
    for answer in answers:
        if not answer.is_response:
            return _refused(name, answer, "this endpoint takes no function tools")
    first, second = (_calls(answer) for answer in answers)
    if not first or not second:
        then = "a small model may need a forced choice or a clearer description"
        return warned(name, "the model answered without calling the tool", then)
    if not _is_json(first[0].get("arguments")):
        then = "toolstone strips known junk; other clients stumble"
        return warned(name, "the arguments are not JSON as they stand", then)
    if first[0].get("call_id") == second[0].get("call_id"):
        seen = f"call ids are scoped to one response (both {first[0].get('call_id')!r})"
        return passed(name, f"{seen}; toolstone qualifies them")
    return passed(name, "call ids differ between responses")


def _is_json(text: object) -> bool:
    try:
        return isinstance(json.loads(text), dict) if isinstance(text, str) else False
    except ValueError:
        return False


async def forced(visit: Visit) -> Finding:
    """Whether a forced tool choice is taken, and followed."""
    name = "forced tool choice"
    if closed := await _closed(visit, name):
        return closed
    answer = await _call(visit, {"type": "function", "name": "ping"})
    if not answer.is_response:
        parameter = answer.refused.param if answer.refused is not None else ""
        then = f"use tool_choice='auto' with this model (gate {parameter or 'tool_choice'!r})"
        return warned(name, answer.said, then)
    if not _calls(answer):
        then = "toolstone asks once more in words, then raises; do not rely on it"
        return warned(name, "taken with 200, and not followed", then)
    return passed(name, "taken and followed")


async def schema(visit: Visit) -> Finding:
    """Whether structured output is taken, and kept to."""
    name = "structured output"
    if closed := await _closed(visit, name):
        return closed
    body = {
        "input": "Answer with pong=true.",
        "text": {"format": _FORMAT},
        "max_output_tokens": _ROOM,
        "store": False,
    }
    answer = await visit.post(body)
    if not answer.is_response:
        return _refused(name, answer, "use strict=False, or another model")
    text = "".join(_texts(answer))
    if not _is_json(text):
        then = "toolstone validates and asks again; other clients must do so themselves"
        return warned(name, f"taken, and not kept to ({len(text)} characters)", then)
    return passed(name, "taken, and the answer is an object")


def _texts(answer: Answer) -> list[str]:
    items = answer.body.get("output", [])
    parts = [p for i in items if i.get("type") == "message" for p in i.get("content", [])]
    return [str(p.get("text", "")) for p in parts if isinstance(p, dict)]


async def stored(visit: Visit) -> Finding:
    """Whether a stored response can be gone on from, and deleted."""
    name, end = "stored responses", visit.endpoint
    if closed := await _closed(visit, name):
        return closed
    small = {"input": "ping", "max_output_tokens": 16, "store": True}
    first = await visit.post(small)
    if not first.is_response:
        return _refused(name, first, "keep the history here (state='local')")
    second = await visit.post({**small, "previous_response_id": first.body["id"]})
    gone = [await _delete(visit, one) for one in (second, first) if one.is_response]
    if not second.is_response:
        return _refused(name, second, "keep the history here (state='local')")
    denied = next((one for one in gone if one.refused is not None), None)
    if denied is not None:
        then = f"to delete, attach {statement('delete', end, visit.case.dialect)}"
        return warned(name, f"kept and gone on from, not deleted: {denied.said}", then)
    return passed(name, "stored, gone on from, deleted")


async def _delete(visit: Visit, answer: Answer) -> Answer:
    url = f"{visit.endpoint.base_url}/responses/{answer.body['id']}"
    return await visit.ask("DELETE", url)


async def background(visit: Visit) -> Finding:
    """Whether a response can be made in the background, looked at, and cancelled."""
    name, end = "background", visit.endpoint
    if end.host not in visit.case.dialect.hosts_for("background"):
        return skipped(name, f"the {end.host} host has none", f"use 'bedrock-mantle/{end.bare}'")
    if closed := await _closed(visit, name):
        return closed
    body = {"input": "ping", "max_output_tokens": 16, "background": True}
    first = await visit.post(body)
    if not first.is_response:
        return _refused(name, first, "leave background out here")
    url = f"{end.base_url}/responses/{first.body['id']}"
    read = await visit.ask("GET", url)
    if not read.is_response:
        then = f"to read it, attach {statement('read_response', end, visit.case.dialect)}"
        return warned(name, f"accepted, and cannot be read: {read.said}", then)
    cancelled = await visit.ask("POST", f"{url}/cancel", b"{}")
    await _delete(visit, first)
    if cancelled.means == "permission":
        then = f"to cancel, attach {statement('cancel', end, visit.case.dialect)}"
        return warned(name, f"accepted, and cannot be cancelled: {cancelled.said}", then)
    return passed(name, "accepted, read and cancelled")


async def encrypted(visit: Visit) -> Finding:
    """Whether encrypted reasoning can be had, for conversations that are stored nowhere."""
    name = "encrypted reasoning"
    if closed := await _closed(visit, name):
        return closed
    body = {
        "input": "ping",
        "include": ["reasoning.encrypted_content"],
        "max_output_tokens": _ROOM,
        "store": False,
    }
    answer = await visit.post(body)
    if not answer.is_response:
        return _refused(name, answer, "leave it out of include")
    blobs = [i for i in answer.body.get("output", []) if i.get("encrypted_content")]
    return passed(name, "taken; it came back" if blobs else "taken; none came back this time")
