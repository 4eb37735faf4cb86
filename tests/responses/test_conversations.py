"""Conversations that the service keeps: one request after another, over real sockets."""

import pytest
import toolstone_peer as peer

from toolstone.errors import Unsupported
from toolstone.items import Message, assistant, user
from toolstone.ports import Profile
from toolstone.responses import Responses
from toolstone.responses.objects import Conversation


def client(there, **options):
    return Responses(model="m", base_url=there.url, **options)


def asked(there):
    return [(seen.method, seen.target) for seen in there.requests]


def page(*texts, more=False):
    data = [{**assistant(text).raw, "id": f"msg_{text}"} for text in texts]
    return peer.json_reply({"object": "list", "data": data, "has_more": more})


async def test_conversations_are_made_looked_at_changed_and_forgotten():
    raw = {"id": "conv_1", "object": "conversation", "created_at": 5, "metadata": {"a": "b"}}
    async with peer.Peer(peer.json_reply(raw)) as there:
        conversations = client(there).conversations
        made = await conversations.create("hi", metadata={"a": "b"})
        await conversations.retrieve("conv_1")
        await conversations.update("conv_1", {"a": "c"})
        await conversations.delete("conv_1")

    assert made == Conversation("conv_1", 5, {"a": "b"}, raw)
    assert asked(there) == [
        ("POST", "/v1/conversations"),
        ("GET", "/v1/conversations/conv_1"),
        ("POST", "/v1/conversations/conv_1"),
        ("DELETE", "/v1/conversations/conv_1"),
    ]
    assert there.requests[0].json == {"items": [user("hi").raw], "metadata": {"a": "b"}}
    assert there.requests[2].json == {"metadata": {"a": "c"}}


async def test_items_of_a_conversation_are_added_listed_and_taken_out():
    message = {**assistant("a").raw, "id": "msg_a"}
    one, gone = peer.json_reply(message), peer.json_reply({"deleted": True})
    async with peer.Peer(page("a"), page("a"), one, gone) as there:
        conversations = client(there).conversations
        added = await conversations.add("conv_1", [assistant("a")])
        listed = await conversations.items("conv_1", limit=3)
        item = await conversations.item("conv_1", "msg_a")
        await conversations.remove("conv_1", "msg_a")

    assert added.items == listed.items == (Message(message),) == (item,)
    assert asked(there) == [
        ("POST", "/v1/conversations/conv_1/items"),
        ("GET", "/v1/conversations/conv_1/items?limit=3"),
        ("GET", "/v1/conversations/conv_1/items/msg_a"),
        ("DELETE", "/v1/conversations/conv_1/items/msg_a"),
    ]


async def test_an_empty_conversation_is_begun_with_an_object():
    async with peer.Peer(peer.json_reply({"id": "conv_1"})) as there:
        await client(there).conversations.create()

    assert there.requests[0].body == b"{}"


@pytest.mark.parametrize("call", ["retrieve", "delete", "items"])
async def test_where_there_are_no_conversations_none_is_asked_for(call):
    profile = Profile("small", unsupported={"conversations": "Use a session."})
    async with peer.Peer(page()) as there:
        with pytest.raises(Unsupported, match="Use a session"):
            await getattr(client(there, profile=profile).conversations, call)("conv_1")

    assert there.requests == []
