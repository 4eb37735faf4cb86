"""Asks for what is to stand in the place of the older part of a conversation; see `views`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from toolstone.errors import ProtocolError
from toolstone.events import Noted
from toolstone.runs.request import readable
from toolstone.runs.views import Summary

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.items import Item
    from toolstone.ports import Response
    from toolstone.runs.plan import Plan
    from toolstone.runs.state import Run
    from toolstone.runs.steps import Compact
    from toolstone.usage import Usage

__all__ = ["shortened"]


class _Compaction(Protocol):
    """What `/responses/compact` gave."""

    @property
    def items(self) -> Sequence[Item]: ...

    @property
    def usage(self) -> Usage: ...


class _Compacting(Protocol):
    """A model whose service compacts conversations."""

    async def compact(self, body: Mapping[str, Any], /) -> _Compaction: ...


async def shortened(plan: Plan[Any], run: Run, step: Compact) -> tuple[Noted, ...]:
    """Ask for the replacement.

    Returns:
        What is to be recorded: failed attempts, and last the replacement with what it cost.

    Raises:
        ServiceError: There is none.
    """
    view, cut = plan.compactor, step.cut
    if step.request is not None and isinstance(view, Summary):
        response = await (plan.compactor_model or plan.model).respond(step.request, _unseen)
        items = view.replacement(cut, _summary(response))
        notes, usage, how = response.notes, response.usage, "summary"
    else:
        older = [item.raw for item in readable(plan, run, cut.older)]
        body = {"input": older, "instructions": plan.instructions}
        given = {key: value for key, value in body.items() if value is not None}
        made = await cast("_Compacting", plan.model).compact(given)  # looked at for the plan
        items, notes, usage, how = tuple(made.items), (), made.usage, "service"
    data = {
        "items": [item.raw for item in items],
        "upto": cut.upto,
        "kept": len(cut.kept),
        "by": how,
    }
    text = f"{len(cut.older)} items of the conversation are replaced by {len(items)}"
    return (*notes, Noted("compacted", text, usage, data))


async def _unseen(_deltas: Sequence[Any]) -> None:
    """A summary is not part of the answer: nobody is shown it as it grows."""


def _summary(response: Response) -> str:
    if response.status == "completed" and response.text.strip():
        return response.text
    error = ProtocolError(
        f"the model gave no summary of the conversation (status {response.status!r}, reason "
        f"{response.reason!r}); give Summary(settings=Settings(max_output_tokens=...)) more room, "
        "or another model",
        outcome="none",
    )
    attempt = Noted("attempt", "a summary that is none", response.usage)
    error.notes = (*response.notes, attempt)
    raise error
