"""What the bench's server answers: each model name is a script, its bodies serialised beforehand.

p4-t3      three turns of four parallel calls of `add`, then a message
n32        one turn of 32 calls of `nap`, then a message
s10000     a message of 10,000 text deltas, 64 to a write
q1000      a message of 1,000 text deltas, 1 ms apart
r1000      a message whose text is JSON with 1,000 nested results
f1000      the same, as the arguments of a call of `Found`
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

DELTAS_PER_WRITE: Final = 64
MARK: Final = b'"function_call_output"'
DONE: Final = "done"
TEXT: Final = "seven "


@dataclass(frozen=True)
class Turn:
    """One answer, at once and streamed."""

    body: bytes
    writes: tuple[bytes, ...]


@dataclass(frozen=True)
class Script:
    """What is answered.

    Attributes:
        turns: The answer to the first request, to the second, ...
        calls: How many outputs each follow-up must hold more than the request before it.
        apart: Seconds between the writes of a stream.
    """

    turns: tuple[Turn, ...]
    calls: int = 0
    apart: float = 0.0

    def answer(self, request: bytes) -> Turn | None:
        """What is due; None if outputs are missing."""
        outputs = request.count(MARK)
        turn, odd = divmod(outputs, self.calls) if self.calls else (0, outputs)
        return None if odd or turn >= len(self.turns) else self.turns[turn]


@lru_cache
def script(name: str) -> Script:
    """The script of this name.

    Raises:
        ValueError: There is none.
    """
    found = re.fullmatch(r"(?:p(\d+)-t(\d+))|([nsqrf])(\d+)", name)
    if found is None:
        raise ValueError(f"no script {name!r}")
    if found[1]:
        return _calls("add", int(found[1]), int(found[2]))
    kind, count = found[3], int(found[4])
    if kind == "n":
        return _calls("nap", count, 1)
    if kind == "r":
        return Script((_turn(0, [_message(json.dumps(results(count)))]),))
    if kind == "f":
        call = {**_call("Found", 0, 0), "arguments": json.dumps(results(count))}
        return Script((_turn(0, [call]),))
    said = _message(TEXT * count)
    if kind == "q":
        return Script((_turn(0, [said], count, together=1),), apart=0.001)
    return Script((_turn(0, [said], count),))


def _calls(tool: str, calls: int, turns: int) -> Script:
    made = [_turn(n, [_call(tool, n, number) for number in range(calls)]) for n in range(turns)]
    return Script((*made, _turn(turns, [_message(DONE)])), calls)


def _turn(
    number: int,
    output: list[dict[str, Any]],
    deltas: int = 1,
    together: int = DELTAS_PER_WRITE,
) -> Turn:
    """One answer; its texts and arguments are streamed in so many deltas."""
    whole = _response(number, output, "completed")
    begun = _response(number, [], "in_progress")
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(output):
        told += _events(item, index, deltas)
    told.append({"type": "response.completed", "response": whole})
    events = [
        f"event: {one['type']}\ndata: {json.dumps({**one, 'sequence_number': n})}\n\n".encode()
        for n, one in enumerate(told)
    ]
    writes = [b"".join(events[at : at + together]) for at in range(0, len(events), together)]
    return Turn(json.dumps(whole).encode(), tuple(writes))


def _events(item: dict[str, Any], index: int, deltas: int) -> list[dict[str, Any]]:
    place = {"item_id": item["id"], "output_index": index}
    added = {"type": "response.output_item.added", "output_index": index}
    done = {"type": "response.output_item.done", "output_index": index, "item": item}
    if item["type"] == "function_call":
        kind, text = "response.function_call_arguments", item["arguments"]
        return [
            {**added, "item": {**item, "arguments": "", "status": "in_progress"}},
            {"type": f"{kind}.delta", **place, "delta": text},
            {"type": f"{kind}.done", **place, "arguments": text, "name": item["name"]},
            done,
        ]
    place, part = {**place, "content_index": 0}, item["content"][0]
    size = len(part["text"]) // deltas
    return [
        {**added, "item": {**item, "content": [], "status": "in_progress"}},
        {"type": "response.content_part.added", **place, "part": {**part, "text": ""}},
        *(
            {
                "type": "response.output_text.delta",
                **place,
                "delta": part["text"][at * size : (at + 1) * size if at < deltas - 1 else None],
                "logprobs": [],
            }
            for at in range(deltas)
        ),
        {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        done,
    ]


def _response(number: int, output: list[dict[str, Any]], status: str) -> dict[str, Any]:
    usage = {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 150,
    }
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": 1,
        "model": "bench",
        "status": status,
        "output": output,
        "usage": usage if status == "completed" else None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
    }


def _call(tool: str, turn: int, number: int) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{turn}_{number}",
        "call_id": f"call_{turn}_{number}",
        "name": tool,
        "arguments": json.dumps({"a": turn, "b": number}),
        "status": "completed",
    }


def _message(text: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def results(count: int) -> dict[str, Any]:
    """The value of the structured scenario: nested results, about 230 bytes each."""
    return {
        "results": [
            {
                "title": f"Result number {n}",
                "score": n / 7,
                "tags": ["alpha", "beta", str(n)],
                "source": {"url": f"https://example.com/{n}", "rank": n, "trusted": n % 2 == 0},
                "authors": [{"name": f"Author {n}", "age": 20 + n % 50}],
            }
            for n in range(count)
        ]
    }
