"""The events of one response as the server says them."""

import asyncio

import pytest
import toolstone_peer as peer
import toolstone_wire_data as wire

from toolstone.errors import InputError, ProtocolError, ServerError, TransportError, UsageError
from toolstone.items import user
from toolstone.ports import Profile, Request, Settings
from toolstone.responses import Responses
from toolstone.wire import Retry

TEXT = wire.RESPONSES["text"]
EVENTS = wire.narrate(TEXT)


async def nowhere(_seconds):
    """Wait no time."""


def client(there, **options):
    retry = Retry(sleep=nowhere, clock=lambda: 0.0, random=lambda: 0.0)
    return Responses(model="m", base_url=there.url, api_key="sk-1", retry=retry, **options)


async def collect(told, seen):
    async for event in told:
        seen.append(event)


def stream(events, *end):
    return [peer.chunked_head(), peer.chunk(wire.encode(events)), *(end or (peer.END,))]


@pytest.mark.parametrize("name", sorted(wire.RESPONSES.keys() - {"bare"}))
async def test_every_event_is_given_as_it_was_said_and_the_response_too(name):
    events = wire.narrate(wire.RESPONSES[name])
    async with (
        peer.Peer(stream([*events])) as there,
        client(there).stream(input=[user("hi")], temperature=0) as told,
    ):
        seen = [event async for event in told]
        response = await told.response()

    assert seen == events
    assert response.id == "resp_1"
    assert there.requests[0].json == {
        "model": "m",
        "input": [user("hi").raw],
        "temperature": 0,
        "stream": True,
    }


async def test_a_request_goes_as_it_does_for_an_answer():
    profile = Profile("cutting", hides_cuts=True)
    request = Request((user("hi"),), settings=Settings(max_output_tokens=7))
    async with (
        peer.Peer(stream(EVENTS)) as there,
        client(there, profile=profile).stream(request) as told,
    ):
        response = await told.response()

    assert there.requests[0].json == {
        "model": "m",
        "input": [user("hi").raw],
        "max_output_tokens": 7,
        "stream": True,
        "store": False,
    }
    assert (response.status, response.reason) == ("incomplete", "max_output_tokens")


async def test_a_request_that_was_accepted_before_is_heard_from_its_beginning():
    profile = Profile("resuming", resumes=True)
    request = Request((user("hi"),), accepted="resp_1")
    async with (
        peer.Peer(stream(EVENTS)) as there,
        client(there, profile=profile).stream(request) as told,
    ):
        seen = [event async for event in told]

    assert seen == EVENTS
    assert there.requests[0].target == "/v1/responses/resp_1?stream=true"


async def test_events_are_given_as_they_arrive():
    go = asyncio.Event()
    steps = [peer.chunked_head(), peer.chunk(wire.encode(EVENTS[:3])), go]
    rest = [peer.chunk(wire.encode(EVENTS[3:], end=b"data: [DONE]\n\n")), peer.END]
    async with peer.Peer([*steps, *rest]) as there, client(there).stream(input="hi") as told:
        seen = []
        async for event in told:
            seen.append(event)
            if len(seen) == 3:
                go.set()

    assert seen == EVENTS


async def test_the_response_alone_can_be_asked_for():
    async with peer.Peer(stream(EVENTS)) as there, client(there).stream(input="hi") as told:
        response = await told.response()
        again = await told.response()

    assert response is again
    assert response.text == "It is 21 °C in Paris. 😀"


async def test_it_is_asked_for_again_while_no_event_was_given():
    busy = peer.json_reply({"error": {"message": "x"}}, 503)
    async with peer.Peer(busy, stream(EVENTS)) as there, client(there).stream(input="hi") as told:
        seen = [event async for event in told]

    assert (seen, len(there.requests)) == (EVENTS, 2)


async def test_it_is_not_asked_for_again_once_an_event_was_given():
    seen = []
    async with (
        peer.Peer(stream(EVENTS[:5], peer.RESET), stream(EVENTS)) as there,
        client(there).stream(input="hi") as told,
    ):
        with pytest.raises(TransportError) as caught:
            await collect(told, seen)
        with pytest.raises(TransportError):
            await told.response()

    assert (caught.value.outcome, len(there.requests)) == ("partial", 1)
    assert seen == EVENTS[:5]


async def test_what_arrived_before_a_failure_is_given_before_it_is_raised():
    error = {"type": "response.failed", "response": {**TEXT, "status": "failed", "output": []}}
    error["response"]["error"] = {"code": "server_error", "message": "broke"}
    seen = []
    async with (
        peer.Peer(stream([*EVENTS[:4], error])) as there,
        client(there).stream(input="hi") as told,
    ):
        with pytest.raises(ServerError):
            await collect(told, seen)

    assert seen == [*EVENTS[:4], error]
    assert len(there.requests) == 1


async def test_an_error_event_is_given_too():
    error = {"type": "error", "code": "server_error", "message": "broke"}
    seen = []
    async with peer.Peer(stream([error])) as there, client(there).stream(input="hi") as told:
        with pytest.raises(ServerError):
            await collect(told, seen)

    assert seen == [error]


@pytest.mark.parametrize("data", [b"{oops", b"[1]"], ids=["no JSON", "no object"])
async def test_what_is_no_event_is_an_error_after_those_before_it(data):
    seen = []
    odd = peer.chunk(wire.encode(EVENTS[:2], end=b"data: " + data + b"\n\n"))
    async with (
        peer.Peer([peer.chunked_head(), odd, peer.END]) as there,
        client(there).stream(input="hi") as told,
    ):
        with pytest.raises(ProtocolError):
            await collect(told, seen)

    assert seen == EVENTS[:2]


async def test_leaving_early_ends_the_request():
    async with peer.Peer(stream(EVENTS[:3], peer.HANG)) as there:
        async with client(there).stream(input="hi") as told:
            async for _ in told:
                break
        await asyncio.wait_for(there.gone.wait(), 5)


async def test_a_reader_who_pauses_loses_nothing_and_a_long_stream_waits_for_it():
    said = {**wire.MESSAGE, "content": [{"type": "output_text", "text": "ab" * 500}]}
    events = wire.narrate(wire.response(said), size=2)
    pieces = [peer.chunk(wire.encode([event])) for event in events]
    async with (
        peer.Peer([peer.chunked_head(), *pieces, peer.END]) as there,
        client(there).stream(input="hi") as told,
    ):
        seen = []
        async for event in told:
            await asyncio.sleep(0)
            seen.append(event)

    assert seen == events


async def test_leaving_a_long_stream_unread_ends_it():
    said = {**wire.MESSAGE, "content": [{"type": "output_text", "text": "ab" * 500}]}
    pieces = [peer.chunk(wire.encode([event])) for event in wire.narrate(wire.response(said))]
    full = asyncio.Event()
    async with peer.Peer([peer.chunked_head(), *pieces, full.set, peer.HANG]) as there:
        async with client(there).stream(input="hi"):
            await asyncio.wait_for(full.wait(), 5)
        await asyncio.wait_for(there.gone.wait(), 5)


async def test_a_broken_background_stream_is_taken_up_where_it_stopped():
    profile = Profile("resuming", resumes=True)
    async with (
        peer.Peer(stream(EVENTS[:5], peer.RESET), stream(EVENTS[5:])) as there,
        client(there, profile=profile).stream(input="hi", background=True) as told,
    ):
        seen = [event async for event in told]

    assert seen == EVENTS
    assert there.requests[1].target == "/v1/responses/resp_1?stream=true&starting_after=4"


async def test_where_it_cannot_be_taken_up_the_response_comes_all_the_same():
    async with (
        peer.Peer(stream(EVENTS[:5], peer.RESET), peer.json_reply(TEXT)) as there,
        client(there).stream(input="hi", background=True) as told,
    ):
        seen = [event async for event in told]
        response = await told.response()

    assert seen == EVENTS[:5]
    assert response.status == "completed"


async def test_a_stored_stream_that_breaks_off_says_how_to_go_on():
    seen = []
    async with (
        peer.Peer(stream(EVENTS[5:9])) as there,
        client(there).stream_stored("resp_1", after=4, include=["a.b"]) as told,
    ):
        with pytest.raises(ProtocolError, match="take it up again after the last event"):
            await collect(told, seen)

    assert seen == EVENTS[5:9]
    target = "/v1/responses/resp_1?stream=true&include%5B%5D=a.b&starting_after=4"
    assert [request.target for request in there.requests] == [target]


@pytest.mark.parametrize("data", [b"{oops", b"[1]"], ids=["no JSON", "no object"])
async def test_what_is_no_event_of_a_stored_stream_is_an_error_too(data):
    seen = []
    odd = peer.chunk(wire.encode(EVENTS[5:7], end=b"data: " + data + b"\n\n"))
    async with (
        peer.Peer([peer.chunked_head(), odd, peer.END]) as there,
        client(there).stream_stored("resp_1", after=4) as told,
    ):
        with pytest.raises(ProtocolError):
            await collect(told, seen)

    assert seen == EVENTS[5:7]


async def test_a_failure_ends_a_stored_stream_too():
    error = {"type": "error", "code": "server_error", "message": "broke"}
    seen = []
    async with (
        peer.Peer(stream([*EVENTS[5:7], error])) as there,
        client(there).stream_stored("resp_1", after=4) as told,
    ):
        with pytest.raises(ServerError):
            await collect(told, seen)

    assert seen == [*EVENTS[5:7], error]


async def test_a_stream_that_was_not_opened_says_so():
    async with peer.Peer(stream(EVENTS)) as there:
        told = client(there).stream(input="hi")
        with pytest.raises(UsageError, match="open the stream first"):
            await told.response()

    assert there.requests == []


def test_a_body_that_is_no_json_is_refused_at_once():
    model = Responses(model="m", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(InputError):
        model.stream(input="hi", metadata={"x": object()})


async def test_events_after_the_end_are_not_given_and_the_response_says_so():
    late = stream([*EVENTS, {"type": "response.completed", "response": {}}])
    async with peer.Peer(late) as there, client(there).stream(input="hi") as told:
        seen = [event async for event in told]
        response = await told.response()

    assert seen == EVENTS
    assert "events: 1" in response.notes[-1].text
