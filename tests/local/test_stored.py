"""What is stored can be read, listed, referred to and deleted, and is forgotten in its time."""

import httpx
import pytest

from toolstone.local import Script, call, serve
from toolstone.local.store import Store

IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}


def post(endpoint, **body):
    body = {"model": "m", "input": "hello", **body}
    return httpx.post(f"{endpoint.base_url}/responses", json=body, timeout=5).json()


def get(endpoint, path, **params):
    return httpx.get(f"{endpoint.base_url}/responses/{path}", params=params, timeout=5)


@pytest.fixture
def endpoint():
    with serve(Script(["one", "two", "three"], by="conversation")) as served:
        yield served


def test_a_response_reads_as_it_was_given(endpoint):
    made = post(endpoint, metadata={"a": "b"})

    assert get(endpoint, made["id"]).json() == made


def test_a_response_made_with_store_false_is_not_there(endpoint):
    made = post(endpoint, store=False)
    reply = get(endpoint, made["id"])

    assert reply.status_code == 404
    assert reply.json()["error"] == {
        "message": f"Response with id '{made['id']}' not found.",
        "type": "invalid_request_error",
        "param": "response_id",
        "code": None,
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("DELETE", ""), ("POST", "/cancel"), ("GET", "/input_items")],
)
def test_what_was_never_here_is_404_on_every_route(endpoint, method, path):
    reply = httpx.request(method, f"{endpoint.base_url}/responses/resp_none{path}")

    assert reply.status_code == 404
    assert reply.json()["error"]["type"] == "invalid_request_error"


def test_a_deleted_response_is_gone_and_so_is_what_goes_on_from_it(endpoint):
    made = post(endpoint)
    url = f"{endpoint.base_url}/responses/{made['id']}"

    assert httpx.delete(url).json() == {"id": made["id"], "object": "response", "deleted": True}
    assert httpx.delete(url).status_code == 404
    assert get(endpoint, made["id"]).status_code == 404
    gone = post(endpoint, previous_response_id=made["id"])
    assert gone["error"]["code"] == "previous_response_not_found"


def test_what_went_in_is_listed_whole_with_ids_that_stay(endpoint):
    first = post(endpoint, input=[{"role": "user", "content": "hello"}])
    second = post(endpoint, previous_response_id=first["id"], input="again")
    listed = get(endpoint, f"{second['id']}/input_items", order="asc").json()
    again = get(endpoint, f"{second['id']}/input_items", order="asc").json()

    assert listed == again
    assert [(item["role"], item["content"][0]["text"]) for item in listed["data"]] == [
        ("user", "hello"),
        ("assistant", "one"),
        ("user", "again"),
    ]
    assert listed["data"][1]["id"] == first["output"][0]["id"]
    assert {item["status"] for item in listed["data"]} == {"completed"}
    assert (listed["first_id"], listed["last_id"]) == (
        listed["data"][0]["id"],
        listed["data"][2]["id"],
    )


def test_a_list_comes_in_pages_newest_first(endpoint):
    said = [{"role": "user", "content": f"{n}"} for n in range(5)]
    path = f"{post(endpoint, input=said)['id']}/input_items"
    pages, after = [], None
    while True:
        page = get(endpoint, path, limit=2, **({"after": after} if after else {})).json()
        pages.append([item["content"][0]["text"] for item in page["data"]])
        after = page["last_id"]
        if not page["has_more"]:
            break

    assert pages == [["4", "3"], ["2", "1"], ["0"]]


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"limit": 0}, "limit", "integer_below_min_value"),
        ({"limit": 101}, "limit", "integer_above_max_value"),
        ({"limit": "x"}, "limit", "invalid_type"),
        ({"order": "sideways"}, "order", "invalid_value"),
        ({"after": "msg_none"}, "after", "invalid_value"),
        ({"include[]": "everything"}, "include[0]", "invalid_value"),
    ],
)
def test_a_wrong_query_is_told_which_parameter_is_at_fault(endpoint, params, param, code):
    reply = get(endpoint, f"{post(endpoint)['id']}/input_items", **params)

    assert reply.status_code == 400
    assert (reply.json()["error"]["param"], reply.json()["error"]["code"]) == (param, code)


def test_what_is_large_or_sealed_is_shown_when_it_is_asked_for(endpoint):
    said = [
        {"role": "user", "content": [{"type": "input_text", "text": "look"}, IMAGE]},
        {"type": "reasoning", "summary": [], "encrypted_content": "theirs"},
    ]
    path = f"{post(endpoint, input=said)['id']}/input_items"
    bare = get(endpoint, path, order="asc").json()["data"]
    wanted = ["message.input_image.image_url", "reasoning.encrypted_content"]
    full = get(endpoint, path, order="asc", **{"include[]": wanted}).json()["data"]

    assert bare[0]["content"][1] == {**IMAGE, "image_url": None, "detail": "auto"}
    assert "encrypted_content" not in bare[1]
    assert full[0]["content"][1] == {**IMAGE, "detail": "auto"}
    assert full[1]["encrypted_content"] == "theirs"


def test_an_item_of_the_input_can_be_referred_to_as_well(endpoint):
    made = post(endpoint, input="remember me")
    [item] = get(endpoint, f"{made['id']}/input_items").json()["data"]
    referring = post(endpoint, input=[{"type": "item_reference", "id": item["id"]}])
    listed = get(endpoint, f"{referring['id']}/input_items").json()["data"]

    assert [each["id"] for each in listed] == [item["id"]]


def test_events_are_kept_only_where_it_was_said_so(endpoint):
    reply = get(endpoint, post(endpoint)["id"], stream=True)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "stream")


def response(number, **fields):
    return {"id": f"resp_{number}", "status": "completed", "output": [], **fields}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture(params=["memory", "file"])
def place(request, tmp_path):
    return None if request.param == "memory" else tmp_path / "store.db"


async def test_the_oldest_are_forgotten_first(place):
    store = Store.open(place, kept=2)
    for number in range(3):
        item = {"type": "message", "role": "user", "content": "x", "id": f"msg_{number}"}
        await store.keep(response(number), [item])

    assert [await store.find(f"resp_{n}") is None for n in range(3)] == [True, False, False]
    assert [await store.item(f"msg_{n}") is None for n in range(3)] == [True, False, False]
    await store.close()


async def test_what_is_too_old_is_forgotten(place):
    clock = Clock()
    store = Store.open(place, seconds=10, clock=clock)
    await store.keep(response(1), [])
    clock.now += 9
    assert await store.conversation("resp_1") == []
    clock.now += 2
    assert await store.conversation("resp_1") is None
    await store.close()


async def test_what_is_over_never_changes_any_more(place):
    store = Store.open(place)
    await store.keep(response(1, status="queued"), [])
    await store.cancel("resp_1")

    assert not await store.advance(response(1))
    kept = await store.find("resp_1")
    assert kept.response["status"] == "cancelled"
    await store.close()


async def test_a_file_keeps_what_it_was_given_and_is_its_owners_alone(tmp_path):
    path = tmp_path / "store.db"
    first = Store.open(path)
    await first.keep(response(1), [])
    secret = await first.secret()
    await first.close()
    second = Store.open(path)

    assert (await second.find("resp_1")).response == response(1)
    assert await second.secret() == secret
    assert path.stat().st_mode & 0o077 == 0
    await second.close()


def test_a_store_that_is_no_store_is_a_server_error_that_says_so_in_the_log(tmp_path, caplog):
    path = tmp_path / "store.db"
    path.write_text("not a database, and long enough to be looked at " * 100)
    with serve(Script(["hi"]), store=path) as endpoint:
        reply = httpx.post(f"{endpoint.base_url}/responses", json={"model": "m", "input": "x"})

    assert reply.status_code == 500
    assert "store.db" in caplog.text


def test_text_that_no_utf8_can_say_is_stored_and_told_as_json_escapes(endpoint):
    body = (
        b'{"model":"m","input":"x","tools":[{"type":"function","name":"f",'
        b'"parameters":{"type":"object","title":"\\ud800"}}]}'
    )
    headers = {"content-type": "application/json"}
    made = httpx.post(f"{endpoint.base_url}/responses", content=body, headers=headers)

    assert made.status_code == 200
    assert made.json()["tools"][0]["parameters"]["title"] == "\ud800"
    assert get(endpoint, made.json()["id"]).json() == made.json()


def test_calls_that_wait_are_asked_for_when_one_goes_on():
    tools = [{"type": "function", "name": "f"}]
    with serve(Script([call("f"), "done"])) as endpoint:
        made = post(endpoint, tools=tools)
        refused = post(endpoint, previous_response_id=made["id"])

    assert refused["error"]["message"].startswith("No tool output found for function call")
