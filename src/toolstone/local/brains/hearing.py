"""Events of another Responses endpoint become pieces while they arrive, ids and all. Pure.

Items are told in the order in which they began, one after another; what is said of a later one
before the earlier one is over waits for it. An item is opened with what is known of it at its
start, and closed as it is at its end.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from toolstone.local.brain import (
    Annotate,
    Arguments,
    Call,
    Custom,
    Decline,
    Input,
    Item,
    Message,
    Piece,
    Reasoning,
    Settle,
    Summary,
    Text,
    Thought,
)
from toolstone.local.brains.retold import retell_end, retell_item
from toolstone.responses.kinds import DELTAS

__all__ = ["Hearing"]

JSON = Mapping[str, Any]


_SAID: Final[Mapping[str, Callable[[JSON], Piece]]] = {
    "text": lambda event: Text(event["delta"], event.get("logprobs") or ()),
    "refusal": lambda event: Decline(event["delta"]),
    "thought": lambda event: Thought(event["delta"]),
    "summary": lambda event: Summary(event["delta"], event.get("summary_index") or 0),
    "arguments": lambda event: Arguments(event["delta"]),
    "input": lambda event: Input(event["delta"]),
}
_ANNOTATED: Final = "response.output_text.annotation.added"


class _Lane:
    """One item on its way: what of it is still to be told, and how far it is."""

    def __init__(self) -> None:
        self.waiting: list[Piece] = []
        self.opened = False
        self.closed = False


class Hearing:
    """Hears one answer."""

    def __init__(self) -> None:
        self._lanes: dict[object, _Lane] = {}  # those not told to their end, in their order
        self._told = 0

    def take(self, event: JSON) -> Iterator[Piece]:
        """Give the pieces to tell for an event now."""
        kind, item = event.get("type"), event.get("item")
        if kind == "response.output_item.added" and isinstance(item, Mapping):
            opening = _opening(item)
            lane = self._lanes.setdefault(self._key(event, item), _Lane())
            if opening is not None and not lane.opened:
                lane.opened = True
                lane.waiting.append(opening)
        elif kind == "response.output_item.done" and isinstance(item, Mapping):
            lane = self._lanes.setdefault(self._key(event, item), _Lane())
            lane.waiting.append(Settle(item) if lane.opened else Item(item))
            lane.closed = True
        elif kind in DELTAS or kind == _ANNOTATED:
            lane = self._lanes.get(self._key(event, {}), _Lane())
            if lane.opened and kind == _ANNOTATED:
                lane.waiting.append(Annotate(event["annotation"]))
            elif lane.opened:
                lane.waiting.append(_SAID[DELTAS[kind][0]](event))
        yield from self._tell()

    def finish(self, response: JSON) -> Iterator[Piece]:
        """Give the pieces that are left once the response is whole."""
        left = response["output"][self._told :]
        lane = next(iter(self._lanes.values()), None)
        if left and lane is not None and lane.opened:
            yield Settle(left.pop(0))
        for item in left:
            yield from retell_item(item)
        yield retell_end(response)

    def _key(self, event: JSON, item: JSON) -> object:
        """Tell which item an event is about: by its index, by its id, else the last one."""
        index = event.get("output_index")
        key = index if isinstance(index, int) else event.get("item_id") or item.get("id")
        return next(reversed(self._lanes), None) if key is None else key

    def _tell(self) -> Iterator[Piece]:
        """Tell what the first item has to say; when it is over, the next."""
        while self._lanes:
            key, lane = next(iter(self._lanes.items()))
            yield from lane.waiting
            lane.waiting = []
            if not lane.closed:
                return
            del self._lanes[key]
            self._told += 1


def _opening(item: JSON) -> Piece | None:
    match item.get("type"):
        case "message":
            return Message(item.get("phase"), item.get("id"))
        case "reasoning":
            return Reasoning(item.get("id"))
        case "function_call" if item.get("name"):
            return Call(item["name"], item.get("call_id"), item.get("id"))
        case "custom_tool_call" if item.get("name"):
            return Custom(item["name"], item.get("call_id"), item.get("id"))
        case _:
            return None
