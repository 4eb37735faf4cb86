"""Block H: what becomes of a request that meets a fault of HTTP, by either library."""

import asyncio

import pytest
import toolstone_rows as rows
from toolstone_meeting import TEXT, Meeting, check, options_of
from toolstone_virtual import Scripted, now, run_virtually

from toolstone import Agent, MemoryLedger
from toolstone.errors import DeadlineError, ServiceError
from toolstone.events import Retrying, TextDelta
from toolstone.items import user
from toolstone.ports import Request
from toolstone.responses import Responses
from toolstone.responses.stream import Assembler
from toolstone.runs.state import fold
from toolstone.testing.faults.saying import call, encode, frame, message, narrate, response
from toolstone.wire import Deadlines, Retry, SseDecoder


@pytest.mark.parametrize(("case", "door"), rows.cases("H"))
async def test_a_fault_ends_as_its_row_says(case, door, meet):
    case = rows.settled(case, meet.transport)
    met = meet(case["scenario"], times=case.get("times"), **options_of(case))

    check(case, await met.ask(door), met.time)


async def test_h06_what_had_arrived_is_there_and_a_new_beginning_is_said(meet):
    met = meet("H06")
    error = await met.ask("streamed")
    told = [d.text for d in met.seen if type(d) is TextDelta]
    assert error.partial.status == "in_progress"
    assert error.partial.text == "".join(told[: len(told) // 3]) != ""
    assert [d.attempt for d in met.seen if type(d) is Retrying] == [2, 3]

    again = meet("H06", times=1)
    response = await again.ask("streamed")
    at = next(n for n, d in enumerate(again.seen) if type(d) is Retrying)
    assert "".join(d.text for d in again.seen[at + 1 :]) == response.text


@pytest.mark.parametrize(
    "told", [response(message()), response(call("book", "{}"), message())], ids=["text", "call"]
)
def test_h07_a_stream_cut_at_any_byte_is_never_a_success(told):
    data = encode(narrate(told))
    end = data.rindex(b"\n\n") + 2
    for cut in range(end):
        with pytest.raises(ServiceError):
            assembled(data[:cut])
    assert assembled(data[:end]).status == "completed"


def assembled(data):
    assembler = Assembler()
    assembler.feed(SseDecoder().feed(data))
    return assembler.end()


async def test_h08_the_half_event_was_not_shown(meet):
    whole, half = meet("H07"), meet("H08")
    await whole.ask("streamed")
    await half.ask("streamed")

    assert half.text == whole.text != ""


async def test_h09_the_connection_is_given_up_when_the_end_was_told(meet):
    met = meet("H09")
    assert (await met.ask("streamed")).text == TEXT

    assert await asyncio.to_thread(meet.peer.met[0].gone.wait, 5)


async def test_h13_a_wait_is_announced(meet):
    met = meet("H13", times=1)
    await met.ask()

    (retrying,) = [d for d in met.seen if type(d) is Retrying]
    assert (retrying.wait, retrying.attempt) == (met.time.slept[0], 2)


@pytest.mark.parametrize("scenario", ["H03", "H04"])
async def test_h03_every_attempt_is_recorded_as_one_that_may_be_billed(scenario, peer, transport):
    met = Meeting(peer, peer.base_url(scenario, times=2), transport)
    ledger = MemoryLedger()
    await Agent(met.model, ledger=ledger).run("go", session="s")

    records = await ledger.load("s")
    noted = [record.fact for record in records if record.fact.type == "noted"]
    assert [fact.data["attempt"] for fact in noted] == [1, 2]
    assert fold(records).requests == 3  # what the budget counts


async def test_h18_a_retry_takes_fourteen_of_the_quota_and_success_gives_them_back(meet):
    met = meet("H18-503")
    await met.ask()
    assert met.model.quota.left == 500 - 2 * 14
    saved = meet("H18-503", times=2)
    await saved.ask()
    assert saved.model.quota.left == 500 - 14


@pytest.mark.parametrize(("scenario", "most"), [("H22", 64 << 10), ("H32", 32 << 20)])
async def test_h22_no_more_is_read_than_the_limit(scenario, most, meet):
    """Besides the limit the kernel's buffers fill, on both sides of a connection."""
    await meet(scenario, retry=Retry(attempts=1)).ask()

    (met,) = meet.peer.met
    assert await asyncio.to_thread(met.gone.wait, 5)
    assert met.sent < most + (16 << 20)


@pytest.mark.parametrize("name", ["idle", "total"])
async def test_h12_a_connection_that_is_looked_after_may_be_silent(name, peer, monkeypatch):
    """aiohttp's bodies are looked after every second; here, all the time."""
    from toolstone.wire import AiohttpTransport, aiohttp_transport

    monkeypatch.setattr(aiohttp_transport, "_LOOK", 0.001)
    deadlines = {"deadlines": Deadlines(**{"idle": 60.0, "total": 60.0, name: 0.15})}
    met = Meeting(
        peer, peer.base_url("H12"), AiohttpTransport, retry=Retry(attempts=1), **deadlines
    )

    assert f"Deadlines.{name}" in str(await met.ask("streamed"))


FOREVER = 1e9
EVENTS = [frame(event) for event in narrate(response(message()))]


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("H10", [FOREVER]),
        ("H10 later", [30, *EVENTS[:5], FOREVER]),
        ("H12", [s for _ in range(500) for s in (1, b": still here\n\n")]),
        ("H12 later", [*EVENTS[:5], *[s for _ in range(500) for s in (1, b": still here\n\n")]]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_h10_silence_ends_at_the_idle_deadline_within_a_tenth(name, steps):
    late = 30 if name == "H10 later" else 0
    error, when = in_virtual_time(steps, Deadlines(idle=100, total=1000))

    assert "Deadlines.idle" in str(error)
    assert 100 + late <= when <= 110 + late


@pytest.mark.parametrize("block", [b": x\n\n", EVENTS[0], b" "])
def test_h11_what_drips_for_ever_ends_at_the_total_within_a_tenth(block):
    steps = [s for _ in range(2000) for s in (1, block)]
    error, when = in_virtual_time(steps, Deadlines(idle=5000, total=100))

    assert "Deadlines.total" in str(error)
    assert 100 <= when <= 110


def in_virtual_time(steps, deadlines):
    model = Responses(
        model="m",
        base_url="https://x.example",
        transport=Scripted(*steps),
        deadlines=deadlines,
        retry=Retry(attempts=1),
    )

    async def emit(deltas):
        pass

    async def main():
        with pytest.raises(DeadlineError) as caught:
            await model.respond(Request((user("hi"),), stream=True), emit)
        return caught.value, now()

    return run_virtually(main())
