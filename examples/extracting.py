"""One text, one object: no tools, no session, one shot.

Prints:
    7 2026-12-01 99.5
    8 2026-12-24 12.0
"""

import asyncio
from datetime import date
from typing import Any

from pydantic import BaseModel

from toolstone import Agent, Request
from toolstone.testing import Scripted


class Invoice(BaseModel):
    """The essentials of an invoice."""

    number: str
    due: date
    total: float


def read(request: Request) -> dict[str, Any]:
    """What the scripted model makes of a text."""
    if "No. 7" in str(request.items[-1].raw):
        return {"number": "7", "due": "2026-12-01", "total": 99.5}
    return {"number": "8", "due": "2026-12-24", "total": 12.0}


async def main() -> None:
    """Read two texts at once with the same agent: an agent holds no run."""
    agent = Agent(Scripted(read, read), output=Invoice)
    invoices = await asyncio.gather(
        agent.extract("Invoice No. 7, 99.50, due on 1 December 2026"),
        agent.extract("Invoice No. 8, 12 dollars by Christmas Eve"),
    )
    for invoice in invoices:
        print(invoice.number, invoice.due, invoice.total)


asyncio.run(main())
