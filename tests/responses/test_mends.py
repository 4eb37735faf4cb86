"""What is tried once before a refusal is final: another history, at any Responses endpoint."""

import pytest
import toolstone_peer as peer
import toolstone_wire_data as wire

from toolstone.errors import StatusError, TransportError
from toolstone.events import Retrying
from toolstone.items import parse_item, user
from toolstone.ports import Request
from toolstone.responses import Responses
from toolstone.responses.mending import mend
from toolstone.wire import Retry

ANSWER = peer.json_reply(wire.RESPONSES["text"])
CALL = parse_item(wire.CALL)
OUTPUT = parse_item({"type": "function_call_output", "call_id": wire.CALL["call_id"], "output": ""})


def thought(blob, name="rs_1"):
    raw = {"type": "reasoning", "id": name, "summary": [], "encrypted_content": blob}
    return parse_item(raw)


def refusal(code=None, message="no", status=400):
    return peer.json_reply({"error": {"message": message, "code": code}}, status)


LOST = refusal("previous_response_not_found")
FOREIGN = refusal("invalid_encrypted_content")
WHOLE = (user("hi"), thought("blob"), CALL, OUTPUT)
CHAINED = Request(WHOLE[3:], previous="resp_0", whole=WHOLE)
REPLAYED = Request(WHOLE)


async def nowhere(_seconds):
    """Wait no time."""


async def nobody(_events):
    """Nobody watches."""


def client(there, attempts=3):
    retry = Retry(attempts=attempts, sleep=nowhere, clock=lambda: 0.0, random=lambda: 0.0)
    return Responses(model="m", base_url=there.url, retry=retry)


def kinds(seen):
    return [item["type"] for item in seen.json["input"]]


ALL = ["message", "reasoning", "function_call", "function_call_output"]
BARE = ["message", "function_call", "function_call_output"]


@pytest.mark.parametrize(
    "lost",
    [
        LOST,
        refusal(None, "Previous response with id 'resp_0' not found."),
        refusal(None, "Response with id 'resp_0' not found.", status=404),
    ],
    ids=["by code", "by words", "in other words"],
)
async def test_a_history_that_the_service_lost_is_sent_whole(lost):
    async with peer.Peer(lost, ANSWER) as there:
        response = await client(there).respond(CHAINED, nobody)

    first, second = there.requests
    assert (first.json["previous_response_id"], kinds(first)) == ("resp_0", ALL[3:])
    assert ("previous_response_id" in second.json, kinds(second)) == (False, ALL)
    assert [note.what for note in response.notes] == ["attempt", "mended"]
    assert response.notes[1].data == {"mend": "rebuild"}


async def test_without_the_whole_history_it_is_final():
    async with peer.Peer(LOST, ANSWER) as there:
        with pytest.raises(StatusError) as caught:
            await client(there).respond(Request(WHOLE[3:], previous="resp_0"), nobody)

    assert (caught.value.means, len(there.requests)) == ("state-lost", 1)


@pytest.mark.parametrize(
    "foreign",
    [FOREIGN, refusal(None, "Item with id 'rs_1' not found. Items are not kept.", status=404)],
    ids=["by code", "by words"],
)
async def test_reasoning_that_is_refused_is_left_out_and_calls_stay(foreign):
    async with peer.Peer(foreign, ANSWER) as there:
        response = await client(there).respond(REPLAYED, nobody)

    assert [kinds(seen) for seen in there.requests] == [ALL, BARE]
    assert response.notes[-1].data == {"mend": "strip-reasoning"}


async def test_what_was_refused_once_is_not_sent_again_and_other_reasoning_is():
    async with peer.Peer(FOREIGN, ANSWER) as there:
        model = client(there)
        await model.respond(REPLAYED, nobody)
        await model.respond(Request((*WHOLE, thought("ours", "rs_2"), user("go on"))), nobody)

    assert kinds(there.requests[2]) == [*BARE, "reasoning", "message"]
    assert there.requests[2].json["input"][3]["encrypted_content"] == "ours"


async def test_what_was_not_the_reason_is_not_held_against_it():
    async with peer.Peer(FOREIGN, refusal(), ANSWER) as there:
        model = client(there)
        with pytest.raises(StatusError):
            await model.respond(REPLAYED, nobody)
        await model.respond(REPLAYED, nobody)

    assert kinds(there.requests[2]) == ALL


async def test_each_mend_is_tried_once():
    async with peer.Peer(FOREIGN) as there:
        with pytest.raises(StatusError) as caught:
            await client(there).respond(REPLAYED, nobody)

    assert len(there.requests) == 2
    assert [note.what for note in caught.value.notes] == ["attempt", "mended", "attempt"]


async def test_both_may_be_needed_for_one_request():
    async with peer.Peer(LOST, FOREIGN, ANSWER) as there:
        response = await client(there).respond(CHAINED, nobody)

    assert [kinds(seen) for seen in there.requests] == [ALL[3:], ALL, BARE]
    assert [note.what for note in response.notes] == ["attempt", "mended"] * 2


async def test_no_reasoning_means_that_nothing_can_be_left_out():
    async with peer.Peer(FOREIGN) as there:
        with pytest.raises(StatusError):
            await client(there).respond(Request((user("hi"),)), nobody)

    assert len(there.requests) == 1


async def test_what_fails_after_a_mend_tells_of_both():
    async with peer.Peer(FOREIGN, [peer.RESET]) as there:
        with pytest.raises(TransportError) as caught:
            await client(there, attempts=1).respond(REPLAYED, nobody)

    assert [note.what for note in caught.value.notes] == ["attempt", "mended", "attempt"]


async def test_what_a_stream_had_told_before_it_was_refused_is_void():
    events = wire.narrate(wire.RESPONSES["text"])
    error = {"type": "error", "code": "invalid_encrypted_content", "message": "x"}
    seen = []

    async def emit(batch):
        seen.extend(batch)

    whole = peer.chunked_head() + peer.chunk(wire.encode(events)) + peer.END
    broken = [
        peer.chunked_head(),
        peer.chunk(wire.encode([*events[:6], error])),
        peer.END,
    ]
    async with peer.Peer(broken, whole) as there:
        response = await client(there).respond(Request(WHOLE, stream=True), emit)

    assert [type(event) for event in seen].count(Retrying) == 1
    assert response.text


def test_a_refusal_without_a_mend_is_final():
    assert mend(REPLAYED, "", ()) is None
    assert mend(REPLAYED, "switch-prefix", ()) is None
    assert mend(REPLAYED, "strip-reasoning", {"strip-reasoning"}) is None
