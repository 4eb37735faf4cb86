"""Asking a Chat Completions endpoint over real sockets: answers, faults, retries."""

import json

import pytest
import toolstone_chat_data as wire
import toolstone_peer as peer

from toolstone.chat import CHAT_PROFILE, ChatCompletions
from toolstone.errors import (
    AuthError,
    ConfigError,
    InputError,
    ProtocolError,
    RateLimitError,
    ServerError,
    StatusError,
    Unsupported,
)
from toolstone.events import Retrying, TextDelta
from toolstone.items import parse_item, user
from toolstone.ports import Model, Profile, Request, Settings
from toolstone.responses.capabilities import require
from toolstone.wire import Retry

KEY = "sk-canary-0123456789abcdef"
TEXT = wire.COMPLETIONS["text"]
ANSWER = peer.json_reply(TEXT)


def stream_of(*frames):
    return peer.chunked_head() + peer.chunk(b"".join(frames)) + peer.END


STREAM = stream_of(wire.encode(wire.narrate(TEXT)))
PLAIN, STREAMED = Request((user("hi"),)), Request((user("hi"),), stream=True)
BOTH = pytest.mark.parametrize("request_", [PLAIN, STREAMED], ids=["plain", "streamed"])


class Seen(list):
    """Where deltas go."""

    async def __call__(self, deltas):
        self.extend(deltas)

    @property
    def text(self):
        return "".join(delta.text for delta in self if type(delta) is TextDelta)


async def no_sleep(_):
    pass


def model(there, transport, **options):
    options.setdefault("retry", Retry(sleep=no_sleep, random=lambda: 0.5))
    there_is = {"model": "m", "base_url": there.url, "api_key": KEY}
    return ChatCompletions(**there_is, transport=transport(), **options)


async def test_it_is_a_model(transport):
    assert isinstance(ChatCompletions(model="m", base_url="https://x.example/v1"), Model)


async def test_a_plain_answer(transport):
    async with peer.Peer(ANSWER) as there:
        seen = Seen()
        response = await model(there, transport).respond(PLAIN, seen)

    (sent,) = there.requests
    assert (sent.method, sent.target) == ("POST", "/v1/chat/completions")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.json == {
        "messages": [{"role": "user", "content": "hi"}],
        "model": "m",
        "stream": False,
    }
    assert (response.text, response.sent, seen) == (wire.PARIS, sent.body, [])
    assert f"{response.endpoint}/v1" == there.url
    assert json.loads(response.received) == TEXT


async def test_a_streamed_answer_is_the_same(transport):
    async with peer.Peer(STREAM, ANSWER) as there:
        seen, client = Seen(), model(there, transport)
        streamed = await client.respond(STREAMED, seen)
        plain = await client.respond(PLAIN, Seen())

    assert there.requests[0].json["stream_options"] == {"include_usage": True}
    assert there.requests[0].headers["accept"] == "text/event-stream"
    assert (streamed.items, streamed.usage, streamed.id) == (plain.items, plain.usage, plain.id)
    assert seen.text == plain.text


async def test_a_server_that_streams_unasked_and_one_that_does_not_are_read(transport):
    async with peer.Peer(STREAM, ANSWER) as there:
        client = model(there, transport)
        assert (await client.respond(PLAIN, Seen())).text == wire.PARIS
        assert (await client.respond(STREAMED, Seen())).text == wire.PARIS


async def test_a_stream_that_breaks_off_is_asked_for_again(transport):
    begun = wire.encode(list(wire.narrate(TEXT))[:4], done=False)
    async with peer.Peer([peer.chunked_head() + peer.chunk(begun), peer.CLOSE], STREAM) as there:
        seen = Seen()
        response = await model(there, transport).respond(STREAMED, seen)

    assert response.text == wire.PARIS
    assert [type(delta) for delta in seen].count(Retrying) == 1
    assert [note.what for note in response.notes] == ["attempt"]


@BOTH
async def test_an_answer_without_an_end_is_asked_for_again_and_then_none(transport, request_):
    value = wire.completion(None, content="It is")
    answer = (
        stream_of(wire.encode(wire.narrate(value))) if request_.stream else peer.json_reply(value)
    )
    async with peer.Peer(answer) as there:
        with pytest.raises(ProtocolError, match="finish_reason") as caught:
            await model(there, transport).respond(request_, Seen())

    assert (len(there.requests), caught.value.attempts) == (3, 3)
    assert (caught.value.partial.text, caught.value.outcome) == ("It is", "partial")


@BOTH
async def test_a_lost_call_is_asked_for_again(transport, request_):
    lost, found = wire.completion("tool_calls"), wire.COMPLETIONS["call"]
    answers = [
        stream_of(wire.encode(wire.narrate(value))) if request_.stream else peer.json_reply(value)
        for value in (lost, found)
    ]
    async with peer.Peer(*answers) as there:
        response = await model(there, transport).respond(request_, Seen())

    assert [call.name for call in response.calls] == ["weather"]
    assert response.notes[0].usage.input_tokens == 11


@BOTH
@pytest.mark.parametrize(
    ("code", "error", "tries"),
    [(429, RateLimitError, 3), (503, ServerError, 3), (401, AuthError, 1), (400, StatusError, 1)],
)
async def test_a_refusal_means_what_it_means_in_responses(transport, request_, code, error, tries):
    refusal = peer.json_reply({"error": {"message": "no"}}, code, "x-request-id: req_1")
    async with peer.Peer(refusal) as there:
        with pytest.raises(error, match="no") as caught:
            await model(there, transport).respond(request_, Seen())

    assert len(there.requests) == tries
    assert caught.value.request_id == "req_1"
    assert KEY not in str(caught.value)


async def test_a_wrong_path_says_where_the_base_url_ends(transport):
    async with peer.Peer(peer.reply(404, b"not here")) as there:
        with pytest.raises(StatusError, match="/chat/completions"):
            await model(there, transport).respond(PLAIN, Seen())


async def test_a_responses_server_is_told_for_what_it_is(transport):
    answer = peer.json_reply({"id": "r", "object": "response", "status": "completed", "output": []})
    async with peer.Peer(answer) as there:
        with pytest.raises(ProtocolError, match="newer API"):
            await model(there, transport).respond(PLAIN, Seen())


async def test_what_cannot_be_said_is_not_sent(transport):
    async with peer.Peer(ANSWER) as there:
        with pytest.raises(Unsupported, match="background"):
            asked = Request((user("hi"),), settings=Settings(background=True))
            await model(there, transport).respond(asked, Seen())
        assert there.requests == []


async def test_what_was_left_out_is_noted_with_the_answer(transport):
    items = (user("news?"), parse_item({"type": "web_search_call"}), user("well?"))
    async with peer.Peer(ANSWER) as there:
        response = await model(there, transport).respond(Request(items), Seen())
    assert [note.what for note in response.notes] == ["dropped_item"]


async def test_a_body_of_your_own_is_sent_as_it_is(transport):
    async with peer.Peer(ANSWER) as there:
        client = model(there, transport)
        response = await client.create({"messages": [], "seed": 7})
        with pytest.raises(InputError, match="stream"):
            await client.create({"messages": [], "stream": True})

    assert response.text == wire.PARIS
    assert there.requests[0].json == {"model": "m", "stream": False, "messages": [], "seed": 7}


def test_its_profile_states_its_limits():
    client = ChatCompletions(model="m", base_url="https://x.example/v1")
    assert {"background", "stateful", "web_search", "custom_tools"} <= set(
        client.profile.unsupported
    )
    assert "max_tool_calls" in client.profile.ignores
    with pytest.raises(Unsupported, match="background"):
        require(client, "background")
    own = Profile(name="openai", unsupported={"background": "Say please."})
    client = ChatCompletions(model="m", base_url="https://x.example/v1", profile=own)
    assert client.profile.unsupported["background"] == "Say please."
    assert "custom_tools" not in client.profile.unsupported
    assert CHAT_PROFILE.name == "chat"


def test_it_shows_neither_key_nor_more():
    client = ChatCompletions(model="m", base_url="https://x.example/v1", api_key=KEY)
    assert repr(client) == "ChatCompletions(model='m', base_url='https://x.example/v1')"
    with pytest.raises(ConfigError):
        ChatCompletions(model="", base_url="https://x.example/v1")
