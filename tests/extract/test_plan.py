"""What is the same for each document of a job."""

import pickle

import pytest
from pydantic import BaseModel

from toolstone import (
    Budget,
    ConfigError,
    DefinitionError,
    InputError,
    Price,
    Responses,
    Settings,
)
from toolstone.extract import Document, Plan, Split
from toolstone.testing import Scripted


class Order(BaseModel):
    item: str
    amount: int | None = None


MODEL = "responses+http://127.0.0.1:1/v1#m"


def test_a_plan_is_the_same_again_elsewhere():
    budget = Budget(dollars=1, prices={MODEL: Price(1, 2)})
    plan = Plan(
        Order,
        MODEL,
        instructions="x",
        evidence="quotes",
        budget=budget,
        split=Split(50, 5),
        passes=3,
    )
    again = Plan(**pickle.loads(pickle.dumps(plan.as_data())))
    assert again.as_data() == plan.as_data()
    assert again.settings.max_output_tokens == plan.settings.max_output_tokens == 4096


CHANGES = [
    ({"type": Order.model_json_schema()}, "schema"),
    ({"model": MODEL + "2"}, "model"),
    ({"instructions": "y"}, "instructions"),
    ({"settings": Settings(temperature=0.0)}, "settings"),
    ({"model": Responses(model="m", base_url="http://127.0.0.1:1/v1")}, "model"),
    ({"evidence": "quotes"}, "evidence"),
    ({"ungrounded": "null"}, "evidence"),
    ({"split": Split()}, "split"),
    ({"passes": 3}, "passes"),
]


@pytest.mark.parametrize(("change", "name"), CHANGES, ids=[str(sorted(one)) for one, _ in CHANGES])
def test_a_change_shows_in_the_fingerprint_by_its_name(change, name):
    options = {"type": Order, "model": MODEL}
    before, after = Plan(**options).fingerprint(), Plan(**{**options, **change}).fingerprint()
    assert {key for key in before if before[key] != after[key]} == {name}


@pytest.mark.parametrize(
    "change", [{"budget": Budget(requests=5)}, {"budget": Budget(tokens=5_000)}, {"reasks": 5}]
)
def test_what_an_answer_does_not_depend_on_is_not_in_the_fingerprint(change):
    assert Plan(Order, MODEL).fingerprint() == Plan(Order, MODEL, **change).fingerprint()


async def test_a_plan_must_be_open_to_be_asked():
    with pytest.raises(ConfigError, match="not open"):
        Plan(Order, MODEL).whole  # noqa: B018  the look is the subject


async def test_what_is_put_around_the_model_is_asked():
    inner, outer = Scripted(), Scripted({"item": "tea", "amount": 1})
    plan = Plan(Order, inner)
    await plan.open(lambda model: outer if model is inner else model)
    from toolstone.extract.asking import ask

    assert (await ask(plan, Document("a", "1 tea"))).ok
    assert len(outer.requests) == 1


async def test_a_plan_is_opened_once_and_closes_only_what_it_opened():
    class Closing(Scripted):
        closed = 0

        async def aclose(self):
            self.closed += 1

    given, made = Closing(), Closing()
    mine, theirs = Plan(Order, given), Plan(Order, MODEL)
    await mine.open()
    await theirs.open(lambda _model: made)
    await theirs.open(lambda _model: pytest.fail("opened again"))
    await mine.aclose()
    await theirs.aclose()
    assert (given.closed, made.closed) == (0, 1)


def test_a_price_for_another_model_is_refused_at_once():
    with pytest.raises(DefinitionError, match="no price for model"):
        Plan(Order, MODEL, budget=Budget(dollars=1, prices={"other": Price(1, 2)}))


def test_settings_that_cannot_be_are_refused_at_once():
    with pytest.raises(InputError, match="max_output_tokens"):
        Plan(Order, MODEL, settings=Settings(max_output_tokens=0))


async def test_the_bodies_told_are_the_bodies_sent():
    model = Scripted(*[{"item": "tea", "amount": 1}] * 3)
    plan = Plan(Order, model, instructions="In pieces.", split=Split(8, 0))
    await plan.open()
    document = Document("a", "one is here.\n\ntwo is there.\n\nthree is far.")
    from toolstone.extract.asking import ask

    await ask(plan, document)
    sent = [
        (q.instructions, q.items[0].text, dict(q.output.schema), q.output.strict)
        for q in model.requests
    ]
    told = [
        (
            b["instructions"],
            b["input"],
            b["text"]["format"]["schema"],
            b["text"]["format"]["strict"],
        )
        for b in plan.bodies(document)
    ]
    assert sent == told
    assert len(told) == 3


def test_passes_multiply_the_bodies():
    assert len(Plan(Order, MODEL, passes=3).bodies(Document("a", "1 tea"))) == 3


def test_the_estimate_is_above_what_a_body_says():
    plan = Plan(Order, MODEL)
    document = Document("a", "1 tea " * 100)
    (body,) = plan.bodies(document)
    assert plan.input_tokens(document) > len(body["instructions"] + body["input"]) / 3
