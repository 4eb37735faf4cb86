"""A model that answers from a list: for tests of agents without a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_core import to_json

from toolstone.errors import UsageError
from toolstone.items import FunctionCallOutput, Item, parse_item
from toolstone.local.brains.answers import Scripted as ScriptedCall
from toolstone.ports import Emit, Profile, Request, Response
from toolstone.testing.deltas import deltas_of
from toolstone.usage import Usage

__all__ = ["Scripted", "ScriptedCall", "call", "output"]


def call(name: str, /, arguments: str | None = None, **values: Any) -> ScriptedCall:
    """A call of a tool, with arguments by name, or as JSON text to say it badly on purpose."""
    return ScriptedCall(name, to_json(values).decode() if arguments is None else arguments)


def output(call_id: str, text: str | list[dict[str, Any]]) -> FunctionCallOutput:
    """What the model is told of a call, to compare with `requests[-1].items`."""
    return FunctionCallOutput({"type": "function_call_output", "call_id": call_id, "output": text})


Turn = (
    str
    | ScriptedCall
    | Item
    | Mapping[str, Any]
    | BaseException
    | Response
    | Sequence[Any]
    | Callable[[Request], Any]
)
_TURN_USAGE = Usage(input_tokens=10, output_tokens=5, requests=1)


@dataclass
class Scripted:
    """A model that gives these turns, one a request.

    A turn is text, a call, an item, something JSON (given as the answer's text), a list of these
    for one response, a whole `Response`, an exception to raise, or a function of the request that
    returns any of these. Call ids restart at `call_0` in every response, as on Bedrock. When the
    request streams, text and arguments arrive in pieces of `chunk` characters.
    """

    turns: list[Any] = field(default_factory=list)
    profile: Profile = field(default_factory=Profile)
    chunk: int = 4
    requests: list[Request] = field(default_factory=list)
    """Every request so far, as it was when it was sent."""
    name: str = "scripted"

    def __init__(self, *turns: Turn, profile: Profile | None = None, chunk: int = 4) -> None:
        self.turns = list(turns)
        self.profile = profile or Profile(name="scripted")
        self.chunk = chunk
        self.requests = []
        self.name = "scripted"

    async def respond(self, request: Request, emit: Emit, /) -> Response:
        """Give the next turn.

        Raises:
            UsageError: There is none left.
        """
        number = len(self.requests)
        self.requests.append(replace(request, items=tuple(request.items)))
        if number >= len(self.turns):
            raise UsageError(
                f"the script has {len(self.turns)} turns, and this is request {number + 1}"
            )
        turn = self.turns[number]
        if callable(turn) and not isinstance(turn, Mapping):
            turn = turn(request)
        if isinstance(turn, BaseException):
            raise turn
        response = turn if isinstance(turn, Response) else _response(turn, number)
        if request.stream:
            for delta in deltas_of(response.items, self.chunk):
                await emit((delta,))
        return response


def _response(turn: Any, number: int) -> Response:
    parts = turn if isinstance(turn, list | tuple) else [turn]
    items = tuple(_item(part, n) for n, part in enumerate(parts))
    return Response(f"resp_{number}", "completed", items, _TURN_USAGE, "scripted")


def _item(part: Any, n: int) -> Item:
    if isinstance(part, ScriptedCall):
        raw = {
            "type": "function_call",
            "id": f"fc_{n}",
            "call_id": part.call_id or f"call_{n}",
            "name": part.name,
            "arguments": part.arguments,
            "status": "completed",
        }
        return parse_item(raw)
    if isinstance(part, Mapping) and "type" in part:
        return parse_item(dict(part))
    if hasattr(part, "raw"):
        return parse_item(part.raw)
    return _message(part if isinstance(part, str) else to_json(part).decode(), n)


def _message(text: str, n: int) -> Item:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return parse_item(
        {
            "type": "message",
            "id": f"msg_{n}",
            "role": "assistant",
            "status": "completed",
            "content": content,
        }
    )
