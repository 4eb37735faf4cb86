"""Sessions of an agent: found, kept, and ruled about. And what one run may be given."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypedDict

from toolstone import limits
from toolstone.errors import ConflictError, InputError, ToolstoneError
from toolstone.items import CallKey, Given, Item, Message, Reasoning
from toolstone.ledgers.memory import MemoryLedger
from toolstone.outcomes import answers, asks, needs_answer
from toolstone.runs.journal import Journal, broken_ledger, new_id
from toolstone.runs.loop import spending
from toolstone.runs.result import ToolCall, waits_for
from toolstone.runs.state import Run
from toolstone.tools.toolbox import AnyTool, Toolbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.events import Ruled
    from toolstone.ports import Ledger, Observer, Settings
    from toolstone.runs.budget import Budget, Purse
    from toolstone.runs.state import CallState
    from toolstone.tools.context import CancelToken
    from toolstone.tools.tool import Tool

__all__ = [
    "AnyCall",
    "Input",
    "ResumeOptions",
    "RunOptions",
    "Sessions",
    "Tools",
    "Wish",
    "call_key",
    "check_input",
]

Tools = Iterable[AnyTool] | Toolbox
Input = Given | Iterable[Given]
"""What a run may be told: text, a part, an item, or several of them."""
AnyCall = CallKey | ToolCall | str
"""A call, its key, or the key as text such as `"3.1"`."""

_KEY_CHARACTERS = 40
_NAME: Final = re.compile(limits.SESSION_NAME)

_DOORS: Final = {
    "approval": " Use approve(...) or deny(...).",
    "deferred": " Use settle(...) with result= or failed=.",
    "unknown": " Use settle(...) with result=, failed= or again=True.",
}
"""Which ruling is for a call that waits so; `sessions` has the states, `rulings` the doors."""

NO_CALL = CallKey(0, 0)
"""Where a context is needed and there is no call."""


class ResumeOptions(TypedDict, total=False):
    """What `Agent.resume` may be given besides the session; see `RunOptions`."""

    deps: Any
    budget: Budget | None
    settings: Settings | None
    tools: Tools | None
    cancel: CancelToken | None
    changed: Literal["note", "refuse"]


class RunOptions(ResumeOptions, total=False):
    """What one run may be given besides its input.

    Attributes:
        session: A name (letters, digits, `_`, `-`; up to 64) to go on with a conversation under,
            and to resume this run by.
        deps: Handed to tools in `ToolContext.deps`.
        budget: Instead of the agent's.
        settings: On top of the agent's.
        tools: Instead of the agent's.
        cancel: Stops the run from elsewhere, any thread: it raises `RunCancelled`.
        changed: What becomes of a `resume` or `advance` by another agent than began the run, such
            as one whose tools have other code: go on (`note`, which `resume` writes down), or
            `refuse`.
    """

    session: str | None


class Wish(NamedTuple):
    """What one call of `run`, `stream` or `resume` asks for."""

    session: str | None = None
    deps: Any = None
    budget: Budget | None = None
    settings: Settings | None = None
    tools: Tools | None = None
    cancel: CancelToken | None = None
    parent: Purse | None = None
    changed: Literal["note", "refuse"] = "note"


class Sessions:
    """The sessions of one agent, in its ledger or, without one, in memory."""

    def __init__(self, ledger: Ledger | None, observers: Sequence[Observer]) -> None:
        self.ledger = ledger
        self._observers = observers
        self._memory = MemoryLedger()
        self._kept: Ledger = self._memory if ledger is None else ledger
        self._hold = getattr(self._kept, "hold", None)
        self._release = getattr(self._kept, "release", None)

    def take(self, session: str | None) -> str | None:
        """Hold a session before it is loaded, so that nobody else runs it meanwhile.

        Returns:
            The name to `let_go` of.

        Raises:
            InputError: The name cannot be.
            ConflictError: Somebody else is running it; or the very run whose tool asks for it.
            StorageError: The ledger cannot hold it.
        """
        if session is None:
            return None
        try:
            fits = _NAME.fullmatch(session)
        except TypeError:
            fits = None
        if fits is None:
            size = f" of {len(session)} characters" if isinstance(session, str) else ""
            raise InputError(
                f"session name of type {type(session).__name__!r}{size}: a name is 1 to 64 "
                "letters, digits, '_' or '-'"
            )
        if self._hold is None:
            self._refuse_own(session)
            return session
        try:
            self._hold(session)
        except ConflictError:
            self._refuse_own(session)
            raise
        except ToolstoneError:
            raise
        except Exception as error:
            raise broken_ledger(self._kept, error) from error
        return session

    def _refuse_own(self, session: str) -> None:
        """Keep a tool from going on with the run that waits for it: neither would ever be right."""
        ledger, around = self._kept, spending.get()
        while around is not None:
            owner = around.owner
            if around.calling and owner is not None and owner[0] is ledger and owner[1] == session:
                raise ConflictError(
                    f"session {session!r} is in a run that waits for this very tool call; a tool "
                    "may begin a run of its own, under another session or none"
                )
            around = around.outer

    def let_go(self, session: str | None) -> None:
        """Let go of what `take` or `load` has taken.

        Raises:
            StorageError: The ledger cannot.
        """
        if session is None or self._release is None:
            return
        try:
            self._release(session)
        except ToolstoneError:
            raise
        except Exception as error:
            raise broken_ledger(self._kept, error) from error

    async def load(self, session: str | None) -> tuple[Run, Ledger | None]:
        """The session so far, and the ledger to write it to.

        None where a new run has no name and the agent no ledger: such a run is kept in memory if
        it does not complete (`remember`), and from then on written there.
        """
        if session is None:
            run = Run(f"run-{new_id()}")
            if self.ledger is not None:
                self.take(run.session)
            return run, self.ledger
        ledger = self._kept
        try:
            records = await ledger.load(session)
        except ToolstoneError:
            raise
        except Exception as error:
            raise broken_ledger(ledger, error) from error
        if not records:
            return Run(session), ledger
        from toolstone.runs.soundness import fold_stored  # noqa: PLC0415  for who has a session

        return fold_stored(records, session), ledger

    async def load_free(self, session: str | None) -> tuple[Run, Ledger | None]:
        """`load`, of a session to which something new may be said.

        Raises:
            InputError: It has calls that have not returned.
        """
        run, ledger = await self.load(session)
        if run.open:
            raise InputError(
                f"session {run.session!r} has calls that have not returned; approve, deny or "
                "settle them, then resume the session before saying something new"
            )
        return run, ledger

    async def load_existing(self, session: str) -> tuple[Run, Ledger | None]:
        """`load`, of a session that must be there.

        Raises:
            InputError: There is no such session.
        """
        run, ledger = await self.load(session)
        if not run.records:
            raise InputError(f"there is no session {session!r}; was it kept in another ledger?")
        return run, ledger

    def remember(self, run: Run, ledger: Ledger | None, *, complete: bool) -> None:
        """Keep a run that nobody named and that is kept nowhere else, until it completes."""
        if complete and ledger is self._memory and self._memory.is_unnamed(run.session):
            self._memory.forget(run.session)
        elif not complete and ledger is None:
            self._memory.keep_unnamed(run.session, run.records)

    async def rule(
        self,
        session: str,
        key: CallKey,
        ruling: Callable[[CallState], Ruled],
        states: set[str],
        tools: Mapping[str, Tool],
    ) -> None:
        """Record a ruling about a call that waits in one of these states.

        A call of a tool that this agent does not have, such as one given to `run(tools=...)`, may
        wait for anything.

        Raises:
            InputError: No such call waits so; the message lists those that wait.
            ConflictError: Somebody is running the session.
        """
        held = self.take(session)
        try:
            run, ledger = await self.load_existing(session)
            found = run.find(key)
            state = "returned" if found is None or found.returned else waits_for(found, tools)
            if found is None or (state not in states and not _is_foreign(found, tools)):
                open_calls = [call for call in run.open if call.returned is None]
                waiting = ", ".join(f"{call.key} ({waits_for(call, tools)})" for call in open_calls)
                raise InputError(
                    f"session {session!r}: call {key} is {state!r}; this ruling is for one that is "
                    f"{' or '.join(sorted(states))}.{_DOORS.get(state, '')} "
                    f"Waiting: {waiting or 'none'}"
                )
            journal = Journal(run, run.id, ledger=ledger, observers=self._observers, now=time.time)
            await journal.record(replace(ruling(found), call=key))
        finally:
            self.let_go(held)


def _is_foreign(call: CallState, tools: Mapping[str, Tool]) -> bool:
    """Whether it waits and nobody here knows for what."""
    decided = call.returned is not None or call.ruling is not None or call.started
    return not decided and call.call_id is not None and call.name not in tools


def check_input(items: Iterable[Item]) -> None:
    """Refuse input that could never be sent: it would stand in the session for good.

    Raises:
        InputError: An item is no JSON, or a call in it has no output.
    """
    unanswered: set[str | None] = set()
    for item in items:
        item.json  # noqa: B018  rendered once, here where the mistake is still the caller's
        if type(item) is Message or type(item) is Reasoning:
            continue
        if needs_answer(item):
            unanswered.add(asks(item))
        else:
            unanswered.discard(answers(item))
    if unanswered:
        raise InputError(
            f"the input has {len(unanswered)} calls without their output; add the output item of "
            "each, or, if a run waits for them, resume its session"
        )


def call_key(call: AnyCall) -> CallKey:
    """The key of a call, however it is named.

    Raises:
        InputError: It is no key.
    """
    if isinstance(call, ToolCall):
        return call.key
    if isinstance(call, str) and len(call) <= _KEY_CHARACTERS:
        return CallKey.parse(call)
    if isinstance(call, CallKey):
        return call
    raise InputError(
        f"a call given as {type(call).__name__!r}: give one of result.waiting, its key, or the "
        "key as text such as '3.1'"
    )
