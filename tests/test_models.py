"""Model strings: which client they make, with which profile."""

import pytest

from toolstone import Agent, ConfigError, DefinitionError, Responses
from toolstone.bedrock import Dialect
from toolstone.chat import ChatCompletions
from toolstone.models import check_model_string, resolve_model

URL = "http://127.0.0.1:9/v1"


@pytest.mark.parametrize(
    ("scheme", "kind"),
    [
        ("responses", Responses),
        ("llama.cpp", ChatCompletions),
        ("litellm", Responses),
        ("transformers", Responses),
        ("local", Responses),
        ("openai", Responses),
    ],
)
def test_a_string_with_a_url_names_the_kind_of_server(scheme, kind):
    found = resolve_model(f"{scheme}+{URL}#some/model")
    assert isinstance(found, kind)
    assert (found.base_url, found.model) == (URL, "some/model")
    assert found.profile.name == scheme


def test_a_known_server_is_met_with_its_profile():
    known = Dialect.load().profile("litellm", "responses")
    assert resolve_model(f"litellm+{URL}#m").profile == known
    assert resolve_model(f"llama.cpp+{URL}#m").profile.output_with_tools == "tool"


def test_chat_completions_are_spoken_as_they_are_written():
    found = resolve_model(f"chat+{URL}#m")
    assert isinstance(found, ChatCompletions)
    assert (found.base_url, found.model) == (URL, "m")


def test_a_known_server_has_its_own_words_for_errors():
    found = resolve_model(f"litellm+{URL}#m")
    assert found.failures == Dialect.load().failures_of("litellm")


def test_openai_has_its_own_profile(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-key")
    assert resolve_model("openai/gpt-5.6").profile == Dialect.load().profile("openai")


@pytest.mark.parametrize("name", [f"vllm+{URL}#m", f"bedrock+{URL}#m"])
def test_an_unknown_kind_of_server_is_told_the_known_ones(name):
    known = "responses, chat, openai, local, llama.cpp, litellm, transformers"
    with pytest.raises(DefinitionError, match=known):
        Agent(name)


@pytest.mark.parametrize(
    "name", ["llama.cpp+http://127.0.0.1:9/v1", f"+{URL}#m", "llama.cpp/m", "gpt-5", ""]
)
def test_what_has_none_of_the_forms_is_refused_with_them(name):
    with pytest.raises(DefinitionError, match="not understood; write 'bedrock/"):
        check_model_string(name)


def test_a_url_that_sends_prompts_for_all_to_read_is_refused():
    with pytest.raises(ConfigError, match="http://"):
        resolve_model("litellm+http://example.com/v1#m")
