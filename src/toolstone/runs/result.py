"""What a run leaves behind, and which error an outcome raises."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from pydantic_core import from_json

from toolstone._dataclass import dataclass
from toolstone.errors import (
    DroppedError,
    EmptyError,
    FailedError,
    InputError,
    OutputError,
    RefusedError,
    RunCancelled,
    RunError,
    StoppedError,
    TruncatedError,
)
from toolstone.events import Answered
from toolstone.items import Message
from toolstone.ports import Response
from toolstone.runs.answers import MCP_APPROVAL
from toolstone.runs.steps import Stop
from toolstone.schema.output import OutputProblem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.events import Record
    from toolstone.items import CallKey, Item
    from toolstone.outcomes import Outcome
    from toolstone.runs.budget import Price
    from toolstone.runs.plan import Plan
    from toolstone.runs.state import CallState, Run
    from toolstone.runs.steps import Wait
    from toolstone.tools.tool import Tool
    from toolstone.usage import Usage

__all__ = ["Result", "ToolCall", "make_result", "raise_for", "result_again", "waits_for"]

Output = TypeVar("Output")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call the model made, and what became of it.

    Attributes:
        key: Its identity in the session: hand it, or its text form such as `"3.1"`, to
            `approve`, `deny` and `settle`.
        name: The tool's name as the model wrote it; of an item that no function answers, such as
            `computer_call`, its type.
        arguments: The arguments as JSON text, or a custom tool's free text, as the model wrote it.
        output: What the model was told; None if it has not been told yet.
        failed: Whether it was told of a failure.
        state: `returned`; or why it waits: `approval` (somebody must approve it), `unknown` (it
            had started, and nobody knows how it ended), `deferred` (its result comes from
            elsewhere), `ready` (it may run when the run goes on).
        item: The call as it came: what a computer or a shell is to do stands there.
    """

    key: CallKey
    name: str
    arguments: str = field(repr=False)
    output: str | list[dict[str, Any]] | None = field(default=None, repr=False)
    failed: bool = False
    state: str = "returned"
    item: Item | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Result(Generic[Output]):
    """A run that completed, or waits for somebody; or, on an error, the run so far.

    Attributes:
        output: The answer, of the agent's output type; None unless the outcome is `complete`.
        outcome: `complete` or `waiting`; on a `RunError` what became of it.
        items: The whole conversation so far as legal input.
        usage: Tokens of all attempts, re-asks and sub-agents.
        calls: Every call of this run, in order, with its output.
        waiting: Those of them that wait for `approve`, `deny` or `settle`.
        session: The name to go on with: `resume(session)`.
        run: The id of the run in the records.
        records: The session's records, oldest first.
        output_mode: How the output type was asked for: `text`, `native`, `tool`, `prompted`.
        partial: The text of an answer that was cut off, refused or dropped; not in `items`.
        exchanges: The exact bodies sent and received, latest last, bounded by
            `limits.KEPT_EXCHANGE_BYTES`; this process's only.
    """

    output: Output = field(repr=False)
    outcome: Outcome
    items: tuple[Item, ...] = field(repr=False)
    usage: Usage
    calls: tuple[ToolCall, ...] = ()
    waiting: tuple[ToolCall, ...] = ()
    session: str = ""
    run: str = ""
    records: tuple[Record, ...] = field(default=(), repr=False)
    output_mode: str = "text"
    exchanges: tuple[tuple[bytes, bytes], ...] = field(default=(), repr=False)
    partial: str = field(default="", repr=False)
    price: Price | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """The text of the last thing the model said, whole or not."""
        for item in reversed(self.items):
            if type(item) is Message and item.role == "assistant":
                return item.text
        return ""

    @property
    def turns(self) -> tuple[Answered, ...]:
        """Each answered request of this run: its usage, and the model and tier that were used.

        Example:
            [(turn.usage.cached_tokens, turn.service_tier) for turn in result.turns]
        """
        mine = (record.fact for record in self.records if record.run == self.run)
        return tuple(fact for fact in mine if isinstance(fact, Answered))

    @property
    def requests(self) -> tuple[dict[str, Any], ...]:
        """The exact requests of this run, decoded; as bytes they are in `exchanges`."""
        return tuple(from_json(sent) for sent, _ in self.exchanges if sent)

    @property
    def responses(self) -> tuple[dict[str, Any], ...]:
        """The exact responses of this run, decoded; as bytes they are in `exchanges`."""
        return tuple(from_json(received) for _, received in self.exchanges if received)

    @property
    def cost(self) -> float | None:
        """Dollars spent, by the budget's price table; None without one."""
        return None if self.price is None else self.price.of(self.usage)


def make_result(
    plan: Plan[Output],
    run: Run,
    end: Stop | Wait | None,
    exchanges: Sequence[tuple[bytes, bytes]] = (),
    partial: str = "",
) -> Result[Output]:
    """The result of a run as it stands; `end` is None where it broke off.

    Args:
        plan: What was to be done.
        run: What has happened.
        end: How it ended.
        exchanges: The exact bodies, as far as they were kept.
        partial: The text of an answer that never became whole.
    """
    tools = plan.offer().tools if run.open else {}
    waiting = {call.key: waits_for(call, tools) for call in run.open if not call.returned}
    calls = tuple([_tool_call(call, waiting) for call in run.calls])
    output: Any = getattr(end, "output", None)
    return Result(
        output=output,
        outcome=_outcome(run, end),
        items=tuple(run.history),
        usage=run.spent,
        calls=calls,
        waiting=tuple([call for call in calls if call.key in waiting]) if waiting else (),
        session=run.session,
        run=run.id,
        records=tuple(run.records),
        output_mode=plan.how,
        exchanges=tuple(exchanges),
        partial=partial or _unfinished_text(run),
        price=plan.budget.prices.get(plan.name),
    )


def _outcome(run: Run, end: Stop | Wait | None) -> Outcome:
    found: Outcome | None = getattr(end, "outcome", None)
    if found is not None:
        return found
    if end is not None:
        return "waiting"
    return run.finished.outcome if run.finished is not None else "cancelled"


def _unfinished_text(run: Run) -> str:
    """What a cut-off or refused answer said: it is not part of the history."""
    if run.answer is None or run.verdict in {"calls", "complete"}:
        return ""
    messages = [item for item in run.answer.items if type(item) is Message]
    return "".join(message.text or message.refusal or "" for message in messages)


def _tool_call(call: CallState, waiting: Mapping[CallKey, str]) -> ToolCall:
    returned = call.returned
    return ToolCall(
        call.key,
        call.name,
        call.arguments,
        None if returned is None else returned.output,
        returned is not None and returned.failed,
        waiting.get(call.key, "returned") if waiting else "returned",
        call.item,
    )


def result_again(plan: Plan[Output], run: Run) -> Result[Output] | None:
    """The result of a run that completed, read from its facts; None if it did not complete.

    Raises:
        InputError: It does not fit the output type of this agent: another one has completed it.
    """
    if run.finished is None or run.finished.outcome != "complete":
        return None
    return make_result(plan, run, Stop("complete", _completed_output(plan, run)))


def _completed_output(plan: Plan[Output], run: Run) -> Output:
    answer = run.answer
    if answer is not None:
        text = Response(answer.response, answer.status, answer.items).text
    else:
        text = run.calls[-1].arguments
    try:
        return plan.output.read(text)
    except OutputProblem as problem:
        raise InputError(
            f"session {run.session!r} is complete, and its answer does not fit this agent's output "
            f"type: {problem}; ask the agent that completed it"
        ) from None


def waits_for(call: CallState, tools: Mapping[str, Tool]) -> str:
    """Why an open call has not returned, in the words of `ToolCall.state`."""
    if call.ruling is not None:
        return "ready"
    if call.unknown:
        return "unknown"
    if call.call_id is None:
        return "approval" if call.name == MCP_APPROVAL else "deferred"
    tool = tools.get(call.name)
    if tool is None and call.kind == "custom":
        return "deferred"
    if tool is not None and tool.deferred:
        return "deferred"
    return "approval" if tool is not None and tool.approve else "ready"


_ERRORS: dict[str, type[RunError]] = {
    "truncated": TruncatedError,
    "refused": RefusedError,
    "empty": EmptyError,
    "failed": FailedError,
    "dropped": DroppedError,
    "cancelled": RunCancelled,
}


def raise_for(result: Result[Any], end: Stop) -> NoReturn:
    """Raise the error of an outcome that is no result; the table is exhaustive.

    Raises:
        RunError: Always.
    """
    if end.problems:
        listed = "; ".join(end.problems)
        raise OutputError(
            f"the answer did not fit the output type, also when asked again: {listed}. "
            f"Go on with resume({result.session!r}), or allow more with Agent(reasks=...)",
            result=result,
            session=result.session,
            problems=end.problems,
        )
    budget = ", budget=...)" if end.limit else ")"
    message = f"{_say(end, result)}. Go on with resume({result.session!r}{budget}"
    if end.outcome == "stopped":
        raise StoppedError(message, result=result, session=result.session, limit=end.limit)
    raise _ERRORS[end.outcome](message, result=result, session=result.session)


def _say(end: Stop, result: Result[Any]) -> str:
    match end.outcome:
        case "truncated":
            return (
                f"the answer was cut off ({end.why}); nothing of it was executed. "
                "Raise Settings(max_output_tokens=...) or the token budget"
            )
        case "refused":
            why = end.why or "a refusal"
            return f"the model declined ({why}); what it said is in result.partial"
        case "empty":
            return "the service reported success without text or calls, also when asked again"
        case "failed" if end.why == "response":
            return f"the service reported a failed response{_service_code(result)}"
        case _:
            return end.why


def _service_code(result: Result[Any]) -> str:
    answers = [one.fact for one in result.records if one.fact.type == "answered"]
    code = (answers[-1].error or {}).get("code")
    return f" (code {code!r})" if isinstance(code, str) else ""
