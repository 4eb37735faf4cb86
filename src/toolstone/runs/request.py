"""The request of a turn: what is sent of the run, and what goes along with it. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from toolstone.items import Reasoning
from toolstone.ports import Request, Settings, ToolSpec
from toolstone.runs.choice import kept
from toolstone.runs.origins import native

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.items import Item
    from toolstone.runs.plan import Offer, Plan
    from toolstone.runs.state import Run

__all__ = ["make_request", "readable", "request_bytes", "shown"]


def shown(plan: Plan[Any], run: Run) -> Sequence[Item]:
    """What is sent of the history: all that the views leave, and that this endpoint can read."""
    items: Sequence[Item] = run.history
    if run.cut or plan.shorteners:
        items = run.history[run.cut :]
        for view in plan.shorteners:
            items = view.shorten(items, run.told - run.cut)
        items = [*run.base, *items]
    return readable(plan, run, items)


def readable(plan: Plan[Any], run: Run, items: Sequence[Item]) -> Sequence[Item]:
    """These items without the reasoning that only other endpoints can read."""
    if not run.minted and (not plan.origin or run.endpoint in ("", plan.origin)):
        return items
    mine = {id(item) for item in native(run, plan.origin)}
    return [item for item in items if type(item) is not Reasoning or id(item) in mine]


def request_bytes(plan: Plan[Any], offer: Offer, items: Sequence[Item]) -> int:
    """The size of a request: its items, and what goes along with them."""
    size = sum([len(item.rendered or item.json) for item in items])
    return size + _told_bytes(plan, offer)


def make_request(
    plan: Plan[Any], run: Run, offer: Offer, settings: Settings, items: Sequence[Item]
) -> Request:
    """The request; `items` are what is sent of the history."""
    here = not plan.origin or run.endpoint in ("", plan.origin)
    known = here and run.last_response != ""
    chained = known and settings.state == "server"
    appends = chained or (known and settings.conversation is not None)
    return Request(
        items=run.history[run.fresh :] if appends else items,
        instructions=_instructions(plan),
        tools=offer.specs,
        tool_choice=_tool_choice(plan, run, offer),
        output=plan.format,
        settings=settings,
        stream=plan.stream if settings.stream is None else settings.stream,
        previous=run.last_response if chained else None,
        whole=items if chained else None,
    )


def _instructions(plan: Plan[Any]) -> str | None:
    if plan.how != "prompted":
        return plan.instructions
    return "\n\n".join(text for text in (plan.instructions, plan.output.instructions) if text)


def _tool_choice(plan: Plan[Any], run: Run, offer: Offer) -> Any:
    """A choice that forces a call is over once the call has happened (responses-api.md §7)."""
    choice = plan.settings.tool_choice
    if not offer.specs:
        return None  # nothing to choose from: the wire refuses it
    if choice is None:
        if plan.how == "tool" and len(offer.specs) == 1:
            return {"type": "function", "name": plan.final_tool}
        return None
    if kept(choice, run) and choice not in ("auto", "none"):
        mode = choice.get("mode") if isinstance(choice, dict) else None
        if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
            return {**choice, "mode": "auto"} if mode == "required" else choice
        return "auto"
    if isinstance(choice, str) and choice in offer.tools:
        return offer.tools[choice].choice
    return choice


def _told_bytes(plan: Plan[Any], offer: Offer) -> int:
    """The size of what goes along with the history: instructions, tools, the answer's schema."""
    size = len((_instructions(plan) or "").encode(errors="replace")) + _tools_bytes(offer.specs)
    return size if plan.format is None else size + len(to_json(plan.format.schema))


@lru_cache(maxsize=64)
def _tools_bytes(specs: tuple[ToolSpec, ...]) -> int:
    return sum(
        len(
            to_json(
                [spec.name, spec.description, spec.raw or spec.parameters], inf_nan_mode="constants"
            )
        )
        for spec in specs
    )
