"""A conversation keeps its items, and what is asked in it is added to it."""

import httpx
import pytest

from toolstone.local import Script, call, error, failed, serve
from toolstone.local.brain import End, Text

USER = {"role": "user", "content": "zero"}


@pytest.fixture(params=["memory", "file"])
def store(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "store.db"


@pytest.fixture
def served(store):
    with serve(Script(["one", "two", "three"], by="conversation"), store=store) as endpoint:
        with httpx.Client(base_url=endpoint.base_url, timeout=5) as client:
            yield client


def words(listed):
    return [item["content"][0]["text"] for item in listed.json()["data"]]


def items_of(client, conversation, **params):
    return client.get(f"conversations/{conversation}/items", params={"order": "asc", **params})


def ask(client, conversation, text, **body):
    asked = {"model": "m", "input": text, "conversation": conversation, **body}
    return client.post("responses", json=asked)


def test_a_conversation_is_made_read_changed_and_deleted(served):
    made = served.post("conversations", json={"metadata": {"a": "b"}}).json()
    url = f"conversations/{made['id']}"

    assert made == {
        "id": made["id"],
        "object": "conversation",
        "created_at": made["created_at"],
        "metadata": {"a": "b"},
    }
    assert served.get(url).json() == made
    changed = served.post(url, json={"metadata": {"c": "d"}}).json()
    assert changed == {**made, "metadata": {"c": "d"}} == served.get(url).json()
    gone = served.delete(url).json()
    assert gone == {"id": made["id"], "object": "conversation.deleted", "deleted": True}
    assert served.get(url).status_code == served.delete(url).status_code == 404


def test_what_is_asked_in_it_is_added_with_its_answer(served):
    own = served.post("conversations", json={"items": [USER]}).json()["id"]
    first = ask(served, own, "first").json()
    second = ask(served, {"id": own}, "second", store=False).json()

    assert first["conversation"] == second["conversation"] == {"id": own}
    said = ["zero", "first", "one", "second", "two"]
    assert words(items_of(served, own)) == said
    listed = served.get(f"responses/{first['id']}/input_items", params={"order": "asc"})
    assert words(listed) == ["zero", "first"]


def test_it_can_be_asked_in_the_background_and_streamed(served):
    own = served.post("conversations", json={}).json()["id"]
    text = ask(served, own, "first", background=True, stream=True).text
    assert "response.completed" in text
    assert "response.completed" in ask(served, own, "second", stream=True).text

    assert words(items_of(served, own)) == ["first", "one", "second", "two"]


def test_what_failed_adds_nothing():
    script = Script([failed("half"), error(500, "server_error", "no")], by="sequence")
    with serve(script) as endpoint, httpx.Client(base_url=endpoint.base_url) as client:
        own = client.post("conversations", json={}).json()["id"]
        ask(client, own, "first")
        ask(client, own, "second")

        assert items_of(client, own).json()["data"] == []


def test_a_call_in_it_waits_for_its_output():
    with serve(Script([call("f"), "done"])) as endpoint:
        client = httpx.Client(base_url=endpoint.base_url)
        own = client.post("conversations", json={}).json()["id"]
        [made] = ask(client, own, "go").json()["output"]
        refused = ask(client, own, "and?").json()["error"]
        output = {"type": "function_call_output", "call_id": made["call_id"], "output": "1"}
        answered = ask(client, own, [output]).json()
        client.close()

    assert refused["message"].startswith("No tool output found")
    assert answered["output"][0]["content"][0]["text"] == "done"


def test_items_are_added_listed_read_and_taken_out(served):
    own = served.post("conversations", json={}).json()["id"]
    url = f"conversations/{own}/items"
    items = [{"role": "user", "content": f"{n}"} for n in range(3)]
    added = served.post(url, json={"items": items})
    first = added.json()["data"][0]
    more = served.post(url, json={"items": [{"role": "user", "content": "3"}, first]}).json()

    assert words(added) == ["0", "1", "2"]
    assert more["has_more"] is False
    assert words(items_of(served, own)) == ["0", "1", "2", "3"]
    assert words(served.get(url, params={"limit": 2})) == ["3", "2"]
    assert served.get(f"{url}/{first['id']}").json() == first
    assert served.delete(f"{url}/{first['id']}").json()["id"] == own
    assert served.get(f"{url}/{first['id']}").status_code == 404
    assert words(items_of(served, own)) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("path", "body", "param", "code"),
    [
        ("", {"items": [USER] * 21}, "items", "array_above_max_length"),
        ("", {"items": [{"role": "wizard", "content": "x"}]}, "items[0].role", "invalid_value"),
        ("", {"metadata": {"k": 1}}, "metadata.k", "invalid_type"),
        ("", {"title": "x"}, "title", "unknown_parameter"),
        ("/{id}", {}, "metadata", "missing_required_parameter"),
        ("/{id}/items", {}, "items", "missing_required_parameter"),
        ("/{id}/items", {"items": []}, "items", "array_below_min_length"),
        ("/{id}/items", {"items": [USER] * 21}, "items", "array_above_max_length"),
        (
            "/{id}/items",
            {"items": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "items[0].content[0].image_url",
            "missing_required_parameter",
        ),
        (
            "/{id}/items",
            {"items": [{"type": "item_reference", "id": "msg_1"}]},
            "items[0].type",
            "invalid_value",
        ),
    ],
)
def test_a_wrong_request_is_told_which_field_is_at_fault(served, path, body, param, code):
    own = served.post("conversations", json={}).json()["id"]
    reply = served.post(f"conversations{path.format(id=own)}", json=body)

    error = reply.json()["error"]
    assert (reply.status_code, error["param"], error["code"]) == (400, param, code)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("DELETE", ""),
        ("POST", ""),
        ("GET", "/items"),
        ("POST", "/items"),
        ("GET", "/items/msg_1"),
        ("DELETE", "/items/msg_1"),
    ],
)
def test_what_was_never_here_is_404(served, method, path):
    bodies = {"": {"metadata": {}}, "/items": {"items": [USER]}}
    body = bodies[path] if method == "POST" else None
    reply = served.request(method, f"conversations/conv_none{path}", json=body)

    assert reply.status_code == 404
    assert reply.json()["error"]["param"] == "conversation_id"


def test_a_conversation_that_is_not_there_cannot_be_asked_in(served):
    reply = ask(served, "conv_none", "hi")

    assert (reply.status_code, reply.json()["error"]["type"]) == (404, "invalid_request_error")


def test_one_that_is_deleted_while_it_is_answered_stays_deleted(says):
    class Deletes(says):
        async def answer(self, turn):
            async with httpx.AsyncClient(base_url=self.url) as client:
                await client.delete(f"conversations/{turn.body['conversation']}")
            yield Text("hi")
            yield End()

    brain = Deletes()
    with serve(brain) as endpoint, httpx.Client(base_url=endpoint.base_url) as client:
        brain.url = endpoint.base_url
        own = client.post("conversations", json={}).json()["id"]
        reply = ask(client, own, "hi")

        assert reply.json()["status"] == "completed"
        assert client.get(f"conversations/{own}").status_code == 404
