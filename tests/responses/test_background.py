"""Responses that the service makes by itself: made once, waited for, taken up again."""

import json
from dataclasses import replace

import pytest
import toolstone_peer as peer
import toolstone_wire_data as wire

from toolstone.errors import (
    DeadlineError,
    ProtocolError,
    ServerError,
    StatusError,
    TransportError,
    Unsupported,
)
from toolstone.events import Accepted, ArgumentsDelta, Retrying, TextDelta
from toolstone.items import parse_item, user
from toolstone.ports import Profile, Request, Settings
from toolstone.responses import Responses
from toolstone.responses.missed import missed
from toolstone.wire import Deadlines, Retry

KEY = "sk-canary-0123456789abcdef"
TEXT = wire.RESPONSES["text"]
ID = TEXT["id"]
QUEUED = {**TEXT, "status": "queued", "output": [], "usage": None}
GOING = {**QUEUED, "status": "in_progress"}
FAILED = {**QUEUED, "status": "failed", "error": {"code": "server_error", "message": "broke"}}
BACKGROUND = Settings(background=True)
ASKED = Request((user("hi"),), settings=BACKGROUND)
STREAMED = Request((user("hi"),), settings=BACKGROUND, stream=True)
EVENTS = wire.narrate(TEXT)
RESUMES = Profile("resuming", resumes=True)


def message(text):
    part = {"type": "output_text", "text": text, "annotations": []}
    return {**wire.MESSAGE, "content": [part]}


def answers(*values):
    return [
        value if isinstance(value, bytes | list) else peer.json_reply(value) for value in values
    ]


def refusal(status, message="no", *headers, **error):
    return peer.json_reply({"error": {"message": message, **error}}, status, *headers)


def broken(events, how=peer.RESET):
    """A stream that breaks off after these events."""
    return [peer.chunked_head(), peer.chunk(wire.encode(events)), how]


def whole(events):
    return peer.chunked_head() + peer.chunk(wire.encode(events)) + peer.END


class Time:
    """Virtual time: what would have been slept, and a clock that moves by it."""

    def __init__(self):
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append(seconds)

    def retry(self, **options):
        return Retry(sleep=self.sleep, clock=lambda: sum(self.slept), random=lambda: 0.0, **options)


class Seen(list):
    """Where events go."""

    async def __call__(self, events):
        self.append(list(events))

    @property
    def text(self):
        return "".join(e.text for batch in self for e in batch if type(e) is TextDelta)

    def of(self, kind):
        return [e for batch in self for e in batch if type(e) is kind]


class Asking:
    """One client of one peer, in virtual time."""

    def __init__(self, there, **options):
        self.time, self.seen, self.there = Time(), Seen(), there
        options.setdefault("retry", self.time.retry())
        self.model = Responses(model="m", base_url=there.url, api_key=KEY, **options)

    async def respond(self, request=ASKED):
        return await self.model.respond(request, self.seen)

    @property
    def asked(self):
        return [f"{seen.method} {seen.target.removeprefix('/v1')}" for seen in self.there.requests]


# ------------------------------------------------------------------------------------- polling


async def test_it_is_made_once_and_looked_at_until_it_has_ended():
    async with peer.Peer(*answers(QUEUED, QUEUED, GOING, TEXT)) as there:
        asking = Asking(there)
        response = await asking.respond()

    assert (response.text, response.status) == ("It is 21 °C in Paris. 😀", "completed")
    assert asking.asked == ["POST /responses", *[f"GET /responses/{ID}"] * 3]
    assert asking.time.slept == [0.5, 1.0, 2.0]
    assert asking.seen == [[Accepted(ID)]]
    assert there.requests[0].json["background"] is there.requests[0].json["store"] is True
    assert (response.sent, json.loads(response.received)) == (there.requests[0].body, TEXT)
    assert response.endpoint == there.url.removesuffix("/v1")


async def test_the_pauses_grow_to_a_bound_and_a_server_that_asks_for_longer_is_heeded():
    patient = peer.json_reply(GOING, 200, "retry-after: 25")
    async with peer.Peer(*answers(*[GOING] * 7, patient, TEXT)) as there:
        asking = Asking(there)
        await asking.respond()

    assert asking.time.slept == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 25.0]


async def test_one_that_has_ended_at_once_is_not_looked_at():
    async with peer.Peer(*answers(TEXT)) as there:
        asking = Asking(there)
        response = await asking.respond()

    assert (response.status, asking.asked, asking.seen) == ("completed", ["POST /responses"], [])


async def test_what_was_accepted_before_is_waited_for_and_not_made():
    async with peer.Peer(*answers(GOING, TEXT)) as there:
        asking = Asking(there)
        response = await asking.respond(Request((user("hi"),), accepted=ID))

    assert asking.asked == [f"GET /responses/{ID}"] * 2
    assert (asking.time.slept, asking.seen) == ([0.5], [])
    assert (response.text, response.sent) == ("It is 21 °C in Paris. 😀", b"")


async def test_what_else_it_is_to_hold_is_said_at_every_look():
    settings = Settings(background=True, include=["reasoning.encrypted_content"])
    async with peer.Peer(*answers(QUEUED, TEXT)) as there:
        asking = Asking(there)
        await asking.respond(Request((user("hi"),), settings=settings))

    assert asking.asked[1] == f"GET /responses/{ID}?include%5B%5D=reasoning.encrypted_content"


@pytest.mark.parametrize("status", ["cancelled", "incomplete", "something new"])
async def test_any_other_end_is_an_end(status):
    async with peer.Peer(*answers(QUEUED, {**TEXT, "status": status})) as there:
        response = await Asking(there).respond()

    assert response.status == status


async def test_a_look_that_fails_is_taken_again_and_is_no_attempt():
    async with peer.Peer(*answers(QUEUED, refusal(503), [peer.RESET], TEXT)) as there:
        asking = Asking(there)
        response = await asking.respond()

    assert response.text
    assert response.notes == ()
    assert asking.asked == ["POST /responses", *[f"GET /responses/{ID}"] * 3]


async def test_one_that_cannot_be_looked_at_is_not_made_again():
    async with peer.Peer(*answers(QUEUED, refusal(503))) as there:
        asking = Asking(there)
        with pytest.raises(ServerError) as caught:
            await asking.respond()

    assert (caught.value.outcome, caught.value.notes) == ("unknown", ())
    assert asking.asked.count("POST /responses") == 1


async def test_one_that_failed_is_made_again_where_that_may_help():
    second = {**TEXT, "id": "resp_second"}
    queued = {**QUEUED, "id": "resp_second"}
    async with peer.Peer(*answers(QUEUED, FAILED, queued, second)) as there:
        asking = Asking(there)
        response = await asking.respond()

    assert response.id == "resp_second"
    assert asking.seen.of(Accepted) == [Accepted(ID), Accepted("resp_second")]
    (note,) = response.notes
    assert (note.what, note.data["response"], note.data["code"]) == ("attempt", ID, "server_error")


async def test_one_that_failed_for_good_is_an_error_with_its_code():
    failed = {**FAILED, "error": {"code": "invalid_prompt", "message": "no"}}
    async with peer.Peer(*answers(QUEUED, failed)) as there:
        with pytest.raises(StatusError) as caught:
            await Asking(there).respond()

    assert (caught.value.code, caught.value.outcome) == ("invalid_prompt", "none")
    assert [note.data["response"] for note in caught.value.notes] == [ID]


async def test_one_that_a_dead_process_began_and_that_failed_is_made_again():
    async with peer.Peer(*answers(FAILED, QUEUED, TEXT)) as there:
        asking = Asking(there)
        response = await asking.respond(Request((user("hi"),), accepted=ID))

    assert response.text
    assert asking.asked == [f"GET /responses/{ID}", "POST /responses", f"GET /responses/{ID}"]


async def test_one_that_the_service_has_forgotten_is_asked_for_anew_once():
    async with peer.Peer(*answers(refusal(404), QUEUED, TEXT)) as there:
        asking = Asking(there)
        response = await asking.respond(replace(ASKED, accepted="resp_lost"))

    assert asking.asked == ["GET /responses/resp_lost", "POST /responses", f"GET /responses/{ID}"]
    assert [note.what for note in response.notes] == ["attempt", "mended"]


async def test_one_that_is_forgotten_twice_is_an_error():
    async with peer.Peer(*answers(refusal(404), QUEUED, refusal(404))) as there:
        asking = Asking(there)
        with pytest.raises(StatusError, match="has no such background response") as caught:
            await asking.respond(replace(ASKED, accepted="resp_lost"))

    assert caught.value.status == 404
    assert asking.asked.count("POST /responses") == 1


async def test_one_that_is_lost_at_once_is_not_asked_for_again():
    """A service that says yes and keeps nothing would be asked for ever."""
    async with peer.Peer(*answers(QUEUED, refusal(404))) as there:
        asking = Asking(there)
        with pytest.raises(StatusError, match="has no such background response"):
            await asking.respond()

    assert asking.asked == ["POST /responses", f"GET /responses/{ID}"]


async def test_it_is_not_waited_for_for_ever():
    async with peer.Peer(*answers(QUEUED)) as there:
        asking = Asking(there, deadlines=Deadlines(background=60))
        with pytest.raises(DeadlineError, match=r"within 60 s \(Deadlines.background\)") as caught:
            await asking.respond()

    assert caught.value.outcome == "unknown"
    assert 50 <= sum(asking.time.slept) <= 60
    assert asking.asked.count("POST /responses") == 1


async def test_it_is_refused_here_where_nothing_runs_in_the_background():
    profile = Profile("small", unsupported={"background": "Wait for it."})
    async with peer.Peer(*answers(TEXT)) as there:
        with pytest.raises(Unsupported, match="Wait for it"):
            await Asking(there, profile=profile).respond()

    assert there.requests == []


async def test_one_that_was_begun_by_hand_can_be_waited_for_too():
    async with peer.Peer(*answers(QUEUED, GOING, TEXT)) as there:
        asking = Asking(there)
        queued = await asking.model.create(input="hi", background=True)
        response = await asking.model.wait(queued.id)

    assert (queued.status, response.status) == ("queued", "completed")
    assert asking.time.slept == [0.5]


# ----------------------------------------------------------------------------------- streamed


async def test_a_stream_tells_the_id_before_anything_else():
    async with peer.Peer(*answers(whole(EVENTS))) as there:
        asking = Asking(there)
        response = await asking.respond(STREAMED)

    assert asking.seen[0] == [Accepted(ID)]
    assert asking.seen.text == response.text == "It is 21 °C in Paris. 😀"
    assert asking.asked == ["POST /responses"]


@pytest.mark.parametrize("cut", range(1, len(EVENTS)))
async def test_a_broken_stream_is_taken_up_where_it_stopped(cut):
    """After any event: nothing is made, said or paid twice."""
    async with peer.Peer(*answers(broken(EVENTS[:cut]), whole(EVENTS[cut:]))) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(STREAMED)

    last = EVENTS[cut - 1]["sequence_number"]
    assert asking.asked == [
        "POST /responses",
        f"GET /responses/{ID}?stream=true&starting_after={last}",
    ]
    assert asking.seen.text == response.text == "It is 21 °C in Paris. 😀"
    assert asking.seen.of(Retrying) == []
    assert asking.seen.of(Accepted) == [Accepted(ID)]
    assert [item.raw for item in response.items] == TEXT["output"]


async def test_it_is_taken_up_as_often_as_it_goes_on():
    pieces = [broken([event]) for event in EVENTS[:-1]]
    async with peer.Peer(*answers(*pieces, whole(EVENTS[-1:]))) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(STREAMED)

    assert asking.seen.text == response.text
    assert asking.asked.count("POST /responses") == 1


async def test_a_stream_that_gets_nowhere_is_polled():
    pieces = [broken(EVENTS[:7]), [peer.RESET], [peer.RESET], [peer.RESET]]
    async with peer.Peer(*answers(*pieces, GOING, TEXT)) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(STREAMED)

    assert asking.asked[4:] == [f"GET /responses/{ID}"] * 2
    assert asking.seen.text == response.text == "It is 21 °C in Paris. 😀"


@pytest.mark.parametrize("status", [400, 404, 501])
async def test_a_service_that_does_not_take_streams_up_after_all_is_polled(status):
    async with peer.Peer(*answers(broken(EVENTS[:7]), refusal(status), TEXT)) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(STREAMED)

    assert asking.asked[2] == f"GET /responses/{ID}"
    assert asking.seen.text == response.text


@pytest.mark.parametrize("cut", range(1, len(EVENTS)))
async def test_where_streams_cannot_be_taken_up_it_is_polled_and_the_rest_is_told(cut):
    async with peer.Peer(*answers(broken(EVENTS[:cut]), GOING, TEXT)) as there:
        asking = Asking(there)
        response = await asking.respond(STREAMED)

    assert asking.asked == ["POST /responses", *[f"GET /responses/{ID}"] * 2]
    assert asking.seen.text == response.text == "It is 21 °C in Paris. 😀"
    assert asking.seen.of(Retrying) == []


async def test_events_without_numbers_cannot_be_taken_up():
    events = wire.narrate(TEXT, numbers=False)
    async with peer.Peer(*answers(broken(events[:7]), TEXT)) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(STREAMED)

    assert asking.asked == ["POST /responses", f"GET /responses/{ID}"]
    assert asking.seen.text == response.text


async def test_what_the_whole_response_says_otherwise_voids_what_was_told():
    other = {**TEXT, "output": [message("Something else.")]}
    async with peer.Peer(*answers(broken(EVENTS[:7]), other)) as there:
        asking = Asking(there)
        response = await asking.respond(STREAMED)

    assert len(asking.seen.of(Retrying)) == 1
    assert asking.seen[-1] == [TextDelta("Something else.", 0)]
    assert response.text == "Something else."


async def test_a_stream_that_breaks_before_the_id_is_known_is_asked_for_again():
    async with peer.Peer(*answers([peer.chunked_head(), peer.RESET], whole(EVENTS))) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(STREAMED)

    assert asking.asked == ["POST /responses"] * 2
    assert response.text


async def test_a_stream_that_tells_of_its_failure_has_ended():
    failed = {"type": "response.failed", "sequence_number": 1, "response": FAILED}
    async with peer.Peer(*answers(whole([EVENTS[0], failed]), whole(EVENTS))) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(STREAMED)

    assert asking.asked == ["POST /responses"] * 2
    assert response.notes[0].data["response"] == ID


async def test_a_stream_that_is_taken_up_may_tell_of_its_failure_too():
    failed = {"type": "response.failed", "sequence_number": 5, "response": FAILED}
    pieces = [broken(EVENTS[:5]), whole([failed]), whole(EVENTS)]
    async with peer.Peer(*answers(*pieces)) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(STREAMED)

    assert [line.split()[0] for line in asking.asked] == ["POST", "GET", "POST"]
    assert len(asking.seen.of(Retrying)) == 1
    assert response.text


async def test_a_stream_in_which_something_else_broke_is_looked_after():
    error = {"type": "error", "code": "server_error", "message": "x", "sequence_number": 1}
    async with peer.Peer(*answers(whole([EVENTS[0], error]), TEXT)) as there:
        asking = Asking(there)
        response = await asking.respond(STREAMED)

    assert asking.asked == ["POST /responses", f"GET /responses/{ID}"]
    assert response.text


async def test_a_server_that_does_not_stream_what_runs_in_the_background_is_polled():
    async with peer.Peer(*answers(QUEUED, TEXT)) as there:
        asking = Asking(there)
        response = await asking.respond(STREAMED)

    assert asking.asked == ["POST /responses", f"GET /responses/{ID}"]
    assert response.text


async def test_another_process_hears_a_stream_from_its_beginning():
    async with peer.Peer(*answers(whole(EVENTS))) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(Request((user("hi"),), stream=True, accepted=ID))

    assert asking.asked == [f"GET /responses/{ID}?stream=true"]
    assert asking.seen.text == response.text
    assert asking.seen.of(Accepted) == []


async def test_another_process_polls_what_was_not_streamed_from_the_start():
    async with peer.Peer(*answers(refusal(400), GOING, TEXT)) as there:
        asking = Asking(there, profile=RESUMES)
        response = await asking.respond(Request((user("hi"),), stream=True, accepted=ID))

    assert asking.asked[1:] == [f"GET /responses/{ID}"] * 2
    assert response.text


async def test_a_watcher_that_raises_stops_waiting_and_nothing_is_made_again():
    async def emit(_events):
        raise RuntimeError("the ledger is gone")

    async with peer.Peer(*answers(QUEUED)) as there:
        asking = Asking(there)
        with pytest.raises(RuntimeError, match="ledger"):
            await asking.model.respond(ASKED, emit)

    assert asking.asked == ["POST /responses"]


@pytest.mark.parametrize("odd", ["a/b", "../x", ""])
async def test_an_id_that_leads_elsewhere_is_not_followed(odd):
    async with peer.Peer(*answers({**QUEUED, "id": odd}, TEXT)) as there:
        asking = Asking(there)
        with pytest.raises(ProtocolError, match="no id"):
            await asking.respond()

    assert (asking.asked, asking.seen) == (["POST /responses"], [])


async def test_the_first_request_is_tried_again_as_any_other():
    async with peer.Peer(*answers([peer.RESET], QUEUED, TEXT)) as there:
        response = await Asking(there).respond()

    assert [note.data["error"] for note in response.notes] == [TransportError.__name__]


# ------------------------------------------------------------------------------------- missed


def test_what_was_missed_is_the_rest_of_each_text_and_call():
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'}
    told = [parse_item(message("Hel")), parse_item({**call, "arguments": '{"a"'})]
    full = [parse_item(message("Hello")), parse_item(call), parse_item(message("!"))]

    assert missed(told, full) == [
        TextDelta("lo", 0),
        ArgumentsDelta(": 1}", 1, "f"),
        TextDelta("!", 2),
    ]
    assert missed(full, full) == []
    assert missed(full, full[:1]) is None
    assert missed([parse_item(message("Ha"))], full) is None
