"""Which endpoint has minted which part of a history, and what of it another may be sent. Pure.

Encrypted reasoning is of use to its own endpoint alone; any other refuses the whole request for it.
What stands in the input before an answer counts as its endpoint's: it took that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolstone.items import Reasoning
from toolstone.runs.state import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.items import Item
    from toolstone.runs.result import Result
    from toolstone.runs.state import Run

__all__ = ["carried", "native"]


def native(run: Run, origin: str) -> Sequence[Item]:
    """The history without the reasoning that other endpoints have minted.

    Args:
        run: Whose history it is.
        origin: The endpoint that is to be sent it; empty if nobody knows, and all is kept.
    """
    if not origin:
        return run.history
    kept: list[Item] = []
    start = 0
    for end, endpoint in (*run.minted, (run.fresh, run.endpoint), (len(run.history), "")):
        part = run.history[start:end]
        start = end
        foreign = endpoint not in ("", origin)
        kept += [item for item in part if type(item) is not Reasoning] if foreign else part
    return kept


def carried(result: Result[Any], origin: str) -> Sequence[Item]:
    """The items of an earlier result that another run may begin with; see `native`."""
    if not any(type(item) is Reasoning for item in result.items):
        return result.items
    run = fold(result.records)
    return native(run, origin) if run.history == list(result.items) else result.items
