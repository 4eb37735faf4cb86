"""Deltas of another model become pieces while they arrive; what they leave out comes at the end.

Deltas have no ids, and a call has no `call_id` before it is whole. So text, refusals and thoughts
are told as they come, for as long as they come in the order of the items, and calls and everything
else are told whole. The last item told is closed as the response has it. Pure.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from toolstone.events import ArgumentsDelta, ReasoningDelta, RefusalDelta, Retrying, TextDelta
from toolstone.local.brain import (
    Decline,
    Message,
    Piece,
    Reasoning,
    RefusalError,
    Settle,
    Summary,
    Text,
    Thought,
)
from toolstone.local.brains.asking import HERE
from toolstone.local.brains.retold import retell_end, retell_item, words_of

__all__ = ["Relay"]


class Relay:
    """Passes on one answer.

    Args:
        unique: Makes the last part of an id.
    """

    def __init__(self, unique: Callable[[], str]) -> None:
        self._unique = unique
        self._told: list[str] = []  # what was told of each item; the last one is open
        self._holding = False

    def take(self, delta: object) -> Iterator[Piece]:
        """Give the pieces to tell for a delta now."""
        match delta:
            case Retrying() if self._told:
                self._holding = True  # it cannot be unsaid; the end shows whether it still holds
            case ArgumentsDelta():
                self._holding = True
            case TextDelta(text, item) if self._follows(item):
                yield from self._say(item, self._message(), Text(text))
            case RefusalDelta(text, item) if self._follows(item):
                yield from self._say(item, self._message(), Decline(text))
            case ReasoningDelta(text, item, summary) if self._follows(item):
                opening = Reasoning(f"rs{HERE}{self._unique()}")
                yield from self._say(item, opening, (Summary if summary else Thought)(text))
            case _:
                pass

    def finish(self, response: Mapping[str, Any]) -> Iterator[Piece]:
        """Give the pieces that are left once the response is whole.

        Raises:
            RefusalError: It is not what was told.
        """
        output = response["output"]
        for item, told in zip(output, self._told, strict=False):
            if not words_of(item).startswith(told):
                self._contradicted()
        if len(output) < len(self._told):
            self._contradicted()
        if self._told:
            item = output[len(self._told) - 1]
            rest = words_of(item)[len(self._told[-1]) :]
            if rest and item.get("type") == "message":
                yield Text(rest)
            yield Settle({key: value for key, value in item.items() if key != "id"})
        for item in output[len(self._told) :]:
            yield from retell_item(item)
        yield retell_end(response)

    def _message(self) -> Message:
        return Message(id=f"msg{HERE}{self._unique()}")

    def _follows(self, item: int) -> bool:
        """Tell whether a delta is of the open item, or of the one right after it."""
        self._holding = self._holding or item not in (len(self._told) - 1, len(self._told))
        return not self._holding

    def _say(self, item: int, opening: Message | Reasoning, piece: Any) -> Iterator[Piece]:
        if item == len(self._told):
            self._told.append("")
            yield opening
        self._told[item] += piece.delta
        yield piece

    def _contradicted(self) -> None:
        raise RefusalError(
            502,
            "upstream_error",
            "the model behind this endpoint began anew after part of its answer had been passed "
            "on, and said something else; ask again",
        )
