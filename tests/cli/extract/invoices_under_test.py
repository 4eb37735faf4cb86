"""What the tests of `toolstone extract` read."""

from typing import Literal

from pydantic import BaseModel


class Invoice(BaseModel):
    """An invoice."""

    number: int
    total: float
    currency: Literal["EUR", "USD"]
    customer: str | None
