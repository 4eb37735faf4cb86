"""Asking a Responses endpoint over real sockets: answers, faults, retries, deadlines (block H)."""

import asyncio
import json
import pickle
import subprocess
import sys
import threading

import pytest
import toolstone_peer as peer
import toolstone_wire_data as wire

from toolstone.errors import (
    AuthError,
    ConfigError,
    DeadlineError,
    InputError,
    LimitError,
    ProtocolError,
    RateLimitError,
    ServerError,
    ServiceError,
    StatusError,
    TransportError,
)
from toolstone.events import Retrying, TextDelta
from toolstone.items import user
from toolstone.ports import Model, Profile, Request
from toolstone.responses import Responses, openai_model, responses_model
from toolstone.wire import Deadlines, Retry

KEY = "sk-canary-0123456789abcdef"
TEXT = wire.RESPONSES["text"]
ANSWER = peer.json_reply(TEXT)
STREAM = peer.chunked_head() + peer.chunk(wire.encode(wire.narrate(TEXT))) + peer.END
PLAIN, STREAMED = Request((user("hi"),)), Request((user("hi"),), stream=True)
BOTH = pytest.mark.parametrize("request_", [PLAIN, STREAMED], ids=["plain", "streamed"])


class Time:
    """Virtual time: what would have been slept, and a clock that moves by it."""

    def __init__(self, random=0.5):
        self.slept, self._random = [], random

    async def sleep(self, seconds):
        self.slept.append(seconds)

    def retry(self, **options):
        return Retry(
            sleep=self.sleep, clock=lambda: sum(self.slept), random=lambda: self._random, **options
        )


class Seen(list):
    """Where deltas go; remembers them and how they were bundled."""

    async def __call__(self, deltas):
        self.append(list(deltas))

    @property
    def text(self):
        return "".join(d.text for batch in self for d in batch if type(d) is TextDelta)

    @property
    def retries(self):
        return [d for batch in self for d in batch if type(d) is Retrying]


def model(there, transport, **options):
    options.setdefault("retry", Time().retry())
    return Responses(model="m", base_url=there.url, api_key=KEY, transport=transport(), **options)


def status(code, error=None, *headers):
    return peer.json_reply({"error": error or {"message": "no"}}, code, *headers)


# ---------------------------------------------------------------------------------------- answers


async def test_it_is_a_model(transport):
    assert isinstance(Responses(model="m", base_url="https://x.example"), Model)


async def test_a_plain_answer(transport):
    async with peer.Peer(ANSWER) as there:
        seen = Seen()
        response = await model(there, transport).respond(PLAIN, seen)

    (sent,) = there.requests
    assert (sent.method, sent.target) == ("POST", "/v1/responses")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["accept"] == "application/json"
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.headers["user-agent"] == "toolstone"
    assert sent.body == response.sent
    assert sent.json["model"] == "m"
    assert (response.text, response.notes, seen) == ("It is 21 °C in Paris. 😀", (), [])
    assert json.loads(response.received) == TEXT


async def test_a_streamed_answer_is_the_same_and_its_deltas_come_as_they_arrive(transport):
    events = wire.narrate(TEXT)
    first, rest = wire.encode(events[:6]), wire.encode(events[6:])
    go = asyncio.Event()
    seen = Seen()

    async def emit(deltas):
        await seen(deltas)
        go.set()

    steps = [peer.chunked_head(), peer.chunk(first), go, peer.chunk(rest), peer.END]
    async with peer.Peer(steps) as there:
        response = await model(there, transport).respond(STREAMED, emit)

    assert there.requests[0].headers["accept"] == "text/event-stream"
    assert there.requests[0].json["stream"] is True
    assert seen.text == response.text == "It is 21 °C in Paris. 😀"
    assert len(seen) == 2  # one batch for each read of the network
    assert [item.raw for item in response.items] == TEXT["output"]


async def test_streams_free_their_connections(transport):
    async with peer.Peer(STREAM) as there:
        asked = model(there, transport)
        for _ in range(4):
            await asked.respond(STREAMED, Seen())

    assert (len(there.requests), there.connections) == (4, 1)


async def test_after_the_terminal_event_an_open_stream_does_not_hold_us(transport):
    steps = [peer.chunked_head(), peer.chunk(wire.encode(wire.narrate(TEXT))), peer.HANG]
    async with peer.Peer(steps) as there, asyncio.timeout(5):
        response = await model(there, transport).respond(STREAMED, Seen())
        await there.gone.wait()

    assert response.status == "completed"


async def test_many_at_once_do_not_mix(transport):
    def answer(n):
        return peer.json_reply(wire.response(id=f"resp_{n}"))

    async with peer.Peer(*(answer(n) for n in range(50))) as there:
        asked = model(there, transport)
        got = await asyncio.gather(*(asked.respond(PLAIN, Seen()) for _ in range(50)))

    assert sorted(r.id for r in got) == sorted(f"resp_{n}" for n in range(50))


def test_one_client_serves_many_threads_each_with_its_loop(transport):
    from concurrent.futures import ThreadPoolExecutor

    started = threading.Barrier(8)

    async def ask(asked):
        return [(await asked.respond(PLAIN, Seen())).id for _ in range(5)]

    def one(asked):
        started.wait(5)
        return asyncio.run(ask(asked))

    async def main():
        async with peer.Peer(ANSWER) as there:
            asked = model(there, transport)
            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(8) as threads:
                jobs = [loop.run_in_executor(threads, one, asked) for _ in range(8)]
                return await asyncio.gather(*jobs), there.connections

    answers, connections = asyncio.run(main())

    assert answers == [["resp_1"] * 5] * 8
    assert connections == 8


async def test_a_body_of_your_own_may_be_sent(transport):
    async with peer.Peer(ANSWER) as there:
        asked = model(there, transport)
        response = await asked.create({"input": "hi", "vendor": 1})
        with pytest.raises(InputError, match="stream"):
            await asked.create({"stream": True})
        with pytest.raises(InputError, match="plain JSON"):
            await asked.create({"x": object()})

    assert there.requests[0].json == {"model": "m", "stream": False, "input": "hi", "vendor": 1}
    assert response.id == "resp_1"


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; Charset=UTF-8", "text/plain", "x"]
)
async def test_a_plain_answer_may_call_itself_what_it_likes(transport, kind):
    body = json.dumps(TEXT).encode()
    async with peer.Peer(peer.reply(200, body, f"content-type: {kind}")) as there:
        assert (await model(there, transport).respond(PLAIN, Seen())).id == "resp_1"


@pytest.mark.parametrize(
    "kind", ["text/event-stream", "Text/Event-Stream;charset=utf-8", "text/plain", ""]
)
async def test_a_stream_may_call_itself_so_in_any_way(transport, kind):
    body = wire.encode(wire.narrate(TEXT))
    async with peer.Peer(peer.reply(200, body, f"content-type: {kind}")) as there:
        seen = Seen()
        assert (await model(there, transport).respond(STREAMED, seen)).id == "resp_1"

    assert seen.text


async def test_json_where_a_stream_was_asked_for_is_taken_if_it_is_whole(transport):
    async with peer.Peer(ANSWER, peer.json_reply({"half": 1})) as there:
        asked = model(there, transport)
        assert (await asked.respond(STREAMED, Seen())).id == "resp_1"
        with pytest.raises(ProtocolError):
            await asked.respond(STREAMED, Seen())


async def test_a_stream_where_none_was_asked_for_is_taken_if_it_is_whole(transport):
    cut = peer.reply(200, wire.encode(wire.narrate(TEXT)[:-1]), "content-type: text/event-stream")
    async with peer.Peer(STREAM, cut) as there:
        asked = model(there, transport, retry=Retry(attempts=1))
        assert (await asked.respond(PLAIN, Seen())).text == "It is 21 °C in Paris. 😀"
        with pytest.raises(ProtocolError, match="terminal event"):
            await asked.respond(PLAIN, Seen())


@BOTH
@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (peer.reply(200, b"<html>", "content-type: text/html"), "web page"),
        (peer.reply(204, b""), "empty body|terminal event"),
        (peer.reply(200, b"", "content-type: application/json"), "empty body"),
        (peer.reply(200, b'{"a', "content-type: application/json"), "not JSON"),
        (peer.reply(200, b'{"a": "\xff"}', "content-type: application/json"), "UTF-8 at byte 7"),
    ],
    ids=["html", "204", "empty", "cut", "utf-8"],
)
async def test_a_200_that_is_no_response_says_so(transport, request_, answer, message):
    async with peer.Peer(answer) as there:
        with pytest.raises(ProtocolError, match=message):
            await model(there, transport, retry=Retry(attempts=1)).respond(request_, Seen())


# ----------------------------------------------------------------------------------------- retries


@BOTH
@pytest.mark.parametrize("code", [408, 409, 425, 429, 500, 502, 503, 504, 529])
async def test_what_may_pass_is_tried_again(transport, request_, code):
    good = STREAM if request_.stream else ANSWER
    time, seen = Time(), Seen()
    async with peer.Peer(status(code), good) as there:
        response = await model(there, transport, retry=time.retry()).respond(request_, seen)

    assert len(there.requests) == 2
    assert there.requests[0].body == there.requests[1].body
    (note,) = response.notes
    assert (note.what, note.data["attempt"], note.data["status"]) == ("attempt", 1, code)
    assert time.slept == [0.25]
    (retrying,) = seen.retries
    assert (retrying.attempt, retrying.wait, str(code) in retrying.why) == (2, 0.25, True)
    assert retrying.status == code


@BOTH
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (400, StatusError),
        (401, AuthError),
        (403, AuthError),
        (404, StatusError),
        (413, StatusError),
        (422, StatusError),
    ],
)
async def test_what_will_not_pass_is_not(transport, request_, code, error):
    async with peer.Peer(status(code, {"message": "because", "code": "c"})) as there:
        with pytest.raises(error, match="because") as caught:
            await model(there, transport).respond(request_, Seen())

    raised = caught.value
    assert (len(there.requests), raised.attempts, raised.status, raised.code) == (1, 1, code, "c")
    assert [note.what for note in raised.notes] == ["attempt"]


async def test_pauses_double_up_to_their_bound_and_the_last_failure_is_told(transport):
    time = Time(random=1.0)
    async with peer.Peer(status(500)) as there:
        with pytest.raises(ServerError) as caught:
            await model(there, transport, retry=time.retry(attempts=8)).respond(PLAIN, Seen())

    assert time.slept == [0.5, 1, 2, 4, 8, 8, 8]
    error = caught.value
    assert (error.attempts, error.elapsed, len(error.notes)) == (8, 31.5, 8)
    assert [note.data["attempt"] for note in error.notes] == [1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("headers", "slept"),
    [
        (["retry-after: 2"], 2.25),
        (["retry-after: 2.5"], 2.75),
        (["retry-after-ms: 1500"], 1.75),
        (["retry-after-ms: 1500", "retry-after: 9"], 1.75),
        (["x-amz-retry-after: 700"], 0.95),
        (["retry-after: 60"], 60.25),
        (["retry-after: -1"], 0.25),
        (["retry-after: NaN"], 0.25),
        (["retry-after: 1e9"], 0.25),
        (["retry-after:"], 0.25),
        (["retry-after: 0"], 0.25),
        (["retry-after: soon"], 0.25),
        (["retry-after: 2", "retry-after: 3"], 0.25),
        (
            ["date: Sat, 21 Nov 2026 10:00:00 GMT", "retry-after: Sat, 21 Nov 2026 10:00:05 GMT"],
            5.25,
        ),
        (
            ["date: Sat, 21 Nov 2026 10:00:00 GMT", "retry-after: Sat, 21 Nov 2026 09:00:00 GMT"],
            0.25,
        ),
        (["date: nonsense", "retry-after: Sat, 21 Nov 1970 10:00:05 GMT"], 0.25),
        (
            ["date: Sat, 21 Nov 2026 10:00:00 GMT", "retry-after: Sat, 41 Nov 2026 10:00:05 GMT"],
            0.25,
        ),
    ],
)
async def test_a_server_that_asks_to_wait_is_waited_for(transport, headers, slept):
    time = Time()
    async with peer.Peer(status(429, None, *headers), ANSWER) as there:
        await model(there, transport, retry=time.retry()).respond(PLAIN, Seen())

    assert time.slept == [slept]


async def test_a_server_that_asks_too_much_is_not(transport):
    time = Time()
    async with peer.Peer(status(429, None, "retry-after: 86400")) as there:
        with pytest.raises(RateLimitError, match="86400 s") as caught:
            await model(there, transport, retry=time.retry()).respond(PLAIN, Seen())

    assert (caught.value.retry_after, caught.value.attempts, time.slept) == (86400, 1, [])


async def test_the_server_may_say_whether_to_try_again(transport):
    async with peer.Peer(status(503, None, "x-should-retry: false")) as there:
        with pytest.raises(ServerError):
            await model(there, transport).respond(PLAIN, Seen())
    async with peer.Peer(status(400, None, "x-should-retry: true"), ANSWER) as other:
        await model(other, transport).respond(PLAIN, Seen())

    assert (len(there.requests), len(other.requests)) == (1, 2)


async def test_quota_codes_are_not_tried_again(transport):
    async with peer.Peer(status(429, {"code": "insufficient_quota", "message": "pay"})) as there:
        with pytest.raises(RateLimitError, match="quota is used up"):
            await model(there, transport).respond(PLAIN, Seen())

    assert len(there.requests) == 1


@BOTH
@pytest.mark.parametrize("fault", [[peer.RESET], [peer.CLOSE]], ids=["reset", "closed"])
async def test_a_connection_that_breaks_before_the_answer_is_made_again(transport, request_, fault):
    good = STREAM if request_.stream else ANSWER
    async with peer.Peer(fault, good) as there:
        response = await model(there, transport).respond(request_, Seen())

    assert (response.id, len(response.notes)) == ("resp_1", 1)


async def test_nobody_there_is_a_transport_error_after_all_attempts(transport):
    async with peer.Peer() as gone:
        url = gone.url
    time = Time()
    asked = Responses(model="m", base_url=url, transport=transport(), retry=time.retry())
    with pytest.raises(TransportError) as caught:
        await asked.respond(PLAIN, Seen())

    assert (caught.value.phase, caught.value.outcome, caught.value.attempts) == (
        "connect",
        "none",
        3,
    )


async def test_a_stream_that_breaks_is_begun_anew_and_what_was_said_is_void(transport):
    half = wire.encode(wire.narrate(TEXT)[:6])
    seen = Seen()
    async with peer.Peer([peer.chunked_head(), peer.chunk(half), peer.RESET], STREAM) as there:
        response = await model(there, transport).respond(STREAMED, seen)

    flat = [delta for batch in seen for delta in batch]
    at = next(n for n, delta in enumerate(flat) if type(delta) is Retrying)
    assert at > 0
    assert "".join(d.text for d in flat[at + 1 :]) == response.text
    assert response.notes[0].data["phase"] in ("body", "stream")


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ([peer.END], ProtocolError),  # it ends in good order, and says no end
        ([peer.CLOSE], TransportError),
        ([peer.RESET], TransportError),
    ],
    ids=["clean", "close", "reset"],
)
@pytest.mark.parametrize("extra", [b"", b'event: response.completed\ndata: {"type":'])
async def test_a_stream_without_its_end_is_no_success(transport, end, kind, extra):
    half = wire.encode(wire.narrate(TEXT)[:6]) + extra
    async with peer.Peer([peer.chunked_head(), peer.chunk(half), *end]) as there:
        with pytest.raises(kind) as caught:
            await model(there, transport).respond(STREAMED, Seen())

    error = caught.value
    assert (error.attempts, error.outcome) == (3, "partial")
    assert error.partial.text == "It is 21"[: len(error.partial.text)] != ""
    assert error.partial.status == "in_progress"


@pytest.mark.parametrize("cut", range(0, 4000, 331))
async def test_a_stream_cut_anywhere_is_no_success(cut):
    from toolstone.wire import HttpxTransport

    data = wire.encode(wire.narrate(wire.RESPONSES["both"]))
    end = min(cut, data.rindex(b"event: ") - 1)
    reply = peer.chunked_head() + peer.chunk(data[:end] or b"\n") + peer.END
    async with peer.Peer(reply) as there:
        with pytest.raises(ProtocolError, match="terminal event"):
            await model(there, HttpxTransport, retry=Retry(attempts=1)).respond(STREAMED, Seen())


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "server_error", "message": "broke"},
        {"error": {"type": "server_error", "message": "broke"}},
        {
            "type": "response.failed",
            "response": wire.response(status="failed", error={"code": "server_error"}),
        },
    ],
    ids=["error", "no type", "failed"],
)
async def test_an_error_within_a_stream_is_tried_again_and_its_cost_noted(transport, event):
    broken = peer.sse_reply(wire.encode([*wire.narrate(TEXT, numbers=False)[:6], event]))
    async with peer.Peer(broken, STREAM) as there:
        response = await model(there, transport).respond(STREAMED, Seen())

    (note,) = response.notes
    assert note.data["code"] == "server_error"
    if event.get("type") == "response.failed":
        assert note.usage.input_tokens == 11


async def test_a_failed_plain_response_is_tried_again_as_in_a_stream(transport):
    failed = peer.json_reply(wire.response(status="failed", error={"code": "server_error"}))
    async with peer.Peer(failed, ANSWER) as there:
        response = await model(there, transport).respond(PLAIN, Seen())

    assert response.notes[0].usage.input_tokens == 11


async def test_all_requests_of_a_client_share_its_quota(transport):
    """In a full outage the load stays within a tenth above what it would be without retries."""
    async with peer.Peer(status(500)) as there:
        asked = model(there, transport, retry=Time().retry())
        for _ in range(400):
            with pytest.raises(ServerError):
                await asked.respond(PLAIN, Seen())

    assert len(there.requests) <= 400 * 1.1
    assert asked.quota.left < 14


async def test_success_fills_the_quota_again(transport):
    async with peer.Peer(status(500), ANSWER) as there:
        asked = model(there, transport)
        await asked.respond(PLAIN, Seen())
        assert asked.quota.left == 500
        asked.quota.left = 3
        await asked.respond(PLAIN, Seen())
        assert asked.quota.left == 4


async def test_cancelling_during_a_pause_is_a_cancellation(transport):
    waiting = asyncio.Event()

    async def forever(seconds):
        waiting.set()
        await asyncio.Event().wait()

    async with peer.Peer(status(500)) as there:
        asked = model(there, transport, retry=Retry(sleep=forever))
        task = asyncio.create_task(asked.respond(PLAIN, Seen()))
        async with asyncio.timeout(5):
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_what_emit_raises_is_not_ours_to_mend(transport):
    async def emit(deltas):
        raise ValueError("watcher")

    async with peer.Peer(STREAM) as there:
        with pytest.raises(ValueError, match="watcher"):
            await model(there, transport).respond(STREAMED, emit)

    assert len(there.requests) == 1


# --------------------------------------------------------------------------------------- redirects


@BOTH
@pytest.mark.parametrize("code", [301, 302, 307, 308])
async def test_a_redirect_is_named_and_not_followed(transport, request_, code):
    async with peer.Peer(ANSWER) as elsewhere:
        location = f"location: {elsewhere.url}/responses?token=secret"
        async with peer.Peer(peer.reply(code, b"", location)) as there:
            with pytest.raises(StatusError, match="not followed") as caught:
                await model(there, transport).respond(request_, Seen())

    assert (elsewhere.connections, len(there.requests)) == (0, 1)
    assert "http://127.0.0.1" in str(caught.value)
    assert "secret" not in str(caught.value)


# --------------------------------------------------------------------------------------- deadlines


@pytest.mark.parametrize(
    ("request_", "steps", "name"),
    [
        (PLAIN, [peer.HANG], "total"),
        (PLAIN, [b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n", peer.HANG], "total"),
        (STREAMED, [peer.HANG], "first_byte"),
        (STREAMED, [peer.chunked_head(), peer.HANG], "idle"),
        (STREAMED, [peer.chunked_head(), *[peer.chunk(b": ping\n\n")] * 50, peer.HANG], "idle"),
        (
            STREAMED,
            [peer.chunked_head(), *[peer.chunk(b'data: {"type":"keepalive"}\n\n')] * 50, peer.HANG],
            "idle",
        ),
    ],
    ids=["no answer", "half", "no headers", "no bytes", "comments", "pings"],
)
async def test_a_deadline_that_passes_is_named(transport, request_, steps, name):
    limits = {"total": 60.0, "idle": 60.0, "first_byte": 60.0, name: 0.1}
    async with peer.Peer(steps) as there:
        asked = model(there, transport, retry=Retry(attempts=1), deadlines=Deadlines(**limits))
        with pytest.raises(DeadlineError, match=rf"0\.1 s \(Deadlines\.{name}\)") as caught:
            await asked.respond(request_, Seen())
        async with asyncio.timeout(5):
            await there.gone.wait()

    assert isinstance(caught.value, TimeoutError)
    assert asyncio.current_task().cancelling() == 0


async def test_cancelling_from_outside_is_no_deadline(transport):
    async with peer.Peer([peer.HANG]) as there:
        asked = model(there, transport)
        task = asyncio.create_task(asked.respond(STREAMED, Seen()))
        async with asyncio.timeout(5):
            await there.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await there.gone.wait()


async def test_a_time_limit_around_it_is_not_ours(transport):
    async with peer.Peer([peer.HANG]) as there:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.05):
                await model(there, transport).respond(PLAIN, Seen())

    assert not isinstance(caught.value, DeadlineError)


def test_the_profile_says_how_long_a_stream_may_be_silent():
    asked = Responses(model="m", base_url="https://x.example", profile=Profile(idle=7))

    assert asked.deadlines.idle == 7


# ------------------------------------------------------------------------------------------ who asks


class Learning:
    """Signs with a number, and learns from the first refusal."""

    def __init__(self, *, learns=True):
        self.signed, self.refusals, self._learns = [], [], learns

    async def headers(self, method, url, headers, body):
        self.signed.append((method, url, dict(headers), body))
        return {"authorization": f"Number {len(self.signed)}"}

    async def learn(self, status, headers):
        self.refusals.append((status, headers["date"]))
        return self._learns


@BOTH
async def test_who_signs_may_learn_from_a_refusal_once(transport, request_):
    good = STREAM if request_.stream else ANSWER
    auth = Learning()
    async with peer.Peer(status(403, None, "date: today"), good) as there:
        asked = Responses(model="m", base_url=there.url, auth=auth, transport=transport())
        response = await asked.respond(request_, Seen())

    assert [r.headers["authorization"] for r in there.requests] == ["Number 1", "Number 2"]
    assert auth.refusals == [(403, "today")]
    assert auth.signed[0][3] == there.requests[0].body
    assert response.notes == ()


@pytest.mark.parametrize("learns", [True, False])
async def test_a_second_refusal_is_final(transport, learns):
    auth = Learning(learns=learns)
    async with peer.Peer(status(401, None, "date: x")) as there:
        asked = Responses(model="m", base_url=there.url, auth=auth, transport=transport())
        with pytest.raises(AuthError):
            await asked.respond(PLAIN, Seen())

    assert len(there.requests) == (2 if learns else 1)


async def test_every_attempt_is_signed_anew(transport):
    keys = iter(["key-aaaaaa", "key-bbbbbb", "key-cccccc"])

    async def key():
        return next(keys)

    async with peer.Peer(status(500), status(401), ANSWER) as there:
        asked = Responses(
            model="m", base_url=there.url, api_key=key, transport=transport(), retry=Time().retry()
        )
        await asked.respond(PLAIN, Seen())

    sent = [r.headers["authorization"] for r in there.requests]
    assert sent == ["Bearer key-aaaaaa", "Bearer key-bbbbbb", "Bearer key-cccccc"]


@pytest.mark.parametrize("key", ["", "  ", "a\nb", "a b", "kéy", "a\0b", "a\x7f", 7])
async def test_a_key_that_cannot_be_is_a_config_error_before_anything_is_sent(transport, key):
    async with peer.Peer(ANSWER) as there:
        with pytest.raises(ConfigError) as caught:
            Responses(model="m", base_url=there.url, api_key=key).respond  # noqa: B018
            asked = Responses(model="m", base_url=there.url, api_key=lambda: key)
            await asked.respond(PLAIN, Seen())

    assert there.connections == 0
    assert str(key).strip() == "" or str(key) not in str(caught.value)


async def test_the_key_appears_nowhere(transport, caplog):
    caplog.set_level(1)
    echo = status(401, {"message": f"bad key Bearer {KEY}", "code": KEY, "type": KEY})
    async with peer.Peer(echo) as there:
        asked = model(there, transport)
        with pytest.raises(AuthError) as caught:
            await asked.respond(PLAIN, Seen())

    error = caught.value
    places = [
        str(error), repr(error), error.body.decode(), str(error.notes), repr(vars(error)),
        repr(asked), str(vars(asked)), repr(asked._auth), caplog.text, repr(pickle.dumps(error)),
    ]  # fmt: skip
    for place in places:
        assert KEY not in place
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(asked._auth)


async def test_without_a_key_nothing_says_who_asks(transport):
    async with peer.Peer(ANSWER) as there:
        await Responses(model="m", base_url=there.url, transport=transport()).respond(PLAIN, Seen())

    assert "authorization" not in there.requests[0].headers


def test_the_environment_counts_only_where_it_is_named(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", "https://elsewhere.example/v1")

    assert openai_model("gpt").base_url == "https://elsewhere.example/v1"
    assert repr(responses_model("responses+https://here.example/v1#m")._auth).startswith("<")
    monkeypatch.delenv("OPENAI_BASE_URL")
    assert openai_model("gpt").base_url == "https://api.openai.com/v1"
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY"):
        openai_model("gpt")


# ---------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    "headers", [{"x": "a\nb"}, {"x": "é"}, {"x y": "a"}, {"": "a"}, {"x\r\ny": "a"}]
)
def test_a_header_that_cannot_be_is_a_config_error(headers):
    with pytest.raises(ConfigError):
        Responses(model="m", base_url="https://x.example", headers=headers)


def test_settings_that_contradict_each_other_are_a_config_error():
    with pytest.raises(ConfigError, match="both"):
        Responses(model="m", base_url="https://x.example", api_key=KEY, auth=Learning())
    with pytest.raises(ConfigError, match="model is empty"):
        Responses(model="", base_url="https://x.example")
    for wrong in ({"attempts": 0}, {"wait": -1}, {"after_max": float("nan")}):
        with pytest.raises(ConfigError):
            Retry(**wrong)
    for wrong in ({"idle": 0}, {"total": -1}, {"connect": float("nan")}, {"background": 0}):
        with pytest.raises(ConfigError):
            Deadlines(**wrong)


async def test_headers_of_your_own_are_sent(transport):
    async with peer.Peer(ANSWER) as there:
        asked = model(there, transport, headers={"OpenAI-Project": "p"}, user_agent="me/1")
        async with asked:
            await asked.respond(PLAIN, Seen())

    assert there.requests[0].headers["openai-project"] == "p"
    assert there.requests[0].headers["user-agent"] == "me/1"


async def test_limits_end_an_exchange_with_their_name(transport, monkeypatch):
    from toolstone import limits

    monkeypatch.setattr(limits, "BODY_BYTES", 300)
    async with peer.Peer(ANSWER) as there:
        with pytest.raises(LimitError, match=r"limits\.BODY_BYTES"):
            await model(there, transport).respond(PLAIN, Seen())

    assert len(there.requests) == 1


async def test_every_failure_is_of_our_own_tree(transport):
    """Noise of every kind, at every place."""
    noise = [
        b"", b"\0" * 100, b"HTTP/9.9 999\r\n\r\n", b"\xff" * 1000,
        b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\n\xff\xfe",
        peer.sse_reply(b"data: \xff\n\n"), peer.sse_reply(b"data: []\n\n"),
        peer.sse_reply(b'data: {"type": "response.completed", "response": 5}\n\n'),
        peer.reply(200, b"\x80"), peer.reply(999, b"?"), peer.reply(100, b""),
    ]  # fmt: skip
    for raw in noise:
        for request in (PLAIN, STREAMED):
            async with peer.Peer([raw, peer.CLOSE]) as there:
                asked = model(there, transport, retry=Retry(attempts=1))
                with pytest.raises(ServiceError):
                    await asked.respond(request, Seen())


# ------------------------------------------------------------------------------------------- costs


def test_importing_the_protocol_loads_no_http_library():
    code = (
        "import sys, toolstone.responses, toolstone.wire\n"
        "Model = toolstone.responses.Responses(model='m', base_url='https://x.example')\n"
        "print([m for m in ('httpx', 'aiohttp', 'tenacity', 'jsonschema', 'certifi') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "[]"


class Canned:
    """A transport without a network."""

    def __init__(self, body):
        from toolstone.wire import HttpReply

        self._reply = HttpReply(200, {"content-type": "application/json"}, body)

    async def send(self, request):
        return self._reply


async def test_a_plain_request_costs_few_function_calls():
    """Above the transport: rendering, signing, watching the time, parsing. 56 when this was written."""
    asyncio.get_running_loop().set_debug(False)
    asked = Responses(
        model="m",
        base_url="https://x.example/v1",
        api_key=KEY,
        transport=Canned(json.dumps(wire.RESPONSES["parallel"]).encode()),
    )
    request, seen = Request((user("hi"),)), Seen()
    await asked.respond(request, seen)
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        await asked.respond(request, seen)
    finally:
        sys.setprofile(None)

    assert calls <= 80


@BOTH
async def test_cancelled_at_any_moment_it_leaves_nothing_behind(transport, request_):
    """Cancel after n turns of the event loop, for every n until the answer is there."""
    good = STREAM if request_.stream else ANSWER
    async with peer.Peer(good) as there:
        asked = model(there, transport)
        await asked.respond(request_, Seen())
        ours = len(asyncio.all_tasks()) - len(there.tasks)
        finished = turns = 0
        while finished < 3:
            task = asyncio.create_task(asked.respond(request_, Seen()))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            cancelled = isinstance(outcome, asyncio.CancelledError)
            assert cancelled or outcome.status == "completed"
            finished, turns = finished + (not cancelled), turns + 1
        assert turns > 5
        async with asyncio.timeout(5):
            assert (await asked.respond(request_, Seen())).id == "resp_1"
            while len(asyncio.all_tasks()) - len(there.tasks) > ours:  # noqa: ASYNC110  no event tells it
                await asyncio.sleep(0)


@pytest.mark.parametrize("name", ["x-key", "x-name"])
def test_a_header_that_is_no_text_is_refused_by_its_name(name):
    with pytest.raises(ConfigError, match=f"the value of header '{name}' is a 'NoneType'"):
        Responses(base_url="https://host/v1", model="m", headers={name: None})
