"""Parameters an endpoint is known to refuse: sent, left out or refused here, as you say."""

import pytest

from toolstone.bedrock import resolve_endpoint
from toolstone.bedrock.gating import Refusal, admit, value_of, without
from toolstone.errors import Unsupported
from toolstone.ports import Request, Settings


def endpoint(model="openai.gpt-5.6-sol"):
    return resolve_endpoint(f"bedrock/{model}@us-east-1", environment={})


def admitted(gated, model="openai.gpt-5.6-sol", refused=(), **settings):
    request = Request((), settings=Settings(**settings))
    found, notes = admit(request, endpoint(model), gated, refused, 16)
    return found.settings, [(note.what, note.data.get("parameter")) for note in notes]


def test_by_default_what_you_set_is_sent():
    assert admitted("learn", temperature=0.2, top_p=0.9, effort="minimal") == (
        Settings(temperature=0.2, top_p=0.9, effort="minimal"),
        [],
    )


def test_what_the_service_has_refused_is_left_out_and_other_values_are_not():
    refused = [Refusal.of("effort", "max")]
    assert admitted("learn", refused=refused, effort="max") == (
        Settings(),
        [("dropped_parameter", "effort")],
    )
    assert admitted("learn", refused=refused, effort="high") == (Settings(effort="high"), [])


@pytest.mark.parametrize(
    ("model", "settings", "kept"),
    [
        ("openai.gpt-5.6-sol", {"temperature": 0.2}, {}),
        ("openai.gpt-5.6-sol", {"temperature": 1}, {"temperature": 1}),
        ("openai.gpt-5.6-sol", {"top_p": 0.5, "effort": "low"}, {"effort": "low"}),
        ("openai.gpt-5.6-sol", {"service_tier": "priority"}, {}),
        ("openai.gpt-oss-120b", {"service_tier": "priority"}, {"service_tier": "priority"}),
        ("openai.gpt-oss-120b", {"tool_choice": "required"}, {}),
        ("openai.gpt-oss-120b", {"tool_choice": {"type": "function", "name": "f"}}, {}),
        ("openai.gpt-oss-120b", {"tool_choice": "auto"}, {"tool_choice": "auto"}),
        ("openai.gpt-5.5", {"extra": {"prompt_cache_options": {"ttl": "30m"}}}, {}),
        (
            "openai.gpt-5.6-sol",
            {"extra": {"prompt_cache_options": {"ttl": "30m"}}},
            {"extra": {"prompt_cache_options": {"ttl": "30m"}}},
        ),
        ("openai.gpt-6-astra", {"effort": "none"}, {}),
        ("openai.gpt-6-sol", {"effort": "none"}, {"effort": "none"}),
        ("xai.grok-4.6", {"effort": "max"}, {}),
        ("google.gemma-4-31b", {"summary": "detailed"}, {}),
    ],
)
def test_left_out_is_exactly_what_the_table_says_is_refused(model, settings, kept):
    found, notes = admitted("drop", model, **settings)
    assert found == Settings(**kept)
    assert len(notes) == len(settings) - len(kept)


def test_to_be_told_is_to_be_told_before_anything_is_sent():
    with pytest.raises(
        Unsupported, match=r"effort='minimal'; it takes 'none', 'low'.*gated='drop'"
    ):
        admitted("raise", effort="minimal")
    with pytest.raises(Unsupported, match=r"top_p=0.5; it takes nothing"):
        admitted("raise", top_p=0.5)


def test_a_value_of_yours_that_is_no_plain_one_is_not_shown():
    with pytest.raises(Unsupported, match=r"prompt_cache_options=a dict") as caught:
        admitted("raise", "openai.gpt-5.5", extra={"prompt_cache_options": {"secret": 1}})
    assert "secret" not in str(caught.value)


def test_what_has_no_effect_is_said_and_sent():
    assert admitted("learn", extra={"max_tool_calls": 3}) == (
        Settings(extra={"max_tool_calls": 3}),
        [("ignored", "max_tool_calls")],
    )


def test_too_small_an_output_is_raised_to_the_least_or_refused():
    assert admitted("learn", max_output_tokens=5) == (
        Settings(max_output_tokens=16),
        [("raised_parameter", "max_output_tokens")],
    )
    assert admitted("learn", max_output_tokens=16)[1] == []
    with pytest.raises(Unsupported, match="16 or more"):
        admitted("raise", max_output_tokens=15)


def test_the_choice_of_the_turn_is_the_one_that_is_dropped():
    request = Request((), tool_choice="required", settings=Settings(tool_choice="f"))
    assert value_of(request, "tool_choice") == "required"
    bare = without(request, "tool_choice")
    assert (bare.tool_choice, bare.settings.tool_choice) == (None, None)


def test_to_leave_out_what_nobody_knows_changes_nothing():
    request = Request((), settings=Settings(top_p=1))
    assert without(request, "nothing") == request
