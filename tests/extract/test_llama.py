"""Extraction with the real small model. What it makes of a text is not asserted, what we make is."""

import pytest
from pydantic import BaseModel

from toolstone import Settings, extract_many_sync

pytestmark = pytest.mark.llama

TEXT = "Ada Lovelace orders 3 kettles."


class Order(BaseModel):
    item: str
    amount: int | None = None


@pytest.mark.parametrize("evidence", ["values", "quotes"])
def test_a_text_becomes_a_record_whose_evidence_stands_in_it(evidence):
    settings = Settings(max_output_tokens=200, temperature=0)
    (record,) = extract_many_sync(
        [TEXT], Order, model="local/smollm2", evidence=evidence, settings=settings
    )
    assert isinstance(record.value, Order)
    assert record.evidence
    assert all(TEXT[one.start : one.end] == one.quote for one in record.evidence if one.grounded)
