"""The habits a client must live with can be provoked, each by itself and so many times."""

import json
import tomllib
from pathlib import Path

import httpx
import pytest

from toolstone.errors import ConfigError
from toolstone.local import ALWAYS, Habits, HostProfile, Script, call, error, item
from toolstone.local.brain import Text

OBSERVED = tomllib.loads(
    (Path(__file__).parent.parent / "data" / "bedrock_observed.toml").read_text()
)
OSS, SOL, RUNTIME_SOL = "openai.gpt-oss-120b", "openai.gpt-5.6-sol", "us.openai.gpt-5.6-sol"
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def playing(**habits):
    return HostProfile(habits=Habits(**habits))


def events(reply):
    """Every data line of a stream, parsed where it is JSON."""
    lines = [line[6:] for line in reply.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) if line != "[DONE]" else line for line in lines]


# --- ids of calls


def test_call_ids_restart_with_every_response_on_mantle_s_openai_path(aws):
    script = Script([[call("f", x=1), call("f", x=2)], [call("f", x=3)], "done"])
    with aws(script) as mantle:
        first = mantle.create(SOL, tools=[TOOL]).json()
        outputs = [
            {"type": "function_call_output", "call_id": f"call_{n}", "output": "1"} for n in (0, 1)
        ]
        second = mantle.create(
            SOL, tools=[TOOL], input=outputs, previous_response_id=first["id"]
        ).json()
        outputs = outputs[:1]
        third = mantle.create(SOL, tools=[TOOL], input=outputs, previous_response_id=second["id"])

    assert [each["call_id"] for each in first["output"]] == ["call_0", "call_1"]
    assert [each["call_id"] for each in second["output"]] == ["call_0"]
    assert third.json()["output"][0]["content"][0]["text"] == "done"


@pytest.mark.parametrize(
    ("kind", "model", "prefix"), [("mantle", OSS, "/v1"), ("runtime", RUNTIME_SOL, "/openai/v1")]
)
def test_elsewhere_call_ids_are_made_up(aws, kind, model, prefix):
    with aws(Script([[call("f")]]), kind) as host:
        [made] = host.create(model, prefix=prefix, tools=[TOOL]).json()["output"]

    assert made["call_id"] != "call_0"


def test_a_replayed_call_id_may_hold_a_colon_and_at_most_64_characters(aws):
    def history(call_id):
        return [
            {"type": "message", "role": "user", "content": "ping"},
            {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": call_id, "output": "1"},
        ]

    with aws(Script(["ping", "pong"])) as mantle:
        assert mantle.create(SOL, input=history("resp_1:call_0")).status_code == 200
        assert mantle.create(SOL, input=history("x" * 64)).status_code == 200
        assert mantle.create(SOL, input=history("x" * 65)).status_code == 400


# --- answers that go wrong


def test_a_good_answer_can_end_as_failed_streamed_or_not(aws):
    with aws(profile=playing(failed_at_end=2)) as mantle:
        *streamed, _ = events(mantle.create(SOL, stream=True))
        plain = mantle.create(SOL).json()
        again = mantle.create(SOL).json()

    failed = next(event for event in streamed if event["type"] == "response.failed")
    assert (
        "".join(e["delta"] for e in streamed if e["type"] == "response.output_text.delta") == "pong"
    )
    assert failed["response"]["error"]["code"] == "server_error"
    assert failed["response"]["output"][0]["content"][0]["text"] == "pong"
    assert (plain["status"], again["status"]) == ("failed", "completed")


def test_a_stream_can_fall_silent_after_two_events(aws):
    with aws(profile=playing(stall=1)) as mantle:
        seen = []
        with pytest.raises(httpx.ReadTimeout):
            stream_until_silence(mantle, seen)
        again = events(mantle.create(SOL, stream=True))

    assert seen == ["response.created", "response.in_progress"]
    assert again[-1] == "[DONE]"


def stream_until_silence(mantle, seen):
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    raw = json.dumps({"model": SOL, "input": "ping", "stream": True}).encode()
    url = f"https://{mantle.host}/openai/v1/responses"
    request = AWSRequest("POST", url, {"Content-Type": "application/json"}, raw)
    credentials = Credentials(mantle.key.id, mantle.key.secret)
    SigV4Auth(credentials, mantle.service, mantle.region).add_auth(request)
    headers = {"Host": mantle.host, **dict(request.headers.items())}
    target = mantle.origin.join("/openai/v1/responses")
    with httpx.stream("POST", target, content=raw, headers=headers, timeout=0.5) as reply:
        for line in reply.iter_lines():
            if line.startswith("event: "):
                seen.append(line.removeprefix("event: "))


def test_a_plain_answer_can_stall_until_the_client_gives_up(aws):
    with aws(profile=playing(stall=1)) as mantle:
        with pytest.raises(httpx.ReadTimeout):
            mantle.create(SOL, timeout=0.3)
        assert mantle.create(SOL).status_code == 200


def test_a_completed_answer_can_be_empty(aws):
    with aws(profile=playing(empty=1)) as mantle:
        empty, again = mantle.create(SOL).json(), mantle.create(SOL).json()

    assert (empty["status"], empty["output"]) == ("completed", [])
    assert empty["usage"]["input_tokens"] > 0
    assert again["output"]


def test_a_stream_can_end_in_an_error_frame_of_several_shapes(aws):
    with aws(profile=playing(error_frame=3)) as mantle:
        ends = [events(mantle.create(SOL, stream=True))[-1] for _ in range(4)]

    assert ends[:3] == [json.loads(f) for f in OBSERVED["streams"]["error_without_type"]["frames"]]
    assert ["type" in end for end in ends[:3]] == [False, False, True]
    assert ends[3] == "[DONE]"


@pytest.mark.parametrize(("habit", "status"), [("internal_400", 400), ("unavailable", 503)])
def test_a_request_can_fail_before_it_begins(aws, habit, status):
    with aws(profile=playing(**{habit: 1})) as mantle:
        refused, again = mantle.create(SOL), mantle.create(SOL)

    assert (refused.status_code, again.status_code) == (status, 200)
    assert habit != "internal_400" or refused.json()["error"]["message"] == "Internal server error"


def test_a_habit_can_be_shown_every_time(aws):
    with aws(profile=playing(empty=ALWAYS)) as mantle:
        assert [mantle.create(SOL).json()["output"] for _ in range(3)] == [[], [], []]


# --- what is odd in good answers


def test_arguments_can_have_characters_after_their_json(aws):
    with aws(
        Script([[call("f", x=1), call("f", x=2)]]), profile=playing(trailing_junk=2)
    ) as mantle:
        replies = [mantle.create(SOL, tools=[TOOL]).json()["output"] for _ in range(3)]
        *streamed, _ = events(mantle.create(SOL, tools=[TOOL], stream=True))

    junk = OBSERVED["arguments"]["trailing"]["examples"]
    for output, after in zip(replies, [junk[0], junk[1], ""], strict=True):
        assert [each["arguments"] for each in output] == [f'{{"x": {n}}}{after}' for n in (1, 2)]
    done = [e["arguments"] for e in streamed if e["type"].endswith("arguments.done")]
    assert done == ['{"x": 1}', '{"x": 2}']


def test_gpt_oss_can_use_tools_that_nobody_declared_and_others_do_not(aws):
    with aws(profile=playing(hidden_tools=ALWAYS)) as mantle:
        hidden = mantle.create(OSS, prefix="/v1").json()["output"]
        plain = mantle.create(SOL).json()["output"]

    assert [each["type"] for each in hidden] == ["mcp_call", "message"]
    assert [each["type"] for each in plain] == ["message"]


@pytest.mark.parametrize("spelling", ["open_responses", "openai"])
def test_reasoning_is_told_in_either_spelling(aws, spelling):
    with aws(profile=playing(reasoning=1, spelling=spelling)) as mantle:
        told = events(mantle.create(SOL, stream=True))[:-1]

    names = OBSERVED["streams"]["reasoning_spellings"][spelling]
    kinds = [event["type"] for event in told]
    assert kinds[2:6] == ["response.output_item.added", *names, "response.output_item.done"]
    assert told[2]["item"]["content"] == []
    assert told[3]["delta"] == told[5]["item"]["content"][0]["text"]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert told[-1]["response"]["output"][0]["type"] == "reasoning"


def test_the_done_marker_can_be_left_out(aws):
    with aws(profile=playing(done=False)) as mantle:
        assert events(mantle.create(SOL, stream=True))[-1]["type"] == "response.completed"


def test_reasoning_tokens_are_told_apart_or_not_by_family(aws):
    from toolstone.local import answer
    from toolstone.local.brain import Usage

    brain = Script([answer("pong", usage=Usage(10, 20, 0, 15))])
    with aws(brain) as mantle:
        usages = [
            mantle.create(OSS, prefix="/v1").json()["usage"],
            mantle.create("google.gemma-4-31b").json()["usage"],
            mantle.create(SOL).json()["usage"],
        ]

    assert [u["output_tokens_details"]["reasoning_tokens"] for u in usages] == [0, 0, 15]


# --- encrypted reasoning


THOUGHT = item(type="reasoning", summary=[])


def test_encrypted_reasoning_comes_when_asked_for_and_from_grok_unasked(aws):
    with aws(Script([[THOUGHT, "pong"]])) as mantle:
        plain = mantle.create(SOL).json()["output"][0]
        asked = mantle.create(SOL, include=["reasoning.encrypted_content"]).json()["output"][0]
        unasked = mantle.create("xai.grok-4.3").json()["output"][0]

    assert "encrypted_content" not in plain
    assert asked["encrypted_content"]
    assert unasked["encrypted_content"]


def test_encrypted_reasoning_opens_in_its_own_region_and_for_its_own_provider(aws, callers):
    with aws(Script([[THOUGHT, "pong"], "again"], by="conversation")) as mantle:

        class Served:
            base_url = str(mantle.origin)

        elsewhere = callers(Served, "mantle", "us-east-2", mantle.key)
        first = mantle.create(SOL, include=["reasoning.encrypted_content"]).json()["output"]
        replay = [*first, {"type": "message", "role": "user", "content": "go on"}]
        forged = [{**first[0], "encrypted_content": "Zm9yZWlnbg=="}, *replay[1:]]
        garbled = [{**first[0], "encrypted_content": "no base64!"}, *replay[1:]]
        bare = [{**first[0], "encrypted_content": None}, *replay[1:]]

        assert mantle.create(SOL, input=replay).status_code == 200
        assert mantle.create(SOL, input=bare).status_code == 200
        for reply in (
            elsewhere.create(SOL, input=replay),
            mantle.create("xai.grok-4.3", input=replay),
            mantle.create(SOL, input=forged),
            mantle.create(SOL, input=garbled),
        ):
            assert reply.status_code == 400
            assert reply.json()["error"]["code"] == "invalid_encrypted_content"


# --- the brain has a say too


def test_what_the_script_refuses_or_breaks_goes_out_as_it_is(aws):
    class Broken:
        models = ()

        async def answer(self, turn):
            raise ValueError(turn.model)
            yield

        async def close(self):
            pass

    with aws(Script([error(429, "slow_down", "slower")], by="sequence")) as mantle:
        assert mantle.create(SOL).json()["error"]["code"] == "slow_down"
    with aws(Broken()) as mantle:
        assert mantle.create(SOL).status_code == 500
        queued = mantle.create(SOL, background=True).json()
        path = f"/openai/v1/responses/{queued['id']}"
        statuses = [mantle.send("GET", path).json()["status"] for _ in range(20)]
        assert statuses[-1] == "failed"


def test_a_brain_that_stops_without_an_end_has_failed(aws):
    class Breathless:
        models = ()

        async def answer(self, turn):
            yield Text("and th")

        async def close(self):
            pass

    with aws(Breathless()) as mantle:
        response = mantle.create(SOL).json()

    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")


# --- as written on a command line


def test_habits_are_read_from_words():
    said = ["stall=2", "empty", "spelling=openai", "done=false", "skew=2.5", "closed_items"]

    assert Habits.of(said) == Habits(
        stall=2, empty=1, spelling="openai", done=False, skew=2.5, closed_items=True
    )


@pytest.mark.parametrize("said", ["stal=1", "stall=often", "spelling=latin", "=1"])
def test_a_habit_that_is_none_is_named_beside_those_there_are(said):
    with pytest.raises(ConfigError, match="failed_at_end"):
        Habits.of([said])
