"""A run is its facts, folded. Pure.

`Run.add` takes the next record and brings the run up to date in time that does not depend on the
length of the history. Nothing else changes a run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, assert_never

from toolstone import limits
from toolstone.events import (
    Accepted,
    Answered,
    Asked,
    Began,
    Finished,
    Noted,
    Record,
    Returned,
    Ruled,
    Said,
    Started,
)
from toolstone.items import CallKey, FunctionCall, Item, Other, parse_item
from toolstone.outcomes import judge, needs_answer, unanswered
from toolstone.runs.answers import render_output
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolstone.outcomes import Verdict

__all__ = ["CallState", "Run", "fold"]


class CallState:
    """One call of the model, and what has become of it."""

    __slots__ = (
        "arguments",
        "bound",
        "call_id",
        "item",
        "key",
        "kind",
        "name",
        "returned",
        "ruling",
        "started",
    )

    def __init__(self, key: CallKey, item: FunctionCall | Other) -> None:
        self.key = key
        self.item = item
        self.call_id: str | None = None
        """The wire's id, to be echoed; None for an item that no function here can answer."""
        self.arguments = ""
        """The arguments, or the free text, as the model wrote them, unchecked."""
        self.kind = "function"
        """`function`, `custom` (free text for a function), or `item` (a computer's, a shell's)."""
        if type(item) is FunctionCall:
            self.call_id, self.name, self.arguments = item.call_id, item.name, item.arguments
        elif item.type == "custom_tool_call":
            self.kind = "custom"
            raw = item.raw
            self.call_id, self.name = str(raw.get("call_id", "")), str(raw.get("name", ""))
            self.arguments = str(raw.get("input", ""))
        else:
            self.kind, self.name = "item", item.type
        self.started = False
        self.returned: Returned | None = None
        self.ruling: Ruled | None = None
        self.bound: Any = None
        """The arguments once read; not part of the record."""

    @property
    def unknown(self) -> bool:
        """Whether it began and nobody knows how it ended."""
        return self.started and self.returned is None


class Run:
    """The fold of a session's facts."""

    __slots__ = (
        "accepted",
        "agent",
        "answer",
        "asked",
        "attempts",
        "base",
        "began",
        "calls",
        "clash",
        "cut",
        "delegated",
        "empties",
        "endpoint",
        "finished",
        "fresh",
        "history",
        "id",
        "kept",
        "last_response",
        "lost",
        "minted",
        "missing",
        "open",
        "reasks",
        "records",
        "rejected",
        "requests",
        "responses",
        "session",
        "spent",
        "told",
        "turns",
        "turns_made",
        "verdict",
        "warned",
    )

    def __init__(self, session: str = "") -> None:
        self.session = session
        self.id = ""
        self.records: list[Record] = []
        self.history: list[Item] = []
        """The whole conversation: always legal input (I3)."""
        self.cut = 0
        """Where in the history that begins which is still sent as it is."""
        self.base: tuple[Item, ...] = ()
        """What is sent in the place of everything before that."""
        self.kept = 0
        """How many items of it are no replacement, but kept word for word."""
        self.told = 0
        """Where in the history the input of the present run ends."""
        self.fresh = 0
        """From here on, a server's own copy of the conversation does not know the history."""
        self.last_response = ""
        self.endpoint = ""
        """The origin that gave the last answer of the history."""
        self.minted: list[tuple[int, str]] = []
        """Where in the history the parts of other endpoints before it end, and their origins."""
        self.responses = 0
        self.began: Began | None = None
        self.finished: Finished | None = None
        self._begin()

    def _begin(self) -> None:
        self.requests = 0
        self.delegated = 0
        """Requests that sub-agents made."""
        self.spent = Usage()
        self.lost = Usage()
        """Reservations of requests that were sent and never answered: perhaps billed."""
        self.calls: list[CallState] = []
        self._go_on()

    def _go_on(self) -> None:
        self.asked: Asked | None = None
        self.accepted: str | None = None
        """The id of a background response that was begun, and has not been seen to end."""
        self.attempts = 0
        """Attempts of the request that failed."""
        self.answer: Answered | None = None
        self.verdict: Verdict | None = None
        self.clash: str | None = None
        """Why the calls of the last answer cannot be told apart, if they cannot."""
        self.open: list[CallState] = []
        self.missing = 0
        self.reasks = 0
        self.rejected: Answered | None = None
        """The last answer that did not fit and was asked for again."""
        self.empties = 0
        self.turns: list[list[tuple[str, str]]] = []
        """What the last turns called: a run that repeats itself is noticed."""
        self.turns_made = 0
        self.warned = 0
        """How many turns had been made when the model was warned of it; 0 if it was not."""

    def add(self, record: Record) -> None:  # noqa: C901, PLR0912  one line for each fact there is
        """Fold the next record in."""
        self.records.append(record)
        self.id = record.run
        match record.fact:
            case Began() as fact:
                self._add_began(fact)
            case Asked() as fact:
                self._lose()
                self.requests += 1
                self.asked = fact
                self.accepted = None
                self.attempts = 0
                self.answer = None
                self.verdict = None
            case Answered() as fact:
                self._add_answered(fact)
            case Started(calls=keys):
                for key in keys:
                    call = self.find(key)
                    if call is not None:
                        call.started = True
                        call.ruling = None  # it is used up: "run it again" is said once
            case Returned() as fact:
                self._add_returned(fact)
            case Ruled(call=key) as fact:
                call = self.find(key)
                if call is not None:
                    call.ruling = fact
            case Said() as fact:
                self._add_said(fact)
            case Noted() as fact:
                self._add_noted(fact)
            case Finished() as fact:
                self.finished = fact
                if fact.outcome == "cancelled":
                    self.accepted = None  # the service was told to stop, too
            case Accepted(response=response):
                self.accepted = response
            case _ as never:
                assert_never(never)

    def _add_began(self, fact: Began) -> None:
        self.began = fact
        self.finished = None
        waiting = self.asked, self.accepted
        if not (fact.resumed and self.accepted):
            waiting = None, None
            self._lose()
        if not fact.resumed:
            self._begin()
        elif not self.open:
            self._go_on()
        self.asked, self.accepted = waiting  # what was begun is waited for, not paid again
        self.warned = 0
        self.turns = []
        self.history.extend(fact.input)
        if not fact.resumed:
            self.told = len(self.history)
            for item in fact.input:
                if type(item) is Other and item.type == "compaction":
                    self._cut_at(item, fact.input, self.told)

    @property
    def used(self) -> Usage:
        """What is spent for good, requests that were sent and never answered included."""
        asked = self.asked
        unsettled = Usage() if asked is None else Usage(asked.input_tokens, asked.output_tokens)
        return self.spent + self.lost + unsettled

    def _lose(self) -> None:
        if self.asked is not None:
            self.lost += Usage(self.asked.input_tokens, self.asked.output_tokens)
            self.asked = None

    def _add_answered(self, fact: Answered) -> None:
        self.asked = None
        self.accepted = None
        self.answer = fact
        self.spent += fact.usage
        if self.attempts:
            self.requests += 1  # the one that succeeded, after those that failed
        self.clash = None
        number, self.responses = self.responses, self.responses + 1
        wanted = unanswered(fact.items) if fact.status == "completed" else []
        self.verdict = "calls" if wanted else judge(fact.status, fact.reason, fact.items)
        calls: list[CallState] = []
        if wanted:
            calls = [CallState(CallKey(number, n), item) for n, item in enumerate(wanted)]
            self.clash = _clash(calls)
            if self.clash is not None:
                self.verdict = "failed"
        if self.verdict not in {"calls", "complete"}:
            return  # what is cut off, empty or refused is not shown to the model again
        if fact.endpoint != self.endpoint:
            self._move(fact.endpoint)
        self.history.extend(fact.items)
        self.fresh = len(self.history)
        for item in fact.items:
            if type(item) is Other and item.type == "compaction":
                self._cut_at(item, fact.items, self.fresh)
        self.last_response = fact.response
        if calls:
            self.missing = len(calls)
            self.open = calls
            self.calls.extend(calls)

    def _move(self, endpoint: str) -> None:
        """From the last answer on, the history is another endpoint's."""
        if self.endpoint:
            self.minted.append((self.fresh, self.endpoint))
        self.endpoint = endpoint

    def _add_returned(self, fact: Returned) -> None:
        if fact.usage is not None:
            self.spent += fact.usage
            self.delegated += fact.usage.requests
        call = self.find(fact.call)
        if call is None or call.returned is not None:
            return
        call.returned = fact
        if fact.failed and fact.how == "final":
            self.reasks += 1
        self.missing -= 1
        if not self.missing:
            self.history.extend([render_output(call) for call in self.open])
            self.turns.append([(call.name, call.arguments) for call in self.open])
            del self.turns[: -2 * limits.IDENTICAL_TURNS]
            self.turns_made += 1
            self.open = []
            self.answer = None
            self.verdict = None

    def _add_noted(self, fact: Noted) -> None:
        if fact.usage is not None:
            self.spent += fact.usage
        if fact.what == "compacted":
            self._add_compacted(fact)
        elif fact.what == "overflow":
            self.asked = None  # refused for its length: nothing of it was billed
        elif fact.what == "attempt":
            self.requests += 1 if self.attempts else 0  # `Asked` has counted the first
            self.attempts += 1
            if self.accepted is not None and fact.data.get("response") == self.accepted:
                self.accepted = None  # it has ended, and failed

    def _cut_at(self, compaction: Item, items: Sequence[Item], end: int) -> None:
        """What stands before an item that compacts it is not sent any more; `items` end there."""
        before = [item is compaction for item in items].index(True)  # not one that is equal
        calls = [n for n, item in enumerate(items[:before]) if needs_answer(item)]
        self.cut = end - len(items) + min([before, *calls])  # their outputs are still to be sent
        self.base, self.kept = (), 0

    def _add_compacted(self, fact: Noted) -> None:
        self.asked = None
        self.requests += (
            1 if self.attempts else 0
        )  # the one that succeeded, after those that failed
        self.attempts = 0
        self.base = tuple(parse_item(raw) for raw in fact.data["items"])
        self.cut, self.kept = fact.data["upto"], fact.data["kept"]
        self.last_response = ""  # the service's own copy is the long one: a new chain begins

    def _add_said(self, fact: Said) -> None:
        self.history.extend(fact.items)
        if fact.why == "output":
            self.reasks += 1
            self.rejected = self.answer
        elif fact.why == "empty":
            self.empties += 1
        else:
            self.warned = self.turns_made
        self.answer = None
        self.verdict = None

    def find(self, key: CallKey) -> CallState | None:
        """The open call of this key; None if there is none."""
        try:
            call = self.open[key.position]
        except IndexError:
            return None
        return call if call.key == key else None


def fold(records: Iterable[Record], session: str = "") -> Run:
    """The run that these records tell of."""
    run = Run(session)
    for record in records:
        run.add(record)
    return run


def _clash(calls: Iterable[CallState]) -> str | None:
    """Calls that cannot be told apart on the wire cannot be answered: none of them is run."""
    names = [call.call_id for call in calls if call.call_id is not None]
    if len(set(names)) != len(names):
        return "two calls of one response have the same call_id; nothing was executed"
    if all(map(_ID.fullmatch, names)):
        return None
    return (
        f"a call has a call_id that is not 1 to {limits.CALL_ID_CHARACTERS} characters; "
        "nothing was executed"
    )


_ID = re.compile(f".{{1,{limits.CALL_ID_CHARACTERS}}}", re.DOTALL)
