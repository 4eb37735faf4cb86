"""The operations of an endpoint besides answering: over real sockets, one request after another."""

import json

import pytest
import toolstone_peer as peer
import toolstone_wire_data as wire

from toolstone.errors import InputError, ProtocolError, ServerError, StatusError, Unsupported
from toolstone.items import assistant, user
from toolstone.ports import Profile
from toolstone.responses import Responses
from toolstone.responses.objects import Compaction, ModelCard, TokenCount
from toolstone.usage import Usage
from toolstone.wire import Retry

TEXT = wire.RESPONSES["text"]
KEY = "sk-canary-0123456789abcdef"


async def nowhere(_seconds):
    """Wait no time."""


def client(there, **options):
    retry = Retry(sleep=nowhere, clock=lambda: 0.0, random=lambda: 0.0)
    return Responses(model="m", base_url=there.url, api_key=KEY, retry=retry, **options)


def asked(there):
    return [(seen.method, seen.target) for seen in there.requests]


def refusal(status, message="no"):
    return peer.json_reply({"error": {"message": message}}, status)


# ---------------------------------------------------------------------------- stored responses


async def test_a_stored_response_is_fetched_by_its_id():
    async with peer.Peer(peer.json_reply(TEXT)) as there:
        response = await client(there).retrieve("resp_1", include=["reasoning.encrypted_content"])

    (seen,) = there.requests
    assert (seen.method, seen.body) == ("GET", b"")
    assert seen.target == "/v1/responses/resp_1?include%5B%5D=reasoning.encrypted_content"
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert "content-type" not in seen.headers
    assert response.text == "It is 21 °C in Paris. 😀"


async def test_a_stored_response_that_failed_is_no_failure_to_fetch_it():
    failed = {**TEXT, "status": "failed", "error": {"code": "server_error", "message": "x"}}
    async with peer.Peer(peer.json_reply(failed)) as there:
        response = await client(there).retrieve("resp_1")

    assert (response.status, response.error["code"]) == ("failed", "server_error")
    assert len(there.requests) == 1


async def test_an_error_where_a_response_should_be_is_one():
    async with peer.Peer(peer.json_reply({"error": {"message": "not today"}})) as there:
        with pytest.raises(StatusError, match="not today"):
            await client(there).retrieve("resp_1")


async def test_one_that_is_not_there_is_a_404():
    async with peer.Peer(refusal(404)) as there:
        with pytest.raises(StatusError) as caught:
            await client(there).retrieve("resp_1")

    assert (caught.value.status, len(there.requests)) == (404, 1)


async def test_fetching_is_tried_again_as_asking_is():
    async with peer.Peer(refusal(503), peer.json_reply(TEXT)) as there:
        response = await client(there).retrieve("resp_1")

    assert [note.what for note in response.notes] == ["attempt"]
    assert len(there.requests) == 2


async def test_a_background_response_is_cancelled():
    cancelled = {**TEXT, "status": "cancelled", "output": []}
    async with peer.Peer(peer.json_reply(cancelled)) as there:
        response = await client(there).cancel("resp_1")

    assert asked(there) == [("POST", "/v1/responses/resp_1/cancel")]
    assert (response.status, there.requests[0].body) == ("cancelled", b"")


async def test_a_response_is_deleted():
    gone = {"id": "resp_1", "object": "response", "deleted": True}
    async with peer.Peer(peer.json_reply(gone)) as there:
        assert await client(there).delete("resp_1") is None

    assert asked(there) == [("DELETE", "/v1/responses/resp_1")]


async def test_what_a_lost_answer_had_already_deleted_is_no_error():
    async with peer.Peer([peer.RESET], refusal(404)) as there:
        await client(there).delete("resp_1")

    assert len(there.requests) == 2


async def test_what_was_never_there_cannot_be_deleted():
    async with peer.Peer(refusal(404)) as there:
        with pytest.raises(StatusError):
            await client(there).delete("resp_1")


@pytest.mark.parametrize(
    "name", ["", "..", "../models", "a/b", "a b", "a?b", "a#b", "é", "a%2e", "x" * 2_000, None, 7]
)
async def test_an_id_cannot_lead_elsewhere(name):
    async with peer.Peer(peer.json_reply(TEXT)) as there:
        with pytest.raises(InputError):
            await client(there).retrieve(name)

    assert there.requests == []


async def test_an_id_of_another_make_is_escaped():
    async with peer.Peer(peer.json_reply(TEXT)) as there:
        await client(there).retrieve("resp_bGl0ZWxsbTo=:a+b")

    assert there.requests[0].target == "/v1/responses/resp_bGl0ZWxsbTo%3D%3Aa%2Bb"


# ---------------------------------------------------------------------------------------- lists


def page(*texts, more=False):
    data = [{**assistant(text).raw, "id": f"msg_{text}"} for text in texts]
    return peer.json_reply({"object": "list", "data": data, "has_more": more})


async def test_input_items_come_a_page_at_a_time_and_all_of_them_when_gone_through():
    async with peer.Peer(page("a", "b", more=True), page("c")) as there:
        first = await client(there).input_items("resp_1", limit=2, order="asc", after="msg_0")
        texts = [item.text async for item in first]

    assert texts == ["a", "b", "c"]
    assert (len(first.items), first.has_more, first.first_id) == (2, True, "msg_a")
    assert asked(there) == [
        ("GET", "/v1/responses/resp_1/input_items?limit=2&order=asc&after=msg_0"),
        ("GET", "/v1/responses/resp_1/input_items?limit=2&order=asc&after=msg_b"),
    ]


async def test_a_page_that_says_there_is_more_after_nothing_is_the_last():
    async with peer.Peer(page(more=True)) as there:
        empty = await client(there).input_items("resp_1")

    assert [item async for item in empty] == []


async def test_what_an_endpoint_is_known_not_to_have_is_not_asked_for():
    profile = Profile("small", unsupported={"input_items": "Look into the run."})
    async with peer.Peer(page()) as there:
        with pytest.raises(Unsupported, match="Look into the run"):
            await client(there, profile=profile).input_items("resp_1")

    assert there.requests == []


# --------------------------------------------------------------------------------------- models


async def test_the_models_of_an_endpoint():
    card = {"id": "m", "object": "model", "created": 7, "owned_by": "us", "context": 8}
    async with peer.Peer(peer.json_reply({"object": "list", "data": [card]})) as there:
        models = await client(there).models()

    assert models == (ModelCard("m", 7, "us", card),)
    assert asked(there) == [("GET", "/v1/models")]


async def test_one_model_whose_name_has_a_slash():
    async with peer.Peer(peer.json_reply({"id": "org/m"})) as there:
        card = await client(there).find_model("org/m")

    assert card == ModelCard("org/m", raw={"id": "org/m"})
    assert asked(there) == [("GET", "/v1/models/org%2Fm")]


async def test_the_clients_own_model_if_none_is_named():
    async with peer.Peer(peer.json_reply({"id": "m"})) as there:
        await client(there).find_model()

    assert asked(there) == [("GET", "/v1/models/m")]


# ------------------------------------------------------------------------- counting, compacting


async def test_tokens_are_counted_by_the_server():
    counted = {"object": "response.input_tokens", "input_tokens": 12}
    async with peer.Peer(peer.json_reply(counted)) as there:
        count = await client(there).count_tokens(input="hi", store=True, max_output_tokens=99)

    assert count == TokenCount(12, exact=True)
    assert asked(there) == [("POST", "/v1/responses/input_tokens")]
    assert there.requests[0].json == {"model": "m", "input": "hi"}


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_tokens_are_estimated_where_the_server_has_no_such_route(status):
    async with peer.Peer(refusal(status)) as there:
        count = await client(there).count_tokens({"input": "x" * 300})

    assert count == TokenCount(109, exact=False)


async def test_tokens_are_estimated_without_asking_where_that_is_known():
    profile = Profile("small", unsupported={"token_counting": "It is estimated."})
    async with peer.Peer(refusal(500)) as there:
        count = await client(there, profile=profile).count_tokens(input="hi")

    assert (count.exact, there.requests) == (False, [])


async def test_a_server_that_counts_and_breaks_is_an_error():
    async with peer.Peer(refusal(500)) as there:
        with pytest.raises(ServerError):
            await client(there).count_tokens(input="hi")


async def test_a_compaction_is_the_next_input_as_it_is():
    output = [user("hi").raw, {"type": "compaction", "id": "cmp_1", "encrypted_content": "x"}]
    usage = {"input_tokens": 5, "output_tokens": 2}
    answer = {"id": "resp_2", "object": "response.compaction", "output": output, "usage": usage}
    async with peer.Peer(peer.json_reply(answer), peer.json_reply(TEXT)) as there:
        model = client(there)
        made = await model.compact(input=[user("hi"), assistant("yes")], truncation="auto")
        await model.create(input=made.items)

    assert made == Compaction("resp_2", made.items, Usage(5, 2, requests=1), answer)
    assert there.requests[0].json == {
        "model": "m",
        "input": [user("hi").raw, assistant("yes").raw],
    }
    assert there.requests[1].json["input"] == output


# ------------------------------------------------------------------------------- odd answers


STRANGE = {
    "a web page": (b"<html>log in</html>", ProtocolError, "a web page"),
    "no JSON": (b"{oops", ProtocolError, "not JSON"),
    "a list": (b"[]", ProtocolError, "JSON list"),
    "another object": (b'{"id": "x"}', ProtocolError, "without data"),
    "an error in a 200": (b'{"error": {"message": "nope"}}', StatusError, "nope"),
}


@pytest.mark.parametrize("body", STRANGE)
async def test_what_is_not_the_object_asked_for_is_told_for_what_it_is(body):
    raw, kind, words = STRANGE[body]
    async with peer.Peer(peer.reply(200, raw)) as there:
        with pytest.raises(kind, match=words):
            await client(there).models()


async def test_a_stream_where_none_was_asked_for_is_told():
    async with peer.Peer(peer.sse_reply({"type": "response.created"})) as there:
        with pytest.raises(ProtocolError, match="answers with a stream"):
            await client(there).models()


@pytest.mark.parametrize("data", [[{"id": "m", "created": True, "owned_by": 3}, "x"], "x", None])
async def test_models_of_a_careless_server(data):
    async with peer.Peer(peer.json_reply({"data": data})) as there:
        models = await client(there).models()

    assert [model.id for model in models] == (["m"] if isinstance(data, list) else [])


def test_the_blocking_twins(peer):
    import asyncio
    import threading

    answers = [
        peer.json_reply(TEXT),
        peer.json_reply({**TEXT, "status": "cancelled"}),
        peer.json_reply({"deleted": True}),
        peer.json_reply({"data": [{"id": "m"}]}),
        peer.json_reply({"id": "m"}),
        peer.json_reply({"input_tokens": 3}),
        peer.json_reply({"id": "c", "output": []}),
        peer.json_reply({**TEXT, "status": "queued"}),
        peer.json_reply(TEXT),
    ]
    ready, done = threading.Event(), threading.Event()
    found = {}

    async def serve():
        async with peer.Peer(*answers) as there:
            found["there"] = there
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(5)
        model = client(found["there"])
        assert model.retrieve_sync("resp_1").text
        assert model.cancel_sync("resp_1").status == "cancelled"
        model.delete_sync("resp_1")
        assert model.models_sync() == (ModelCard("m", raw={"id": "m"}),)
        assert model.find_model_sync().id == "m"
        assert model.count_tokens_sync(input="hi").tokens == 3
        assert model.compact_sync(input="hi").items == ()
        assert model.create_sync(input="hi", background=True).status == "queued"
        assert model.wait_sync("resp_1").status == "completed"
    finally:
        done.set()
        thread.join(5)
    assert json.loads(found["there"].requests[6].body) == {"model": "m", "input": "hi"}
