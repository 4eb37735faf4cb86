"""Whether what is kept of a session is a legal run: read by itself, without the fold (I3, I4)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import ToolstoneError
from toolstone.events import (
    Answered,
    Asked,
    Began,
    Record,
    Returned,
    Ruled,
    Started,
    decode_record,
    encode_record,
)
from toolstone.items import CallKey, Item
from toolstone.testing import Scripted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from toolstone import Agent, Result

CALLS: Final = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}
"""Items that call, and what answers them."""
_ROUNDS: Final = 8


def find_problems(records: Sequence[Record], *, repeatable: Collection[str] = ()) -> list[str]:
    """What is wrong with the records of one session; nothing, if they are a legal run.

    Args:
        records: As the ledger gives them.
        repeatable: Names of tools whose calls may be begun more than once.
    """
    reading = _Reading(repeatable)
    for place, record in enumerate(records):
        if record.seq != place:
            reading.found.append(f"record {place} says that it is {record.seq}")
        if decode_record(encode_record(record).decode()) != record:
            reading.found.append(f"record {place} ({record.fact.type}) does not come back as it is")
        reading.read(place, record.fact)
    return reading.found


class _Reading:
    """Reads facts one after the other, and says what cannot be."""

    def __init__(self, repeatable: Collection[str]) -> None:
        self.found: list[str] = []
        self._repeatable = repeatable
        self._answers = 0
        self._open: dict[CallKey, str] = {}
        self._begun: Counter[CallKey] = Counter()
        self._again: Counter[CallKey] = Counter()

    def read(self, place: int, fact: object) -> None:
        match fact:
            case Began(resumed=False) | Asked() | Answered() if self._open:
                calls = ", ".join(map(str, self._open))
                self._say(place, fact, f"calls without their output: {calls}")
            case Started(calls=keys):
                for key in keys:
                    self._start(place, fact, key)
            case Ruled(call=key, ruling="again"):
                self._again[key] += 1
            case Returned(call=key):
                if self._open.pop(key, None) is None:
                    self._say(place, fact, f"call {key} is not open")
        if isinstance(fact, Answered):
            self._answer(fact)

    def _answer(self, fact: Answered) -> None:
        number, self._answers = self._answers, self._answers + 1
        if fact.status == "completed":
            called = [item.raw for item in fact.items if item.type in CALLS]
            self._open = {CallKey(number, n): raw["name"] for n, raw in enumerate(called)}

    def _start(self, place: int, fact: object, key: CallKey) -> None:
        self._begun[key] += 1
        if key not in self._open:
            self._say(place, fact, f"call {key} is not open")
        elif self._begun[key] > 1 + self._again[key] and self._open[key] not in self._repeatable:
            self._say(place, fact, f"call {key} began {self._begun[key]} times")

    def _say(self, place: int, fact: object, what: str) -> None:
        self.found.append(f"record {place} ({type(fact).__name__}): {what}")


def find_illegal(items: Iterable[Item]) -> list[str]:
    """What is wrong with the input of a request: each call has one output, behind it."""
    waiting: Counter[tuple[str, Any]] = Counter()
    found: list[str] = []
    for place, item in enumerate(items):
        link = item.raw.get("call_id")
        if item.type in CALLS:
            waiting[CALLS[item.type], link] += 1
        elif item.type in CALLS.values():
            waiting[item.type, link] -= 1
            if waiting[item.type, link] < 0:
                found.append(f"item {place}: an output without its call")
        elif +waiting and item.raw.get("role") == "user":
            found.append(f"item {place}: said while {sum((+waiting).values())} calls are open")
    return found + [f"a call without its output: {kind}" for kind, _ in (+waiting).elements()]


def closing(says: str = "done") -> Scripted:
    """A model that ends whatever it is asked, and refuses an input that is not legal.

    Raises:
        IllegalError: From `respond`.
    """

    def answer(request: Any) -> str:
        if wrong := find_illegal(request.items):
            raise IllegalError("; ".join(wrong))
        return says

    return Scripted(*[answer] * _ROUNDS)


class IllegalError(Exception):
    """A request that no Responses endpoint would take."""


async def go_on(agent: Agent[Any], session: str) -> Result[Any]:
    """Resume a session to its end, saying of each call in doubt that it failed.

    Raises:
        ToolstoneError: It does not end.
    """
    for _ in range(_ROUNDS):
        result = await agent.resume(session)
        if result.outcome == "complete":
            return result
        for call in result.waiting:
            if call.state == "approval":
                await agent.deny(session, call)
            else:
                await agent.settle(session, call, failed="nobody knows")
    raise ToolstoneError(f"session {session!r} still waits after {_ROUNDS} rounds")
