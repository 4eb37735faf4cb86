"""One document, asked of a real agent with a scripted model."""

import asyncio
import json
from dataclasses import replace
from datetime import date

import pytest
from pydantic import BaseModel, model_validator

from toolstone import (
    AuthError,
    Budget,
    ConfigError,
    DefinitionError,
    Price,
    ProtocolError,
    RateLimitError,
    Settings,
    StatusError,
    StoppedError,
    TransportError,
)
from toolstone.extract import Document, Evidence, Plan, Split
from toolstone.extract.asking import ask
from toolstone.ports import Profile, Response
from toolstone.testing import Scripted, call
from toolstone.testing.scripted import parse_item
from toolstone.usage import Usage


class Line(BaseModel):
    item: str
    amount: float


class Invoice(BaseModel):
    number: str
    due: date | None = None
    city: str | None = None
    currency: str = "EUR"
    lines: list[Line] = []


TEXT = "Invoice 7\n\nDue 1 December 2026\n\n- tea 2.50\n\n- milk 1.25\n"
SAID = {
    "number": "7",
    "due": "2026-12-01",
    "city": None,
    "currency": None,
    "lines": [{"item": "tea", "amount": 2.5}],
}
VALUE = Invoice(number="7", due=date(2026, 12, 1), lines=[Line(item="tea", amount=2.5)])
NOTHING = dict.fromkeys(SAID) | {"lines": []}


async def asked(model, text=TEXT, kind=Invoice, **options):
    plan = Plan(kind, model, **options)
    await plan.open()
    return await ask(plan, Document("a", text))


async def test_a_document_becomes_a_record():
    record = await asked(Scripted(SAID))
    assert (record.id, record.value, record.error, record.warnings) == ("a", VALUE, None, ())
    assert (record.usage, record.attempts) == (Usage(10, 5, requests=1), 1)
    assert Evidence("due", "1 December 2026", 15, 30) in record.evidence


async def test_the_document_is_the_users_message_and_what_is_said_before_it_stays_the_same():
    model = Scripted(SAID, SAID)
    plan = Plan(Invoice, model, instructions="Amounts are in euros.")
    await plan.open()
    await ask(plan, Document("a", "one"))
    await ask(plan, Document("b", "two"))
    one, two = model.requests
    assert [one.items[0].text, two.items[0].text] == ["one", "two"]
    assert one.instructions == two.instructions
    assert one.instructions.endswith("\n\nAmounts are in euros.")
    assert one.output is two.output
    assert len(one.items) == 1


async def test_an_answer_that_does_not_fit_is_asked_for_again_with_the_fields():
    model = Scripted({**SAID, "due": "soon"}, SAID)
    record = await asked(model)
    assert (record.value, record.attempts, record.usage.requests) == (VALUE, 2, 2)
    assert "- due: " in model.requests[1].items[-1].text


async def test_an_answer_repeated_word_for_word_is_not_paid_for_a_third_time():
    record = await asked(Scripted(*[{**SAID, "due": "soon"}] * 9), reasks=8)
    assert (record.error.paths, record.attempts) == (("due",), 2)


async def test_an_answer_that_never_fits_is_a_failure_that_names_the_fields():
    record = await asked(Scripted({**SAID, "due": "soon"}, {**SAID, "due": "later"}), reasks=1)
    assert (record.value, record.attempts) == (None, 2)
    assert (record.error.kind, record.error.paths) == ("validation", ("due",))
    assert "soon" not in record.error.message
    assert "resume" not in record.error.message


def said(status="completed", reason=None, content=None):
    parts = [content or {"type": "output_text", "text": '{"num', "annotations": []}]
    message = {
        "type": "message",
        "id": "m",
        "role": "assistant",
        "status": "completed",
        "content": parts,
    }
    return Response(
        "r", status, (parse_item(message),), Usage(10, 5, requests=1), "scripted", reason
    )


def refused(param, means=""):
    error = StatusError("invalid", status=400)
    error.param, error.means = param, means
    return error


FAILURES = [
    (said("incomplete", "max_output_tokens"), "truncated", False),
    (said(content={"type": "refusal", "refusal": "no"}), "refused", False),
    (TransportError("connection reset"), "transport", True),
    (RateLimitError("too fast", status=429), "model", True),
    (StatusError("the input is too long", status=400), "model", False),
    (refused("input[0].content"), "model", False),
    (refused("messages.0"), "model", False),
    (refused("max_tokens", "context"), "model", False),
    (TransportError("a certificate", retryable=False), "transport", True),
    (ProtocolError("a captive portal"), "protocol", True),
    (ZeroDivisionError("a model of your own"), "model", True),
]


@pytest.mark.parametrize(("turn", "kind", "retryable"), FAILURES, ids=[one[1] for one in FAILURES])
async def test_what_befalls_one_document_is_in_its_record(turn, kind, retryable):
    record = await asked(Scripted(turn))
    assert (record.error.kind, record.error.retryable) == (kind, retryable)
    assert record.attempts == 1
    assert record.value is None


def meaning(means):
    error = StatusError("no", status=404)
    error.means = means
    return error


@pytest.mark.parametrize(
    "error",
    [
        AuthError("who are you", status=401),
        meaning("model"),
        meaning("permission"),
        refused("text.format.schema"),
        refused("response_format"),
        refused("reasoning.effort"),
        refused("max_output_tokens"),
        ConfigError("no key"),
        DefinitionError("no"),
        RateLimitError("no credit is left", status=429, retryable=False),
    ],
    ids=[
        "auth",
        "model",
        "permission",
        "schema",
        "chat",
        "effort",
        "most",
        "config",
        "definition",
        "quota",
    ],
)
async def test_what_concerns_all_documents_is_raised(error):
    with pytest.raises(type(error)) as caught:
        await asked(Scripted(error))
    assert caught.value is error


@pytest.mark.parametrize(
    "budget", [None, Budget(requests=1_000), Budget(requests=None, tokens=10**9)]
)
@pytest.mark.parametrize("step", [0, 1], ids=["the same", "another"])
async def test_a_model_that_calls_tools_for_ever_fails_its_document_alone(step, budget):
    calls = [call("search", n=n * step) for n in range(100)]
    model = Scripted(*calls)
    record = await asked(model, budget=budget)
    assert (record.error.kind, record.error.retryable) == ("model", False)
    assert "tools" in record.error.message
    assert len(model.requests) == record.attempts < 50


async def test_a_call_that_somebody_else_would_carry_out_is_no_answer():
    item = {"type": "custom_tool_call", "id": "c", "call_id": "c", "name": "sql", "input": "x"}
    turn = Response("r", "completed", (parse_item(item),), Usage(10, 5, requests=1), "scripted")
    record = await asked(Scripted(turn))
    assert (record.ok, record.error.kind, record.attempts) == (False, "model", 1)


@pytest.mark.parametrize("text", ["", " \n\t"])
async def test_an_empty_document_is_not_asked(text):
    model = Scripted()
    record = await asked(model, text)
    assert (record.error.kind, record.attempts, model.requests) == ("validation", 0, [])


async def test_half_a_character_is_a_failure_of_its_document():
    record = await asked(Scripted(), "half \ud800")
    assert record.error.kind == "validation"


async def test_a_document_of_a_json_schema_becomes_a_dict():
    schema = Invoice.model_json_schema()
    record = await asked(Scripted(SAID), kind=schema)
    assert record.value == {
        "number": "7",
        "due": "2026-12-01",
        "city": None,
        "lines": [{"item": "tea", "amount": 2.5}],
    }
    assert len(record.evidence) == 4


async def test_a_list_at_the_root_has_paths_of_its_items():
    record = await asked(Scripted({"value": [{"item": "tea", "amount": 2.5}]}), kind=list[Line])
    assert record.value == [Line(item="tea", amount=2.5)]
    assert [one.path for one in record.evidence] == ["[0].item", "[0].amount"]


async def test_an_endpoint_without_structured_output_is_given_a_tool():
    model = Scripted(call("final_answer", **SAID), profile=Profile(output="tool"))
    assert (await asked(model)).value == VALUE


async def test_evidence_is_found_in_a_long_text_too():
    record = await asked(Scripted(SAID), "Nothing here.\n" * 5_000 + TEXT)
    found = {one.path: one.quote for one in record.evidence}
    assert (found["number"], found["due"]) == ("7", "1 December 2026")


async def test_without_evidence_nothing_is_looked_for():
    assert (await asked(Scripted(SAID), evidence=None)).evidence == ()


# ----------------------------------------------------------------------------------------- quotes


@pytest.mark.parametrize("kind", [Invoice, Invoice.model_json_schema()], ids=["model", "schema"])
async def test_a_model_that_quotes_is_checked(kind):
    quotes = [
        {"path": "due", "quote": "Due 1 December"},
        {"path": "number", "quote": "number seven"},
    ]
    model = Scripted({"value": SAID, "evidence": quotes})
    record = await asked(model, kind=kind, evidence="quotes")
    assert record.evidence[:2] == (
        Evidence("number", "7", 8, 9),
        Evidence("due", "Due 1 December", 11, 25),
    )
    assert record.warnings == ("number: its quote does not stand in the document",)
    assert "evidence" in model.requests[0].instructions


@pytest.mark.parametrize("kind", [Invoice, Invoice.model_json_schema()], ids=["model", "schema"])
async def test_a_guess_becomes_null_if_that_is_asked_for(kind):
    record = await asked(Scripted({**SAID, "city": "Paris"}), kind=kind, ungrounded="null")
    value = record.value if isinstance(record.value, dict) else record.value.model_dump()
    assert value["city"] is None
    assert record.warnings == ("city: without evidence; made null",)
    assert "city" not in [one.path for one in record.evidence]


async def test_a_guess_is_kept_if_nothing_else_is_said():
    record = await asked(Scripted({**SAID, "city": "Paris"}))
    assert record.value.city == "Paris"
    assert Evidence("city", "") in record.evidence


class Either(BaseModel):
    a: str | None = None
    b: str | None = None

    @model_validator(mode="after")
    def one_of_them(self):
        assert self.a or self.b
        return self


async def test_a_guess_that_the_type_cannot_do_without_is_kept_with_a_warning():
    record = await asked(Scripted({"a": "Paris", "b": None}), kind=Either, ungrounded="null")
    assert record.value.a == "Paris"
    assert record.warnings == ("a: without evidence, and the type needs it; kept",)


# ----------------------------------------------------------------------------------------- pieces

PIECES = [
    {**NOTHING, "number": "7", "due": "2026-12-01"},
    {**NOTHING, "number": "8", "lines": [{"item": "tea", "amount": 2.5}]},
    {**NOTHING, "lines": [{"item": "tea", "amount": 2.5}, {"item": "milk", "amount": 1.25}]},
]


async def test_a_long_document_is_read_in_parts_and_put_together():
    model = Scripted(*PIECES)
    record = await asked(model, split=Split(10, 0))
    assert record.value == VALUE.model_copy(
        update={"lines": [Line(item="tea", amount=2.5), Line(item="milk", amount=1.25)]}
    )
    assert record.warnings == ("number: parts 1 and 2 disagree; kept what part 1 says",)
    assert (record.attempts, record.usage.requests) == (3, 3)
    assert "one part of a longer one" in model.requests[0].instructions
    assert all(TEXT[one.start : one.end] == one.quote for one in record.evidence if one.grounded)


async def test_parts_are_asked_side_by_side():
    everybody = asyncio.Barrier(3)

    class Meeting:
        async def respond(self, request, emit):
            await everybody.wait()
            return said(
                content={
                    "type": "output_text",
                    "text": json.dumps({**NOTHING, "number": "7"}),
                    "annotations": [],
                }
            )

    assert (await asked(Meeting(), split=Split(10, 0))).value == Invoice(number="7")


async def test_with_a_budget_parts_are_asked_one_after_another():
    record = await asked(Scripted(*PIECES), split=Split(10, 0), budget=Budget(requests=3))
    assert (record.ok, record.attempts) == (True, 3)


async def test_what_concerns_all_documents_is_raised_from_any_part():
    turns = [TransportError("reset"), AuthError("who", status=401), NOTHING]
    with pytest.raises(AuthError):
        await asked(Scripted(*turns), split=Split(10, 0))


async def test_parts_that_make_no_whole_are_a_failure_that_names_the_field():
    record = await asked(Scripted(NOTHING, NOTHING, NOTHING), split=Split(10, 0))
    assert (record.error.kind, record.error.paths) == ("validation", ("number",))


async def test_a_part_that_fails_fails_the_document():
    turns = [PIECES[0], TransportError("reset"), PIECES[2]]
    record = await asked(Scripted(*turns), split=Split(10, 0))
    assert (record.error.kind, record.error.retryable) == ("transport", True)


async def test_parts_quote_too():
    quotes = [
        [{"path": "number", "quote": "Invoice 7"}],
        [{"path": "lines[0].amount", "quote": "tea 2.50"}],
        [],
    ]
    model = Scripted(*[{"value": p, "evidence": q} for p, q in zip(PIECES, quotes, strict=True)])
    record = await asked(model, split=Split(10, 0), evidence="quotes")
    found = {one.path: one.quote for one in record.evidence}
    assert found["number"] == "Invoice 7"
    assert found["lines[0].amount"] == "tea 2.50"


async def test_a_list_at_the_root_is_put_together_too():
    parts = [
        {"value": []},
        {"value": [{"item": "tea", "amount": 2.5}]},
        {"value": [{"item": "milk", "amount": 1.25}]},
    ]
    record = await asked(Scripted(*parts), kind=list[Line], split=Split(10, 0))
    assert record.value == [Line(item="tea", amount=2.5), Line(item="milk", amount=1.25)]


# ----------------------------------------------------------------------------------------- passes


async def test_of_three_passes_the_majority_is_taken_field_by_field():
    model = Scripted({**SAID, "number": "8"}, {**SAID, "city": "Bonn"}, SAID)
    record = await asked(model, passes=3)
    assert (record.value, record.attempts, record.warnings) == (VALUE, 3, ())


async def test_a_vote_that_is_decided_is_not_gone_on_with():
    model = Scripted(SAID, SAID, SAID)
    record = await asked(model, passes=3)
    assert (record.value, record.attempts) == (VALUE, 2)


async def test_a_pass_that_fails_has_no_vote():
    record = await asked(Scripted(SAID, TransportError("reset"), {**SAID, "number": "8"}), passes=3)
    assert record.value.number == "7"
    assert record.warnings == (
        "only 2 of 3 passes have an answer",
        "number: no majority among 2 passes",
    )


async def test_if_all_passes_fail_so_does_the_document():
    record = await asked(Scripted(*[TransportError("reset")] * 3), passes=3)
    assert (record.error.kind, record.attempts) == ("transport", 3)


async def test_a_wrong_key_is_not_tried_again_by_the_next_pass():
    model = Scripted(AuthError("who", status=401), SAID, SAID)
    with pytest.raises(AuthError):
        await asked(model, passes=3)
    assert len(model.requests) == 1


async def test_a_majority_that_makes_no_whole_gives_way_to_the_first_pass():
    model = Scripted({"a": "x", "b": None}, {"a": None, "b": "y"}, {"a": None, "b": "z"})
    record = await asked(model, kind=Either, passes=3, evidence=None)
    assert record.value == Either(a="x")
    assert record.warnings == ("what most passes say of each field makes no whole; kept the first",)


# ----------------------------------------------------------------------------------------- budget


async def test_a_budget_that_is_spent_ends_the_job():
    plan = Plan(Invoice, Scripted(SAID, SAID), budget=Budget(requests=1))
    await plan.open()
    assert (await ask(plan, Document("a", TEXT))).ok
    with pytest.raises(StoppedError, match="budget of requests does not last"):
        await ask(plan, Document("b", TEXT))


async def test_a_reask_that_cannot_be_paid_for_ends_the_job():
    model = Scripted({**SAID, "due": "soon"}, SAID)
    with pytest.raises(StoppedError, match=r"requests.*whole job's"):
        await asked(model, budget=Budget(requests=1))


async def test_with_a_budget_of_money_an_answer_has_a_bound():
    model = Scripted(SAID)
    budget = Budget(requests=None, dollars=1, prices={"scripted": Price(1, 1)})
    assert (await asked(model, budget=budget)).ok
    assert model.requests[0].settings.max_output_tokens == 4096


async def test_a_bound_of_your_own_is_kept():
    model = Scripted(SAID)
    await asked(
        model, budget=Budget(requests=None, tokens=9_000), settings=Settings(max_output_tokens=50)
    )
    assert model.requests[0].settings.max_output_tokens == 50


async def test_a_reask_cut_because_the_money_ended_ends_the_job():
    dear = replace(said(), usage=Usage(300, 300, requests=1))
    turns = [dear, said("incomplete", "max_output_tokens")]
    with pytest.raises(StoppedError, match="budget of tokens does not last"):
        await asked(Scripted(*turns), budget=Budget(requests=None, tokens=4_700))


async def test_an_answer_cut_at_its_own_bound_is_a_failure_of_its_document():
    cut = said("incomplete", "max_output_tokens")
    record = await asked(Scripted(cut), budget=Budget(requests=None, tokens=4_700))
    assert record.error.kind == "truncated"
