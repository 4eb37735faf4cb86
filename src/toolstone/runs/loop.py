"""The one loop: carries steps out and records what came of them.

Streamed or not, blocking or not, fresh or resumed: these lines. `advance` is one turn of it, for
engines that call it once per task.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, assert_never

from toolstone import limits
from toolstone.errors import ServiceError
from toolstone.events import Answered, Asked, Finished, Noted, Returned, Said, Started
from toolstone.items import CallKey
from toolstone.runs.choice import permitted
from toolstone.runs.steps import (
    Answer,
    Ask,
    Call,
    Compact,
    Say,
    Stop,
    Wait,
    compact_step,
    next_step,
    out_of,
    read_arguments,
)
from toolstone.tools.calling import Pending, call_all
from toolstone.tools.context import BudgetLeft, ToolContext
from toolstone.tools.refusals import explain_denied, explain_limit, explain_unknown
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from toolstone.events import Delta, Ruled
    from toolstone.outcomes import Outcome
    from toolstone.ports import Request, Response
    from toolstone.runs.budget import Purse
    from toolstone.runs.journal import Journal
    from toolstone.runs.plan import Offer, Plan
    from toolstone.runs.state import CallState, Run
    from toolstone.runs.views import Cut
    from toolstone.tools.context import CancelToken

__all__ = ["Rig", "advance", "drive", "spending"]

spending: ContextVar[Purse | None] = ContextVar("toolstone_spending", default=None)
"""The purse of the run whose tools are being called: a sub-agent spends from it."""


class Rig:
    """What the loop needs besides plan and run: where to write, what is left, who may stop it."""

    __slots__ = (
        "cancel",
        "clock",
        "exchanges",
        "forced",
        "journal",
        "kept_bytes",
        "offer",
        "purse",
    )

    def __init__(
        self,
        journal: Journal,
        purse: Purse,
        cancel: CancelToken,
        clock: Callable[[], float],
    ) -> None:
        self.journal = journal
        self.purse = purse
        self.cancel = cancel
        self.clock = clock
        self.offer: Offer | None = None
        self.forced = False
        """Whether the history was made shorter because it did not fit, and nothing came since."""
        self.exchanges: list[tuple[bytes, bytes]] = []
        self.kept_bytes = 0

    def keep(self, response: Response) -> None:
        """Keep the exact bodies of the last exchanges, within bounds."""
        self.exchanges.append((response.sent, response.received))
        self.kept_bytes += len(response.sent) + len(response.received)
        while self.kept_bytes > limits.KEPT_EXCHANGE_BYTES:
            sent, received = self.exchanges.pop(0)
            self.kept_bytes -= len(sent) + len(received)


async def drive(plan: Plan[Any], run: Run, rig: Rig) -> Stop | Wait:
    """Go on until the run is over or waits for somebody.

    Raises:
        RunError: With the cause chained, when the other side failed for good.
        ConflictError: Somebody else has written this session.
    """
    while True:
        step = await advance(plan, run, rig)
        if step is not None:
            return step


async def advance(plan: Plan[Any], run: Run, rig: Rig) -> Stop | Wait | None:
    """One turn of the loop; None if there is more to do."""
    if rig.offer is None or not run.open:
        rig.offer = plan.offer()  # once a turn: what was offered is what may be called
    offer = rig.offer
    step = next_step(plan, run, offer, rig.purse, rig.clock())
    match step:
        case Ask():
            return await _ask(plan, step, run, rig)
        case Compact():
            await _compact(plan, step, run, rig)
        case Call(calls):
            await _call(plan, calls, offer, rig)
        case Answer(returned):
            await rig.journal.record(*returned)
        case Say(items, why):
            await rig.journal.record(Said(items, why))
        case Wait():
            return step
        case Stop():
            await _finish(step, run, rig)
            return step
        case _ as never:
            assert_never(never)
    return None


# ----------------------------------------------------------------------------------------- ask


async def _ask(plan: Plan[Any], step: Ask, run: Run, rig: Rig) -> Stop | None:
    journal, request = rig.journal, step.request
    if request.accepted is None:
        rig.purse.reserve(step.input_tokens, step.output_tokens)  # before another run can look
        await journal.record(Asked(run.requests + 1, step.input_tokens, step.output_tokens))
    try:
        if request.accepted is None and not request.settings.background:
            response = await plan.model.respond(request, journal.emit)
        else:
            response = await _wait_for(plan, request, rig)
    except _OutOfTimeError:
        stop = out_of("seconds")
        await _finish(stop, run, rig)
        return stop
    except ServiceError as error:
        cut = _cut(plan, error, run, rig)
        if cut is None:
            await _failed(error, rig)
            raise
        await _give_back(step, error, rig)
        left = rig.purse.left(rig.clock())
        return await _compact(plan, compact_step(plan, cut, rig.purse, left), run, rig)
    rig.forced = False
    rig.keep(response)
    if response.notes:
        _spend(response.notes, rig.purse)
    rig.purse.settle(step.input_tokens, step.output_tokens, response.usage)
    await journal.record(
        *response.notes,
        Answered(
            response.id,
            response.status,
            response.items,
            response.usage,
            response.model,
            response.reason,
            None if response.error is None else dict(response.error),
            response.service_tier,
            response.endpoint,
        ),
    )
    return None


async def _compact(plan: Plan[Any], step: Compact | Stop, run: Run, rig: Rig) -> Stop | None:
    """Have the older part of the history replaced."""
    from toolstone.runs.shortening import shortened  # noqa: PLC0415  for who has such a view

    if isinstance(step, Stop):
        await _finish(step, run, rig)
        return step
    reserved = (step.input_tokens, step.output_tokens)
    rig.purse.reserve(*reserved, plan.compactor_name)
    await rig.journal.record(Asked(run.requests + 1, *reserved))
    try:
        *notes, compacted = await shortened(plan, run, step)
    except ServiceError as error:
        await _failed(error, rig)
        raise
    _spend(notes, rig.purse)
    rig.purse.settle(*reserved, compacted.usage or Usage(), plan.compactor_name)
    await rig.journal.record(*notes, compacted)
    return None


def _cut(plan: Plan[Any], error: ServiceError, run: Run, rig: Rig) -> Cut | None:
    """What to replace, once, of a conversation that did not fit; None if that is no remedy."""
    if plan.compactor is None or rig.forced or getattr(error, "means", "") != "context":
        return None
    rig.forced = True
    return plan.compactor.cut(run, forced=True)


async def _give_back(step: Ask, error: ServiceError, rig: Rig) -> None:
    """A request that was refused for its length is not paid for; that it was made counts."""
    _spend(error.notes, rig.purse, already=1)
    rig.purse.settle(step.input_tokens, step.output_tokens, Usage())
    await rig.journal.record(*error.notes, Noted("overflow", "the conversation did not fit"))


class _OutOfTimeError(Exception):
    """The budget's seconds are over, and the service still works on the response."""


async def _wait_for(plan: Plan[Any], request: Request, rig: Rig) -> Response:
    """Wait for a background response as long as the budget's seconds last."""
    try:
        async with asyncio.timeout(rig.purse.left(rig.clock()).seconds) as limit:
            return await plan.model.respond(request, rig.journal.emit)
    except TimeoutError as error:
        if isinstance(error, ServiceError) or not limit.expired():
            raise
        raise _OutOfTimeError from error


async def _failed(error: ServiceError, rig: Rig) -> None:
    """The model did not answer: say so in the record, with what the attempts cost."""
    _spend(error.notes, rig.purse, already=1)
    outcome: Outcome = "failed" if error.outcome == "none" else "dropped"
    await rig.journal.record(*error.notes, Finished(outcome, type(error).__name__))


def _spend(notes: Sequence[Noted], purse: Purse, already: int = 0) -> None:
    """Pay for the attempts that failed; `already` of them were reserved as the request itself."""
    tried = sum([note.what == "attempt" for note in notes])
    if tried > already:
        purse.spend(Usage(), tried - already)
    for note in notes:
        if note.usage is not None:
            purse.spend(note.usage)


async def _finish(step: Stop, run: Run, rig: Rig) -> None:
    if run.finished is not None and not step.closing:
        return
    notes = () if step.note is None else (Noted("repaired", step.note),)
    await rig.journal.record(*notes, *step.closing, Finished(step.outcome, step.why))


# ---------------------------------------------------------------------------------------- call


async def _call(plan: Plan[Any], calls: Sequence[CallState], offer: Offer, rig: Rig) -> None:
    most, choice = plan.most_calls, plan.settings.tool_choice
    allowed = None if choice is None else permitted(choice, rig.journal.run)
    looked_at = [(call, _refuse(call, offer, most, allowed)) for call in calls]
    answered = [refused for _, refused in looked_at if refused is not None]
    batch = [_pending(plan, call, offer, rig) for call, refused in looked_at if refused is None]
    started = (Started(tuple([one.key for one in batch])),) if batch else ()
    await rig.journal.record(*answered, *started)
    if batch:
        await _call_batch(plan, batch, rig)


async def _call_batch(plan: Plan[Any], batch: list[Pending], rig: Rig) -> None:
    async def tell(returned: Sequence[Returned], deltas: Sequence[Delta]) -> None:
        if deltas and rig.journal.watched:
            await rig.journal.emit(deltas)
        if returned:
            charged = rig.purse.charged
            facts = [_with_usage(one, charged) for one in returned] if charged else returned
            await rig.journal.record(*facts)

    token = spending.set(rig.purse)
    rig.purse.calling = True
    try:
        await call_all(batch, tell, concurrency=plan.concurrency, fatal=plan.fatal)
    finally:
        rig.purse.calling = False
        try:  # noqa: SIM105  calls are counted here
            spending.reset(token)
        except ValueError:
            pass  # dropped with its loop, and collected in somebody else's context


def _with_usage(returned: Returned, charged: dict[CallKey, Usage]) -> Returned:
    """Add what a sub-agent spent in this call to the fact of its return."""
    usage = charged.pop(returned.call, None)
    if usage is None:
        return returned
    return Returned(returned.call, returned.output, returned.failed, returned.how, usage)


def _refuse(
    call: CallState, offer: Offer, most: int, allowed: frozenset[str] | None
) -> Returned | None:
    """What the model is told of a call that is not executed; None if it is."""
    if call.ruling is not None and call.ruling.ruling not in {"approve", "again"}:
        return _ruled(call.key, call.ruling)
    if call.key.position >= most:
        return _not_run(call, "limit", explain_limit(most))
    tool = offer.tools.get(call.name)
    if tool is None or (allowed is not None and call.name not in allowed):
        names = [name for name in offer.tools if allowed is None or name in allowed]
        return _not_run(call, "unknown", explain_unknown(call.name, names))
    problem = read_arguments(call, tool)
    if problem is not None:
        return _not_run(call, "arguments", problem)
    return None


def _not_run(call: CallState, how: Any, text: str) -> Returned:
    return Returned(call.key, text, failed=True, how=how)


def _ruled(key: CallKey, ruled: Ruled) -> Returned:
    match ruled.ruling:
        case "result":
            return Returned(key, ruled.output, how="settled")
        case "failed":
            return Returned(key, ruled.output, failed=True, how="settled")
        case _:
            return Returned(key, explain_denied(str(ruled.output)), failed=True, how="denied")


def _pending(plan: Plan[Any], call: CallState, offer: Offer, rig: Rig) -> Pending:
    tool = offer.tools[call.name]
    context = _NO_CONTEXT
    if tool.wants_context:
        left = _budget_left(rig)
        context = ToolContext(rig.journal.run.id, call.key, plan.deps, rig.cancel, left)
    return Pending(call.key, tool, call.bound, context)


_NO_CONTEXT = ToolContext("", CallKey(0, 0), None)


def _budget_left(rig: Rig) -> BudgetLeft:
    left = rig.purse.left(rig.clock())
    return BudgetLeft(left.requests, left.tokens, left.seconds, left.dollars)
