"""Two transcriptions of one page, made apart, are held side by side: where they differ, why."""

import json

import pytest

from toolstone.bedrock import Dialect
from toolstone.local.brain import RefusalError
from toolstone.local.profiles.catalogue import Catalogue
from toolstone.local.profiles.gates import Gates
from toolstone.local.profiles.observed import Where, observed
from toolstone.responses.failures import failure, read_error

CLIENT, SERVER = Dialect.load(), observed()
MODELS = [row for row in SERVER.data["model"] if "responses" in row["apis"]]
NAMED = {"type": "function", "name": "f"}
VALUES = {
    "effort": ["none", "minimal", "low", "medium", "high", "xhigh", "max"],
    "temperature": [0.5, 1],
    "top_p": [0.5, 1],
    "service_tier": ["auto", "default", "flex", "priority", "reserved"],
    "tool_choice": ["auto", "none", "required", NAMED],
    "prompt_cache_options": [{"mode": "implicit"}],
    "prompt_cache_key": ["k"],
    "summary": ["auto", "concise", "detailed"],
    "verbosity": ["low"],
    "background": [True, False],
}
DIFFERENT = {
    # taken with 200 and ignored: the server takes it, and the client does not count on it
    ("gpt-oss", "tool_choice", str(NAMED)),
    # "auto only": whether `none` counts among what is refused is not said
    ("gpt-oss", "tool_choice", "none"),
    # "maybe, with effort none": the client lets it through and learns, the server is strict
    ("gpt-5.4", "temperature", "0.5"),
    ("gpt-5.4", "temperature", "1"),
}


def on_the_wire(name, value):
    nested = {"effort": "reasoning", "summary": "reasoning", "verbosity": "text"}
    return {nested[name]: {name: value}} if name in nested else {name: value}


def taken(family, host, body):
    """Whether the emulator takes it: yes, no, or None where nobody has tried."""
    verdicts = set()
    for unproven in ("accept", "refuse"):
        try:
            Gates(SERVER, Where(host, "us-east-1"), family, unproven).check(body)
            verdicts |= {True}
        except RefusalError:
            verdicts |= {False}
    return verdicts.pop() if len(verdicts) == 1 else None


def test_what_is_taken_and_refused_differs_only_where_the_page_is_vague():
    found = set()
    for row in MODELS:
        for host in ("mantle", "runtime") if row.get("profiles") else ("mantle",):
            gates = CLIENT.gates(row["id"], host)
            for name, values in VALUES.items():
                for value in values:
                    gate = gates.get(name)
                    ours = gate is None or gate.ignored or gate.admits(value)
                    theirs = taken(row["family"], host, on_the_wire(name, value))
                    if theirs is not None and ours != theirs:
                        found.add((row["family"], name, str(value)))

    assert not found - DIFFERENT


def test_prefixes_regions_and_sizes_are_the_same():
    catalogue = Catalogue(SERVER)
    for row in MODELS:
        client = CLIENT.model(row["id"])

        assert CLIENT.family(row["id"]).prefix == catalogue.prefix(row["id"]), row["id"]
        assert client["context"] in (row["context"], row.get("max_input")), row["id"]
        assert client.get("output", row["max_output"]) == row["max_output"], row["id"]
        if "mantle" in client:
            assert sorted(client["mantle"]) == sorted(row["regions"]), row["id"]
    listed = SERVER.data["regions"]
    assert set(CLIENT.regions()) == {*listed["mantle"], *listed["mantle_listed_by_clients"]}


VALUE = {"model": "m", "path": "/v1/responses", "value": "'x'", "listed": "'a'", "where": "tools[0]",
         "tokens": 9, "maximum": 8, "item": "rs_1", "user": "arn:u", "action": "bedrock:X",
         "resource": "*", "mode": "none", "param": "top_p"}  # fmt: skip
MEANS = {  # row: what the client takes it for, and what it tries once
    "wrong_route": ("wrong-route", "switch-prefix"),
    "api_unsupported": ("wrong-route", "switch-prefix"),
    "not_enabled": ("wrong-route", "switch-prefix"),
    "model_not_found": ("model", ""),
    "runtime_model_not_found": ("model", ""),
    "invalid_identifier": ("model", "translate-id"),
    "needs_profile": ("model", "translate-id"),
    "unsupported_parameter": ("gate", "drop-parameter"),
    "only_default_value": ("gate", "drop-parameter"),
    "unsupported_value": ("gate", "drop-parameter"),
    "tool_choice_auto_only": ("gate", "drop-parameter"),
    "prompt_cache_options_unsupported": ("gate", "drop-parameter"),
    "background_unsupported": ("gate", ""),
    "web_search_unsupported": ("gate", ""),
    "max_output_tokens_too_small": ("gate", ""),
    "retention_unavailable": ("gate", ""),
    "unknown_variant": ("gate", ""),
    "no_variant": ("malformed", "strip-items"),
    "unknown_field": ("malformed", "strip-items"),
    "invalid_encrypted_content": ("malformed", "strip-reasoning"),
    "context_overflow": ("context", ""),
    "internal_400": ("transient", ""),
    "access_denied": ("permission", ""),
    "runtime_access_denied": ("permission", ""),
    "bad_token": ("auth", ""),
    "runtime_bad_key": ("auth", ""),
    "runtime_bad_signature": ("auth", ""),
    "runtime_bad_credentials": ("auth", ""),
    "response_not_found": ("state-lost", "rebuild"),
    "resource_not_found": ("state-lost", "rebuild"),
    "throttled": ("throttled", ""),
    "unavailable": ("transient", ""),
}


@pytest.mark.parametrize("row", MEANS)
def test_the_client_understands_what_the_hosts_say(row):
    refusal = SERVER.refuse(row, **VALUE)
    said = read_error(json.loads(refusal.body))

    error = failure(said, status=refusal.status, headers=refusal.headers, table=CLIENT.failures)

    assert (error.means, error.mend) == MEANS[row]
    assert error.retryable == (row in {"internal_400", "unavailable", "throttled"})


def test_every_row_is_understood_or_has_its_own_proof():
    elsewhere = {
        "unknown_operation",  # a 200: test_profiles_agent.py
        "missing_model",  # our mistake; the client always sends it
        "no_route",  # the control plane, which only the catalogue asks
        "messages_permission",  # another API
        "invalid_image",  # our mistake too
        "project_unknown",  # the text is ours
    }

    assert set(SERVER.data["errors"]) == {*MEANS, *elsewhere}
