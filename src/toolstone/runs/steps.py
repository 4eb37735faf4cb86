"""The one decision: given a run, what comes next. Pure.

Read from top to bottom, the first line that applies decides:

1. Calls are open: those that may run are run; if none may, the run waits for a person.
   A call may run when nobody need approve it, or somebody has. One that had started in an earlier
   process and never returned may run again only if its tool is `repeatable`.
2. An answer is unread: a text that fits the output type completes the run; one that does not is
   asked for again, told what was wrong, a bounded number of times, and not if the model has just
   said the same again. An empty answer is asked for again once. A cut-off, refused or failed one
   stops the run.
3. The last turns made the same calls again and again: the model is warned, then the run stops.
4. The budget is used up: the run stops.
5. What has grown too long for the view is made shorter.
6. The model is asked.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from toolstone import limits
from toolstone.events import Returned
from toolstone.items import developer, user
from toolstone.outcomes import Outcome  # noqa: TC001  read by the dataclass
from toolstone.ports import Response
from toolstone.runs.budget import Left, Purse, estimate_tokens
from toolstone.runs.choice import forces, kept
from toolstone.runs.request import make_request, request_bytes, shown
from toolstone.schema.naming import clean_name
from toolstone.schema.output import OutputProblem
from toolstone.tools.refusals import explain_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.events import Answered
    from toolstone.items import Item
    from toolstone.ports import Request
    from toolstone.runs.plan import Offer, Plan
    from toolstone.runs.state import CallState, Run
    from toolstone.runs.views import Cut

__all__ = [
    "Ask",
    "Call",
    "Compact",
    "Say",
    "Step",
    "Stop",
    "Wait",
    "compact_step",
    "next_step",
    "out_of",
]


class Ask(NamedTuple):
    """Send this request."""

    request: Request
    input_tokens: int = 0
    output_tokens: int = 0


class Call(NamedTuple):
    """Carry these calls out, side by side."""

    calls: tuple[CallState, ...]


class Answer(NamedTuple):
    """Tell the model these outputs; nothing is executed."""

    returned: tuple[Returned, ...]
    why: str


class Say(NamedTuple):
    """Say this to the model."""

    items: tuple[Item, ...]
    why: Any


class Wait(NamedTuple):
    """These calls wait for somebody."""

    calls: tuple[CallState, ...]


class Stop(NamedTuple):
    """The run is over."""

    outcome: Outcome
    output: Any = None
    why: str = ""
    problems: tuple[str, ...] = ()
    closing: tuple[Returned, ...] = ()
    note: str | None = None
    limit: str = ""
    """What of the budget is used up, if that is why."""


class Compact(NamedTuple):
    """Have the older part of the history replaced; by the service itself if there is no request."""

    cut: Cut
    request: Request | None = None
    input_tokens: int = 0
    output_tokens: int = 0


Step = Ask | Call | Answer | Say | Compact | Wait | Stop


def next_step(plan: Plan[Any], run: Run, offer: Offer, purse: Purse, now: float) -> Step:
    """Decide. `offer` are the tools of this turn; `now` is the purse's clock, in seconds."""
    if run.open:
        return _calls_step(plan, run, offer)
    if run.answer is not None:
        return _answer_step(plan, run, offer)
    return _loop_step(run, offer) or _ask_step(plan, run, offer, purse, purse.left(now))


# ----------------------------------------------------------------------------------- 1: calls


def _calls_step(plan: Plan[Any], run: Run, offer: Offer) -> Step:
    if plan.final_tool is not None:
        final = [call for call in run.open if call.name == plan.final_tool and not call.returned]
        if final:
            return _final_step(plan, run, final)
    left = [call for call in run.open if call.returned is None]
    may = [call for call in left if may_run(call, offer)]
    return Call(tuple(may)) if may else Wait(tuple(left))


def may_run(call: CallState, offer: Offer) -> bool:
    """Whether nobody need be asked before this call is dealt with."""
    if call.ruling is not None:
        return True
    if call.call_id is None:
        return False
    tool = offer.tools.get(call.name)
    if tool is None:
        # An unknown name is answered; a tool that is gone is not guessed. A custom call of a name
        # that nobody here has may be somebody else's to carry out: it waits.
        return not call.started and (call.kind == "function" or _is_withheld(call, offer))
    if call.started:
        return tool.policy.repeatable
    return not (tool.deferred or (tool.policy.approve and _needs_approval(call, tool)))


def _is_withheld(call: CallState, offer: Offer) -> bool:
    """Whether a tool of this name was told of, and the tool choice does not let it be called."""
    return any(tool.name == call.name for tool in offer.kept)


def _needs_approval(call: CallState, tool: Any) -> bool:
    """A predicate that fails decides nothing: a person is asked."""
    problem = read_arguments(call, tool)
    if problem is not None:
        return False  # it will be answered, not run
    approve = tool.policy.approve
    try:
        # Read anew for it: what it does to them must not be what runs.
        return approve is True or bool(approve(tool.read(call.arguments).arguments))
    except Exception:  # noqa: BLE001  it is the user's code
        return True


def read_arguments(call: CallState, tool: Any) -> str | None:
    """Read the arguments once, into `call.bound`; what is wrong with them otherwise."""
    if call.bound is None:
        if tool.kind != call.kind:
            return explain_kind(call.name, tool.kind)
        raw = call.item.raw
        if "status" in raw and raw["status"] == "incomplete":
            return "the call did not arrive whole, and nothing was run; make it again"
        try:
            call.bound = tool.read(call.arguments)
        except ValueError as problem:
            return str(problem)
    return None


def _final_step(plan: Plan[Any], run: Run, final: list[CallState]) -> Step:
    """The answer comes as a call: alone it ends the run, beside others it is not taken yet."""
    if len(run.open) > 1:
        text = (
            f"{plan.final_tool} was not taken: it was called beside other tools. "
            "Call it again, alone, once you have their results."
        )
        return Answer(
            tuple(Returned(c.key, text, failed=True, how="final") for c in final), "final"
        )
    call = final[0]
    try:
        value, note = plan.output.read_with_notes(call.arguments)
    except OutputProblem as problem:
        text = _output_complaint(problem.problems)
        told = Returned(call.key, text, failed=True, how="final")
        if run.reasks >= plan.reasks or _was_told(run, call, text):
            return Stop("failed", problems=problem.problems, why="output", closing=(told,))
        return Answer((told,), "output")
    closing = (Returned(call.key, "accepted", how="final"),)
    return Stop("complete", value, closing=closing, note=note)


def _was_told(run: Run, call: CallState, text: str) -> bool:
    """Whether the call before said the same, and was told the same."""
    before = run.calls[-2] if len(run.calls) > 1 else call
    returned = before.returned
    return before.arguments == call.arguments and returned is not None and returned.output == text


# ---------------------------------------------------------------------------------- 2: answers


def _answer_step(plan: Plan[Any], run: Run, offer: Offer) -> Step:
    answer, verdict = run.answer, run.verdict
    assert answer is not None  # noqa: S101  next_step asked
    match verdict:
        case "complete":
            return _read_step(plan, run, offer)
        case "empty":
            if run.empties < limits.EMPTY_REASKS:
                return Say((), "empty")
            return Stop("empty")
        case "truncated":
            return Stop("truncated", why=answer.reason or "")
        case "refused":
            return Stop("refused", why=answer.reason or "")
        case "cancelled":
            return Stop("cancelled", why="the service cancelled the response")
        case "dropped":
            return Stop("dropped", why=f"status {answer.status!r} is not an end")
        case _:
            return Stop("failed", why=run.clash or "response")


def _read_step(plan: Plan[Any], run: Run, offer: Offer) -> Step:
    assert run.answer is not None  # noqa: S101  the caller looked
    choice = plan.settings.tool_choice
    if offer.specs and forces(choice) and not kept(choice, run):
        return _unforced_step(plan, run)
    text = _text(run.answer)
    if plan.how == "tool":
        if run.reasks >= plan.reasks:
            return Stop("failed", problems=("the answer came as text",), why="output")
        return Say((user(f"Give your answer by calling {plan.final_tool}."),), "output")
    try:
        value, note = plan.output.read_with_notes(text)
    except OutputProblem as problem:
        same = run.rejected is not None and _text(run.rejected) == text
        if same or run.reasks >= plan.reasks:
            return Stop("failed", problems=problem.problems, why="output")
        return Say((user(_output_complaint(problem.problems)),), "output")
    return Stop("complete", value, note=note)


def _text(answer: Answered) -> str:
    return Response(answer.response, answer.status, answer.items).text


def _unforced_step(plan: Plan[Any], run: Run) -> Step:
    """A forced call did not happen: a 200 is not believed (architecture, distrust 200)."""
    if run.reasks >= plan.reasks:
        return Stop(
            "failed",
            why="tool_choice forces a call, and the model answered with text each time; "
            "this endpoint may ignore tool_choice",
        )
    return Say((developer("Call one of your tools now; do not answer with text."),), "output")


def _output_complaint(problems: Sequence[str]) -> str:
    listed = "\n".join(f"- {problem}" for problem in problems)
    return f"Your answer does not fit the required schema:\n{listed}\nAnswer again, corrected."


# ------------------------------------------------------------------------------------ 3: loops


def _loop_step(run: Run, offer: Offer) -> Step | None:
    if len(run.turns) < limits.IDENTICAL_TURNS:
        return None
    turns = [_countable(turn, offer) for turn in run.turns]
    names = next((n for n in (1, 2) if _repeats(turns, n)), None)
    if names is None or run.warned == run.turns_made:
        return None
    called = ", ".join(sorted({clean_name(name) for turn in turns[-names:] for name, _ in turn}))
    if not run.warned:
        text = (
            f"You have made the same calls ({called}) {limits.IDENTICAL_TURNS} times in a row with "
            "the same arguments; the results will not change. Use them, or do something else."
        )
        return Say((developer(text),), "loop")
    return Stop(
        "stopped",
        why=f"the model made the same calls ({called}) again after it had been warned; declare a "
        "tool repeatable=True if calling it again and again is its purpose",
    )


def _countable(turn: list[tuple[str, str]], offer: Offer) -> list[tuple[str, str]]:
    tools = offer.tools
    return [call for call in turn if not (call[0] in tools and tools[call[0]].policy.repeatable)]


def _repeats(turns: list[list[tuple[str, str]]], period: int) -> bool:
    last = turns[-period * limits.IDENTICAL_TURNS :]
    if len(last) < period * limits.IDENTICAL_TURNS or not all(last):
        return False
    return all(last[n] == last[n - period] for n in range(period, len(last)))


# ----------------------------------------------------------------------- 5 and 6: shorten, ask


def _ask_step(plan: Plan[Any], run: Run, offer: Offer, purse: Purse, left: Left) -> Step:
    if run.accepted is not None:
        return _wait_step(plan, run, offer, left)
    spent = left.exhausted()
    if spent is not None:
        return out_of(spent)
    if plan.compactor is not None and (cut := plan.compactor.cut(run)) is not None:
        return compact_step(plan, cut, purse, left)
    settings = plan.settings
    items: Sequence[Item] = run.history
    if run.cut or plan.shorteners or run.minted or run.endpoint not in ("", plan.origin):
        items = shown(plan, run)
    input_tokens = output_tokens = 0
    if purse.counts_tokens:
        input_tokens = estimate_tokens(request_bytes(plan, offer, items))
        room = purse.output_room(left, input_tokens)
        if room is not None:
            if room < limits.MAX_OUTPUT_TOKENS_MIN:
                return out_of("tokens" if left.dollars is None else "dollars")
            output_tokens = min(room, settings.max_output_tokens or room)
            settings = replace(settings, max_output_tokens=output_tokens)
    return Ask(make_request(plan, run, offer, settings, items), input_tokens, output_tokens)


def _wait_step(plan: Plan[Any], run: Run, offer: Offer, left: Left) -> Step:
    """What was begun in the background is paid already: it is waited for while there is time."""
    if left.seconds is not None and left.seconds <= 0:
        return out_of("seconds")
    settings, asked = plan.settings, run.asked
    if asked is not None and asked.output_tokens:
        settings = replace(settings, max_output_tokens=asked.output_tokens)
    request = make_request(plan, run, offer, settings, shown(plan, run))
    request = replace(request, accepted=run.accepted)
    return Ask(request, asked.input_tokens, asked.output_tokens) if asked else Ask(request)


def compact_step(plan: Plan[Any], cut: Cut, purse: Purse, left: Left) -> Compact | Stop:
    """Replace this part of the history, if that can be paid for."""
    request = plan.compactor.request(cut) if plan.compactor is not None else None
    if not purse.counts_tokens:
        return Compact(cut, request)
    items, told = cut.older, plan.instructions
    if request is not None:
        items, told = tuple(request.items), request.instructions
    size = sum([len(item.json) for item in items]) + len((told or "").encode(errors="replace"))
    input_tokens = estimate_tokens(size)
    room = purse.output_room(left, input_tokens, plan.compactor_name)
    if request is None or room is None:
        return Compact(cut, request, input_tokens)
    if room < limits.MAX_OUTPUT_TOKENS_MIN:
        return out_of("tokens" if left.dollars is None else "dollars")
    settings = request.settings
    most = min(room, settings.max_output_tokens or room)
    request = replace(request, settings=replace(settings, max_output_tokens=most))
    return Compact(cut, request, input_tokens, most)


def out_of(limit: str) -> Stop:
    """The run is over because this limit of the budget is used up."""
    return Stop(
        "stopped",
        why=f"the budget's {limit} are used up; raise Budget({limit}=...)",
        limit=limit,
    )
