"""What is kept where and for how long, what runs in the background, what a minute holds."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from toolstone.local import (
    Account,
    Allowance,
    Function,
    Habits,
    HostProfile,
    Script,
    answer,
    call,
    error,
)
from toolstone.local.brain import Usage
from toolstone.local.profiles.shelf import Room, Shelf

OSS, SOL, RUNTIME_SOL = "openai.gpt-oss-120b", "openai.gpt-5.6-sol", "us.openai.gpt-5.6-sol"
LOST = (404, "not_found", "Response not found.")


def said(reply):
    body = reply.json()
    error = body.get("error", {})
    return reply.status_code, error.get("code"), error.get("message") or body.get("message")


def other(aws_caller, callers, kind, region):
    class Served:
        base_url = str(aws_caller.origin)

    return callers(Served, kind, region, aws_caller.key)


# --- stored state


@pytest.mark.parametrize(("kind", "model"), [("mantle", SOL), ("runtime", RUNTIME_SOL)])
def test_a_response_is_stored_unless_told_otherwise_and_can_be_chained(aws, kind, model):
    with aws(Script(["one", "two"], by="conversation"), kind) as host:
        first = host.create(model).json()
        second = host.create(model, input="go on", previous_response_id=first["id"]).json()
        unstored = host.create(model, store=False).json()
        lost = host.create(model, input="go on", previous_response_id=unstored["id"])

    assert first["store"] is True
    assert second["output"][0]["content"][0]["text"] == "two"
    assert unstored["store"] is False
    assert said(lost) == LOST


def test_stored_state_belongs_to_a_host_a_region_and_a_project(aws, callers):
    profile = HostProfile(account=Account(projects=["proj_a"]))
    with aws(Script(["one", "two"], by="conversation"), profile=profile) as mantle:
        response_id = mantle.create(SOL).json()["id"]
        path = f"/openai/v1/responses/{response_id}"
        elsewhere = other(mantle, callers, "mantle", "us-east-2")
        runtime = other(mantle, callers, "runtime", "us-east-1")

        assert mantle.send("GET", path).json()["id"] == response_id
        assert said(elsewhere.send("GET", path)) == LOST
        assert said(elsewhere.create(SOL, previous_response_id=response_id)) == LOST
        assert said(runtime.send("GET", path)) == LOST
        assert said(mantle.send("GET", path, headers={"OpenAI-Project": "proj_a"})) == LOST


def test_the_wording_of_what_is_lost_varies(aws):
    with aws(profile=HostProfile(habits=Habits(lost="resource_not_found"))) as mantle:
        reply = mantle.create(SOL, previous_response_id="resp_nowhere")

    assert said(reply) == (404, None, "The requested resource could not be found")


def test_stored_state_can_be_lost_although_it_was_there(aws):
    profile = HostProfile(habits=Habits(lost_state=1))
    with aws(Script(["one", "two"], by="conversation"), profile=profile) as mantle:
        first = mantle.create(SOL).json()

        assert said(mantle.create(SOL, previous_response_id=first["id"])) == LOST
        again = mantle.create(SOL, input="go on", previous_response_id=first["id"])
        assert again.status_code == 200


def test_a_global_id_may_be_served_and_stored_elsewhere(aws):
    profile = HostProfile(habits=Habits(roaming=2))
    with aws(Script(["one", "two"], by="conversation"), "runtime", profile=profile) as runtime:
        narrow = runtime.create(RUNTIME_SOL).json()["id"]
        wide = runtime.create("global.openai.gpt-5.6-sol").json()["id"]

        assert runtime.create(RUNTIME_SOL, previous_response_id=narrow).status_code == 200
        assert said(runtime.create(RUNTIME_SOL, previous_response_id=wide)) == LOST


def test_what_is_stored_ends_after_thirty_days(aws):
    clock = [datetime.now(UTC)]
    profile = HostProfile(clock=lambda: clock[0], verify=lambda asked: anybody())
    with aws(profile=profile) as mantle:
        path = f"/openai/v1/responses/{mantle.create(SOL).json()['id']}"
        clock[0] += timedelta(days=29)
        assert mantle.send("GET", path).status_code == 200
        clock[0] += timedelta(days=2)
        assert said(mantle.send("GET", path)) == LOST


def anybody():
    from toolstone.bedrock.verify import Caller

    return Caller("arn:aws:iam::123456789012:user/test", "signature")


def test_the_oldest_goes_when_the_shelf_is_full():
    shelf = Shelf(2, 60, lambda: 0.0)
    scope = ("mantle", "us-east-1", "default")
    for name in ("a", "b", "c"):
        shelf.put(scope, {"id": name}, [{"id": f"item_{name}"}])

    assert [bool(shelf.get(scope, name)) for name in ("a", "b", "c")] == [False, True, True]
    assert shelf.items(scope) == [[{"id": "item_c"}], [{"id": "item_b"}]]
    assert Room(shelf, scope).item("item_b") == {"id": "item_b"}
    assert Room(shelf, scope).item("item_a") is None
    assert Room(shelf, ("runtime", *scope[1:])).item("item_b") is None


def test_a_deleted_response_is_gone(aws):
    with aws() as mantle:
        response_id = mantle.create(SOL).json()["id"]
        path = f"/openai/v1/responses/{response_id}"

        assert mantle.send("DELETE", path).json() == {
            "id": response_id,
            "object": "response",
            "deleted": True,
        }
        assert said(mantle.send("GET", path)) == LOST
        assert said(mantle.send("DELETE", path)) == LOST


def test_a_stored_item_can_be_referred_to_in_its_own_scope(aws, callers):
    with aws(Script(["one", "two"], by="conversation")) as mantle:
        item_id = mantle.create(SOL).json()["output"][0]["id"]
        again = [
            {"type": "item_reference", "id": item_id},
            {"type": "message", "role": "user", "content": "on"},
        ]
        elsewhere = other(mantle, callers, "mantle", "us-east-2")

        assert mantle.create(SOL, input=again).status_code == 200
        assert elsewhere.create(SOL, input=again).status_code == 400


# --- data retention


def test_with_retention_none_nothing_is_stored_and_nothing_waits(aws):
    terra = "openai.gpt-5.6-terra"
    with aws(profile=HostProfile(account=Account(retention="none"))) as mantle:
        response = mantle.create(terra).json()
        refusals = [
            mantle.create(terra, store=True),
            mantle.create(terra, background=True),
            mantle.create(SOL),
        ]

        assert response["store"] is False
        assert said(mantle.send("GET", f"/openai/v1/responses/{response['id']}")) == LOST
    text = "This model is not available under data retention mode 'none'"
    assert [said(reply) for reply in refusals] == [(400, "validation_error", text)] * 3


def test_the_retention_mode_can_be_read_and_set(aws):
    with aws(profile=HostProfile()) as mantle:
        assert mantle.send("GET", "/v1/data_retention").json() == {"mode": "default"}
        assert mantle.send("PUT", "/v1/data_retention", {"mode": "none"}).status_code == 200
        assert mantle.create(OSS, prefix="/v1").json()["store"] is False
        assert mantle.send("PUT", "/v1/data_retention", {"mode": "forever"}).status_code == 400


# --- in the background


def waited(caller, response_id, *, until):
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        response = caller.send("GET", f"/openai/v1/responses/{response_id}").json()
        if response["status"] in until:
            return response
    raise AssertionError(response["status"])


def test_a_background_response_is_queued_polled_and_chained(aws):
    with aws(Script(["done", "and more"], by="conversation")) as mantle:
        queued = mantle.create(SOL, background=True).json()
        ended = waited(mantle, queued["id"], until={"completed"})
        more = mantle.create(SOL, input="go on", previous_response_id=queued["id"]).json()

    assert (queued["status"], queued["background"], queued["output"]) == ("queued", True, [])
    assert ended["output"][0]["content"][0]["text"] == "done"
    assert more["output"][0]["content"][0]["text"] == "and more"


class Patient:
    """A brain that waits until it is let go."""

    models = ()

    def __init__(self):
        self.asked = threading.Event()
        self.left = threading.Event()

    async def answer(self, turn):
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()
        yield turn

    async def close(self):
        pass


def test_a_background_response_can_be_cancelled_and_stays_so(aws):
    brain = Patient()
    with aws(brain) as mantle:
        queued = mantle.create(SOL, background=True).json()
        path = f"/openai/v1/responses/{queued['id']}"
        assert brain.asked.wait(5)
        assert mantle.send("GET", path).json()["status"] == "in_progress"

        assert mantle.send("POST", f"{path}/cancel").json()["status"] == "cancelled"
        assert brain.left.wait(5)
        assert mantle.send("POST", f"{path}/cancel").json()["status"] == "cancelled"
        assert mantle.send("GET", path).json()["status"] == "cancelled"


def test_what_runs_in_the_background_ends_with_the_endpoint_or_its_deletion(aws):
    brain = Patient()
    with aws(brain) as mantle:
        queued = mantle.create(SOL, background=True).json()
        assert brain.asked.wait(5)
        assert mantle.send("DELETE", f"/openai/v1/responses/{queued['id']}").json()["deleted"]
        assert brain.left.wait(5)
    brain = Patient()
    with aws(brain) as mantle:
        mantle.create(SOL, background=True)
        assert brain.asked.wait(5)
    assert brain.left.wait(5)


def test_a_background_response_may_fail(aws):
    with aws(Script([error(500, "server_error", "boom")])) as mantle:
        queued = mantle.create(SOL, background=True).json()

        assert waited(mantle, queued["id"], until={"failed"})["error"]["message"] == "boom"


def test_runtime_has_no_background_and_nothing_to_cancel(aws):
    with aws(None, "runtime") as runtime:
        refused = runtime.create(RUNTIME_SOL, background=True)
        response_id = runtime.create(RUNTIME_SOL).json()["id"]
        cancel = runtime.send("POST", f"/openai/v1/responses/{response_id}/cancel")

    assert said(refused) == (400, "validation_error", "The background parameter is not supported.")
    assert cancel.status_code == 400


# --- quotas


def limited(**allowance):
    account = Account(quotas={SOL: Allowance(**allowance)})
    clock = [datetime.now(UTC)]
    return clock, HostProfile(
        account=account, clock=lambda: clock[0], verify=lambda asked: anybody()
    )


def spoken(read, wrote, cached=0):
    return answer("pong", usage=Usage(read, wrote, cached))


def test_the_cap_is_reserved_and_what_was_not_used_comes_back(aws):
    _, profile = limited(input_tokens=1000)
    with aws(Function(lambda _: spoken(20, 30)), profile=profile) as mantle:
        too_much = mantle.create(SOL, max_output_tokens=1000)
        replies = [mantle.create(SOL, max_output_tokens=900) for _ in range(2)]

    assert said(too_much)[:2] == (429, "rate_limit_exceeded")
    assert [reply.status_code for reply in replies] == [200, 200]  # 50 used of 1000, not 900
    reserved = replies[0].headers["x-amzn-usage-reservation-output-tokens"]
    assert (reserved, int(replies[0].headers["x-amzn-usage-reservation-input-tokens"]) > 0) == (
        "900",
        True,
    )


def test_without_a_cap_the_model_s_own_is_reserved(aws):
    _, profile = limited(input_tokens=100_000)
    with aws(Script(["pong"]), profile=profile) as mantle:
        assert mantle.create(SOL).status_code == 429
        assert mantle.create(SOL, max_output_tokens=16).status_code == 200


def test_a_quota_comes_back_with_time(aws):
    clock, profile = limited(input_tokens=600)
    with aws(Function(lambda _: spoken(100, 400)), profile=profile) as mantle:
        statuses = [mantle.create(SOL, max_output_tokens=400).status_code for _ in range(2)]
        clock[0] += timedelta(seconds=50)
        statuses.append(mantle.create(SOL, max_output_tokens=400).status_code)

    assert statuses == [200, 429, 200]


def test_cached_tokens_do_not_count(aws):
    _, profile = limited(input_tokens=600)
    with aws(Function(lambda _: spoken(500, 16, cached=500)), profile=profile) as mantle:
        assert [mantle.create(SOL, max_output_tokens=400).status_code for _ in range(5)] == [
            200
        ] * 5


def test_the_output_quota_truncates_in_the_middle(aws):
    _, profile = limited(output_tokens=10)
    with aws(Script(["x" * 400]), profile=profile) as mantle:
        response = mantle.create(SOL).json()

    assert (response["status"], response["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_output_tokens"},
    )
    assert 0 < len(response["output"][0]["content"][0]["text"]) <= 40


def test_mantle_counts_tokens_and_runtime_requests_too(aws, callers):
    _, profile = limited(requests=2)
    with aws(Script(["pong"]), profile=profile) as mantle:
        runtime = other(mantle, callers, "runtime", "us-east-1")

        assert [mantle.create(SOL).status_code for _ in range(4)] == [200] * 4
        assert [runtime.create(RUNTIME_SOL).status_code for _ in range(3)] == [200, 200, 429]


def test_a_zero_quota_lets_nothing_through_and_a_region_has_its_own(aws, callers):
    _, profile = limited(input_tokens=100)
    with aws(Function(lambda _: spoken(60, 16)), profile=profile) as mantle:
        there = other(mantle, callers, "mantle", "us-east-2")

        assert mantle.create(SOL, max_output_tokens=16).status_code == 200
        assert mantle.create(SOL, max_output_tokens=16).status_code == 429
        assert there.create(SOL, max_output_tokens=16).status_code == 200
    _, profile = limited(input_tokens=0)
    with aws(Script(["pong"]), profile=profile) as mantle:
        assert mantle.create(SOL, max_output_tokens=16).status_code == 429


def test_a_client_that_leaves_before_the_first_event_stops_the_brain(aws):
    brain = Patient()
    with aws(brain) as mantle:
        with pytest.raises(httpx.ReadTimeout):
            mantle.create(SOL, stream=True, timeout=0.3)
        assert brain.left.wait(5)


def test_what_the_client_abandons_is_given_back(aws):
    _, profile = limited(input_tokens=600)
    brain = Patient()
    with aws(brain, profile=profile) as mantle:
        with pytest.raises(httpx.ReadTimeout):
            mantle.create(SOL, max_output_tokens=500, timeout=0.3)
        assert brain.left.wait(5)
    _, profile = limited(input_tokens=600)
    with aws(Script([call("f"), error(503)], by="sequence"), profile=profile) as mantle:
        assert mantle.create(SOL, max_output_tokens=500).status_code == 200
        assert mantle.create(SOL, max_output_tokens=500).status_code == 503
