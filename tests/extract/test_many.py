"""Many documents, asked of a real endpoint on this machine."""

import asyncio
import itertools
from contextlib import aclosing
from pathlib import Path

import pytest
from pydantic import BaseModel

from toolstone import (
    AuthError,
    Budget,
    DefinitionError,
    InputError,
    Price,
    Settings,
    StoppedError,
    Usage,
    extract_many,
    extract_many_sync,
)
from toolstone.extract import Document, Evidence
from toolstone.local import Function
from toolstone.local.brains.answers import error
from toolstone.local.server import serve
from toolstone.responses import Responses


class Order(BaseModel):
    item: str
    amount: int | None = None


class Clerk:
    """A brain that reads `3 tea` as an order, and keeps what it was asked."""

    def __init__(self):
        self.read = []

    def __call__(self, turn):
        text = turn.items[0]["content"]
        text = text if isinstance(text, str) else text[0]["text"]
        self.read.append(text)
        if text == "nonsense":
            return "I cannot say"
        if text == "forbidden":
            return error(401, message="who are you")
        amount, _, item = text.rpartition(" ")
        return {"item": item, "amount": int(amount.split()[-1]) if amount else None}


@pytest.fixture(scope="module")
def endpoint():
    clerk = Clerk()
    with serve(Function(clerk)) as served:
        clerk.base_url = served.base_url
        yield clerk


@pytest.fixture
def clerk(endpoint):
    endpoint.read.clear()
    return endpoint


@pytest.fixture
def model(clerk):
    return Responses(model="any", base_url=clerk.base_url)


async def read(documents, model, kind=Order, **options):
    return [record async for record in extract_many(documents, kind, model=model, **options)]


TEXTS = [f"{n} item{n}" for n in range(1, 21)]


async def test_there_is_a_record_for_each_document(model):
    records = await read(TEXTS, model)
    assert {record.value.item: record.value.amount for record in records} == {
        f"item{n}": n for n in range(1, 21)
    }
    assert {record.id for record in records} == {Document.of(text).id for text in TEXTS}


async def test_records_come_in_order_if_that_is_asked_for(model):
    records = await read(TEXTS, model, ordered=True)
    assert [record.value.amount for record in records] == list(range(1, 21))


async def test_a_json_schema_gives_dicts(model):
    (record,) = await read(["3 tea"], model, Order.model_json_schema())
    assert record.value == {"item": "tea", "amount": 3}
    assert record.evidence == (Evidence("item", "tea", 2, 5), Evidence("amount", "3", 0, 1))


async def test_a_document_is_a_text_a_row_a_file_or_made_already(model, tmp_path):
    file = tmp_path / "order.txt"
    file.write_text("4 milk")
    given = ["3 tea", {"id": "row", "text": "5 beer"}, file, Document("mine", "6 wine")]
    records = await read(given, model, ordered=True)
    assert [record.value.item for record in records] == ["tea", "beer", "milk", "wine"]
    assert [record.id for record in records][1:] == ["row", str(file), "mine"]


async def test_documents_may_come_one_by_one(model):
    async def arriving():
        for text in TEXTS[:3]:
            await asyncio.sleep(0)
            yield text

    assert len(await read(arriving(), model)) == 3
    assert len(await read((text for text in TEXTS[:3]), model)) == 3


async def test_documents_are_drawn_as_they_are_needed(model):
    drawn = itertools.count(1)
    endless = (f"{n} item{n}" for n in drawn)
    async with aclosing(extract_many(endless, Order, model=model, concurrency=3)) as records:
        for _ in range(5):
            await anext(records)
        last = next(drawn)
    assert last < 5 + 3 * 4


async def test_a_file_that_cannot_be_read_is_one_failed_record(model, tmp_path):
    (broken := tmp_path / "order.docx").write_bytes(b"PK")
    failed, good = await read([broken, "3 tea"], model, ordered=True)
    assert (failed.id, failed.error.kind, failed.attempts) == (str(broken), "unreadable", 0)
    assert good.ok


async def test_a_document_that_cannot_be_answered_does_not_end_the_job(model):
    records = await read(["nonsense", "3 tea"], model, ordered=True, reasks=0)
    assert [record.ok for record in records] == [False, True]


async def test_what_is_no_document_ends_the_job_after_what_is_finished(model):
    finished = []
    with pytest.raises(InputError, match="document given as int"):
        async for record in extract_many(["3 tea", 7, "4 milk"], Order, model=model):
            finished.append(record.value.item)  # noqa: PERF401  what came before the error
    assert finished == ["tea"]


async def test_a_wrong_key_ends_the_job(model):
    with pytest.raises(AuthError):
        await read(["forbidden"], model)


async def test_a_budget_ends_the_job_after_what_is_finished(model):
    finished = []
    with pytest.raises(StoppedError, match="requests"):
        async for record in extract_many(TEXTS, Order, model=model, budget=Budget(requests=7)):
            finished.append(record)  # noqa: PERF401  what came before the error
    assert len(finished) == 7
    assert all(record.ok for record in finished)


async def test_a_budget_of_money_is_kept_to_and_used_though_many_are_asked_at_once(model):
    price = Price(input=100, output=100)
    budget = Budget(requests=None, dollars=1.0, prices={"": price})
    settings = Settings(max_output_tokens=100)
    finished = []
    with pytest.raises(StoppedError, match="dollars"):
        async for record in extract_many(
            (f"{n} item{n}" for n in itertools.count(1)),
            Order,
            model=model,
            budget=budget,
            settings=settings,
        ):
            finished.append(record)  # noqa: PERF401  what came before the error
    assert all(record.ok for record in finished)
    worst = price.of(Usage(1_000, 100))  # of one more request, estimated
    assert 1.0 - worst < sum(price.of(record.usage) for record in finished) <= 1.0


async def test_the_price_of_a_model_string_is_that_of_the_string(clerk):
    model = f"responses+{clerk.base_url}#any"
    affordable = Budget(dollars=1, prices={model: Price(1, 1)})
    dear = Budget(dollars=1, prices={model: Price(10_000_000, 10_000_000)})

    assert [record.ok for record in await read(["3 tea"], model, budget=affordable)] == [True]
    with pytest.raises(StoppedError, match="dollars"):
        await read(["3 tea"], model, budget=dear)


async def test_a_job_file_remembers_what_was_answered(clerk, model, tmp_path):
    job = tmp_path / "orders.job"
    first = await read(TEXTS[:5], model, job=job, ordered=True)
    clerk.read.clear()
    again = await read(TEXTS[:6], model, job=job, ordered=True)
    assert again[:5] == first
    assert clerk.read == [TEXTS[5]]


def test_the_blocking_twin_gives_the_same(model):
    records = list(extract_many_sync(TEXTS, Order, model=model, ordered=True))
    assert [record.value.amount for record in records] == list(range(1, 21))


def test_the_blocking_twin_may_be_left_early(clerk, model):
    endless = (f"{n} item{n}" for n in itertools.count(1))
    records = extract_many_sync(endless, Order, model=model, concurrency=2)
    assert next(records).ok
    records.close()
    asked = len(clerk.read)
    assert asked < 20


async def test_the_blocking_twin_works_inside_a_running_loop(model):
    assert [record.value.item for record in extract_many_sync(["3 tea"], Order, model=model)] == [
        "tea"
    ]


@pytest.mark.parametrize(
    ("documents", "options", "why"),
    [
        ("a text", {}, r"extract_many\(str\)"),
        (Path("x"), {}, "Path"),
        ({"text": "a"}, {}, "dict"),
        (7, {}, "int"),
        ([], {"concurrency": 0}, "concurrency=0"),
        ([], {"engine": "spark"}, "engine='spark'"),
        ([], {"evidence": "all"}, "evidence='all': give 'values' or 'quotes' or None"),
        ([], {"ungrounded": "drop"}, "ungrounded='drop'"),
        ([], {"ungrounded": "null", "evidence": None}, "needs evidence"),
        ([], {"passes": 2}, "odd number"),
        ([], {"passes": -1}, "odd number"),
        ([], {"passes": 1.5}, "passes=1.5: give 1, or an odd number"),
        ([], {"passes": True}, "passes=True"),
        ([], {"reasks": "2"}, "reasks='2': give 0"),
        ([], {"budget": 5}, r"budget=5: give a Budget"),
        ([], {"settings": {"temperature": 0}}, "settings=dict: give Settings"),
        ([], {"instructions": 5}, "instructions=5: give a text"),
        ([], {"pace": 600}, r"pace=600: give a Pace"),
        ([], {"job": 5}, "job=5: give the path"),
        ([], {"concurrency": 2.5}, "concurrency=2.5"),
        ([], {"reasks": -1}, "reasks=-1"),
        ([], {"split": 6_000}, r"Split\(tokens="),
        ([], {"model": "nonsense"}, "model 'nonsense'"),
        ([], {"type": str}, "plain text"),
        ([], {"type": {"type": "array"}}, "root"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_before_anything_is_asked(documents, options, why):
    with pytest.raises(DefinitionError, match=why):
        extract_many(documents, options.pop("type", Order), **{"model": "local/smollm2", **options})


async def test_no_documents_are_no_records(model):
    assert await read([], model) == []
