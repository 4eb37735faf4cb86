"""What each family refuses, ignores and lets pass, row by row of the observed table."""

import tomllib
from pathlib import Path

import pytest

from toolstone.local import Habits, HostProfile, Script, call

OBSERVED = tomllib.loads(
    (Path(__file__).parent.parent / "data" / "bedrock_observed.toml").read_text()
)
GATES = OBSERVED["gates"]
MODELS = {  # family: a model of it, its region, its prefix on mantle
    "gpt-oss": ("openai.gpt-oss-120b", "us-east-1", "/v1"),
    "gpt-5.4": ("openai.gpt-5.4", "us-east-1", "/openai/v1"),
    "gpt-5.5": ("openai.gpt-5.5", "us-east-1", "/openai/v1"),
    "gpt-5.6": ("openai.gpt-5.6-sol", "us-east-1", "/openai/v1"),
    "gpt-6": ("openai.gpt-6-luna", "us-east-1", "/openai/v1"),
    "gpt-6-without-none": ("openai.gpt-6-astra", "us-west-2", "/openai/v1"),
    "gemma-4": ("google.gemma-4-31b", "us-east-1", "/openai/v1"),
    "grok-4.3": ("xai.grok-4.3", "us-east-1", "/openai/v1"),
    "grok-4.6": ("xai.grok-4.6", "us-west-2", "/openai/v1"),
}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
EFFORTS = ["none", "minimal", "low", "medium", "high", "xhigh", "max"]


def ask(aws, family, *, brain=None, profile=None, **body):
    model, region, prefix = MODELS[family]
    with aws(brain, "mantle", region, profile=profile) as mantle:
        return mantle.create(model, prefix=prefix, **body)


def verdict(reply):
    return "accepted" if reply.status_code == 200 else reply.json()["error"]["message"]


@pytest.mark.parametrize("family", [f for f in MODELS if f != "gpt-6-without-none"])
def test_sampling_goes_by_the_table(aws, family):
    for name in ("temperature", "top_p"):
        row = GATES[name][family]
        reply = ask(aws, family, **{name: 0.5})
        free = row["outcome"] == "accepted" and "when" not in row

        assert (verdict(reply) == "accepted") == free, (name, row)
        if not free:
            assert reply.json()["error"]["code"] == "validation_error"
            assert f"'{name}'" in verdict(reply)


def test_temperature_with_effort_none_and_temperature_one(aws):
    assert verdict(ask(aws, "gpt-5.4", temperature=0.5, reasoning={"effort": "none"})) == "accepted"
    assert verdict(ask(aws, "gpt-5.5", temperature=0.5, reasoning={"effort": "none"})) == "accepted"
    assert verdict(ask(aws, "gpt-5.5", temperature=1)) == "accepted"
    assert verdict(ask(aws, "gpt-5.6", temperature=1.0)) == "accepted"
    assert "Only the default (1) value" in verdict(
        ask(aws, "gpt-5.6", temperature=0.5, reasoning={"effort": "none"})
    )


@pytest.mark.parametrize("family", MODELS)
def test_reasoning_effort_goes_by_the_table(aws, family):
    row = GATES["reasoning.effort"][family]
    for effort in EFFORTS:
        expected = effort in row["values"] or effort in row.get("unknown", ())
        reply = ask(aws, family, reasoning={"effort": effort})

        assert (verdict(reply) == "accepted") == expected, effort
    assert verdict(ask(aws, family, reasoning={"effort": "minimal"})) != "accepted"


def test_the_list_in_an_error_may_hold_what_the_model_then_refuses(aws):
    listed = verdict(ask(aws, "grok-4.6", reasoning={"effort": "minimal"}))

    assert "'max'" in listed
    assert verdict(ask(aws, "grok-4.6", reasoning={"effort": "max"})) != "accepted"


@pytest.mark.parametrize("family", [f for f in MODELS if f != "gpt-6-without-none"])
def test_service_tiers_go_by_the_table(aws, family):
    row = GATES["service_tier"][family]
    for tier in ("auto", "default", "flex", "priority", "reserved"):
        reply = ask(aws, family, service_tier=tier)
        expected = tier in row["values"] or tier in row.get("unknown", ())

        assert (verdict(reply) == "accepted") == expected, tier
        if expected:
            assert reply.json()["service_tier"] == ("default" if tier == "auto" else tier)


@pytest.mark.parametrize("family", [f for f in MODELS if f != "gpt-6-without-none"])
def test_prompt_cache_options_go_by_the_table(aws, family):
    row = GATES["prompt_cache_options"][family]
    reply = ask(aws, family, prompt_cache_options={"mode": "implicit"})

    assert (verdict(reply) == "accepted") == (row["outcome"] != "refused")
    if row["outcome"] == "refused":
        assert verdict(reply) == "prompt_cache_options is not supported on this model"


def test_the_cache_lives_for_thirty_minutes_or_not_at_all(aws):
    good = ask(aws, "gpt-5.6", prompt_cache_options={"mode": "explicit", "ttl": "30m"})

    assert verdict(good) == "accepted"
    assert "'30m'" in verdict(ask(aws, "gpt-5.6", prompt_cache_options={"ttl": "12h"}))


def test_what_nobody_has_tried_can_be_refused_on_demand(aws):
    strict = HostProfile(habits=Habits(unproven="refuse"))
    body = {"prompt_cache_key": "k"}

    assert verdict(ask(aws, "gpt-5.6", **body)) == "accepted"
    assert "'prompt_cache_key'" in verdict(ask(aws, "gpt-5.6", profile=strict, **body))
    assert verdict(ask(aws, "grok-4.3", profile=strict, **body)) == "accepted"
    assert "'text.verbosity'" in verdict(
        ask(aws, "gemma-4", profile=strict, text={"verbosity": "low"})
    )
    assert verdict(ask(aws, "gpt-5.6", profile=strict, text={"verbosity": "low"})) == "accepted"
    assert verdict(ask(aws, "gpt-oss", profile=strict, reasoning={"effort": "xhigh"})) != "accepted"


# --- the choice of tools


@pytest.mark.parametrize("choice", ["required", "none"])
def test_gpt_oss_takes_auto_and_says_so(aws, choice):
    reply = ask(aws, "gpt-oss", tools=[TOOL], tool_choice=choice)

    assert 'Supported options ["auto"]' in verdict(reply)
    assert verdict(ask(aws, "gpt-oss", tools=[TOOL], tool_choice="auto")) == "accepted"
    assert verdict(ask(aws, "gpt-5.6", tools=[TOOL], tool_choice=choice)) == "accepted"


@pytest.mark.parametrize("family", ["gpt-oss", "gemma-4"])
def test_a_named_tool_is_taken_and_ignored(aws, family):
    brain = Script(["I would rather talk"])
    reply = ask(
        aws, family, brain=brain, tools=[TOOL], tool_choice={"type": "function", "name": "f"}
    )

    assert verdict(reply) == "accepted"
    assert brain.turns[0].choice.mode == "auto"
    assert reply.json()["tool_choice"] == {"type": "function", "name": "f"}


def test_max_tool_calls_is_taken_and_does_nothing(aws):
    brain = Script([[call("f"), call("f"), call("f")]])
    reply = ask(aws, "gpt-5.6", brain=brain, tools=[TOOL], max_tool_calls=1)

    assert len(reply.json()["output"]) == 3


def test_gemma_makes_one_call_a_turn(aws):
    brain = Script([["let me see", call("f", x=1), call("f", x=2)]])
    reply = ask(aws, "gemma-4", brain=brain, tools=[TOOL])

    assert [item["type"] for item in reply.json()["output"]] == ["message", "function_call"]


# --- the tools themselves


@pytest.mark.parametrize("kind", ["mantle", "runtime"])
@pytest.mark.parametrize(
    "tool", ["function", "mcp", "custom", "apply_patch", "namespace", "tool_search", "computer",
             "web_search", "code_interpreter", "file_search", "shell", "image_generation"],
)  # fmt: skip
def test_the_types_of_tools_go_by_the_host(aws, kind, tool):
    model = {"mantle": "openai.gpt-5.6-sol", "runtime": "us.openai.gpt-5.6-sol"}[kind]
    given = {**TOOL, "type": tool, "parameters": {"type": "object"}}
    with aws(None, kind) as host:
        reply = host.create(model, tools=[given])

    if tool in OBSERVED["tools"][kind]["types"]:
        assert verdict(reply) == "accepted"
        assert reply.json()["tools"][0]["type"] == tool
    else:
        assert verdict(reply).startswith("Failed to deserialize the JSON body into the target type")
        assert f"unknown variant `{tool}`" in verdict(reply)


def test_web_search_has_its_models_and_regions(aws):
    search = [{"type": "web_search"}]

    assert verdict(ask(aws, "gpt-5.6", tools=search)) == "accepted"
    for family in ("gpt-oss", "gemma-4", "grok-4.3"):
        assert "'web_search' is not supported" in verdict(ask(aws, family, tools=search))
    with aws(None, "mantle", "eu-west-1") as mantle:
        assert "'web_search'" in verdict(mantle.create("google.gemma-4-31b", tools=search))


def test_a_search_may_not_choose_what_it_finds(aws):
    search = {"type": "web_search", "search_content_types": ["text"]}

    assert "'tools[0].search_content_types'" in verdict(ask(aws, "gpt-5.6", tools=[search]))


def test_mcp_goes_by_connector_and_nothing_of_it_is_checked(aws):
    bogus = {
        "type": "mcp",
        "server_label": "s",
        "connector_id": "arn:bogus",
        "require_approval": "never",
    }

    assert verdict(ask(aws, "gpt-5.6", tools=[bogus])) == "accepted"
    url = {"type": "mcp", "server_label": "s", "server_url": "https://mcp.example"}
    assert "tools[0]: value did not match" in verdict(ask(aws, "gpt-5.6", tools=[url]))


# --- the rest


@pytest.mark.parametrize("family", ["gpt-oss", "gpt-5.6"])
def test_a_cap_below_sixteen_is_refused(aws, family):
    assert ">= 16" in verdict(ask(aws, family, max_output_tokens=15))
    assert verdict(ask(aws, family, max_output_tokens=16)) == "accepted"


def test_summaries_of_reasoning_are_automatic_or_none(aws):
    assert verdict(ask(aws, "gpt-5.6", reasoning={"summary": "auto"})) == "accepted"
    assert "'reasoning.summary'" in verdict(ask(aws, "gpt-5.6", reasoning={"summary": "detailed"}))


@pytest.mark.parametrize("family", ["gpt-oss", "gpt-5.6"])
def test_images_are_for_those_who_see(aws, family):
    part = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
    message = {"type": "message", "role": "user", "content": [part]}
    reply = ask(aws, family, input=[message])

    assert (verdict(reply) == "accepted") == (family != "gpt-oss")


DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.mark.parametrize(("data", "good"), [(DOT, False), ("AA==", True), ("not base64", True)])
def test_an_image_of_one_pixel_is_no_image(aws, data, good):
    part = {"type": "input_image", "image_url": f"data:image/png;base64,{data}"}
    message = {"type": "message", "role": "user", "content": [part]}
    reply = ask(aws, "gpt-5.6", input=[message])

    assert verdict(reply) == ("accepted" if good else "Invalid or unsupported image format")


def test_an_overflowing_prompt_names_both_numbers(aws):
    reply = ask(aws, "gpt-oss", input="word " * 110_000)

    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (400, "context_length_exceeded")
    assert "exceed model maximum (131072)" in error["message"]


def test_the_shared_checks_speak_the_host_s_words(aws):
    orphan = {"type": "function_call_output", "call_id": "call_9", "output": "1"}
    for body in (
        {"input": [orphan]},
        {"nonsense": 1},
        {"input": 3},
        {"reasoning": "x"},
        {"tools": "x"},
        {"input": ["x"]},
    ):
        error = ask(aws, "gpt-5.6", **body).json()["error"]

        assert (error["code"], error["type"]) == ("validation_error", "invalid_request_error")


def test_a_closed_host_names_the_field_that_is_too_much(aws):
    closed = HostProfile(habits=Habits(closed_items=True))
    history = [
        {"type": "message", "role": "user", "content": "ping"},
        {
            "type": "function_call",
            "call_id": "c",
            "name": "f",
            "arguments": "{}",
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": "c", "output": "1"},
    ]
    del_status = [{k: v for k, v in item.items() if k != "status"} for item in history]

    assert "input[1]: unknown field `status`" in verdict(
        ask(aws, "gpt-5.6", profile=closed, input=history)
    )
    second = Script(["ping", "pong"])
    good = ask(aws, "gpt-5.6", brain=second, profile=closed, input=del_status)
    assert verdict(good) == "accepted"
    assert verdict(ask(aws, "gpt-5.6", brain=second, input=history)) == "accepted"
