"""The columns of the extraction bench: toolkits, the ways each can ask for a record, what answers.

A toolkit that can ask in several ways has a column for each; it is compared by its best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from columns import COLUMNS, Column

__all__ = ["PEERS", "READERS", "Reader"]

_MADE: Final = {one.name: one for one in COLUMNS}


@dataclass(frozen=True)
class Reader:
    """One way of one toolkit to read records.

    Attributes:
        name: As it is printed.
        toolkit: Whose it is; the name of its column in `columns.py`, whose environment it shares.
        module: Its file beside this one.
        way: What the module is told to do.
        tool: The tool its records come in; "" if they come as JSON text.
        scored: Whether it is asked for the quality of records too.
    """

    name: str
    toolkit: str
    module: str
    way: str = ""
    tool: str = ""
    scored: bool = True

    @property
    def column(self) -> Column:
        """Where it is installed."""
        return _MADE[self.toolkit]


READERS: Final = (
    Reader("toolstone", "toolstone", "extract_with_toolstone", "values"),
    Reader("toolstone, no evidence", "toolstone", "extract_with_toolstone", "none", scored=False),
    Reader(
        "toolstone on aiohttp",
        "toolstone-aiohttp",
        "extract_with_toolstone",
        "values-aiohttp",
        scored=False,
    ),
    Reader("instructor, tools", "instructor", "extract_with_instructor", "responses", "Invoice"),
    Reader("instructor, chat tools", "instructor", "extract_with_instructor", "tools", "Invoice"),
    Reader("instructor, chat JSON", "instructor", "extract_with_instructor", "json"),
    Reader("pydantic-ai, native", "pydantic-ai", "extract_with_pydantic_ai", "native"),
    Reader("pydantic-ai, tools", "pydantic-ai", "extract_with_pydantic_ai", "tool", "final_result"),
    Reader("bare httpx", "loop-httpx", "extract_with_httpx"),
)
PEERS: Final = {"instructor": "instructor", "pydantic-ai": "pydantic-ai"}
