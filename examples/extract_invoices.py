"""A folder of invoices becomes typed records, with the place in the text of each value.

The invoices are made up. So is the model: a function behind an endpoint on this machine, which
reads them by a pattern and, where an invoice names no due date, invents one.

Prints:
    inv-1.txt: Harbour Paper Ltd, lines: 2, 416.0 GBP, due 2026-04-01
    inv-2.txt: Rosa's Bakery, lines: 1, 15.0 EUR, due None
        due: without evidence; made null
    inv-3.txt: Blueline Prints, lines: 2, 92.0 GBP, due None
        due: without evidence; made null
    lines[1].amount is read from '12.00', characters 59 to 64
"""

import asyncio
import re
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from toolstone import extract_many
from toolstone.extract import read_documents
from toolstone.local import Function, Turn, serve

INVOICES = [
    "Harbour Paper Ltd, 2026-03-02. 12 x paper 180.00; 4 x toner 236.00. GBP 416.00 by 2026-04-01.",
    "Rosa's Bakery, 2026-05-08. 6 x croissant 15.00. EUR 15.00, paid.",
    "Blueline Prints, 2026-06-30. 20 x plot 80.00; 1 x delivery 12.00. GBP 92.00, thank you.",
]


class Line(BaseModel):
    """What was sold."""

    what: str
    amount: float


class Invoice(BaseModel):
    """An invoice."""

    supplier: str
    issued: date
    due: date | None
    currency: str
    total: float
    lines: list[Line]


def read(turn: Turn) -> dict[str, Any]:
    """What the model makes of an invoice."""
    text = turn.items[-1]["content"]
    supplier = re.search(r"([A-Z][\w' ]+), 20", text)
    currency, total = re.findall(r"([A-Z]{3}) (\d+\.\d\d)", text)[0]
    issued, *due = re.findall(r"\d{4}-\d\d-\d\d", text)
    return {
        "supplier": supplier and supplier[1],
        "issued": issued,
        "due": due[0] if due else "2026-12-31",  # as models do
        "currency": currency,
        "total": float(total),
        "lines": [
            {"what": what, "amount": float(amount)}
            for what, amount in re.findall(r"\d+ x (\w+) (\d+\.\d\d)", text)
        ],
    }


async def extract(folder: str, model: str) -> None:
    """Read them all; a value that may be null and stands nowhere in the text becomes null."""
    async for record in extract_many(
        read_documents(folder), Invoice, model=model, ungrounded="null", ordered=True
    ):
        invoice = record.value
        assert invoice is not None, record.error
        print(
            f"{record.id}: {invoice.supplier}, lines: {len(invoice.lines)}, "
            f"{invoice.total} {invoice.currency}, due {invoice.due}"
        )
        for warning in record.warnings:
            print(f"    {warning}")
    found = next(one for one in record.evidence if one.path == "lines[1].amount")
    print(f"{found.path} is read from {found.quote!r}, characters {found.start} to {found.end}")


with tempfile.TemporaryDirectory() as folder, serve(Function(read)) as endpoint:
    for number, text in enumerate(INVOICES, 1):
        Path(folder, f"inv-{number}.txt").write_text(text)
    asyncio.run(extract(folder, f"responses+{endpoint.base_url}#any"))
